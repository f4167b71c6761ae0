/* A task waits for the step under way of its server, is carried out by the hypervisor, and is reported until the API
 * has heard it. One that makes an image is also sent to the API before it ends. It lives in memory only: after a
 * restart the API names it again, and doing it twice is no harm. */
#include "compute-agent/host_task.h"
#include "common/clock.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/host_internal.h"
#include "compute-agent/host_upload.h"
#include "compute-agent/loop.h"
#include <stdlib.h>
#include <string.h>

#define TASK_REPORT_MS   10000
#define TASK_AGAIN_MS    2000
#define TASK_PROGRESS_US 1000000
#define TASK_ATTEMPTS    30
#define TASK_BEAT_MS     30000

struct host_task {
    struct host *host;
    char id[UUID_SIZE], server_id[UUID_SIZE];
    struct arena arena; /* texts of `move` */
    struct hypervisor_move move;
    struct spec *spec; /* that came with it; the guest's once it has begun */
    bool cancelled, running, ended, reporting;
    bool superseded; /* a newer task of the server waits for its end: nobody wants to hear of this one */
    unsigned parts;  /* networks that are not ready yet */
    int code;
    struct error error;
    char *result; /* JSON object or NULL */
    char *made;   /* SNAPSHOT: what is to be sent, once it is there */
    struct host_upload *upload;
    struct loop_timer *beat; /* SNAPSHOT, FLATTEN: it is still at it */
    unsigned attempts;
    int64_t progress_us; /* clock_mono_us of the last progress that was told */
    struct loop_timer *timer;
    struct host_task *next; /* of the same server: begins when this one has ended */
};

static void task_free(struct host_task *t)
{
    loop_timer_free(&t->timer);
    loop_timer_free(&t->beat);
    host_upload_forget(t->upload);
    spec_free(&t->spec);
    arena_done(&t->arena);
    free(t->result);
    free(t->made);
    free(t);
}

static struct guest *task_guest(const struct host_task *t)
{
    return idmap_get(&t->host->guests, t->server_id);
}

/* No move: the server stays as it is while it is done, which may take long. */
static bool task_stays(const struct host_task *t)
{
    return t->move.kind == HYPERVISOR_MOVE_SNAPSHOT || t->move.kind == HYPERVISOR_MOVE_FLATTEN;
}

/* An agent before may have begun it, and libvirtd goes on alone: its end decides which host has the guest. */
static bool task_sends(const struct host_task *t)
{
    return t->move.kind == HYPERVISOR_MOVE_SEND;
}

/* ---- saying ---- */

static void task_forget(struct host_task *t)
{
    idmap_remove(&t->host->tasks, t->id);
    task_free(t);
}

static void task_reported(void *arg, const struct http_answer *answer)
{
    struct host_task *t = arg;
    t->reporting = false;
    bool heard = answer->status >= 200 && answer->status < 500;
    if (heard && answer->status > 299)
        log_warn("task's end not taken", "task=%s status=%d", t->id, answer->status);
    if (heard)
        task_forget(t);
    else
        loop_timer_start(t->timer, TASK_AGAIN_MS, 0);
}

static void task_send(struct host_task *t, const char *state, const char *result, http_done_fn done, void *arg)
{
    struct strbuf body, path;
    struct json_out o;
    strbuf_init(&body, 0);
    strbuf_init(&path, 0);
    json_out_init(&o, &body);
    json_out_object(&o, NULL);
    json_out_text(&o, "state", state);
    if (t->code)
        json_out_text(&o, "error", error_text(&t->error));
    json_out_raw(&o, "result", result);
    json_out_object_end(&o);
    strbuf_appendf(&path, "/agent/v1/tasks/%s", t->id);
    http_client_send(t->host->http, HTTP_LANE_OTHER, "POST", path.data, body.data, body.size, TASK_REPORT_MS, done,
                     arg);
    strbuf_done(&path);
    strbuf_done(&body);
}

static void task_report(void *arg)
{
    struct host_task *t = arg;
    if (t->reporting)
        return;
    t->reporting = true;
    task_send(t, t->code ? "failed" : "done", t->result, task_reported, t);
}

static void task_told(void *arg, const struct http_answer *answer)
{
    (void)arg;
    (void)answer;
}

