/* Calls wait in one list until their time has come; with no delay they share one round of the loop. The file of domains
 * is an append-only log of "id state traces" lines without any sync: it survives the process, which is all that a fake
 * host can lose. */
#include "compute-agent/fake.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/idmap.h"
#include "compute-agent/loop.h"
#include "compute-agent/network_plan.h"
#include "compute-agent/spec.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAKE_LOG_SIZE       ((size_t)1 << 20) /* beyond this a log is written anew on start */
#define FAKE_NS_PER_VCPU_US 100               /* a fake guest keeps a tenth of a processor busy */

struct fake_guest {
    char id[UUID_SIZE], name[64];
    enum hypervisor_domain domain;
    bool traces;
    int64_t since_us, ran_us; /* since_us: running since; ran_us: before that */
};
struct fake_network {
    char id[UUID_SIZE];
    size_t reservations;
};
enum fake_kind {
    FAKE_LIST,
    FAKE_PREPARE,
    FAKE_ACT,
    FAKE_NETWORK_APPLY,
    FAKE_NETWORK_REMOVE,
    FAKE_CONSOLE,
    FAKE_DIAGNOSTICS,
    FAKE_INVENTORY,
    FAKE_SAMPLES,
    FAKE_MOVE,
    FAKE_EVENT,
    FAKE_UP
};
struct fake_call {
    struct fake_call *next;
    enum fake_kind kind;
    enum hypervisor_action action;
    const struct hypervisor_move *move;
    char id[UUID_SIZE], name[64];
    size_t reservations;
    int64_t lines, due_us;
    enum fake_fault fault;
    struct hypervisor_event event;
    union {
        hypervisor_done_fn done;
        hypervisor_list_fn list;
        hypervisor_text_fn text;
        hypervisor_samples_fn samples;
    };
    void *arg;
};
struct fake {
    struct hypervisor base; /* first */
    struct fake_setup setup;
    struct hypervisor_listener listener;
    struct loop_timer *timer;
    struct idmap guests, networks;
    struct fake_call *calls, **tail, *hanging;
    fake_fault_fn fault;
    void *fault_arg;
    bool deaf, connected;
    size_t starts, reboots;
    int fd;
};

static const struct hypervisor_ops fake_ops;

static struct fake *fake_of(const struct hypervisor *h)
{
    return (struct fake *)(uintptr_t)h;
}

/* ---- domains ---- */

static struct fake_guest *fake_guest(struct fake *f, const char *id)
{
    struct fake_guest *g = idmap_get(&f->guests, id);
    if (g)
        return g;
    g = memory_new(sizeof(*g));
    memcpy(g->id, id, UUID_SIZE);
    idmap_put(&f->guests, g->id, g);
    return g;
}

static int fake_print_line(const struct fake_guest *g, char ret[UUID_SIZE + 16])
{
    return snprintf(ret, UUID_SIZE + 16, "%s %d %d\n", g->id, (int)g->domain, (int)g->traces);
}

static void fake_write(struct fake *f, const struct fake_guest *g)
{
    char line[UUID_SIZE + 16];
    if (f->fd < 0)
        return;
    int size = fake_print_line(g, line);
    if (write(f->fd, line, (size_t)size) != size)
        log_error("fake domains cannot be written", "file=%s error=%s", f->setup.file, strerror(errno));
}

static void fake_set(struct fake *f, struct fake_guest *g, enum hypervisor_domain domain, bool traces)
{
    int64_t now = clock_now_us();
    if (g->domain == HYPERVISOR_RUNNING && domain != HYPERVISOR_RUNNING)
        g->ran_us += now - g->since_us;
    if (g->domain != HYPERVISOR_RUNNING && domain == HYPERVISOR_RUNNING)
        g->since_us = now;
    g->domain = domain;
    g->traces = traces;
    fake_write(f, g);
    if (domain == HYPERVISOR_ABSENT && !traces) {
        idmap_remove(&f->guests, g->id);
        free(g);
    }
}

