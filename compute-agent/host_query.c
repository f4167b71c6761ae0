/* Questions of the API about a server: the console's log, the hypervisor's figures. Answered once; a question that is
 * repeated while its answer is under way is left. */
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/host_internal.h"
#include <stdlib.h>
#include <string.h>

#define HOST_QUERY_MS 10000

struct host_query {
    struct host *host;
    char *id;
    bool json; /* the output is JSON, not text */
};

static void host_query_delivered(void *arg, const struct http_answer *answer)
{
    struct host_query *q = arg;
    if (answer->status < 200 || answer->status > 299)
        log_warn("answer to a query not delivered", "query=%s status=%d", q->id, answer->status);
    idmap_remove(&q->host->queries, q->id);
    free(q->id);
    free(q);
}

static void host_query_answer(void *arg, const struct hypervisor_result *result, const char *text, size_t size)
{
    struct host_query *q = arg;
    struct strbuf body, path;
    struct json_out o;
    strbuf_init(&body, 0);
    strbuf_init(&path, 0);
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    if (result->code)
        json_out_text(&o, "error", error_text(result->error));
    else if (q->json)
        json_out_raw(&o, "output", text);
    else
        json_out_text_n(&o, "output", text, size);
    json_out_object_end(&o);
    strbuf_appendf(&path, "/agent/v1/queries/%s", q->id);
    http_client_send(q->host->http, HTTP_LANE_OTHER, "POST", path.data, body.data, body.size, HOST_QUERY_MS,
                     host_query_delivered, q);
    strbuf_done(&path);
    strbuf_done(&body);
}

/* The id becomes a part of a path. */
static bool host_query_is_id(const char *id)
{
    size_t size = strlen(id);
    return size > 0 && size <= 64 &&
           strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == size;
}

void host_query_take(struct host *h, const struct spec_query *query)
{
    if (!host_query_is_id(query->id) || idmap_get(&h->queries, query->id))
        return;
    struct host_query *q = memory_new(sizeof(*q));
    struct hypervisor *hv = h->hypervisor;
    q->host = h;
    q->id = memory_strdup(query->id);
    idmap_put(&h->queries, q->id, q);
    struct error e = {0};
    struct hypervisor_result refused = {.error = &e};
    const struct guest *g = idmap_get(&h->guests, query->server_id);
    if (!g) {
        refused.code = error_set(&e, ERR_NOT_FOUND, "This host has no server %.40s", query->server_id);
        host_query_answer(q, &refused, "", 0);
    } else if (query->kind == SPEC_QUERY_CONSOLE_LOG) {
        hv->ops->console_log(hv, g->id, query->lines, host_query_answer, q);
    } else if (query->kind == SPEC_QUERY_DIAGNOSTICS) {
        q->json = true;
        hv->ops->diagnostics(hv, g->id, host_query_answer, q);
    } else {
        refused.code = error_set(&e, ERR_NOT_IMPLEMENTED, "This agent does not know the query %.40s", query->kind_name);
        host_query_answer(q, &refused, "", 0);
    }
}

void host_query_free(struct host *h)
{
    size_t at = 0;
    for (struct host_query *q; (q = idmap_next(&h->queries, &at));) {
        free(q->id);
        free(q);
    }
    idmap_done(&h->queries);
}