static void task_progress(void *arg, const char *json)
{
    struct host_task *t = arg;
    int64_t now = clock_mono_us();
    if (now - t->progress_us < TASK_PROGRESS_US)
        return;
    t->progress_us = now;
    task_send(t, "running", json, task_told, NULL);
}

/* How far an image is. */
static void task_beat(void *arg)
{
    struct host_task *t = arg;
    if (t->move.kind == HYPERVISOR_MOVE_FLATTEN)
        task_send(t, "running", NULL, task_told, NULL);
    else
        task_send(t, "running", t->made ? "{\"step\":\"uploading\"}" : "{\"step\":\"copying\"}", task_told, NULL);
}

/* ---- doing ---- */

/* It has ended for this host: the server is the next task's, or its own again. */
static void task_leave(struct host_task *t)
{
    struct guest *g = task_guest(t);
    if (!g)
        return;
    g->task = t->next;
    guest_work(g);
}

static void task_end(struct host_task *t)
{
    t->running = false;
    t->ended = true;
    loop_timer_free(&t->beat);
    log_info("task ended", "task=%s server=%s kind=%s error=\"%s\"", t->id, t->server_id,
             hypervisor_move_name(t->move.kind), t->code ? error_text(&t->error) : "");
    task_leave(t);
    if (t->superseded)
        task_forget(t);
    else if (t->move.kind == HYPERVISOR_MOVE_SERVE && !t->code)
        task_forget(t); /* stays open for the API: a restarted agent must hear of it again */
    else
        task_report(t);
}

/* What the hypervisor did to the domain is nobody's own doing: not to be said. */
static void task_note(struct host_task *t, enum hypervisor_domain domain)
{
    struct guest *g = task_guest(t);
    if (!g)
        return;
    g->touched_us = clock_mono_us();
    if (t->move.kind == HYPERVISOR_MOVE_DISCARD) {
        guest_forget(g);
        return;
    }
    if (t->move.kind == HYPERVISOR_MOVE_FIT)
        return;
    if (t->move.kind != HYPERVISOR_MOVE_SERVE && !task_stays(t)) {
        g->domain = domain;
        g->changed_us = 0;
        g->prepared = false;
        g->traces = true;
        g->held = true;
    }
}

static void task_sent(void *arg, const struct host_upload_result *result)
{
    struct host_task *t = arg;
    t->upload = NULL;
    if (result->transient && !t->superseded && !t->cancelled) {
        log_warn("image is sent again", "image=%s server=%s error=\"%s\"", t->id, t->server_id,
                 error_text(result->error));
        loop_timer_start(t->timer, TASK_AGAIN_MS, 0);
        return;
    }
    t->code = result->code;
    if (result->code)
        t->error = *result->error;
    task_end(t);
}

static void task_upload(struct host_task *t)
{
    if (!t->upload)
        t->upload = host_upload_new(t->host, t->id, t->made, t->superseded || t->cancelled, task_sent, t);
}

/* It is not wanted any more: its end comes soon. */
static void task_stop(struct host_task *t)
{
    struct hypervisor *hv = t->host->hypervisor;
    if (t->upload)
        host_upload_stop(t->upload);
    else if (t->made)
        task_upload(t);
    else if (hv->ops->move_change)
        hv->ops->move_change(hv, t->server_id, false);
}

static void task_done(void *arg, const struct hypervisor_result *result, const char *text, size_t size)
{
    struct host_task *t = arg;
    bool patient = result->transient && t->attempts++ < TASK_ATTEMPTS &&
                   (t->move.kind == HYPERVISOR_MOVE_ARRIVE || t->move.kind == HYPERVISOR_MOVE_RECEIVE ||
                    t->move.kind == HYPERVISOR_MOVE_RELEASE || t->move.kind == HYPERVISOR_MOVE_READY || task_stays(t) ||
                    t->move.kind == HYPERVISOR_MOVE_ADOPT);
    bool again =
        patient || result->code == ERR_UNAVAILABLE || (t->move.kind == HYPERVISOR_MOVE_DISCARD && result->code);
    if (again && !t->superseded && (!t->cancelled || task_sends(t))) { /* it must end well: nobody else can do it */
        t->running = false;
        log_warn("task is tried again", "task=%s server=%s kind=%s error=\"%s\"", t->id, t->server_id,
                 hypervisor_move_name(t->move.kind), error_text(result->error));
        loop_timer_start(t->timer, TASK_AGAIN_MS, 0);
        return;
    }
    t->code = result->code;
    if (result->code) {
        t->error = *result->error;
    } else {
        task_note(t, result->domain);
        if (t->move.kind == HYPERVISOR_MOVE_SNAPSHOT) {
            t->made = memory_strdup(text);
            task_beat(t);
            task_upload(t);
            return;
        }
        t->result = size ? memory_strdup(text) : NULL;
    }
    task_end(t);
}

