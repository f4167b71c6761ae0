/* One function per desired power; each looks at the domain and names the next step towards it. */
#include "compute-agent/reconcile.h"

/* From off to on, whatever it was. */
static enum reconcile_step reconcile_start(const struct reconcile_situation *s)
{
    if (!s->prepared)
        return RECONCILE_PREPARE;
    return s->domain == HYPERVISOR_ABSENT ? RECONCILE_CREATE : RECONCILE_START;
}

static enum reconcile_step reconcile_running(const struct reconcile_situation *s)
{
    switch (s->domain) {
    case HYPERVISOR_RUNNING:
        return RECONCILE_REST;
    case HYPERVISOR_PAUSED:
        return RECONCILE_RESUME;
    default:
        return reconcile_start(s);
    }
}

static enum reconcile_step reconcile_stopped(const struct reconcile_situation *s)
{
    switch (s->domain) {
    case HYPERVISOR_ABSENT:
        return s->prepared ? RECONCILE_DEFINE : RECONCILE_PREPARE;
    case HYPERVISOR_RUNNING:
        if (s->asked != RECONCILE_ASKED_SHUTDOWN)
            return RECONCILE_ASK_SHUTDOWN;
        return s->patience_over ? RECONCILE_FORCE_OFF : RECONCILE_WAIT;
    case HYPERVISOR_PAUSED: /* cannot answer */
        return RECONCILE_FORCE_OFF;
    case HYPERVISOR_SAVED:
        return RECONCILE_DISCARD;
    default:
        return RECONCILE_REST;
    }
}

static enum reconcile_step reconcile_paused(const struct reconcile_situation *s)
{
    switch (s->domain) {
    case HYPERVISOR_PAUSED:
        return RECONCILE_REST;
    case HYPERVISOR_RUNNING:
        return RECONCILE_PAUSE;
    default:
        return reconcile_start(s);
    }
}

static enum reconcile_step reconcile_suspended(const struct reconcile_situation *s)
{
    switch (s->domain) {
    case HYPERVISOR_SAVED:
        return RECONCILE_REST;
    case HYPERVISOR_RUNNING:
    case HYPERVISOR_PAUSED:
        return RECONCILE_SAVE;
    default:
        return reconcile_start(s);
    }
}

static enum reconcile_step reconcile_power(const struct reconcile_situation *s)
{
    switch (s->power) {
    case SERVER_POWER_STOPPED:
        return reconcile_stopped(s);
    case SERVER_POWER_PAUSED:
        return reconcile_paused(s);
    case SERVER_POWER_SUSPENDED:
        return reconcile_suspended(s);
    default:
        return reconcile_running(s);
    }
}

/* Ends with the server running; whoever carries out the last step notes that the action is done. */
static enum reconcile_step reconcile_reboot(const struct reconcile_situation *s)
{
    switch (s->domain) {
    case HYPERVISOR_RUNNING:
        if (s->action == SPEC_REBOOT_HARD)
            return RECONCILE_FORCE_REBOOT;
        if (s->asked != RECONCILE_ASKED_REBOOT)
            return RECONCILE_ASK_REBOOT;
        return s->patience_over ? RECONCILE_FORCE_REBOOT : RECONCILE_WAIT;
    case HYPERVISOR_PAUSED:
        return RECONCILE_FORCE_REBOOT;
    case HYPERVISOR_SAVED:
        return RECONCILE_DISCARD;
    default:
        return reconcile_start(s);
    }
}

/* Off it goes; on again it does as whatever is desired of one that is off. */
static enum reconcile_step reconcile_restart(const struct reconcile_situation *s)
{
    if (s->domain == HYPERVISOR_PAUSED)
        return RECONCILE_FORCE_OFF;
    if (s->asked != RECONCILE_ASKED_SHUTDOWN)
        return RECONCILE_ASK_SHUTDOWN;
    return s->patience_over ? RECONCILE_FORCE_OFF : RECONCILE_WAIT;
}

enum reconcile_step reconcile_next(const struct reconcile_situation *s)
{
    if (!s->exists)
        return s->domain != HYPERVISOR_ABSENT || s->traces ? RECONCILE_REMOVE : RECONCILE_REST;
    if (!s->fresh)
        return RECONCILE_REST;
    bool on = s->domain == HYPERVISOR_RUNNING || s->domain == HYPERVISOR_PAUSED;
    if (s->restart && on)
        return reconcile_restart(s);
    enum reconcile_step step = s->action != SPEC_NO_ACTION ? reconcile_reboot(s) : reconcile_power(s);
    if (step == RECONCILE_REST && on && s->stale)
        return s->connected ? RECONCILE_ADJUST : RECONCILE_CONNECT;
    return step;
}

const char *reconcile_step_name(enum reconcile_step step)
{
    static const char *const names[] = {
#define X(name, text) text,
        RECONCILE_STEPS(X)
#undef X
    };
    return names[step];
}

enum server_state reconcile_state(enum hypervisor_domain domain, bool exists, bool built)
{
    switch (domain) {
    case HYPERVISOR_RUNNING:
        return SERVER_STATE_RUNNING;
    case HYPERVISOR_PAUSED:
        return SERVER_STATE_PAUSED;
    case HYPERVISOR_SAVED:
        return SERVER_STATE_SUSPENDED;
    case HYPERVISOR_SHUTOFF:
        return SERVER_STATE_STOPPED;
    case HYPERVISOR_CRASHED:
        return SERVER_STATE_CRASHED;
    default: /* somebody else removed a built one: for its tenant it has crashed */
        return !exists ? SERVER_STATE_GONE : built ? SERVER_STATE_CRASHED : SERVER_STATE_BUILDING;
    }
}
