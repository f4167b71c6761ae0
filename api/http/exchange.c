/* The life of a request: libmicrohttpd calls once with the headers, once for each piece of the body, once at its end,
 * and once after each suspension. An answer that is decided before the body came waits for the body's end when that is
 * near (so that the connection stays usable), else it is sent at once and the connection closes. */
#include "api/http/exchange.h"
#include "api/http/http_thread.h"
#include "api/http/peer.h"
#include "api/http/response.h"
#include "api/http/upload.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include <stdlib.h>
#include <string.h>

/* Of a refused body that are read first: most clients hear nothing before they have sent all of it. */
#define EXCHANGE_SWALLOW_BYTES ((int64_t)4 << 20)
#define EXCHANGE_CUT_BYTES                                                                                             \
    ((int64_t)64 << 20) /* of a body that turned out to be refused, before the connection is cut */
#define EXCHANGE_KEEP_BYTES ((size_t)64 << 10) /* a larger body buffer is given back */

struct exchange *exchange_new(struct http_server *s, struct MHD_Connection *connection, const char *target)
{
    struct exchange *x = http_thread_take(http_thread_self(s));
    if (!x) {
        x = memory_new(sizeof(*x));
        arena_init(&x->request.arena);
        strbuf_init(&x->body, 0);
        strbuf_init(&x->reply.body, 0);
        x->reply.file = -1;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    x->server = s;
    x->connection = connection;
    x->peer = info ? info->socket_context : NULL;
    x->phase = EXCHANGE_NEW;
    x->request.api = s->api;
    x->request.arrived_us = clock_now_us();
    x->request.microversion = 1;
    x->began_us = clock_mono_us();
    reply_start(&x->reply, &x->request.arena);
    x->target = target ? arena_strdup(&x->request.arena, target) : "";
    atomic_fetch_add_explicit(&s->active, 1, memory_order_relaxed);
    peer_set_deadline(x->peer, x->began_us + s->options.header_timeout_ms * 1000);
    return x;
}

/* Empties everything but the memory that is kept for the next request. */
static void exchange_clear(struct exchange *x)
{
    struct arena arena = x->request.arena;
    struct strbuf body = x->body, answer = x->reply.body;
    *x = (struct exchange){0};
    x->request.arena = arena;
    x->body = body;
    x->reply.body = answer;
    x->reply.file = -1;
}

void exchange_watch(struct exchange *x)
{
    unsigned idle_s = (unsigned)((x->server->options.idle_timeout_ms + 999) / 1000);
    if (!x->timed)
        MHD_set_connection_option(x->connection, MHD_CONNECTION_OPTION_TIMEOUT, idle_s);
    x->timed = true;
}

void exchange_free(struct exchange *x)
{
    struct http_server *s = x->server;
    struct http_thread *self = http_thread_self(s);
    if (x->timed)
        MHD_set_connection_option(x->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    park_forget(s->park, &x->ticket);
    upload_free(&x->upload);
    if (x->response)
        response_give_back(http_thread_responses(self), x->response);
    if (x->has_doc)
        json_in_done(&x->doc);
    reply_done(&x->reply);
    strbuf_reset(&x->body);
    if (x->body.capacity > EXCHANGE_KEEP_BYTES)
        strbuf_done(&x->body);
    arena_reset(&x->request.arena);
    int64_t mono_us = clock_mono_us();
    peer_set_idle(x->peer, mono_us, mono_us + s->options.idle_timeout_ms * 1000);
    exchange_clear(x);
    if (!http_thread_keep(self, x))
        exchange_destroy(x);
    atomic_fetch_sub_explicit(&s->active, 1, memory_order_acq_rel);
}

void exchange_destroy(struct exchange *x)
{
    arena_done(&x->request.arena);
    strbuf_done(&x->body);
    strbuf_done(&x->reply.body);
    free(x);
}

void exchange_suspend(struct exchange *x)
{
    x->phase = EXCHANGE_WAITING;
    atomic_fetch_add_explicit(&x->server->suspended, 1, memory_order_relaxed);
    MHD_suspend_connection(x->connection);
}

void exchange_resume(struct exchange *x)
{
    struct http_server *s = x->server;
    MHD_resume_connection(x->connection);
    /* The exchange is the HTTP thread's from here on, and nothing of the server is touched after this. */
    atomic_fetch_sub_explicit(&s->suspended, 1, memory_order_acq_rel);
}

int exchange_call(struct exchange *x, handler_fn fn, struct db_conn *conn)
{
    struct request *request = &x->request;
    reply_reset(&x->reply);
    error_clear(&request->error);
    x->park_asked = false;
    request->conn = conn;
    request->now_us = clock_now_us();
    log_bind("request", request->id);
    if (x->headers.request_id)
        log_bind("global", x->headers.request_id);
    int rc = fn(request, &x->reply);
    if (!rc && json_out_error(&x->reply.out))
        rc = error_set(&request->error, ERR_INTERNAL, "The answer is too large");
    if (rc && !request->error.code)
        error_set(&request->error, rc, "%s", error_sentence(rc));
    if (!rc)
        error_clear(&request->error);
    log_unbind("request");
    if (x->headers.request_id)
        log_unbind("global");
    request->conn = NULL;
    return rc;
}

/* One run of a read handler. True when the request waits now and is not ours any more. */
static bool exchange_read(struct exchange *x)
{
    struct http_server *s = x->server;
    for (;;) {
        park_forget(s->park, &x->ticket);
        int rc = exchange_call(x, x->then ? x->then : x->request.route->handler, db_reader(s->api->db));
        if (rc || !x->park_asked)
            return false;
        if (!atomic_load(&s->stopping))
            break;
        x->last_run = true; /* the time is up, whatever the clock says */
        x->request.arrived_us = 0;
    }
    int64_t deadline_us = x->park_deadline_us;
    exchange_suspend(x);
    x->phase = EXCHANGE_RUN;
    if (!park_arm(s->park, &x->ticket, deadline_us))
        exchange_resume(x);
    return true;
}

static enum MHD_Result exchange_end(struct exchange *x)
{
    if (x->request.error.code)
        exchange_fault(x);
    return exchange_answer(x);
}

static enum MHD_Result exchange_run(struct exchange *x)
{
    peer_set_deadline(x->peer, INT64_MAX);
    if (x->request.error.code)
        return exchange_end(x);
    const struct route *route = x->request.route;
    bool slow = route->before && !x->before_done;
    if ((route->kind != ROUTE_READ && !x->then) || slow) {
        exchange_suspend(x);
        exchange_write(x);
        return MHD_YES;
    }
    if (x->ticket.watch_count) /* parked time is not the handler's */
        x->began_us = clock_mono_us();
    return exchange_read(x) ? MHD_YES : exchange_end(x);
}

/* How many bytes of body are announced; -1 for chunked ones. */
static int64_t exchange_announced(const struct exchange *x)
{
    return x->headers.transfer_encoding ? -1 : x->body_bytes;
}

static enum MHD_Result exchange_begin(struct exchange *x, const char *url, const char *method, const char *version)
{
    x->phase = EXCHANGE_BODY;
    int rc = exchange_open(x, url, method, version);
    int64_t announced = exchange_announced(x);
    x->body_bytes = 0;
    if (!rc && announced)
        rc = exchange_body_begin(x);
    x->swallow = rc != 0;
    const struct http_options *o = &x->server->options;
    if (announced)
        peer_set_idle(x->peer, x->began_us,
                      x->began_us + (x->upload ? o->upload_timeout_ms : o->body_timeout_ms) * 1000);
    if (x->upload)
        exchange_watch(x);
    bool at_once = x->unclear || (announced && x->headers.expect) || announced > EXCHANGE_SWALLOW_BYTES;
    if (rc && at_once)
        return exchange_end(x); /* the client is told before it sends; libmicrohttpd closes the connection */
    return MHD_YES;
}

static enum MHD_Result exchange_take(struct exchange *x, const char *data, size_t size)
{
    x->body_bytes += (int64_t)size;
    peer_touch(x->peer, clock_mono_us());
    if (!x->swallow)
        x->swallow = exchange_body_add(x, data, size) != 0;
    if (!x->swallow)
        return MHD_YES;
    upload_free(&x->upload);
    return x->body_bytes < x->body_limit + EXCHANGE_CUT_BYTES ? MHD_YES : MHD_NO;
}

static enum MHD_Result exchange_step(struct exchange *x, const char *url, const char *method, const char *version,
                                     const char *data, size_t *size)
{
    switch (x->phase) {
    case EXCHANGE_NEW:
        return exchange_begin(x, url, method, version);
    case EXCHANGE_BODY:
        if (*size) {
            size_t taken = *size;
            *size = 0;
            return exchange_take(x, data, taken);
        }
        if (!x->swallow)
            exchange_body_end(x);
        return exchange_run(x);
    case EXCHANGE_RUN:
        return exchange_run(x);
    case EXCHANGE_ANSWER:
        return exchange_end(x);
    case EXCHANGE_WAITING:
    case EXCHANGE_SENT:
        break;
    }
    *size = 0;
    return MHD_YES;
}

enum MHD_Result exchange_handle(struct exchange *x, const char *url, const char *method, const char *version,
                                const char *data, size_t *size)
{
    struct http_thread *self = http_thread_self(x->server);
    http_thread_enter(self, clock_mono_us());
    enum MHD_Result result = exchange_step(x, url, method, version, data, size);
    http_thread_leave(self);
    return result;
}
