/* A guest moves in small turns: guest_work asks reconcile_next for the next step and starts it; when it has ended,
 * guest_step_ended notes the outcome and works on. A newer specification, an event or the end of a grace just lead to
 * another turn. What is to be said follows from comparing with what was said last, so a journal that cannot be written
 * now loses nothing. */
#include "compute-agent/guest.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/host_check.h"
#include "compute-agent/host_internal.h"
#include "compute-agent/host_task.h"
#include "compute-agent/loop.h"
#include <stdlib.h>
#include <string.h>

#define GUEST_SAY_AGAIN_MS 2000
#define GUEST_ECHO_US      (3 * CLOCK_SECOND_US)

struct guest *guest_new(struct host *h, const char *server_id)
{
    struct guest *g = memory_new(sizeof(*g));
    g->host = h;
    memcpy(g->id, server_id, UUID_SIZE);
    return g;
}

void guest_free(struct guest **guest)
{
    struct guest *g = *guest;
    *guest = NULL;
    if (!g)
        return;
    host_check_end(g);
    loop_timer_free(&g->timer);
    spec_free(&g->spec);
    spec_free(&g->incoming);
    free(g);
}

void guest_remember(struct guest *g, const struct journal_event *last)
{
    g->done_revision = last->revision;
    g->said_any = true;
    g->said = last->state;
    g->said_at_us = last->at_us;
    g->built =
        last->state != SERVER_STATE_BUILDING && last->state != SERVER_STATE_NONE && last->state != SERVER_STATE_GONE;
    g->said_gone = last->state == SERVER_STATE_GONE;
    g->reviving = last->resuming;
    g->lost =
        host_alive_lost(g->host, last) && (last->state == SERVER_STATE_RUNNING || last->state == SERVER_STATE_PAUSED);
    g->lost_us = g->lost ? host_alive_until_us(g->host, last) : 0;
    memcpy(g->done_operation, last->operation_id, UUID_SIZE);
    memcpy(g->said_operation, last->operation_id, UUID_SIZE);
}

void guest_say_again(struct guest *g)
{
    g->said_any = false;
    guest_work(g);
}

/* ---- saying ---- */

static bool guest_say(struct guest *g, enum server_state state, const struct error *failure, bool resuming)
{
    struct journal_event event = {
        .state = state, .revision = g->spec ? g->spec->revision : g->done_revision, .resuming = resuming};
    memcpy(event.boot, g->host->alive.boot, sizeof(event.boot));
    int64_t now = clock_now_us();
    event.at_us = g->changed_us && !failure ? g->changed_us : now;
    if (event.at_us < g->said_at_us) /* a clock that was set back must not turn the order around */
        event.at_us = g->said_at_us;
    memcpy(event.server_id, g->id, UUID_SIZE);
    if (strcmp(g->done_operation, g->said_operation) != 0)
        memcpy(event.operation_id, g->done_operation, UUID_SIZE);
    else if (failure && g->spec && g->spec->operation.action != SPEC_NO_ACTION)
        memcpy(event.operation_id, g->spec->operation.id, strlen(g->spec->operation.id) + 1);
    event.failed = failure != NULL;
    event.message = failure ? error_text(failure) : NULL;
    event.details = failure ? error_name(failure->code) : NULL;
    if (!host_report_event(g->host, &event))
        return false;
    g->said_any = true;
    g->said = state;
    g->said_at_us = event.at_us;
    g->changed_us = 0;
    g->lost = false;
    g->reviving = resuming;
    if (event.operation_id[0]) {
        memcpy(g->done_operation, event.operation_id, UUID_SIZE);
        memcpy(g->said_operation, event.operation_id, UUID_SIZE);
    }
    g->said_gone = state == SERVER_STATE_GONE;
    return true;
}

static void guest_timer_due(void *arg)
{
    struct guest *g = arg;
    if (g->resting)
        g->resting = false;
    else
        g->patience_over = true;
    guest_work(g);
}

static void guest_timer_start(struct guest *g, int64_t delay_ms)
{
    if (!g->timer)
        g->timer = loop_timer_new(g->host->loop, guest_timer_due, g);
    loop_timer_start(g->timer, delay_ms, 0);
}

void guest_rest_for(struct guest *g, int64_t delay_ms)
{
    g->resting = true;
    guest_timer_start(g, delay_ms);
}

void guest_be_patient(struct guest *g, enum reconcile_asked asked, int64_t grace_ms)
{
    g->asked = asked;
    g->patience_over = false;
    g->resting = false;
    guest_timer_start(g, grace_ms);
}

static bool guest_is_fresh(const struct guest *g)
{
    return g->spec && (g->spec->revision > g->done_revision || g->reviving);
}

/* The host went down under it and it was to be running: it is started again. */
static bool guest_is_to_resume(const struct guest *g)
{
    return g->lost && g->said == SERVER_STATE_RUNNING && g->spec && g->spec->exists &&
           g->spec->power == SERVER_POWER_RUNNING && g->host->settings->resume_guests;
}

