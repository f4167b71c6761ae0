/* A check outlives its guest while a question is under way. It is told again every while, so that an API that has lost
 * it (a server that came back to this host) hears of it. */
#include "compute-agent/host_check.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/host_internal.h"
#include "compute-agent/loop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_AGAIN_US  ((int64_t)60 * 1000000)
#define CHECK_FIRST_MS  1000
#define CHECK_MOST      1000 /* in one report */
#define CHECK_TEXT_SIZE 256

struct host_check {
    struct host_check *next;
    struct host *host;
    struct guest *guest; /* NULL: gone; the answer frees the check */
    char id[UUID_SIZE], network_id[64], address[64], path[CHECK_TEXT_SIZE];
    struct hypervisor_probe probe;
    int64_t interval_s, most_failures, failures;
    struct loop_timer *timer;
    bool running, dirty, sent;
    const char *state; /* static; NULL: nothing found yet */
    char message[CHECK_TEXT_SIZE];
    int64_t told_us; /* clock_mono_us */
};

static void check_free(struct host_check *c)
{
    struct host_check **at = &c->host->checks;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    loop_timer_free(&c->timer);
    free(c);
}

static void check_find(struct host_check *c, const char *state, const char *message)
{
    if (c->state != state)
        log_info("check", "server=%s state=%s message=\"%s\"", c->id, state, message);
    bool news = c->state != state || strcmp(c->message, message) != 0;
    c->state = state;
    snprintf(c->message, sizeof(c->message), "%s", message);
    if (news) {
        c->dirty = true;
        host_report_soon(c->host);
    }
}

static void check_answered(void *arg, const struct hypervisor_result *result)
{
    struct host_check *c = arg;
    const char *text = result->code ? error_text(result->error) : "";
    c->running = false;
    if (!c->guest) {
        check_free(c);
        return;
    }
    if (c->guest->domain != HYPERVISOR_RUNNING)
        return;
    c->failures = result->code && !result->transient ? c->failures + 1 : 0;
    if (result->transient)
        check_find(c, "unknown", text);
    else if (c->failures == 0)
        check_find(c, "passing", "");
    else if (c->failures >= c->most_failures)
        check_find(c, "failing", text);
}

static void check_due(void *arg)
{
    struct host_check *c = arg;
    struct hypervisor *hv = c->host->hypervisor;
    struct error none = {0};
    struct hypervisor_result cannot = {.code = ERR_NOT_IMPLEMENTED, .transient = true, .error = &none};
    if (c->guest->domain != HYPERVISOR_RUNNING) {
        c->failures = 0;
        return;
    }
    if (c->running)
        return;
    if (c->state && clock_mono_us() - c->told_us > CHECK_AGAIN_US)
        c->dirty = true;
    if (hv->ops->probe && c->address[0]) {
        c->running = true;
        hv->ops->probe(hv, &c->probe, check_answered, c);
        return;
    }
    error_set(&none, ERR_NOT_IMPLEMENTED,
              c->address[0] ? "guests of this hypervisor cannot be asked" : "it has no address");
    check_answered(c, &cannot);
}

static bool check_fits(const struct host_check *c, const struct spec *spec, const char *network, const char *address)
{
    const struct spec_check *s = spec->check;
    return c->probe.port == s->port && c->interval_s == s->interval_s && c->probe.timeout_ms == s->timeout_s * 1000 &&
           c->most_failures == s->failures && c->probe.status_from == s->status_from &&
           c->probe.status_to == s->status_to && strcmp(c->path, s->path) == 0 && strcmp(c->network_id, network) == 0 &&
           strcmp(c->address, address) == 0;
}

static void check_begin(struct guest *g, const char *network, const char *address)
{
    const struct spec_check *s = g->spec->check;
    struct host_check *c = memory_new(sizeof(*c));
    c->host = g->host;
    c->guest = g;
    memcpy(c->id, g->id, UUID_SIZE);
    snprintf(c->network_id, sizeof(c->network_id), "%s", network);
    snprintf(c->address, sizeof(c->address), "%s", address);
    snprintf(c->path, sizeof(c->path), "%s", s->path);
    c->interval_s = s->interval_s;
    c->most_failures = s->failures;
    c->probe = (struct hypervisor_probe){.server_id = c->id,
                                         .network_id = c->network_id,
                                         .address = c->address,
                                         .path = c->path,
                                         .port = s->port,
                                         .timeout_ms = s->timeout_s * 1000,
                                         .status_from = s->status_from,
                                         .status_to = s->status_to};
    c->next = g->host->checks;
    g->host->checks = g->check = c;
    c->timer = loop_timer_new(g->host->loop, check_due, c);
    loop_timer_start(c->timer, CHECK_FIRST_MS, s->interval_s * 1000);
}

void host_check_end(struct guest *g)
{
    struct host_check *c = g->check;
    g->check = NULL;
    if (!c)
        return;
    c->guest = NULL;
    c->dirty = false;
    loop_timer_stop(c->timer);
    if (!c->running)
        check_free(c);
}

void host_check_follow(struct guest *g)
{
    const struct spec *spec = g->spec;
    const struct spec_nic *nic = spec && spec->nics.count > 0 ? spec->nics.items : NULL;
    const struct spec_address *first = nic && nic->addresses.count > 0 ? nic->addresses.items : NULL;
    const char *network = nic ? nic->network.id : "", *address = first ? first->ip : "";
    bool wanted = spec && spec->exists && spec->check;
    if (g->check && (!wanted || !check_fits(g->check, spec, network, address)))
        host_check_end(g);
    if (wanted && !g->check)
        check_begin(g, network, address);
}

void host_check_print(struct host *h, struct json_out *o)
{
    size_t count = 0;
    json_out_array(o, "checks");
    for (struct host_check *c = h->checks; c; c = c->next) {
        c->sent = c->dirty && count < CHECK_MOST;
        if (!c->sent)
            continue;
        c->dirty = false;
        count++;
        json_out_object(o, NULL);
        json_out_text(o, "server_id", c->id);
        json_out_text(o, "state", c->state);
        json_out_text(o, "message", c->message[0] ? c->message : NULL);
        json_out_object_end(o);
    }
    json_out_array_end(o);
}

void host_check_told(struct host *h, bool taken)
{
    for (struct host_check *c = h->checks; c; c = c->next) {
        if (c->sent && taken)
            c->told_us = clock_mono_us();
        else if (c->sent && c->guest)
            c->dirty = true;
        c->sent = false;
    }
}

void host_check_free(struct host *h)
{
    while (h->checks)
        check_free(h->checks);
}
