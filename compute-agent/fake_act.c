/* What an action makes of a domain, or why it refuses. */
#include "compute-agent/fake_internal.h"
#include "compute-agent/network_plan.h"
#include <stdlib.h>

static int fake_refuse(struct error *e, const char *what, const struct fake_guest *g)
{
    return error_set(e, ERR_HYPERVISOR, "Cannot %s: the domain is %s", what, hypervisor_domain_name(g->domain));
}

static int fake_switch(struct fake *f, struct fake_guest *g, enum hypervisor_domain from, enum hypervisor_domain to,
                       const char *what, struct error *e)
{
    if (g->domain != from)
        return fake_refuse(e, what, g);
    fake_set(f, g, to, true);
    return 0;
}

static int fake_start(struct fake *f, struct fake_guest *g, struct error *e)
{
    if (!g->traces)
        return error_set(e, ERR_HYPERVISOR, "Cannot start: there is no disk");
    if (g->domain != HYPERVISOR_RUNNING)
        f->starts++;
    fake_set(f, g, HYPERVISOR_RUNNING, true);
    return 0;
}

static int fake_ask(struct fake *f, struct fake_guest *g, enum hypervisor_action action, struct error *e)
{
    if (g->domain != HYPERVISOR_RUNNING)
        return fake_refuse(e, hypervisor_action_name(action), g);
    if (f->deaf)
        return 0;
    if (action == HYPERVISOR_REBOOT) {
        f->reboots++;
        fake_emit(f, HYPERVISOR_EVENT_REBOOT, g->id, HYPERVISOR_RUNNING, "rebooted");
        return 0;
    }
    fake_set(f, g, HYPERVISOR_SHUTOFF, true);
    fake_emit(f, HYPERVISOR_EVENT_DOMAIN, g->id, HYPERVISOR_SHUTOFF, "shut down");
    return 0;
}

int fake_act_now(struct fake *f, enum hypervisor_action action, struct fake_guest *g, struct error *e)
{
    switch (action) {
    case HYPERVISOR_CREATE:
    case HYPERVISOR_START:
        return fake_start(f, g, e);
    case HYPERVISOR_DEFINE:
        return g->domain == HYPERVISOR_ABSENT ? (fake_set(f, g, HYPERVISOR_SHUTOFF, true), 0) : 0;
    case HYPERVISOR_SHUTDOWN:
    case HYPERVISOR_REBOOT:
        return fake_ask(f, g, action, e);
    case HYPERVISOR_DESTROY:
        if (g->domain == HYPERVISOR_RUNNING || g->domain == HYPERVISOR_PAUSED)
            fake_set(f, g, HYPERVISOR_SHUTOFF, true);
        return 0;
    case HYPERVISOR_RESET:
        f->reboots++;
        return fake_start(f, g, e);
    case HYPERVISOR_PAUSE:
        return fake_switch(f, g, HYPERVISOR_RUNNING, HYPERVISOR_PAUSED, "pause", e);
    case HYPERVISOR_RESUME:
        return fake_switch(f, g, HYPERVISOR_PAUSED, HYPERVISOR_RUNNING, "resume", e);
    case HYPERVISOR_SAVE:
        fake_set(f, g, HYPERVISOR_SAVED, true);
        return 0;
    case HYPERVISOR_DISCARD:
        return fake_switch(f, g, HYPERVISOR_SAVED, HYPERVISOR_SHUTOFF, "discard", e);
    case HYPERVISOR_ADJUST:
        if (g->domain != HYPERVISOR_RUNNING && g->domain != HYPERVISOR_PAUSED)
            return fake_refuse(e, "adjust", g);
        f->adjustments++;
        return 0;
    case HYPERVISOR_REMOVE:
        fake_set(f, g, HYPERVISOR_ABSENT, false);
        return 0;
    default:
        return 0;
    }
}

static int fake_send(struct fake *f, struct fake_guest *g, struct error *e)
{
    if (g->domain == HYPERVISOR_ABSENT) /* an earlier try ended well */
        return 0;
    if (g->domain != HYPERVISOR_RUNNING && g->domain != HYPERVISOR_PAUSED)
        return fake_refuse(e, "send", g);
    fake_set(f, g, HYPERVISOR_ABSENT, true);
    return 0;
}

int fake_move_now(struct fake *f, const struct hypervisor_move *move, struct fake_guest *g, struct error *e)
{
    switch (move->kind) {
    case HYPERVISOR_MOVE_RELEASE:
        fake_set(f, g, HYPERVISOR_ABSENT, true);
        return 0;
    case HYPERVISOR_MOVE_RECEIVE:
    case HYPERVISOR_MOVE_READY:
    case HYPERVISOR_MOVE_ADOPT:
        fake_set(f, g, g->domain, true);
        return 0;
    case HYPERVISOR_MOVE_SEND:
        return fake_send(f, g, e);
    case HYPERVISOR_MOVE_ARRIVE:
        if (g->domain == HYPERVISOR_ABSENT)
            fake_set(f, g, move->paused ? HYPERVISOR_PAUSED : HYPERVISOR_RUNNING, true);
        return 0;
    case HYPERVISOR_MOVE_SNAPSHOT:
        return g->traces ? 0 : error_set(e, ERR_NOT_FOUND, "Cannot copy the disk: there is none");
    case HYPERVISOR_MOVE_DISCARD:
        fake_set(f, g, HYPERVISOR_ABSENT, false);
        return 0;
    default:
        return 0;
    }
}