/* Nothing is to be done: what is to be said? */
static void guest_settle(struct guest *g)
{
    bool exists = g->spec && g->spec->exists;
    bool fresh = guest_is_fresh(g);
    if (g->domain != HYPERVISOR_ABSENT)
        g->built = true;
    enum server_state state = reconcile_state(g->domain, exists, g->built);
    g->asked = RECONCILE_ASKED_NOTHING;
    if (!g->spec || g->said_gone || (!fresh && g->said_any && state == g->said))
        return;
    bool resuming = !fresh && guest_is_to_resume(g);
    if (g->lost && !fresh)
        g->changed_us = g->lost_us;
    if (!guest_say(g, state, NULL, resuming)) {
        guest_rest_for(g, GUEST_SAY_AGAIN_MS);
        return;
    }
    if (g->spec)
        g->done_revision = g->spec->revision;
    log_info("server settled", "server=%s state=%s revision=%lld", g->id, server_state_name(state),
             (long long)g->done_revision);
    if (resuming) {
        log_info("server is started again after the host's reboot", "server=%s", g->id);
        guest_work(g);
    }
}

void guest_fail(struct guest *g, const struct error *failure)
{
    enum server_state state = reconcile_state(g->domain, true, g->built);
    log_warn("server failed", "server=%s step=%s revision=%lld error=\"%s\"", g->id, reconcile_step_name(g->step),
             (long long)(g->spec ? g->spec->revision : 0), error_text(failure));
    if (guest_say(g, state, failure, false)) {
        g->done_revision = g->spec->revision;
        g->asked = RECONCILE_ASKED_NOTHING;
    } else {
        guest_rest_for(g, GUEST_SAY_AGAIN_MS);
    }
}

void guest_refuse(struct guest *g, int64_t revision, const struct error *error)
{
    if (g->busy || g->incoming || revision <= g->done_revision)
        return;
    struct journal_event event = {
        .state = reconcile_state(g->domain, true, g->built), .revision = revision, .failed = true};
    memcpy(event.server_id, g->id, UUID_SIZE);
    event.at_us = clock_now_us();
    event.message = error_text(error);
    event.details = "The agent cannot read the server's specification";
    if (host_report_event(g->host, &event)) {
        g->done_revision = revision;
        g->said_any = true;
        g->said = event.state;
    }
}

/* ---- what comes in ---- */

void guest_take_spec(struct guest *g, struct spec **spec)
{
    const struct spec *newest = g->incoming ? g->incoming : g->spec;
    if (newest && newest->revision >= (*spec)->revision) { /* a repeat */
        spec_free(spec);
        return;
    }
    spec_free(&g->incoming);
    g->incoming = *spec;
    *spec = NULL;
    if (g->task && !g->incoming->exists)
        host_task_yield(g->task);
    guest_work(g);
}

/* Between steps: the newer specification takes the older one's place. */
static void guest_take_over(struct guest *g)
{
    if (!g->incoming)
        return;
    bool same_wish = g->spec && g->spec->exists == g->incoming->exists && g->spec->power == g->incoming->power;
    if (g->incoming->revision > g->done_revision) /* is carried out anyhow */
        g->reviving = false;
    if (!g->spec || !spec_live_alike(g->spec, g->incoming)) {
        g->stale = true;
        g->connected = false;
    }
    g->given_up = g->restart = false;
    spec_free(&g->spec);
    g->spec = g->incoming;
    g->incoming = NULL;
    host_check_follow(g);
    g->attempts = 0;
    g->held = false;
    if (g->spec->launched)
        g->built = true;
    if (g->spec->anew && g->spec->revision > g->done_revision) /* what the journal remembers was before */
        g->built = false;
    if (g->resting) {
        g->resting = false;
        loop_timer_stop(g->timer);
    }
    if (!same_wish) {
        g->asked = RECONCILE_ASKED_NOTHING;
        g->patience_over = false;
    }
}

void guest_doom(struct guest *g)
{
    g->doomed = true;
    guest_work(g);
}

void guest_found(struct guest *g, enum hypervisor_domain domain, bool traces, int64_t at_us)
{
    g->traces = traces;
    if (g->domain != domain) {
        g->domain = domain;
        g->changed_us = at_us;
        g->prepared = g->restart = false;
    }
    guest_work(g);
}

