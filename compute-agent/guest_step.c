/* Steps: how each is started, what its end means. A step that fails for a passing reason is tried again after a growing
 * pause: as often as it takes while the hypervisor or the API is away and for removals, a bounded number of times else.
 */
#include "common/clock.h"
#include "common/log.h"
#include "compute-agent/guest.h"
#include "compute-agent/host_internal.h"
#include "compute-agent/host_task.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GUEST_PAUSE_MOST_MS 30000
#define GUEST_SOURCE_MS     100

static const struct guest_step_row {
    enum hypervisor_action action;
} guest_step_table[RECONCILE_STEP_COUNT] = {
    [RECONCILE_CREATE] = {HYPERVISOR_CREATE},      [RECONCILE_DEFINE] = {HYPERVISOR_DEFINE},
    [RECONCILE_START] = {HYPERVISOR_START},        [RECONCILE_ASK_SHUTDOWN] = {HYPERVISOR_SHUTDOWN},
    [RECONCILE_FORCE_OFF] = {HYPERVISOR_DESTROY},  [RECONCILE_ASK_REBOOT] = {HYPERVISOR_REBOOT},
    [RECONCILE_FORCE_REBOOT] = {HYPERVISOR_RESET}, [RECONCILE_PAUSE] = {HYPERVISOR_PAUSE},
    [RECONCILE_RESUME] = {HYPERVISOR_RESUME},      [RECONCILE_SAVE] = {HYPERVISOR_SAVE},
    [RECONCILE_DISCARD] = {HYPERVISOR_DISCARD},    [RECONCILE_REMOVE] = {HYPERVISOR_REMOVE},
    [RECONCILE_ADJUST] = {HYPERVISOR_ADJUST},
};

/* ---- preparing: files and networks at the same time ---- */

static void guest_part_ended(struct guest *g, const struct hypervisor_result *result)
{
    if (result->code && !g->part_code) {
        g->part_code = result->code;
        g->part_transient = result->transient;
        g->part_error = *result->error;
    }
    if (--g->parts)
        return;
    struct hypervisor_result whole = {
        .code = g->part_code, .transient = g->part_transient, .error = &g->part_error, .domain = g->domain};
    guest_step_ended(g, &whole);
}

static void guest_files_done(void *arg, const struct hypervisor_result *result)
{
    struct guest *g = arg, *source = g->source;
    g->source = NULL;
    guest_part_ended(g, result);
    if (source)
        guest_give_back(source);
}

void guest_networks_done(struct guest *g, const struct hypervisor_result *result)
{
    if (!g->busy && g->task)
        host_task_network_done(g->task, result);
    else
        guest_part_ended(g, result);
}

/* The image has to be fetched: worth a word, the first time. */
static void guest_takes_long(void *arg)
{
    struct guest *g = arg;
    if (g->said_any)
        return;
    struct journal_event event = {.state = SERVER_STATE_BUILDING, .at_us = clock_now_us()};
    memcpy(event.server_id, g->id, UUID_SIZE);
    if (host_report_event(g->host, &event)) {
        g->said_any = true;
        g->said = event.state;
        g->said_at_us = event.at_us;
    }
}

static void guest_parts_begin(struct guest *g, unsigned count)
{
    g->parts = count;
    g->part_code = 0;
    error_clear(&g->part_error);
}

static void guest_connect(struct guest *g)
{
    guest_parts_begin(g, 1);
    host_network_ensure(g->host, g);
}

static void guest_prepare(struct guest *g)
{
    struct hypervisor *hv = g->host->hypervisor;
    struct hypervisor_prepare what = {.spec = g->spec, .first = !g->built && g->domain == HYPERVISOR_ABSENT};
    what.on_progress = guest_takes_long;
    what.source = g->source ? g->source->spec : NULL;
    guest_parts_begin(g, 2);
    host_network_ensure(g->host, g);
    hv->ops->prepare(hv, &what, guest_files_done, g);
}

/* ---- all steps ---- */

static void guest_action_done(void *arg, const struct hypervisor_result *result)
{
    guest_step_ended(arg, result);
}

/* What its first disk is to share belongs to another server, which must hold still for it. False: it does not yet. */
static bool guest_borrow(struct guest *g)
{
    bool first = !g->built && g->domain == HYPERVISOR_ABSENT;
    struct guest *source = first && g->spec->clone_of ? idmap_get(&g->host->guests, g->spec->clone_of) : NULL;
    if (!source || source == g || !source->spec || !source->spec->exists)
        return true;
    if (!guest_lend(source)) {
        guest_rest_for(g, GUEST_SOURCE_MS);
        return false;
    }
    g->source = source;
    return true;
}

void guest_step_run(struct guest *g, enum reconcile_step step)
{
    struct hypervisor *hv = g->host->hypervisor;
    if (step == RECONCILE_PREPARE && !guest_borrow(g))
        return;
    g->busy = true;
    g->step = step;
    g->event_seen = false;
    log_debug("step", "server=%s step=%s domain=%s attempt=%u", g->id, reconcile_step_name(step),
              hypervisor_domain_name(g->domain), g->attempts);
    if (step == RECONCILE_PREPARE)
        guest_prepare(g);
    else if (step == RECONCILE_CONNECT)
        guest_connect(g);
    else
        hv->ops->act(hv, guest_step_table[step].action, g->id, g->spec, guest_action_done, g);
}

