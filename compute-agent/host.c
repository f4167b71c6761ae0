/* A host's life. Once the hypervisor is connected its domains are listed; once the API's full list is there too,
 * servers that only one of them knows are looked into. Nothing is ever removed because it is unknown: the API must say
 * that it is deleted. */
#include "compute-agent/host.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/host_check.h"
#include "compute-agent/host_internal.h"
#include "compute-agent/host_task.h"
#include "compute-agent/loop.h"
#include <stdlib.h>
#include <string.h>

#define HOST_VERDICT_MS       10000
#define HOST_RENEWAL_CHECK_MS 600000

struct guest *host_guest(struct host *h, const char *server_id)
{
    struct guest *g = idmap_get(&h->guests, server_id);
    if (g)
        return g;
    g = guest_new(h, server_id);
    idmap_put(&h->guests, g->id, g);
    const struct journal_event *last = journal_last(h->journal, server_id);
    if (last)
        guest_remember(g, last);
    return g;
}

void host_say_again(struct host *h)
{
    size_t at = 0;
    for (struct guest *g; (g = idmap_next(&h->guests, &at));)
        guest_say_again(g);
}

/* ---- upkeep ---- */

/* What the journal remembers is forgotten only once both the API and the hypervisor have been heard. */
static void host_forget_over(struct host *h)
{
    size_t at = 0, count = 0;
    if (!h->poll.full || !h->listed)
        return;
    struct guest **over = memory_array(h->guests.count + 1, sizeof(struct guest *));
    for (struct guest *g; (g = idmap_next(&h->guests, &at));) {
        if (guest_is_over(g))
            over[count++] = g;
    }
    for (size_t i = 0; i < count; i++) {
        idmap_remove(&h->guests, over[i]->id);
        journal_forget(h->journal, over[i]->id);
        guest_free(&over[i]);
    }
    free(over);
    if (count)
        host_network_sweep(h);
}

static void host_upkeep(void *arg)
{
    struct host *h = arg;
    host_forget_over(h);
    host_network_upkeep(h);
}

void host_upkeep_soon(struct host *h)
{
    loop_timer_start(h->upkeep, 0, 0);
}

/* ---- servers that the API did not name ---- */

struct host_verdict {
    struct host *host;
    char server_id[UUID_SIZE];
};

static void host_take_verdict(struct guest *g, json_value *answer)
{
    const char *verdict = json_in_text(json_in_member(answer, "verdict"));
    bool removable = false;
    json_in_bool(json_in_member(answer, "removable"), &removable);
    bool deleted = verdict && strcmp(verdict, "deleted") == 0;
    bool moved = verdict && strcmp(verdict, "elsewhere") == 0 && removable;
    if (g->spec || g->incoming)
        return;
    if (deleted || moved) {
        log_info("server is removed", "server=%s verdict=%s", g->id, verdict);
        guest_doom(g);
    } else {
        log_warn("server that the API does not want here is left alone", "server=%s domain=%s verdict=%s", g->id,
                 hypervisor_domain_name(g->domain), verdict ? verdict : "none");
    }
}

static void host_verdict_done(void *arg, const struct http_answer *answer)
{
    struct host_verdict *v = arg;
    struct guest *g = idmap_get(&v->host->guests, v->server_id);
    struct json_doc doc;
    if (g)
        g->asking = false;
    if (g && answer->status == 200 && json_in_parse(answer->body, answer->size, &doc, NULL) == 0) {
        host_take_verdict(g, doc.root);
        json_in_done(&doc);
    } else if (answer->status) {
        log_warn("no verdict about a server", "server=%s status=%d", v->server_id, answer->status);
    }
    host_upkeep_soon(v->host);
    free(v);
}

static void host_ask_verdict(struct host *h, struct guest *g)
{
    struct host_verdict *v = memory_new(sizeof(*v));
    struct strbuf path;
    v->host = h;
    memcpy(v->server_id, g->id, UUID_SIZE);
    g->asking = true;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "/agent/v1/servers/%s", g->id);
    http_client_send(h->http, HTTP_LANE_OTHER, "GET", path.data, NULL, 0, HOST_VERDICT_MS, host_verdict_done, v);
    strbuf_done(&path);
}

