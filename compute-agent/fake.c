/* Calls wait in one list until their time has come; with no delay they share one round of the loop. */
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/fake_internal.h"
#include "compute-agent/loop.h"
#include "compute-agent/network_plan.h"
#include "compute-agent/spec.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct hypervisor_ops fake_ops;

static struct fake *fake_of(const struct hypervisor *h)
{
    return (struct fake *)(uintptr_t)h;
}

/* ---- calls ---- */

static void fake_arm(struct fake *f)
{
    if (!f->calls)
        return;
    int64_t left_us = f->calls->due_us - clock_mono_us();
    loop_timer_start(f->timer, left_us > 0 ? left_us / 1000 : 0, 0);
}

static struct fake_call *fake_call_new(struct fake *f, enum fake_kind kind, const char *what, const char *id)
{
    struct fake_call *c = memory_new(sizeof(*c));
    c->kind = kind;
    if (id)
        memcpy(c->id, id, strnlen(id, UUID_SIZE - 1));
    if (f->fault && what)
        c->fault = f->fault(f->fault_arg, what, id ? id : "");
    bool slow = kind != FAKE_EVENT && kind != FAKE_UP;
    c->due_us = clock_mono_us() + (slow ? f->setup.delay_ms * 1000 : 0);
    return c;
}

/* All have the same delay or none, so the line is nearly in order of time; what is due waits for its forerunner at most
 * one delay. */
static void fake_submit(struct fake *f, struct fake_call *c)
{
    bool first = f->calls == NULL;
    if (c->fault == FAKE_HANGS) {
        c->next = f->hanging;
        f->hanging = c;
        return;
    }
    *f->tail = c;
    f->tail = &c->next;
    if (first)
        fake_arm(f);
}

void fake_emit(struct fake *f, enum hypervisor_event_kind kind, const char *id, enum hypervisor_domain domain,
               const char *reason)
{
    struct fake_call *c = fake_call_new(f, FAKE_EVENT, NULL, id);
    c->event = (struct hypervisor_event){.kind = kind, .domain = domain, .reason = reason, .at_us = clock_now_us()};
    memcpy(c->event.server_id, c->id, UUID_SIZE);
    fake_submit(f, c);
}

static const char *fake_call_name(const struct fake_call *c)
{
    return c->kind == FAKE_MOVE ? hypervisor_move_name(c->move->kind) : hypervisor_action_name(c->action);
}

/* Faults of disks are none where no disk comes or goes. */
static void fake_judge(struct fake *f, struct fake_call *c)
{
    const struct fake_guest *g = idmap_get(&f->guests, c->id);
    unsigned has = g ? g->plugged : 0;
    if ((c->fault == FAKE_LACKS && !(c->disks & ~has)) || (c->fault == FAKE_CLINGS && !(has & ~c->disks)))
        c->fault = FAKE_GOOD;
}

