/* The question for work, asked again as soon as it is answered: the API parks it. The first pass begins with since=0
 * and does not wait, so that its end is known at once. When the API is away it is tried again after a growing pause,
 * for ever; servers run on. */
#include "common/json_in.h"
#include "common/log.h"
#include "compute-agent/guest_cpu.h"
#include "compute-agent/host_internal.h"
#include "compute-agent/host_task.h"
#include "compute-agent/loop.h"

#define HOST_POLL_LIMIT    200
#define HOST_POLL_SLACK_MS 15000 /* on top of the time that the API may park the question */
#define HOST_POLL_MOST_MS  5000

static void host_poll_ask(void *arg);

static void host_poll_again_after_failure(struct host *h)
{
    unsigned shift = h->poll.failures < 6 ? h->poll.failures : 6;
    int64_t pause = h->settings->retry_pause_ms << shift;
    pause = pause < HOST_POLL_MOST_MS ? pause : HOST_POLL_MOST_MS;
    h->poll.failures++;
    loop_timer_start(h->poll.timer, pause, 0);
}

static void host_poll_take_server(struct host *h, json_value *value)
{
    struct spec *spec = NULL;
    struct error e = {0};
    char id[UUID_SIZE];
    int64_t revision;
    if (spec_read(value, &spec, id, &revision, &e) == 0) {
        guest_take_spec(host_guest(h, spec->id), &spec);
    } else {
        log_error("specification cannot be read", "server=%s revision=%lld error=\"%s\"", id, (long long)revision,
                  error_text(&e));
        if (id[0] && revision > 0)
            guest_refuse(host_guest(h, id), revision, &e);
    }
}

/* Before the servers: those that start now are to have it. One that cannot be read is none. */
static void host_poll_take_cpu(struct host *h, const struct spec_desired *d)
{
    const struct hypervisor_ops *ops = h->hypervisor->ops;
    struct guest_cpu_baseline b = {0};
    struct arena a;
    if (!d->cpu_baseline && !d->no_cpu_baseline)
        return;
    arena_init(&a);
    json_value *features = json_in_member(d->cpu_baseline, "features");
    b.description = json_in_text(json_in_member(d->cpu_baseline, "description"));
    json_in_int(json_in_member(d->cpu_baseline, "id"), &b.id);
    h->poll.cpu_baseline = b.id;
    bool good = d->cpu_baseline && b.description && cpu_set_read(json_in_print(features, &a), &a, &b.features);
    if (d->cpu_baseline && !good)
        log_error("the baseline of processors cannot be read", "host=%s id=%lld", h->identity->host_id,
                  (long long)b.id);
    else
        log_info("baseline of processors", "host=%s id=%lld", h->identity->host_id, (long long)b.id);
    if (ops->set_baseline) {
        ops->set_baseline(h->hypervisor, good ? &b : &(struct guest_cpu_baseline){0});
        if (h->connected)
            host_report_inventory(h);
    }
    arena_done(&a);
}

static void host_poll_take(struct host *h, const struct spec_desired *d)
{
    bool was_full = h->poll.full;
    host_poll_take_cpu(h, d);
    for (size_t i = 0; i < json_in_count(d->tasks); i++) /* first: a server with a task is left alone */
        host_task_take(h, json_in_item(d->tasks, i));
    for (size_t i = 0; i < json_in_count(d->servers); i++)
        host_poll_take_server(h, json_in_item(d->servers, i));
    for (size_t i = 0; i < d->queries.count; i++)
        host_query_take(h, (const struct spec_query *)d->queries.items + i);
    h->poll.queries_since = d->queries_us;
    if (d->revision < h->poll.since) { /* the API's database was set back: start over */
        log_warn("API's revision went back", "from=%lld to=%lld", (long long)h->poll.since, (long long)d->revision);
        h->poll.since = 0;
        h->poll.full = false;
        return;
    }
    h->poll.since = d->revision;
    h->poll.full = h->poll.full || !d->more;
    if (h->poll.full && !was_full) {
        log_info("full list read", "host=%s servers=%zu", h->identity->host_id, h->guests.count);
        host_check_unknown(h);
    }
}

static int host_poll_read(struct host *h, const struct http_answer *answer, struct error *e)
{
    struct json_doc doc;
    struct arena arena;
    struct spec_desired desired;
    int code = json_in_parse(answer->body, answer->size, &doc, e);
    if (code)
        return code;
    arena_init(&arena);
    code = spec_read_desired(doc.root, &arena, &desired, e);
    if (!code)
        host_poll_take(h, &desired);
    arena_done(&arena);
    json_in_done(&doc);
    return code;
}

static void host_poll_answered(void *arg, const struct http_answer *answer)
{
    struct host *h = arg;
    struct error e = {0};
    int code = 0;
    if (answer->status == 0)
        code = error_set(&e, answer->error->code, "%s", error_text(answer->error));
    else if (answer->status != 200)
        code = error_set(&e, ERR_PEER, "The API answers %d to the question for work: %.200s", answer->status,
                         answer->body);
    else
        code = host_poll_read(h, answer, &e);
    if (code) {
        if (h->poll.failures == 0)
            log_warn("no work from the API", "error=\"%s\"", error_text(&e));
        host_poll_again_after_failure(h);
        return;
    }
    if (h->poll.failures)
        log_info("API answers again", "after=%u", h->poll.failures);
    h->poll.failures = 0;
    host_poll_ask(h);
}

static void host_poll_ask(void *arg)
{
    struct host *h = arg;
    int64_t wait_ms = h->poll.full ? h->settings->poll_wait_ms : 0;
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "/agent/v1/desired?since=%lld&queries_since=%lld&cpu_baseline=%lld&wait_ms=%lld&limit=%d",
                   (long long)h->poll.since, (long long)h->poll.queries_since, (long long)h->poll.cpu_baseline,
                   (long long)wait_ms, HOST_POLL_LIMIT);
    http_client_send(h->http, HTTP_LANE_POLL, "GET", path.data, NULL, 0, wait_ms + HOST_POLL_SLACK_MS,
                     host_poll_answered, h);
    strbuf_done(&path);
}

void host_poll_start(struct host *h)
{
    h->poll.timer = loop_timer_new(h->loop, host_poll_ask, h);
    host_poll_ask(h);
}

void host_poll_stop(struct host *h)
{
    loop_timer_free(&h->poll.timer);
}