static void task_move(struct host_task *t)
{
    struct hypervisor *hv = t->host->hypervisor;
    struct guest *g = task_guest(t);
    t->move.spec = t->spec ? t->spec : g->spec;
    t->move.on_progress = task_progress;
    hv->ops->move(hv, &t->move, task_done, t);
}

void host_task_network_done(struct host_task *t, const struct hypervisor_result *result)
{
    struct guest *g = task_guest(t);
    if (result->code && !t->code) {
        t->code = result->code;
        t->error = *result->error;
    }
    if (--g->parts)
        return;
    if (t->code)
        task_end(t);
    else
        task_move(t);
}

static bool task_brings_spec(const struct host_task *t)
{
    return t->move.kind == HYPERVISOR_MOVE_RECEIVE || t->move.kind == HYPERVISOR_MOVE_READY ||
           t->move.kind == HYPERVISOR_MOVE_ADOPT || t->move.kind == HYPERVISOR_MOVE_FIT;
}

static void task_begin(struct host_task *t)
{
    struct guest *g = task_guest(t);
    bool comes = task_brings_spec(t);
    t->running = true;
    t->code = 0;
    error_clear(&t->error);
    if (comes && !t->move.same_host && t->spec) {
        g->held = true;
        guest_hold(g, &t->spec);
    }
    if (t->move.kind == HYPERVISOR_MOVE_FIT) /* whatever comes of it: the next specification looks at the disks */
        g->stale = true;
    log_info("task begins", "task=%s server=%s kind=%s", t->id, t->server_id, hypervisor_move_name(t->move.kind));
    if (task_stays(t) && !t->beat) {
        t->beat = loop_timer_new(t->host->loop, task_beat, t);
        loop_timer_start(t->beat, 0, TASK_BEAT_MS);
    }
    if (t->move.kind == HYPERVISOR_MOVE_READY) {
        g->parts = 1;
        host_network_ensure(t->host, g);
    } else {
        task_move(t);
    }
}

void host_task_turn(struct host_task *t)
{
    struct guest *g = task_guest(t);
    if (t->running || t->ended || g->busy || !t->host->connected || !t->host->listed)
        return;
    if (t->cancelled && !task_sends(t)) {
        t->code = error_set(&t->error, ERR_CONFLICT, "It was cancelled before it began");
        task_end(t);
        return;
    }
    t->move.cancelled = t->cancelled;
    task_begin(t);
}

static void task_due(void *arg)
{
    struct host_task *t = arg;
    if (t->ended)
        task_report(t);
    else if (t->made)
        task_upload(t);
    else
        host_task_turn(t);
}

void host_task_yield(struct host_task *t)
{
    if (!task_stays(t) || t->ended || t->cancelled)
        return;
    t->cancelled = true;
    if (t->running)
        task_stop(t);
}

/* ---- taking ---- */

static const char *task_text(struct host_task *t, json_value *value, const char *name)
{
    return arena_strdup(&t->arena, json_in_text(json_in_member(value, name)));
}

static const char *task_json(struct host_task *t, json_value *value)
{
    return json_in_is_object(value) ? json_in_print(value, &t->arena) : "{}";
}

static void task_read_options(struct host_task *t, json_value *options)
{
    json_in_int(json_in_member(options, "bandwidth_mibps"), &t->move.bandwidth_mibps);
    json_in_bool(json_in_member(options, "auto_converge"), &t->move.auto_converge);
    json_in_bool(json_in_member(options, "post_copy"), &t->move.post_copy);
    json_in_bool(json_in_member(options, "force"), &t->move.force);
}

