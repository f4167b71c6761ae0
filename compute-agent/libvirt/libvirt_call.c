/* The life of a call: made on the loop, run on a worker with its own reference to the connection, delivered on the
 * loop. One that does not return in time is delivered as failed; its id stays marked until it does return, so that no
 * second call for the same domain runs beside it, and the connection is replaced, because libvirtd serves only a few
 * calls per connection at a time. Where a connection carries one call at a time, each has one to itself. */
#include "compute-agent/libvirt/libvirt_call.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/loop.h"
#include "compute-agent/settings.h"
#include <stdlib.h>
#include <string.h>

static void libvirt_call_free(struct libvirt_call *c)
{
    if (c->owner) {
        struct libvirt_call **at = &c->owner->outstanding;
        while (*at != c)
            at = &(*at)->next;
        *at = c->next;
    }
    strbuf_done(&c->text);
    arena_done(&c->arena);
    arena_done(&c->cpu.arena);
    free(c->found);
    free(c->networks);
    free(c->samples);
    free(c->nics.items);
    free(c);
}

struct libvirt_call *libvirt_call_new(struct libvirt *lv, const char *what, const char *id,
                                      void (*work)(struct libvirt_call *c),
                                      void (*deliver)(struct libvirt_call *c, const struct hypervisor_result *result),
                                      void *arg)
{
    struct libvirt_call *c = memory_new(sizeof(*c));
    c->owner = lv;
    c->next = lv->outstanding;
    lv->outstanding = c;
    c->what = what;
    c->work = work;
    c->deliver = deliver;
    c->arg = arg;
    c->settings = lv->setup.settings;
    c->profile = lv->profile;
    c->names = lv->names;
    c->facts = lv->facts;
    if (id)
        memcpy(c->id, id, UUID_SIZE);
    strbuf_init(&c->text, 0);
    return c;
}

bool libvirt_call_alive(const struct libvirt_call *c)
{
    virNodeInfo node;
    if (!c->conn || virConnectIsAlive(c->conn) != 1)
        return false;
    return !c->profile->silent || virNodeGetInfo(c->conn, &node) == 0;
}

int libvirt_call_open(struct libvirt_call *c)
{
    c->conn = libvirt_open(c->settings, &c->error);
    c->transient = c->conn == NULL;
    return c->code = c->conn ? 0 : c->error.code;
}

int libvirt_call_fail(struct libvirt_call *c, const char *what)
{
    /* Kept before the next call, which forgets it. */
    const virError *error = virGetLastError();
    const char *text = arena_strdup(&c->arena, error && error->message ? error->message : "no reason given");
    int number = c->number = error ? error->code : VIR_ERR_INTERNAL_ERROR;
    /* A domain's network that is off: it comes with the plan, after a libvirtd that has lost it is connected. */
    bool offline = number == VIR_ERR_OPERATION_INVALID && error && error->domain == VIR_FROM_NETWORK;
    if (!libvirt_call_alive(c)) {
        c->transient = true;
        return c->code = error_set(&c->error, ERR_UNAVAILABLE, "%s: %s", what, text);
    }
    c->transient = number == VIR_ERR_OPERATION_TIMEOUT || number == VIR_ERR_RESOURCE_BUSY ||
                   number == VIR_ERR_SYSTEM_ERROR || number == VIR_ERR_INTERNAL_ERROR ||
                   number == VIR_ERR_OPERATION_FAILED || number == VIR_ERR_NO_MEMORY || offline;
    return c->code = error_set(&c->error, ERR_HYPERVISOR, "%s: %s", what, text);
}

/* ---- on the loop ---- */

static void libvirt_call_deliver(struct libvirt_call *c, enum hypervisor_domain domain)
{
    struct hypervisor_result result = {
        .code = c->code, .transient = c->transient, .error = &c->error, .domain = domain};
    result.restart = c->restart;
    result.lacks = c->lacks;
    if (c->owner)
        c->deliver(c, &result);
}

static void libvirt_call_refused(void *arg)
{
    struct libvirt_call *c = arg;
    libvirt_call_deliver(c, HYPERVISOR_ABSENT);
    libvirt_call_free(c);
}

