/* What an action makes of a domain and of its disks, or why it refuses. */
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
    if (g->domain != HYPERVISOR_RUNNING && g->domain != HYPERVISOR_PAUSED)
        g->plugged = g->disks;
    if (g->domain != HYPERVISOR_RUNNING)
        f->starts++;
    fake_set(f, g, HYPERVISOR_RUNNING, true);
    return 0;
}

static int64_t fake_larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* One that has gone is made anew some day. */
static void fake_grow(const struct fake_call *c, struct fake_guest *g)
{
    g->root_gib = fake_larger(c->root_gib, g->root_gib);
    g->ephemeral_gib = g->disks & FAKE_DISK_EPHEMERAL ? fake_larger(c->ephemeral_gib, g->ephemeral_gib) : 0;
    g->swap_mib = g->disks & FAKE_DISK_SWAP ? fake_larger(c->swap_mib, g->swap_mib) : 0;
}

int fake_prepare_disks(const struct fake_call *c, struct fake_guest *g, struct error *e)
{
    if (!c->first && (c->disks & ~g->disks))
        return error_set(e, ERR_NOT_FOUND, "A further disk of the server is missing on its host");
    g->disks = c->disks;
    fake_grow(c, g);
    return 0;
}

static int fake_adjust(struct fake *f, const struct fake_call *c, struct fake_guest *g, struct error *e)
{
    if (g->domain != HYPERVISOR_RUNNING && g->domain != HYPERVISOR_PAUSED)
        return fake_refuse(e, "adjust", g);
    f->adjustments++;
    g->disks = g->plugged = c->disks;
    fake_grow(c, g);
    fake_set(f, g, g->domain, true);
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

int fake_act_now(struct fake *f, const struct fake_call *c, struct fake_guest *g, struct error *e)
{
    switch (c->action) {
    case HYPERVISOR_CREATE:
    case HYPERVISOR_START:
        return fake_start(f, g, e);
    case HYPERVISOR_DEFINE:
        return g->domain == HYPERVISOR_ABSENT ? (fake_set(f, g, HYPERVISOR_SHUTOFF, true), 0) : 0;
    case HYPERVISOR_SHUTDOWN:
    case HYPERVISOR_REBOOT:
        return fake_ask(f, g, c->action, e);
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
        return fake_adjust(f, c, g, e);
    case HYPERVISOR_REMOVE:
        fake_set(f, g, HYPERVISOR_ABSENT, false);
        return 0;
    default:
        return 0;
    }
}

static int fake_send(struct fake *f, const struct hypervisor_move *move, struct fake_guest *g, struct error *e)
{
    if (g->domain == HYPERVISOR_ABSENT) /* an earlier try ended well */
        return 0;
    if (move->cancelled)
        return error_set(e, ERR_CONFLICT, "It was cancelled");
    if (g->domain != HYPERVISOR_RUNNING && g->domain != HYPERVISOR_PAUSED)
        return fake_refuse(e, "send", g);
    fake_set(f, g, HYPERVISOR_ABSENT, true);
    return 0;
}

int fake_move_now(struct fake *f, const struct fake_call *c, struct fake_guest *g, struct error *e)
{
    switch (c->move->kind) {
    case HYPERVISOR_MOVE_RELEASE:
        fake_set(f, g, HYPERVISOR_ABSENT, true);
        return 0;
    case HYPERVISOR_MOVE_RECEIVE:
    case HYPERVISOR_MOVE_READY:
    case HYPERVISOR_MOVE_ADOPT:
        g->disks = c->disks;
        fake_grow(c, g);
        fake_set(f, g, g->domain, true);
        return 0;
    case HYPERVISOR_MOVE_SEND:
        return fake_send(f, c->move, g, e);
    case HYPERVISOR_MOVE_ARRIVE:
        g->plugged = g->domain == HYPERVISOR_ABSENT ? g->disks : g->plugged;
        if (g->domain == HYPERVISOR_ABSENT)
            fake_set(f, g, c->move->paused ? HYPERVISOR_PAUSED : HYPERVISOR_RUNNING, true);
        return 0;
    case HYPERVISOR_MOVE_SNAPSHOT:
        return g->traces ? 0 : error_set(e, ERR_NOT_FOUND, "Cannot copy the disk: there is none");
    case HYPERVISOR_MOVE_FIT:
        g->disks |= c->disks;
        g->ephemeral_gib = g->ephemeral_gib ? g->ephemeral_gib : c->ephemeral_gib; /* what is there does not grow */
        g->swap_mib = g->swap_mib ? g->swap_mib : c->swap_mib;
        fake_set(f, g, g->domain, true);
        return 0;
    case HYPERVISOR_MOVE_DISCARD:
        fake_set(f, g, HYPERVISOR_ABSENT, false);
        return 0;
    default:
        return 0;
    }
}