/* The fault of a call as a result, or what it did. */
static int fake_do(struct fake *f, struct fake_call *c, struct error *e)
{
    if (!f->connected)
        return error_set(e, ERR_UNAVAILABLE, "The fake hypervisor is not connected");
    fake_judge(f, c);
    if (c->fault == FAKE_PASSING || c->fault == FAKE_CLINGS)
        return error_set(e, ERR_HYPERVISOR, "A passing fault in %s", fake_call_name(c));
    if (c->fault == FAKE_FINAL || c->fault == FAKE_NEEDS_RESTART || c->fault == FAKE_LACKS)
        return error_set(e, ERR_HYPERVISOR, "A final fault in %s", fake_call_name(c));
    if (c->fault == FAKE_HANGS)
        return error_set(e, ERR_TIMEOUT, "The call was given up as lost");
    int code = 0;
    if (c->kind == FAKE_PREPARE) {
        struct fake_guest *g = fake_guest(f, c->id);
        if (!c->first && !g->traces)
            return error_set(e, ERR_NOT_FOUND, "The server's disk is missing on its host");
        if (c->orphan && !g->traces)
            return error_set(e, ERR_NOT_FOUND, "The server that it is a clone of is not on this host any more");
        code = fake_prepare_disks(c, g, e);
        if (code)
            return code;
        memcpy(g->name, c->name, sizeof(g->name));
        fake_set(f, g, g->domain, true);
    } else if (c->kind == FAKE_ACT) {
        code = fake_act_now(f, c, fake_guest(f, c->id), e);
        struct fake_guest *left = idmap_get(&f->guests, c->id);
        if (left && left->domain == HYPERVISOR_ABSENT && !left->traces)
            free(idmap_remove(&f->guests, c->id));
    } else if (c->kind == FAKE_MOVE) {
        code = fake_move_now(f, c, fake_guest(f, c->id), e);
        struct fake_guest *left = idmap_get(&f->guests, c->id);
        if (left && left->domain == HYPERVISOR_ABSENT && !left->traces)
            free(idmap_remove(&f->guests, c->id));
    } else if (c->kind == FAKE_NETWORK_APPLY) {
        struct fake_network *n = idmap_get(&f->networks, c->id);
        if (!n) {
            n = memory_new(sizeof(*n));
            memcpy(n->id, c->id, UUID_SIZE);
            idmap_put(&f->networks, n->id, n);
        }
        n->reservations = c->reservations;
    } else if (c->kind == FAKE_NETWORK_REMOVE) {
        free(idmap_remove(&f->networks, c->id));
    }
    if (!code && c->fault == FAKE_DONE_BUT_FAILED)
        code = error_set(e, ERR_TIMEOUT, "The answer was lost");
    return code;
}

static void fake_end(struct fake *f, struct fake_call *c)
{
    struct error e = {0};
    struct hypervisor_result result = {.error = &e};
    if (c->kind == FAKE_EVENT) {
        if (f->connected)
            f->listener.on_event(f->listener.arg, &c->event);
        return;
    }
    if (c->kind == FAKE_UP) {
        f->connected = true;
        f->listener.on_up(f->listener.arg);
        return;
    }
    result.code = fake_do(f, c, &e);
    result.transient = result.code == ERR_TIMEOUT || result.code == ERR_UNAVAILABLE || c->fault == FAKE_PASSING ||
                       c->fault == FAKE_CLINGS;
    result.restart = c->fault == FAKE_NEEDS_RESTART || c->fault == FAKE_CLINGS;
    result.lacks = c->fault == FAKE_LACKS;
    result.domain = fake_domain(&f->base, c->id);
    if (c->kind == FAKE_LIST)
        fake_end_list(f, c, &result);
    else if (c->kind == FAKE_BASELINE)
        fake_end_baseline(c, &result);
    else if (c->kind == FAKE_SAMPLES)
        fake_end_samples(f, c, &result);
    else if (c->kind == FAKE_INVENTORY || c->kind == FAKE_CONSOLE || c->kind == FAKE_DIAGNOSTICS)
        fake_end_text(f, c, &result);
    else if (c->kind == FAKE_MOVE)
        fake_end_move(c, &result);
    else
        c->done(c->arg, &result);
}

/* Calls that are made meanwhile wait for the next round. */
static void fake_due(void *arg)
{
    struct fake *f = arg;
    int64_t now = clock_mono_us();
    struct fake_call *due = f->calls, **last = &due;
    while (*last && (*last)->due_us <= now)
        last = &(*last)->next;
    f->calls = *last;
    if (!f->calls)
        f->tail = &f->calls;
    *last = NULL;
    fake_arm(f);
    while (due) {
        struct fake_call *c = due;
        due = c->next;
        fake_end(f, c);
        arena_done(&c->arena);
        free(c);
    }
}

/* ---- the vtable ---- */

static void fake_op_start(struct hypervisor *h, const struct hypervisor_listener *listener)
{
    struct fake *f = fake_of(h);
    f->listener = *listener;
    fake_submit(f, fake_call_new(f, FAKE_UP, NULL, NULL));
}

static void fake_op_list(struct hypervisor *h, hypervisor_list_fn done, void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_LIST, "list", NULL);
    c->list = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_call_take(struct fake_call *c, const struct spec *spec)
{
    c->disks = !spec ? FAKE_DISKS_UNTOLD
                     : (spec->ephemeral_gib > 0 ? FAKE_DISK_EPHEMERAL : 0) | (spec->swap_mib > 0 ? FAKE_DISK_SWAP : 0);
    c->root_gib = spec ? spec->root_gib : 0;
    c->ephemeral_gib = spec ? spec->ephemeral_gib : 0;
    c->swap_mib = spec ? spec->swap_mib : 0;
}