void guest_event(struct guest *g, const struct hypervisor_event *event)
{
    bool echo = !g->busy && g->asked == RECONCILE_ASKED_NOTHING && g->domain == HYPERVISOR_RUNNING &&
                event->domain != HYPERVISOR_RUNNING && clock_mono_us() - g->started_us < GUEST_ECHO_US;
    if (echo) { /* such as "off", of a reset that has ended: what is there is looked at */
        host_list(g->host);
        return;
    }
    g->touched_us = clock_mono_us();
    if (event->kind == HYPERVISOR_EVENT_REBOOT) {
        if (g->asked == RECONCILE_ASKED_REBOOT && g->spec) {
            memcpy(g->done_operation, g->spec->operation.id, UUID_SIZE);
            g->asked = RECONCILE_ASKED_NOTHING;
            guest_work(g);
        }
        return;
    }
    if (g->busy) {
        g->event_seen = true;
        g->event_domain = event->domain;
        g->event_us = event->at_us;
        return;
    }
    if (g->domain != event->domain)
        log_info("domain changed by itself", "server=%s domain=%s reason=\"%s\"", g->id,
                 hypervisor_domain_name(event->domain), event->reason ? event->reason : "");
    guest_found(g, event->domain, event->domain != HYPERVISOR_ABSENT || g->traces, event->at_us);
}

bool guest_lend(struct guest *g)
{
    if (g->busy || g->task)
        return false;
    g->busy = true;
    g->event_seen = false;
    return true;
}

void guest_give_back(struct guest *g)
{
    g->busy = false;
    if (g->event_seen)
        guest_found(g, g->event_domain, g->event_domain != HYPERVISOR_ABSENT || g->traces, g->event_us);
    guest_work(g);
}

/* ---- a turn ---- */

static struct reconcile_situation guest_situation(const struct guest *g)
{
    struct reconcile_situation s = {
        .domain = g->domain, .traces = g->traces, .prepared = g->prepared, .asked = g->asked};
    s.patience_over = g->patience_over;
    if (!g->spec)
        return s; /* doomed: does not exist */
    s.exists = g->spec->exists;
    s.stale = g->stale && !g->given_up;
    s.connected = g->connected;
    s.restart = g->restart;
    if (g->spec->imported) { /* it stays as it was defined, on the networks that it had */
        s.prepared = s.connected = true;
        s.stale = s.restart = false;
    }
    s.power = g->spec->power;
    s.fresh = guest_is_fresh(g);
    if (g->spec->operation.action != SPEC_NO_ACTION && strcmp(g->spec->operation.id, g->done_operation) != 0)
        s.action = g->spec->operation.action;
    return s;
}

static bool guest_is_held(const struct guest *g)
{
    return g->held || (g->spec && g->spec->exists && g->spec->held);
}

void guest_hold(struct guest *g, struct spec **spec)
{
    guest_take_spec(g, spec);
    guest_take_over(g);
    g->held = true;
}

void guest_forget(struct guest *g)
{
    host_check_end(g);
    spec_free(&g->spec);
    spec_free(&g->incoming); /* from before: the API sends another only when it has heard of this */
    g->held = false;
    g->domain = HYPERVISOR_ABSENT;
    g->traces = g->prepared = g->built = g->said_any = g->doomed = false;
    g->said_gone = g->lost = g->reviving = false;
    g->done_revision = 0;
    journal_forget(g->host->journal, g->id);
    host_upkeep_soon(g->host);
}

/* It was wanted differently while its host was down: that it was off is said before anything is done about it, or that
 * time would count as running. */
static bool guest_tells_loss(struct guest *g)
{
    bool off = g->domain == HYPERVISOR_SHUTOFF || g->domain == HYPERVISOR_CRASHED;
    if (!g->lost || !off || !g->spec || !g->spec->exists || g->spec->revision <= g->done_revision)
        return true;
    struct journal_event event = {.state = reconcile_state(g->domain, true, g->built),
                                  .revision = g->done_revision,
                                  .at_us = g->lost_us > g->said_at_us ? g->lost_us : g->said_at_us,
                                  .resuming = g->spec->power == SERVER_POWER_RUNNING};
    memcpy(event.boot, g->host->alive.boot, sizeof(event.boot));
    memcpy(event.server_id, g->id, UUID_SIZE);
    if (!host_report_event(g->host, &event)) {
        guest_rest_for(g, GUEST_SAY_AGAIN_MS);
        return false;
    }
    g->said = event.state;
    g->said_at_us = event.at_us;
    g->lost = false;
    g->reviving = event.resuming;
    return true;
}

void guest_work(struct guest *g)
{
    if (g->busy)
        return;
    if (g->task) {
        host_task_turn(g->task);
        return;
    }
    guest_take_over(g);
    if (guest_is_held(g) || g->resting || !g->host->connected || !g->host->listed || (!g->spec && !g->doomed))
        return;
    if (!guest_tells_loss(g))
        return;
    struct reconcile_situation s = guest_situation(g);
    enum reconcile_step step = reconcile_next(&s);
    if (step == RECONCILE_REST)
        guest_settle(g);
    else if (step != RECONCILE_WAIT)
        guest_step_run(g, step);
}

bool guest_is_over(const struct guest *g)
{
    if (g->busy || g->task || g->incoming || g->asking || g->domain != HYPERVISOR_ABSENT || g->traces)
        return false;
    if (!g->spec)
        return true;
    const struct journal_event *last = journal_last(g->host->journal, g->id);
    return g->said_gone && (!last || last->seq <= journal_accepted(g->host->journal));
}
