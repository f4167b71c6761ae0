/* Questions of the API: a server's console log, the hypervisor's figures of it, all servers as hypervisor and journal
 * have them, what the journal said in a period, what processors have in common. Answered once; a question that is
 * repeated while its answer is under way is left. */
#include "common/clock.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/host_internal.h"
#include "compute-agent/journal_past.h"
#include "compute-agent/worker.h"
#include <stdlib.h>
#include <string.h>

#define HOST_QUERY_MS 10000

struct host_query {
    struct host *host;
    char *id;
    bool json;                    /* the output is JSON, not text */
    struct host_query_past *past; /* under way */
};
/* Reading of old files, on a worker. */
struct host_query_past {
    struct worker_job job;    /* first */
    struct host_query *query; /* NULL: freed meanwhile */
    struct journal_past_query wanted;
    char *path;
    struct strbuf text;
    struct error error;
    int code;
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

static void host_query_write_said(struct json_out *o, const struct journal_event *said)
{
    if (said == NULL)
        return;
    json_out_object(o, "journal");
    json_out_int(o, "seq", said->seq);
    json_out_int(o, "at_us", said->at_us);
    json_out_text(o, "state", server_state_name(said->state));
    json_out_object_end(o);
}

static void host_query_write_server(struct json_out *o, const char *id, const char *domain,
                                    const struct journal_event *said)
{
    json_out_object(o, NULL);
    json_out_text(o, "id", id);
    json_out_text(o, "domain", domain);
    host_query_write_said(o, said);
    json_out_object_end(o);
}

static bool host_query_is_listed(const struct hypervisor_list *list, const char *id)
{
    for (size_t i = 0; i < list->server_count; i++)
        if (strcmp(list->servers[i].server_id, id) == 0)
            return true;
    return false;
}

/* What the hypervisor has, then what only the journal still knows; domain null: the hypervisor has none. */
static void host_query_listed(void *arg, const struct hypervisor_list *list)
{
    struct host_query *q = arg;
    const struct journal *j = q->host->journal;
    const struct journal_event *said;
    struct strbuf text;
    struct json_out o;
    size_t at = 0;
    strbuf_init(&text, 0);
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_int(&o, "now_us", clock_now_us());
    json_out_int(&o, "accepted_seq", journal_accepted(j));
    json_out_uint(&o, "pending", journal_pending(j));
    json_out_array(&o, "servers");
    for (size_t i = 0; i < list->server_count && !list->result.code; i++) {
        const struct hypervisor_found *f = &list->servers[i];
        host_query_write_server(&o, f->server_id,
                                f->domain == HYPERVISOR_ABSENT ? NULL : hypervisor_domain_name(f->domain),
                                journal_last(j, f->server_id));
    }
    while (!list->result.code && (said = journal_next_last(j, &at)) != NULL)
        if (!host_query_is_listed(list, said->server_id))
            host_query_write_server(&o, said->server_id, NULL, said);
    json_out_array_end(&o);
    json_out_object_end(&o);
    host_query_answer(q, &list->result, text.data, text.size);
    strbuf_done(&text);
}

static void host_query_past_run(struct worker_job *job)
{
    struct host_query_past *p = (struct host_query_past *)job;
    p->code = journal_past_print(p->path, &p->wanted, &p->text, &p->error);
}

static void host_query_past_done(struct worker_job *job, enum worker_outcome outcome)
{
    struct host_query_past *p = (struct host_query_past *)job;
    struct hypervisor_result result = {.code = outcome == WORKER_DONE ? p->code : ERR_IO, .error = &p->error};
    if (p->query) {
        p->query->past = NULL;
        host_query_answer(p->query, &result, p->text.data, p->text.size);
    }
    strbuf_done(&p->text);
    free(p->path);
    free(p);
}

static void host_query_read_past(struct host_query *q, const struct spec_query *query)
{
    static const struct worker_class class = {.run = host_query_past_run, .done = host_query_past_done};
    struct host_query_past *p = memory_new(sizeof(*p));
    p->query = q;
    p->path = memory_strdup(journal_path(q->host->journal));
    p->wanted = (struct journal_past_query){.from_us = query->from_us,
                                            .to_us = query->to_us,
                                            .after_seq = query->after_seq,
                                            .accepted = journal_accepted(q->host->journal)};
    strbuf_init(&p->text, 0);
    q->past = p;
    q->json = true;
    worker_submit(q->host->files, &p->job, &class, 0);
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
    if (query->kind == SPEC_QUERY_SERVERS) {
        q->json = true;
        hv->ops->list(hv, host_query_listed, q);
    } else if (query->kind == SPEC_QUERY_JOURNAL) {
        host_query_read_past(q, query);
    } else if (query->kind == SPEC_QUERY_FOREIGN && hv->ops->foreign) {
        q->json = true;
        hv->ops->foreign(hv, host_query_answer, q);
    } else if (query->kind == SPEC_QUERY_CPU_BASELINE && hv->ops->baseline) {
        q->json = true;
        hv->ops->baseline(hv, &query->cpus, host_query_answer, q);
    } else if (!g) {
        refused.code = error_set(&e, ERR_NOT_FOUND, "This host has no server %.40s", query->server_id);
        host_query_answer(q, &refused, "", 0);
    } else if (query->kind == SPEC_QUERY_CONSOLE_LOG) {
        hv->ops->console_log(hv, g->id, query->lines, host_query_answer, q);
    } else if (query->kind == SPEC_QUERY_SET_PASSWORD && hv->ops->set_password && query->user && query->password) {
        hv->ops->set_password(hv, g->id, query->user, query->password, host_query_answer, q);
    } else if (query->kind == SPEC_QUERY_ADDRESSES && hv->ops->addresses) {
        q->json = true;
        hv->ops->addresses(hv, g->id, host_query_answer, q);
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
        if (q->past)
            q->past->query = NULL;
        free(q->id);
        free(q);
    }
    idmap_done(&h->queries);
}