static void fake_op_prepare(struct hypervisor *h, const struct hypervisor_prepare *what, hypervisor_done_fn done,
                            void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_PREPARE, "prepare", what->spec->id);
    snprintf(c->name, sizeof(c->name), "%s", what->spec->hostname);
    c->first = what->first;
    fake_call_take(c, what->spec);
    c->orphan = what->first && what->spec->clone_of && !what->source;
    c->done = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_op_act(struct hypervisor *h, enum hypervisor_action action, const char *server_id,
                        const struct spec *spec, hypervisor_done_fn done, void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_ACT, hypervisor_action_name(action), server_id);
    fake_call_take(c, spec);
    c->action = action;
    c->done = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_op_move(struct hypervisor *h, const struct hypervisor_move *move, hypervisor_text_fn done, void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_MOVE, hypervisor_move_name(move->kind), move->server_id);
    c->move = move;
    fake_call_take(c, move->spec);
    c->text = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_op_probe(struct hypervisor *h, const struct hypervisor_probe *probe, hypervisor_done_fn done,
                          void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_PROBE, "probe", probe->server_id);
    c->done = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_op_network_apply(struct hypervisor *h, const struct network_plan *plan, hypervisor_done_fn done,
                                  void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_NETWORK_APPLY, "network-apply", plan->id);
    c->reservations = plan->host_count;
    c->done = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_op_network_remove(struct hypervisor *h, const char *network_id, hypervisor_done_fn done, void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_NETWORK_REMOVE, "network-remove", network_id);
    c->done = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_op_text(struct hypervisor *h, enum fake_kind kind, const char *id, int64_t lines,
                         hypervisor_text_fn done, void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), kind, NULL, id);
    c->lines = lines;
    c->text = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_op_console_log(struct hypervisor *h, const char *server_id, int64_t lines, hypervisor_text_fn done,
                                void *arg)
{
    fake_op_text(h, FAKE_CONSOLE, server_id, lines, done, arg);
}

static void fake_op_diagnostics(struct hypervisor *h, const char *server_id, hypervisor_text_fn done, void *arg)
{
    fake_op_text(h, FAKE_DIAGNOSTICS, server_id, 0, done, arg);
}

static void fake_op_inventory(struct hypervisor *h, hypervisor_text_fn done, void *arg)
{
    fake_op_text(h, FAKE_INVENTORY, NULL, 0, done, arg);
}

static void fake_op_samples(struct hypervisor *h, hypervisor_samples_fn done, void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_SAMPLES, NULL, NULL);
    c->samples = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_op_set_baseline(struct hypervisor *h, const struct guest_cpu_baseline *baseline)
{
    struct fake *f = fake_of(h);
    arena_done(&f->baseline_arena);
    f->baseline = (struct guest_cpu_baseline){.id = baseline->id,
                                              .description = arena_strdup(&f->baseline_arena, baseline->description),
                                              .features = cpu_set_copy(&baseline->features, &f->baseline_arena)};
}

/* A fake processor is described by its features. */
static void fake_op_baseline(struct hypervisor *h, const struct json_list *cpus, hypervisor_text_fn done, void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_BASELINE, "baseline", NULL);
    const char *const *texts = cpus->items;
    struct cpu_set set, none;
    for (size_t i = 0; i < cpus->count; i++) {
        cpu_flags_read(texts[i], &c->arena, &set, &none);
        c->common = i == 0 ? set : cpu_set_both(&c->common, &set, &c->arena);
    }
    c->text = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_drop_calls(struct fake_call *c)
{
    while (c) {
        struct fake_call *next = c->next;
        arena_done(&c->arena);
        free(c);
        c = next;
    }
}

