/* Reports. An event goes into the journal, from there to disk, and then into the next report, which leaves at once;
 * events that come while a report is under way share the following one. An empty report is the heartbeat. What the API
 * has accepted is never sent again; what it has not accepted is sent again until it does. A process' first report has
 * no events: its answer tells which numbers are used already. */
#include "common/clock.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/guest_metrics.h"
#include "compute-agent/host_check.h"
#include "compute-agent/host_internal.h"
#include "compute-agent/loop.h"
#include "compute-agent/offers.h"
#include "compute-agent/worker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_REPORT_LIMIT   500
#define HOST_REPORT_SAMPLES 5000
#define HOST_REPORT_NICS    64 /* of a server: more are told as one sum */
#define HOST_REPORT_MS      15000
#define HOST_REPORT_MOST_MS 5000

/* ---- on disk first ---- */

struct host_sync {
    struct worker_job job; /* first */
    struct host *host;     /* NULL: freed meanwhile */
    struct journal_ticket ticket;
};

static void host_sync_journal(struct host *h);

static void host_sync_run(struct worker_job *job)
{
    journal_sync_run(&((struct host_sync *)job)->ticket);
}

static void host_sync_done(struct worker_job *job, enum worker_outcome outcome)
{
    struct host_sync *s = (struct host_sync *)job;
    struct host *h = s->host;
    struct error e = {0};
    (void)outcome; /* without a deadline always WORKER_DONE, or BUSY while the process ends */
    if (h && journal_sync_done(h->journal, &s->ticket, &e))
        log_error("journal cannot be synced", "error=\"%s\"", error_text(&e));
    free(s);
    if (!h)
        return;
    h->report.sync = NULL;
    host_report_soon(h);
    host_sync_journal(h);
}

static void host_sync_journal(struct host *h)
{
    static const struct worker_class class = {.run = host_sync_run, .done = host_sync_done};
    if (!journal_dirty(h->journal))
        return;
    struct host_sync *s = memory_new(sizeof(*s));
    s->host = h;
    s->ticket = journal_sync_begin(h->journal);
    h->report.sync = s;
    worker_submit(h->files, &s->job, &class, 0);
}

bool host_report_event(struct host *h, struct journal_event *event)
{
    struct error e = {0};
    if (journal_append(h->journal, event, &e)) {
        log_error("event cannot be written to the journal", "server=%s error=\"%s\"", event->server_id, error_text(&e));
        return false;
    }
    if (h->durable)
        host_sync_journal(h);
    else
        host_report_soon(h);
    return true;
}

/* ---- the report ---- */

static size_t host_report_print(struct host *h, struct strbuf *body)
{
    struct host_report *r = &h->report;
    struct strbuf events;
    struct json_out o;
    int64_t last;
    strbuf_init(&events, 0);
    strbuf_append_char(&events, '[');
    size_t count = r->introduced ? journal_print(h->journal, HOST_REPORT_LIMIT, &events, &last) : 0;
    strbuf_append_char(&events, ']');
    json_out_init(&o, body);
    json_out_object(&o, NULL);
    json_out_int(&o, "now_us", clock_now_us());
    json_out_text(&o, "boot_id", h->alive.boot_id);
    json_out_text(&o, "agent_version", VIRGA_VERSION);
    r->with_inventory = r->inventory && !r->inventory_sent;
    if (r->with_inventory) {
        json_out_raw(&o, "inventory", r->inventory);
        offers_print(h->settings, &o);
    }
    json_out_raw(&o, "events", events.data);
    sample_queue_print(&r->samples, HOST_REPORT_SAMPLES, &o);
    host_check_print(h, &o);
    json_out_object_end(&o);
    strbuf_done(&events);
    return count;
}

/* Only now may events be told: their numbers are above those that the API knows. */
static void host_report_introduced(struct host *h)
{
    h->report.introduced = true;
    h->report.wanted = h->report.wanted || journal_pending(h->journal);
}

static void host_report_accept(struct host *h, const struct http_answer *answer)
{
    struct json_doc doc;
    struct error e = {0};
    int64_t accepted = 0;
    bool behind = false;
    if (json_in_parse(answer->body, answer->size, &doc, &e)) {
        log_warn("report's answer cannot be read", "error=\"%s\"", error_text(&e));
        return;
    }
    if (!json_in_int(json_in_member(doc.root, "accepted_seq"), &accepted))
        log_warn("report's answer does not say what was taken", "host=%s", h->identity->host_id);
    else if (journal_accept(h->journal, accepted, &behind, &e))
        log_error("journal cannot be written", "error=\"%s\"", error_text(&e));
    else if (!h->report.introduced)
        host_report_introduced(h);
    json_in_done(&doc);
    if (behind)
        host_say_again(h);
    if (h->report.with_inventory)
        h->report.inventory_sent = true;
    host_upkeep_soon(h);
}

static void host_report_failed(struct host *h, const struct http_answer *answer)
{
    struct host_report *r = &h->report;
    sample_queue_end(&r->samples, false);
    host_check_told(h, false);
    unsigned shift = r->failures < 6 ? r->failures : 6;
    int64_t pause = h->settings->retry_pause_ms << shift;
    if (r->failures++ == 0)
        log_warn("report not delivered", "status=%d error=\"%.200s\"", answer->status,
                 answer->status ? answer->body : error_text(answer->error));
    loop_timer_start(r->timer, pause < HOST_REPORT_MOST_MS ? pause : HOST_REPORT_MOST_MS, 0);
}