static int fake_load_line(struct fake *f, const char *line)
{
    char id[UUID_SIZE];
    int domain, traces;
    if (sscanf(line, "%36s %d %d", id, &domain, &traces) != 3 || !uuid_valid(id) || domain < 0 ||
        domain >= HYPERVISOR_DOMAIN_COUNT)
        return ERR_CORRUPT;
    struct fake_guest *g = fake_guest(f, id);
    int fd = f->fd;
    f->fd = -1; /* not written again */
    fake_set(f, g, (enum hypervisor_domain)domain, traces != 0);
    f->fd = fd;
    return 0;
}

/* Writes what is left of the log anew. A kill leaves the old one or the new one. */
static int fake_compact(struct fake *f, struct error *e)
{
    struct strbuf text;
    size_t at = 0;
    strbuf_init(&text, (size_t)1 << 30);
    for (struct fake_guest *g; (g = idmap_next(&f->guests, &at));) {
        char line[UUID_SIZE + 16];
        strbuf_append(&text, line, (size_t)fake_print_line(g, line));
    }
    int code = file_replace(f->setup.file, text.data, text.size, 0600, e);
    strbuf_done(&text);
    return code;
}

static int fake_load(struct fake *f, struct error *e)
{
    struct strbuf text;
    strbuf_init(&text, (size_t)1 << 30);
    int code = file_read(f->setup.file, &text, NULL);
    size_t size = code ? 0 : text.size;
    char *save = NULL;
    for (char *line = size ? strtok_r(text.data, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        if (fake_load_line(f, line))
            log_warn("line of fake domains left out", "file=%s", f->setup.file);
    }
    strbuf_done(&text);
    code = size > FAKE_LOG_SIZE ? fake_compact(f, e) : 0;
    if (code)
        return code;
    f->fd = open(f->setup.file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return f->fd < 0 ? error_set(e, ERR_IO, "%s: %s", f->setup.file, strerror(errno)) : 0;
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

static void fake_emit(struct fake *f, enum hypervisor_event_kind kind, const char *id, enum hypervisor_domain domain,
                      const char *reason)
{
    struct fake_call *c = fake_call_new(f, FAKE_EVENT, NULL, id);
    c->event = (struct hypervisor_event){.kind = kind, .domain = domain, .reason = reason, .at_us = clock_now_us()};
    memcpy(c->event.server_id, c->id, UUID_SIZE);
    fake_submit(f, c);
}

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

static int fake_act_now(struct fake *f, enum hypervisor_action action, struct fake_guest *g, struct error *e)
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

static int fake_move_now(struct fake *f, const struct hypervisor_move *move, struct fake_guest *g, struct error *e)
{
    switch (move->kind) {
    case HYPERVISOR_MOVE_RELEASE:
        fake_set(f, g, HYPERVISOR_ABSENT, true);
        return 0;
    case HYPERVISOR_MOVE_RECEIVE:
    case HYPERVISOR_MOVE_READY:
        fake_set(f, g, g->domain, true);
        return 0;
    case HYPERVISOR_MOVE_SEND:
        return fake_send(f, g, e);
    case HYPERVISOR_MOVE_ARRIVE:
        if (g->domain == HYPERVISOR_ABSENT)
            fake_set(f, g, move->paused ? HYPERVISOR_PAUSED : HYPERVISOR_RUNNING, true);
        return 0;
    case HYPERVISOR_MOVE_DISCARD:
        fake_set(f, g, HYPERVISOR_ABSENT, false);
        return 0;
    default:
        return 0;
    }
}

/* The fault of a call as a result, or what it did. */
static int fake_do(struct fake *f, struct fake_call *c, struct error *e)
{
    if (!f->connected)
        return error_set(e, ERR_UNAVAILABLE, "The fake hypervisor is not connected");
    if (c->fault == FAKE_PASSING)
        return error_set(e, ERR_HYPERVISOR, "A passing fault in %s", hypervisor_action_name(c->action));
    if (c->fault == FAKE_FINAL)
        return error_set(e, ERR_HYPERVISOR, "A final fault in %s", hypervisor_action_name(c->action));
    if (c->fault == FAKE_HANGS)
        return error_set(e, ERR_TIMEOUT, "The call was given up as lost");
    int code = 0;
    if (c->kind == FAKE_PREPARE) {
        struct fake_guest *g = fake_guest(f, c->id);
        memcpy(g->name, c->name, sizeof(g->name));
        fake_set(f, g, g->domain, true);
    } else if (c->kind == FAKE_ACT) {
        code = fake_act_now(f, c->action, fake_guest(f, c->id), e);
        struct fake_guest *left = idmap_get(&f->guests, c->id);
        if (left && left->domain == HYPERVISOR_ABSENT && !left->traces)
            free(idmap_remove(&f->guests, c->id));
    } else if (c->kind == FAKE_MOVE) {
        code = fake_move_now(f, c->move, fake_guest(f, c->id), e);
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

static void fake_end_list(struct fake *f, struct fake_call *c, const struct hypervisor_result *result)
{
    struct hypervisor_list list = {.result = *result};
    struct hypervisor_found *servers = memory_array(f->guests.count + 1, sizeof(*servers));
    const char **networks = memory_array(f->networks.count + 1, sizeof(*networks));
    size_t at = 0;
    for (struct fake_guest *g; (g = idmap_next(&f->guests, &at));) {
        struct hypervisor_found *found = &servers[list.server_count++];
        memcpy(found->server_id, g->id, UUID_SIZE);
        found->domain = g->domain;
        found->traces = g->traces;
    }
    at = 0;
    for (struct fake_network *n; (n = idmap_next(&f->networks, &at));)
        networks[list.network_count++] = n->id;
    list.servers = servers;
    list.networks = networks;
    c->list(c->arg, &list);
    free(servers);
    free(networks);
}

static uint64_t fake_ran_us(const struct fake_guest *g)
{
    return (uint64_t)(g->ran_us + (g->domain == HYPERVISOR_RUNNING ? clock_now_us() - g->since_us : 0));
}

static void fake_end_samples(struct fake *f, struct fake_call *c, const struct hypervisor_result *result)
{
    struct hypervisor_sample *samples = memory_array(f->guests.count + 1, sizeof(*samples));
    size_t at = 0, count = 0;
    for (struct fake_guest *g; (g = idmap_next(&f->guests, &at));) {
        uint64_t ran_us = fake_ran_us(g);
        struct hypervisor_sample *s = &samples[count++];
        memcpy(s->server_id, g->id, UUID_SIZE);
        s->at_us = clock_now_us();
        s->cpu_ns = ran_us * FAKE_NS_PER_VCPU_US;
        s->disk_read_bytes = ran_us / 100;
        s->disk_write_bytes = ran_us / 50;
        s->disk_read_ops = s->disk_read_bytes / 4096;
        s->disk_write_ops = s->disk_write_bytes / 4096;
        s->net_in_bytes = ran_us / 200;
        s->net_out_bytes = ran_us / 400;
        s->memory_rss_kib = g->domain == HYPERVISOR_RUNNING ? 65536 : 0;
    }
    c->samples(c->arg, result, samples, count);
    free(samples);
}

static void fake_print_inventory(const struct fake *f, struct strbuf *to)
{
    struct json_out o;
    json_out_init(&o, to);
    json_out_object(&o, NULL);
    json_out_text(&o, "hypervisor", "fake");
    json_out_int(&o, "hypervisor_version", 1000000);
    json_out_text(&o, "architecture", "x86_64");
    json_out_text(&o, "address", f->setup.address ? f->setup.address : "127.0.0.1");
    json_out_int(&o, "vcpus", f->setup.vcpus);
    json_out_int(&o, "memory_mib", f->setup.memory_mib);
    json_out_int(&o, "disk_gib", f->setup.disk_gib);
    json_out_int(&o, "reserved_vcpus", f->setup.reserved_vcpus);
    json_out_int(&o, "reserved_memory_mib", f->setup.reserved_memory_mib);
    json_out_int(&o, "reserved_disk_gib", f->setup.reserved_disk_gib);
    json_out_object(&o, "cpu");
    json_out_text(&o, "model", "fake");
    json_out_object_end(&o);
    json_out_array(&o, "traits");
    json_out_array_end(&o);
    json_out_object_end(&o);
}

static void fake_print_console(const struct fake *f, const struct fake_call *c, struct strbuf *to)
{
    static const char *const boot[] = {"A guest that is not there", "takes no time to boot",
                                       "and says no more than this"};
    const int64_t count = sizeof(boot) / sizeof(boot[0]);
    const struct fake_guest *g = idmap_get(&f->guests, c->id);
    if (!g || g->domain == HYPERVISOR_ABSENT || c->lines == 0)
        return;
    for (int64_t i = c->lines < 0 || c->lines > count ? 0 : count + 1 - c->lines; i < count; i++)
        strbuf_appendf(to, "%s\n", boot[i]);
    strbuf_appendf(to, "BOOT OK %s (fake)\n", g->name[0] ? g->name : g->id);
}

static void fake_print_diagnostics(const struct fake *f, const struct fake_call *c, struct strbuf *to)
{
    const struct fake_guest *g = idmap_get(&f->guests, c->id);
    struct json_out o;
    json_out_init(&o, to);
    json_out_object(&o, NULL);
    json_out_text(&o, "state", hypervisor_domain_name(g ? g->domain : HYPERVISOR_ABSENT));
    json_out_text(&o, "driver", "libvirt"); /* which it plays; the API has a fixed list of names */
    json_out_uint(&o, "uptime_s", g ? fake_ran_us(g) / 1000000 : 0);
    json_out_object_end(&o);
}

static void fake_end_text(struct fake *f, struct fake_call *c, const struct hypervisor_result *result)
{
    struct strbuf text;
    strbuf_init(&text, 0);
    if (c->kind == FAKE_INVENTORY)
        fake_print_inventory(f, &text);
    else if (c->kind == FAKE_CONSOLE)
        fake_print_console(f, c, &text);
    else
        fake_print_diagnostics(f, c, &text);
    c->text(c->arg, result, text.data, text.size);
    strbuf_done(&text);
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
    result.transient = result.code == ERR_TIMEOUT || result.code == ERR_UNAVAILABLE || c->fault == FAKE_PASSING;
    result.domain = fake_domain(&f->base, c->id);
    if (c->kind == FAKE_LIST)
        fake_end_list(f, c, &result);
    else if (c->kind == FAKE_SAMPLES)
        fake_end_samples(f, c, &result);
    else if (c->kind == FAKE_INVENTORY || c->kind == FAKE_CONSOLE || c->kind == FAKE_DIAGNOSTICS)
        fake_end_text(f, c, &result);
    else if (c->kind == FAKE_MOVE)
        c->text(c->arg, &result, "", 0);
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

static void fake_op_prepare(struct hypervisor *h, const struct hypervisor_prepare *what, hypervisor_done_fn done,
                            void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_PREPARE, "prepare", what->spec->id);
    snprintf(c->name, sizeof(c->name), "%s", what->spec->hostname);
    c->done = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_op_act(struct hypervisor *h, enum hypervisor_action action, const char *server_id,
                        const struct spec *spec, hypervisor_done_fn done, void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_ACT, hypervisor_action_name(action), server_id);
    (void)spec;
    c->action = action;
    c->done = done;
    c->arg = arg;
    fake_submit(fake_of(h), c);
}

static void fake_op_move(struct hypervisor *h, const struct hypervisor_move *move, hypervisor_text_fn done, void *arg)
{
    struct fake_call *c = fake_call_new(fake_of(h), FAKE_MOVE, hypervisor_move_name(move->kind), move->server_id);
    c->move = move;
    c->text = done;
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

static void fake_drop_calls(struct fake_call *c)
{
    while (c) {
        struct fake_call *next = c->next;
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
    free(f);
}

static const struct hypervisor_ops fake_ops = {
    .start = fake_op_start,
    .list = fake_op_list,
    .prepare = fake_op_prepare,
    .act = fake_op_act,
    .move = fake_op_move,
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
    struct fake_figures figures = {.starts = f->starts, .reboots = f->reboots, .networks = f->networks.count};
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