static void fake_op_free(struct hypervisor *h)
{
    struct fake *f = fake_of(h);
    size_t at = 0;
    for (struct fake_guest *g; (g = idmap_next(&f->guests, &at));)
        free(g);
    at = 0;
    for (struct fake_network *n; (n = idmap_next(&f->networks, &at));)
        free(n);
    idmap_done(&f->guests);
    idmap_done(&f->networks);
    fake_drop_calls(f->calls);
    fake_drop_calls(f->hanging);
    loop_timer_free(&f->timer);
    if (f->fd >= 0)
        close(f->fd);
    free((char *)(uintptr_t)f->setup.file);
    free((char *)(uintptr_t)f->setup.address);
    free((char *)(uintptr_t)f->setup.storage);
    free((char *)(uintptr_t)f->setup.cpu);
    arena_done(&f->baseline_arena);
    free(f);
}

static const struct hypervisor_ops fake_ops = {
    .start = fake_op_start,
    .list = fake_op_list,
    .prepare = fake_op_prepare,
    .act = fake_op_act,
    .move = fake_op_move,
    .probe = fake_op_probe,
    .set_baseline = fake_op_set_baseline,
    .baseline = fake_op_baseline,
    .network_apply = fake_op_network_apply,
    .network_remove = fake_op_network_remove,
    .console_log = fake_op_console_log,
    .diagnostics = fake_op_diagnostics,
    .inventory = fake_op_inventory,
    .samples = fake_op_samples,
    .free = fake_op_free,
};

int fake_new(const struct fake_setup *setup, struct hypervisor **ret, struct error *e)
{
    struct fake *f = memory_new(sizeof(*f));
    f->base.ops = &fake_ops;
    f->setup = *setup;
    f->setup.file = memory_strdup(setup->file);
    f->setup.address = memory_strdup(setup->address);
    f->setup.storage = memory_strdup(setup->storage);
    f->setup.cpu = memory_strdup(setup->cpu);
    f->tail = &f->calls;
    f->fd = -1;
    f->timer = loop_timer_new(setup->loop, fake_due, f);
    int code = setup->file ? fake_load(f, e) : 0;
    if (code)
        fake_op_free(&f->base);
    else
        *ret = &f->base;
    return code;
}

/* ---- for tests ---- */

void fake_set_faults(struct hypervisor *h, fake_fault_fn fn, void *arg)
{
    fake_of(h)->fault = fn;
    fake_of(h)->fault_arg = arg;
}

void fake_release(struct hypervisor *h)
{
    struct fake *f = fake_of(h);
    bool first = f->calls == NULL;
    *f->tail = f->hanging;
    while (*f->tail)
        f->tail = &(*f->tail)->next;
    f->hanging = NULL;
    if (first)
        fake_arm(f);
}

void fake_set_deaf(struct hypervisor *h, bool deaf)
{
    fake_of(h)->deaf = deaf;
}

void fake_change(struct hypervisor *h, const char *server_id, enum hypervisor_domain domain, bool silent)
{
    struct fake *f = fake_of(h);
    fake_set(f, fake_guest(f, server_id), domain, true);
    if (!silent)
        fake_emit(f, HYPERVISOR_EVENT_DOMAIN, server_id, domain, "changed by somebody else");
}

void fake_connect(struct hypervisor *h, bool connected)
{
    struct fake *f = fake_of(h);
    if (connected) {
        fake_submit(f, fake_call_new(f, FAKE_UP, NULL, NULL));
    } else {
        f->connected = false;
        f->listener.on_down(f->listener.arg, "a test broke it");
    }
}

enum hypervisor_domain fake_domain(const struct hypervisor *h, const char *server_id)
{
    const struct fake_guest *g = idmap_get(&fake_of(h)->guests, server_id);
    return g ? g->domain : HYPERVISOR_ABSENT;
}

struct fake_figures fake_figures(const struct hypervisor *h)
{
    const struct fake *f = fake_of(h);
    struct fake_figures figures = {
        .starts = f->starts, .reboots = f->reboots, .adjustments = f->adjustments, .networks = f->networks.count};
    size_t at = 0;
    for (struct fake_guest *g; (g = idmap_next(&f->guests, &at));) {
        figures.domains += g->domain != HYPERVISOR_ABSENT;
        figures.running += g->domain == HYPERVISOR_RUNNING;
        figures.traces += g->traces;
    }
    at = 0;
    for (struct fake_network *n; (n = idmap_next(&f->networks, &at));)
        figures.reservations += n->reservations;
    return figures;
}