static int task_read(struct host_task *t, json_value *value, struct error *e)
{
    const char *kind = json_in_text(json_in_member(value, "kind"));
    const char *power = json_in_text(json_in_member(value, "power"));
    struct hypervisor_move *m = &t->move;
    int number = kind ? hypervisor_move_parse(kind) : -1;
    if (number < 0 || !t->host->hypervisor->ops->move)
        return error_set(e, ERR_NOT_IMPLEMENTED, "This agent does not know the task %.40s", kind ? kind : "");
    m->kind = (enum hypervisor_move_kind)number;
    m->server_id = t->server_id;
    m->image_id = t->id;
    const char *source = task_text(t, value, "source"), *target = task_text(t, value, "target");
    const char *args_source = json_in_text(json_in_member(json_in_member(value, "args"), "source"));
    bool from_here = source && strcmp(source, t->host->identity->host_id) == 0;
    m->source_id = arena_strdup(&t->arena, args_source);
    m->from_here = args_source && strcmp(args_source, t->host->identity->host_id) == 0;
    m->same_host = source && target && strcmp(source, target) == 0;
    m->peer_id = from_here ? target : source;
    m->peer_address = task_text(t, value, from_here ? "target_address" : "source_address");
    m->peer_cpu = task_json(t, json_in_member(value, "source_cpu"));
    m->hint = task_json(t, json_in_member(value, "hint"));
    m->paused = power && strcmp(power, "paused") == 0;
    task_read_options(t, json_in_member(value, "options"));
    json_in_int(json_in_member(json_in_member(value, "options"), "parallel"), &m->parallel);
    m->compress = task_text(t, json_in_member(value, "options"), "compress");
    json_value *server = json_in_member(value, "server");
    if (!task_brings_spec(t))
        return 0;
    if (!json_in_is_object(server))
        return error_set(e, ERR_INVALID, "The task has no server");
    return spec_read(server, &t->spec, NULL, NULL, e);
}

/* An older task of the same server is given up; this one begins when that has ended. */
static void task_queue(struct host_task *t)
{
    struct guest *g = host_guest(t->host, t->server_id);
    struct host_task *old = g->task;
    if (!old) {
        g->task = t;
        host_task_turn(t);
        return;
    }
    old->superseded = true;
    if (old->next)
        task_forget(old->next); /* never began */
    old->next = t;
    if (!old->running)
        task_end(old);
    else
        task_stop(old);
}

static void task_change(struct host_task *t, bool cancelled, json_value *options)
{
    struct hypervisor *hv = t->host->hypervisor;
    bool forced = t->move.force;
    task_read_options(t, options);
    if (t->ended || t->cancelled)
        return;
    t->cancelled = cancelled;
    if (!t->running)
        host_task_turn(t);
    else if (cancelled)
        task_stop(t);
    else if (t->move.force && !forced && hv->ops->move_change)
        hv->ops->move_change(hv, t->server_id, true);
}

void host_task_take(struct host *h, json_value *value)
{
    const char *id = json_in_text(json_in_member(value, "id"));
    const char *server_id = json_in_text(json_in_member(value, "server_id"));
    bool cancelled = false;
    if (!id || !server_id || !uuid_valid(id) || !uuid_valid(server_id) || strlen(id) != UUID_SIZE - 1 ||
        strlen(server_id) != UUID_SIZE - 1) {
        log_error("task cannot be read", "id=%.40s", id ? id : "");
        return;
    }
    json_in_bool(json_in_member(value, "cancelled"), &cancelled);
    struct host_task *t = idmap_get(&h->tasks, id);
    if (t) {
        task_change(t, cancelled, json_in_member(value, "options"));
        return;
    }
    t = memory_new(sizeof(*t));
    t->host = h;
    memcpy(t->id, id, UUID_SIZE);
    memcpy(t->server_id, server_id, UUID_SIZE);
    arena_init(&t->arena);
    t->timer = loop_timer_new(h->loop, task_due, t);
    t->cancelled = cancelled;
    idmap_put(&h->tasks, t->id, t);
    t->code = task_read(t, value, &t->error);
    if (t->code) {
        t->ended = true;
        task_report(t);
    } else {
        task_queue(t);
    }
}

void host_task_free(struct host *h)
{
    size_t at = 0;
    for (struct host_task *t; (t = idmap_next(&h->tasks, &at));)
        task_free(t);
    idmap_done(&h->tasks);
}