static void libvirt_call_refuse(struct libvirt_call *c, int code, const char *sentence)
{
    c->transient = true;
    c->code = error_set(&c->error, code, "%s", sentence);
    loop_post(c->owner->setup.loop, libvirt_call_refused, c);
}

static void libvirt_call_lost(struct libvirt_call *c)
{
    struct libvirt *lv = c->owner;
    struct error error = {0};
    struct hypervisor_result result = {.transient = true, .error = &error};
    result.code = error_set(&error, ERR_TIMEOUT, "The hypervisor did not answer in time (%s)", c->what);
    log_warn("hypervisor call lost", "call=\"%s\" id=%s", c->what, c->id);
    if (c->id[0] && !idmap_get(&lv->lost, c->id))
        idmap_put(&lv->lost, c->id, c);
    if (c->connected) /* conn itself is the worker's */
        libvirt_connect_drop(lv, c->generation, "a call did not return in time");
    c->deliver(c, &result);
}

static void libvirt_call_done(struct worker_job *job, enum worker_outcome outcome)
{
    struct libvirt_call *c = (struct libvirt_call *)job;
    if (outcome == WORKER_LOST) {
        if (c->owner)
            libvirt_call_lost(c);
        return;
    }
    if (outcome == WORKER_BUSY) {
        c->transient = true;
        c->code = error_set(&c->error, ERR_UNAVAILABLE, "All workers wait for the hypervisor (%s)", c->what);
    }
    if (c->owner && c->profile->silent && c->code == ERR_UNAVAILABLE)
        libvirt_connect_drop(c->owner, c->generation, error_text(&c->error));
    libvirt_call_deliver(c, c->domain);
    libvirt_call_free(c);
}

/* What the lost call has brought about is not known: whoever is concerned looks again. */
static void libvirt_call_late(struct worker_job *job)
{
    struct libvirt_call *c = (struct libvirt_call *)job;
    struct libvirt *lv = c->owner;
    if (lv && idmap_get(&lv->lost, c->id) == c) {
        idmap_remove(&lv->lost, c->id);
        struct hypervisor_event event = {.kind = HYPERVISOR_EVENT_UNSURE, .reason = "a lost call has returned"};
        memcpy(event.server_id, c->id, UUID_SIZE);
        log_info("lost call has returned", "call=\"%s\" id=%s", c->what, c->id);
        lv->listener.on_event(lv->listener.arg, &event);
    }
    libvirt_call_free(c);
}

static void libvirt_call_run(struct worker_job *job)
{
    struct libvirt_call *c = (struct libvirt_call *)job;
    bool lent = c->connected && c->profile->solo;
    virResetLastError();
    if (!c->code && (!lent || libvirt_lend_take(c) == 0))
        c->work(c);
    if (lent)
        libvirt_lend_give_back(c);
    if (c->conn) /* the last reference closes it, which may block: here that is allowed */
        virConnectClose(c->conn);
    c->conn = NULL;
}

void libvirt_call_submit(struct libvirt_call *c, int64_t deadline_ms)
{
    static const struct worker_class class = {
        .run = libvirt_call_run, .done = libvirt_call_done, .late = libvirt_call_late};
    struct libvirt *lv = c->owner;
    if (!lv->conn) {
        libvirt_call_refuse(c, ERR_UNAVAILABLE, "The hypervisor is not connected");
    } else if (c->id[0] && idmap_get(&lv->lost, c->id)) {
        libvirt_call_refuse(c, ERR_BUSY, "An earlier call for it has not returned yet");
    } else {
        if (!c->profile->solo) {
            virConnectRef(lv->conn);
            c->conn = lv->conn;
        }
        c->connected = true;
        c->generation = lv->generation;
        worker_submit(lv->calls, &c->job, &class, deadline_ms);
    }
}

void libvirt_call_submit_move(struct libvirt_call *c, int64_t deadline_ms)
{
    static const struct worker_class class = {
        .run = libvirt_call_run, .done = libvirt_call_done, .late = libvirt_call_late};
    worker_submit(c->owner->moves, &c->job, &class, deadline_ms);
}

void libvirt_call_submit_unconnected(struct libvirt_call *c, int64_t deadline_ms)
{
    static const struct worker_class class = {
        .run = libvirt_call_run, .done = libvirt_call_done, .late = libvirt_call_late};
    worker_submit(c->owner->calls, &c->job, &class, deadline_ms);
}