static void host_report_answered(void *arg, const struct http_answer *answer)
{
    struct host *h = arg;
    struct host_report *r = &h->report;
    r->running = false;
    if (answer->status != 200) {
        host_report_failed(h, answer);
        return;
    }
    r->failures = 0;
    sample_queue_end(&r->samples, true);
    host_check_told(h, true);
    host_report_accept(h, answer);
    if (r->wanted)
        host_report_soon(h);
    else
        loop_timer_start(r->timer, h->settings->report_interval_ms, 0);
}

static void host_report_send(void *arg)
{
    struct host *h = arg;
    struct host_report *r = &h->report;
    struct strbuf body;
    strbuf_init(&body, 0);
    host_alive_touch(h);
    r->wanted = host_report_print(h, &body) == HOST_REPORT_LIMIT || r->samples.count > r->samples.sent;
    r->running = true;
    http_client_send(h->http, HTTP_LANE_REPORT, "POST", "/agent/v1/report", body.data, body.size, HOST_REPORT_MS,
                     host_report_answered, h);
    strbuf_done(&body);
}

void host_report_soon(struct host *h)
{
    h->report.wanted = true;
    if (!h->report.running && !h->report.failures) /* after a failure the timer decides */
        loop_timer_start(h->report.timer, 0, 0);
}

/* ---- inventory and samples ---- */

static void host_report_take_inventory(void *arg, const struct hypervisor_result *result, const char *text, size_t size)
{
    struct host *h = arg;
    struct host_report *r = &h->report;
    if (result->code) {
        log_warn("inventory cannot be read", "error=\"%s\"", error_text(result->error));
        return;
    }
    if (r->inventory && strlen(r->inventory) == size && memcmp(r->inventory, text, size) == 0)
        return;
    free(r->inventory);
    r->inventory = memory_new(size + 1);
    memcpy(r->inventory, text, size);
    r->inventory_sent = false;
    host_report_soon(h);
}

void host_report_inventory(struct host *h)
{
    h->hypervisor->ops->inventory(h->hypervisor, host_report_take_inventory, h);
}

static const struct spec_nic *host_report_nic(const struct spec *spec, const char *mac)
{
    const struct spec_nic *nics = spec ? spec->nics.items : NULL;
    if (spec && spec->nics.count == 1 && !*mac)
        return nics;
    for (size_t i = 0; spec && i < spec->nics.count; i++) {
        if (strcasecmp(nics[i].mac, mac) == 0)
            return &nics[i];
    }
    return NULL;
}

/* The hypervisor knows MACs, the specification what network each is on; one that was unplugged is where it was. A nic
 * that has no name is the server's only one. Traffic is told by nic of all nics or of none: their sum is told too. */
static void host_report_name_nics(struct host *h, struct hypervisor_sample *s)
{
    const struct guest *g = idmap_get(&h->guests, s->server_id);
    bool named = s->nic_count <= HOST_REPORT_NICS;
    for (size_t i = 0; i < s->nic_count && named; i++) {
        struct hypervisor_nic *n = &s->nics[i];
        const struct spec_nic *nic = host_report_nic(g ? g->spec : NULL, n->mac);
        if (nic && !*n->mac)
            snprintf(n->mac, sizeof(n->mac), "%s", nic->mac);
        const struct hypervisor_nic *before = sample_queue_nic(&h->report.samples, s->server_id, n->mac);
        const char *network = nic ? nic->network.id : before ? before->network_id : "";
        snprintf(n->network_id, sizeof(n->network_id), "%s", network);
        named = *n->mac != '\0';
    }
    s->nic_count = named ? s->nic_count : 0;
}

static const char *host_report_metrics_dir(const struct host *h)
{
    return h->settings->metrics_dir ? h->settings->metrics_dir : h->identity->dir;
}

/* A figure that nobody can look at stops nothing. */
static void host_report_show(const struct host *h, const struct hypervisor_sample *samples, size_t count)
{
    struct error e = {0};
    if (guest_metrics_write(host_report_metrics_dir(h), h->identity->host_id, samples, count, &e))
        log_warn("the guests' metrics cannot be written", "error=\"%s\"", error_text(&e));
}

static void host_report_take_samples(void *arg, const struct hypervisor_result *result,
                                     struct hypervisor_sample *samples, size_t count)
{
    struct host *h = arg;
    if (result->code) {
        log_warn("counters cannot be read", "error=\"%s\"", error_text(result->error));
        return;
    }
    host_report_show(h, samples, count);
    if (!count)
        return;
    for (size_t i = 0; i < count; i++)
        host_report_name_nics(h, &samples[i]);
    sample_queue_add(&h->report.samples, samples, count);
    host_report_soon(h);
}

void host_report_samples(struct host *h)
{
    h->hypervisor->ops->samples(h->hypervisor, host_report_take_samples, h);
}

/* ---- life ---- */

void host_report_start(struct host *h)
{
    h->report.timer = loop_timer_new(h->loop, host_report_send, h);
    host_report_soon(h); /* says that this host is alive, and tells which events the API knows */
}

void host_report_stop(struct host *h)
{
    if (h->report.sync)
        h->report.sync->host = NULL;
    loop_timer_free(&h->report.timer);
    free(h->report.inventory);
    guest_metrics_remove(host_report_metrics_dir(h), h->identity->host_id);
    sample_queue_done(&h->report.samples);
}
