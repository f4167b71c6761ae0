/* From the HTTP thread to a worker (slow work), on to the writer (the handler inside the transaction), and back. The
 * connection is suspended all the way, so nobody else looks at the exchange. */
#include "api/http/exchange.h"
#include "api/http/idempotency.h"
#include "api/http/upload.h"
#include <stddef.h>

static void exchange_write_back(struct exchange *x, enum exchange_phase phase)
{
    x->phase = phase;
    exchange_resume(x);
}

static int exchange_write_run(struct db_conn *c, void *arg, struct error *e)
{
    struct exchange *x = arg;
    x->then = NULL;
    int rc = idempotency_applies(x) ? idempotency_call(x, c) : exchange_call(x, x->request.route->handler, c);
    return rc ? error_set(e, rc, "%s", error_text(&x->request.error)) : 0;
}

static void exchange_write_done(struct writer_job *job, int rc, const struct error *e)
{
    struct exchange *x = job->arg;
    if (rc && !x->request.error.code) /* the handler was content, the commit failed */
        error_set(&x->request.error, rc, "%s", e && e->code ? error_text(e) : error_sentence(rc));
    exchange_write_back(x, rc || !x->then ? EXCHANGE_ANSWER : EXCHANGE_RUN);
}

static void exchange_write_submit(struct exchange *x)
{
    x->job = (struct writer_job){.run = exchange_write_run, .done = exchange_write_done, .arg = x};
    int rc = writer_submit(x->server->api->writer, &x->job);
    if (rc) {
        error_set(&x->request.error, rc, "%s", error_sentence(rc));
        exchange_write_back(x, EXCHANGE_ANSWER);
    }
}

static void exchange_write_work(struct workers_job *work)
{
    struct exchange *x = (struct exchange *)((char *)work - offsetof(struct exchange, work));
    const struct route *route = x->request.route;
    int rc = 0;
    if (x->upload)
        rc = upload_finish(x->upload, &x->request.error);
    else if (route->before)
        rc = exchange_call(x, route->before, db_reader(x->server->api->db));
    x->before_done = true;
    if (rc)
        exchange_write_back(x, EXCHANGE_ANSWER);
    else if (route->kind == ROUTE_READ)
        exchange_write_back(x, EXCHANGE_RUN);
    else
        exchange_write_submit(x);
}

void exchange_write(struct exchange *x)
{
    bool slow = x->upload || (x->request.route->before && !x->before_done);
    if (!slow) {
        exchange_write_submit(x);
        return;
    }
    x->work.run = exchange_write_work;
    bool hashes = !x->upload && x->request.route->hashes;
    int rc = workers_submit(hashes ? x->server->hashers : x->server->workers, &x->work);
    if (rc) {
        error_set(&x->request.error, rc, "%s", error_sentence(rc));
        exchange_write_back(x, EXCHANGE_ANSWER);
    }
}