void host_check_unknown(struct host *h)
{
    if (!h->poll.full || !h->listed)
        return;
    size_t at = 0;
    for (struct guest *g; (g = idmap_next(&h->guests, &at));) {
        if (!g->spec && !g->incoming && !g->doomed && !g->asking && !g->task &&
            (g->domain != HYPERVISOR_ABSENT || g->traces))
            host_ask_verdict(h, g);
    }
    host_network_sweep(h);
    host_upkeep_soon(h);
}

/* ---- the hypervisor's side ---- */

/* Servers that were here and are not on the list any more. */
static void host_note_missing(struct host *h, const struct hypervisor_list *list)
{
    struct idmap found;
    idmap_init(&found);
    for (size_t i = 0; i < list->server_count; i++) {
        if (!idmap_get(&found, list->servers[i].server_id))
            idmap_put(&found, list->servers[i].server_id, h);
    }
    size_t at = 0;
    for (struct guest *g; (g = idmap_next(&h->guests, &at));) {
        if (!idmap_get(&found, g->id) && !g->busy && g->touched_us < h->list_began_us)
            guest_found(g, HYPERVISOR_ABSENT, false, clock_now_us());
    }
    idmap_done(&found);
}

static void host_listed(void *arg, const struct hypervisor_list *list)
{
    struct host *h = arg;
    h->listing = false;
    if (list->result.code) {
        log_warn("domains cannot be listed", "error=\"%s\"", error_text(list->result.error));
        if (h->connected && !h->listed)
            loop_timer_start(h->resync, 1000, h->settings->resync_interval_ms);
        return;
    }
    bool first = !h->listed;
    h->listed = h->connected;
    for (size_t i = 0; i < list->server_count; i++) {
        const struct hypervisor_found *f = &list->servers[i];
        struct guest *g = host_guest(h, f->server_id);
        if (!g->busy && g->touched_us < h->list_began_us)
            guest_found(g, f->domain, f->traces, clock_now_us());
    }
    host_note_missing(h, list);
    if (first) {
        size_t at = 0;
        host_network_listed(h, list->networks, list->network_count);
        for (struct guest *g; (g = idmap_next(&h->guests, &at));)
            guest_work(g);
    }
    host_check_unknown(h);
    if (h->list_again)
        host_list(h);
}

void host_list(struct host *h)
{
    h->list_again = h->listing; /* which may know less than whoever asks */
    if (h->listing || !h->connected)
        return;
    h->listing = true;
    h->list_began_us = clock_mono_us();
    h->hypervisor->ops->list(h->hypervisor, host_listed, h);
}

static void host_resync(void *arg)
{
    struct host *h = arg;
    host_list(h);
    if (h->connected)
        host_report_inventory(h);
}

static void host_on_up(void *arg)
{
    struct host *h = arg;
    log_info("hypervisor connected", "host=%s", h->identity->host_id);
    h->connected = true;
    h->listed = false;
    host_resync(h);
}

static void host_on_down(void *arg, const char *why)
{
    struct host *h = arg;
    log_warn("hypervisor connection lost", "host=%s error=\"%s\"", h->identity->host_id, why);
    h->connected = h->listed = false;
}

static void host_on_event(void *arg, const struct hypervisor_event *event)
{
    struct host *h = arg;
    struct guest *g = idmap_get(&h->guests, event->server_id);
    if (g && event->kind != HYPERVISOR_EVENT_UNSURE)
        guest_event(g, event);
    else /* something of ours that we did not know */
        host_list(h);
}

/* ---- certificate ---- */

static void host_renewed(void *arg, int code, const struct error *error)
{
    struct host *h = arg;
    h->renewing = false;
    if (code)
        log_warn("certificate not renewed", "error=\"%s\"", error_text(error));
    else
        log_info("certificate renewed", "host=%s", h->identity->host_id);
}