static int64_t guest_stop_grace_ms(const struct guest *g)
{
    const struct spec_image *image = g->spec->image;
    for (size_t i = 0; image && i < image->properties.count; i++) {
        const struct json_pair *p = &image->properties.pairs[i];
        char *end;
        if (strcmp(p->key, "os_shutdown_timeout") != 0)
            continue;
        long seconds = strtol(p->value, &end, 10);
        if (end != p->value && *end == '\0' && seconds >= 0 && seconds <= 86400)
            return seconds * 1000;
    }
    return g->host->settings->stop_grace_ms;
}

/* The one-time action ends with any step that (re)starts the server. */
static void guest_note_action(struct guest *g)
{
    if (g->spec && g->spec->operation.action != SPEC_NO_ACTION)
        memcpy(g->done_operation, g->spec->operation.id, UUID_SIZE);
}

static void guest_note_success(struct guest *g)
{
    switch (g->step) {
    case RECONCILE_PREPARE:
        g->prepared = true;
        g->traces = true;
        break;
    case RECONCILE_CREATE:
        g->stale = false;
        /* fall through */
    case RECONCILE_START:
    case RECONCILE_FORCE_REBOOT:
        g->asked = RECONCILE_ASKED_NOTHING;
        g->started_us = g->touched_us;
        guest_note_action(g);
        break;
    case RECONCILE_ASK_SHUTDOWN:
        guest_be_patient(g, RECONCILE_ASKED_SHUTDOWN, guest_stop_grace_ms(g));
        break;
    case RECONCILE_ASK_REBOOT:
        guest_be_patient(g, RECONCILE_ASKED_REBOOT, g->host->settings->reboot_grace_ms);
        break;
    case RECONCILE_REMOVE:
        g->traces = false;
        break;
    case RECONCILE_CONNECT:
        g->connected = true;
        break;
    case RECONCILE_ADJUST:
        g->stale = false;
        break;
    default:
        break;
    }
}

/* What the domain is after the step: its result, unless an event that came meanwhile says otherwise. Then only looking
 * helps. */
static void guest_note_domain(struct guest *g, enum hypervisor_domain domain)
{
    if (g->step == RECONCILE_PREPARE || g->step == RECONCILE_CONNECT) {
        domain = g->event_seen ? g->event_domain : g->domain;
        g->event_seen = false;
    }
    if (g->domain != domain) {
        g->domain = domain;
        g->changed_us = g->event_seen && g->event_domain == domain ? g->event_us : clock_now_us();
        if (domain == HYPERVISOR_SHUTOFF || domain == HYPERVISOR_CRASHED || domain == HYPERVISOR_SAVED)
            g->prepared = g->restart = false;
    }
    if (domain != HYPERVISOR_ABSENT)
        g->traces = true;
}

static void guest_step_failed(struct guest *g, const struct hypervisor_result *result)
{
    bool away = result->code == ERR_UNAVAILABLE;
    bool ever = away || g->step == RECONCILE_REMOVE;
    bool asking = g->step == RECONCILE_ASK_SHUTDOWN || g->step == RECONCILE_ASK_REBOOT;
    bool patient = result->transient && g->attempts < (unsigned)g->host->settings->retries;
    g->prepared = false;
    if (g->event_seen && g->event_domain != g->domain)
        guest_note_domain(g, g->event_domain);
    if (asking && !result->transient) { /* a guest that cannot be asked is not asked twice */
        g->asked = g->step == RECONCILE_ASK_SHUTDOWN ? RECONCILE_ASKED_SHUTDOWN : RECONCILE_ASKED_REBOOT;
        g->patience_over = true;
    } else if (g->incoming) {
        g->attempts = 0; /* the newer specification decides */
    } else if (result->restart && !patient) {
        log_info("the server is restarted", "server=%s reason=\"%s\"", g->id, error_text(result->error));
        g->restart = true;
        g->attempts = 0;
    } else if (ever || patient) {
        int64_t pause = g->host->settings->retry_pause_ms << (g->attempts < 8 ? g->attempts : 8);
        log_info("step is tried again", "server=%s step=%s attempt=%u error=\"%s\"", g->id,
                 reconcile_step_name(g->step), g->attempts + 1, error_text(result->error));
        g->attempts++;
        guest_rest_for(g, pause < GUEST_PAUSE_MOST_MS ? pause : GUEST_PAUSE_MOST_MS);
    } else if (!result->lacks && (g->step == RECONCILE_ADJUST || g->step == RECONCILE_CONNECT)) {
        /* no reason to call a server that runs a failure */
        log_warn("the guest's devices change with its next start only", "server=%s error=\"%s\"", g->id,
                 error_text(result->error));
        g->given_up = true;
        g->attempts = 0;
    } else {
        guest_fail(g, result->error);
        g->attempts = 0;
    }
}

void guest_step_ended(struct guest *g, const struct hypervisor_result *result)
{
    assert(g->busy);
    g->busy = false;
    g->touched_us = clock_mono_us();
    if (result->code) {
        guest_step_failed(g, result);
    } else {
        if (g->step != RECONCILE_PREPARE &&
            g->step != RECONCILE_CONNECT) /* else a start that fails after it would be tried for ever */
            g->attempts = 0;
        guest_note_success(g);
        guest_note_domain(g, result->domain);
    }
    if (g->step == RECONCILE_ADJUST && !result->code)
        host_network_sweep(g->host); /* one that it has left may be needed by nobody */
    if (g->step == RECONCILE_REMOVE && !result->code)
        host_upkeep_soon(g->host);
    if (g->event_seen && g->event_domain != g->domain && !result->code)
        host_list(g->host); /* it and the call disagree: look again */
    guest_work(g);
}