static void host_sample(void *arg)
{
    struct host *h = arg;
    int64_t now = clock_now_us();
    if (h->connected && h->listed)
        host_report_samples(h);
    if (!h->renewing && identity_wants_renewal(h->identity, now)) {
        h->renewing = true;
        identity_renew(h->identity, h->loop, h->http, h->files, host_renewed, h);
    }
}

/* ---- life ---- */

/* Thousands of fake hosts must not all do the same thing in the same millisecond. */
static int64_t host_spread(const struct host *h, int64_t interval_ms)
{
    unsigned char a = (unsigned char)h->identity->host_id[0], b = (unsigned char)h->identity->host_id[1];
    return interval_ms / 2 + interval_ms * (((int64_t)a * 31 + b * 7) % 97) / 194;
}

int host_new(const struct host_setup *setup, struct host **ret, struct error *e)
{
    struct host *h = memory_new(sizeof(*h));
    h->settings = setup->settings;
    h->loop = setup->loop;
    h->files = setup->files;
    h->uploads = setup->uploads;
    h->url = memory_strdup(setup->url);
    h->identity = setup->identity;
    h->hypervisor = setup->hypervisor;
    h->durable = setup->durable;
    h->resync = loop_timer_new(h->loop, host_resync, h);
    h->sample = loop_timer_new(h->loop, host_sample, h);
    h->upkeep = loop_timer_new(h->loop, host_upkeep, h);
    struct http_client_identity as = identity_http(h->identity);
    struct strbuf path;
    host_alive_open(h, setup->boot_id);
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/journal", h->identity->dir);
    int code = journal_open(path.data, h->durable, &h->journal, e);
    strbuf_done(&path);
    if (!code)
        code = http_client_new(h->loop, setup->url, &as, &h->http, e);
    if (code)
        host_free(&h);
    else
        *ret = h;
    return code;
}

/* What the journal knows is remembered at once: a server that vanished while nobody looked is noticed by the first
 * listing. */
static void host_remember(struct host *h)
{
    size_t at = 0;
    for (const struct journal_event *last; (last = journal_next_last(h->journal, &at));)
        host_guest(h, last->server_id);
}

void host_start(struct host *h)
{
    static const struct hypervisor_listener shape = {
        .on_up = host_on_up, .on_down = host_on_down, .on_event = host_on_event};
    struct hypervisor_listener listener = shape;
    listener.arg = h;
    host_remember(h);
    h->hypervisor->ops->start(h->hypervisor, &listener);
    host_poll_start(h);
    host_report_start(h);
    loop_timer_start(h->resync, host_spread(h, h->settings->resync_interval_ms), h->settings->resync_interval_ms);
    loop_timer_start(h->sample, host_spread(h, h->settings->sample_interval_ms), h->settings->sample_interval_ms);
}

void host_free(struct host **host)
{
    struct host *h = *host;
    *host = NULL;
    if (!h)
        return;
    h->hypervisor->ops->free(h->hypervisor);
    http_client_free(&h->http);
    host_poll_stop(h);
    host_report_stop(h);
    host_query_free(h);
    host_task_free(h);
    host_network_free(h);
    size_t at = 0;
    for (struct guest *g; (g = idmap_next(&h->guests, &at));)
        guest_free(&g);
    idmap_done(&h->guests);
    host_check_free(h);
    loop_timer_free(&h->resync);
    loop_timer_free(&h->sample);
    loop_timer_free(&h->upkeep);
    journal_free(&h->journal);
    free(h->url);
    free(h);
}

struct host_figures host_figures(const struct host *h)
{
    struct host_figures f = {.connected = h->connected && h->listed, .listed = h->poll.full};
    f.servers = h->guests.count;
    f.unreported = journal_pending(h->journal);
    size_t at = 0;
    for (struct guest *g; (g = idmap_next(&h->guests, &at));)
        f.working += g->busy;
    return f;
}
