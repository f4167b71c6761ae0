/* A server's move, as this host's part in it: each kind is a call; those that take long have a pool and a connection of
 * their own, because libvirtd serves only a few calls per connection at a time. */
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/host_address.h"
#include "compute-agent/http/http_files.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/loop.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/block.h"
#include "compute-agent/storage/owner.h"
#include "compute-agent/storage/receive.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/storage/tpm_state.h"
#include "compute-agent/xml/xml.h"
#include <stdlib.h>
#include <string.h>

#define MOVE_MEASURE_MS  1000
#define MOVE_PATIENCE_MS 3000

/* A move under way, on the loop. */
struct moving {
    struct libvirt *owner;
    char id[UUID_SIZE];
    const struct hypervisor_move *move;
    hypervisor_text_fn done;
    void *arg;
    struct libvirt_call *call;
    struct loop_timer *timer; /* SEND, FLATTEN: how far it is */
    bool measuring;
};

static const char *address_of(struct libvirt_call *c, const struct libvirt *lv)
{
    char address[HOST_ADDRESS_SIZE];
    const struct settings *s = lv->setup.settings;
    return arena_strdup(&c->arena, s->address ? s->address : host_address(lv->setup.url, address));
}

/* move_uri with the address in the place of %s. */
static const char *uri_of(struct libvirt_call *c, const struct libvirt *lv)
{
    const char *uri = lv->setup.settings->move_uri;
    uri = uri ? uri : arena_printf(&c->arena, "%s+tls://%%s/system", lv->profile->scheme);
    const char *place = strstr(uri, "%s");
    if (!place)
        return arena_strdup(&c->arena, uri);
    return arena_printf(&c->arena, "%.*s%s%s", (int)(place - uri), uri, address_of(c, lv), place + 2);
}

/* ---- work ---- */

/* libvirt keeps it elsewhere and forgets it with the domain: it goes with the server's files. */
static int keep_tpm(struct libvirt_call *c)
{
    char *folder = storage_folder(c->settings, c->id);
    c->code = tpm_state_keep(c->settings->tpm_dir, c->id, folder, &c->error);
    c->transient = c->code != 0;
    free(folder);
    return c->code;
}

/* The next start here makes them anew, as large as the disks are then. */
static void detach(struct libvirt_call *c)
{
    if (c->profile->root != PROFILE_ROOT_BLOCK)
        return;
    char *folder = storage_folder(c->settings, c->id);
    block_detach(folder, c->names.host_id);
    free(folder);
}

static void work_release(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    const char *port = strrchr(c->settings->move_listen, ':');
    struct json_out o;
    c->domain = HYPERVISOR_ABSENT;
    int code = libvirt_domain_find(c, &domain);
    if (!code && domain && virDomainIsActive(domain) == 1 && virDomainDestroyFlags(domain, 0) < 0 &&
        virDomainIsActive(domain) == 1)
        code = libvirt_call_fail(c, "The server cannot be switched off");
    if (!code && domain)
        code = keep_tpm(c);
    if (!code)
        code = libvirt_layer_settle(c, domain);
    if (!code)
        detach(c);
    if (!code && domain && virDomainUndefineFlags(domain, libvirt_domain_undefine_flags(c->profile, true)) < 0 &&
        virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
        code = libvirt_call_fail(c, "The domain cannot be removed");
    if (domain)
        virDomainFree(domain);
    if (code)
        return;
    json_out_init(&o, &c->text);
    json_out_object(&o, NULL);
    json_out_int(&o, "port", port ? strtoll(port + 1, NULL, 10) : 0);
    json_out_object_end(&o);
}

/* The definition of the guest, if it runs, is for the host that is to have it. */
static void work_serve(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    int code = libvirt_domain_find(c, &domain);
    if (code || !domain)
        return;
    if (libvirt_layer_settle(c, domain)) {
        virDomainFree(domain);
        return;
    }
    char *xml = virDomainIsActive(domain) == 1 ? virDomainGetXMLDesc(domain, 0) : NULL;
    char *plain = xml ? libvirt_layer_plain(c, xml) : NULL;
    strbuf_append_text(&c->text, plain ? plain : xml ? xml : "");
    free(plain);
    free(xml);
    virDomainFree(domain);
}

static int64_t hint_number(const char *hint, const char *name, int64_t fallback)
{
    struct json_doc doc;
    int64_t value = fallback;
    if (json_in_parse(hint, strlen(hint), &doc, NULL) == 0) {
        json_in_int(json_in_member(doc.root, name), &value);
        json_in_done(&doc);
    }
    return value;
}

static struct receive receive_of(struct libvirt_call *c, bool running)
{
    const struct hypervisor_move *m = c->move;
    const char *own = strrchr(c->settings->move_listen, ':');
    int64_t port = hint_number(m->hint, "port", own ? strtoll(own + 1, NULL, 10) : 0);
    struct receive r = {.settings = c->settings,
                        .identity = c->identity,
                        .server_id = c->id,
                        .spec = m->spec,
                        .peer_id = m->peer_id,
                        .patience_ms = MOVE_PATIENCE_MS,
                        .running = running,
                        .shared_only = (c->profile->moves & PROFILE_MOVES_SHARED) != 0,
                        .stop = &c->stop};
    if (!m->same_host)
        r.url = arena_printf(&c->arena, strchr(m->peer_address, ':') ? "https://[%s]:%lld" : "https://%s:%lld",
                             m->peer_address, (long long)port);
    return r;
}

/* What it has said so far is kept as well as can be: no reason for a server not to move. */
static void fetch_console(struct libvirt_call *c, struct receive *r)
{
    struct error e = {0};
    r->patience_ms = 0;
    if (r->url && receive_console(r, &e))
        log_warn("what a server's console said on its host before is lost", "server=%s error=\"%s\"", c->id,
                 error_text(&e));
}

static bool fetch(struct libvirt_call *c, bool running)
{
    struct receive r = receive_of(c, running);
    bool shared = false;
    c->domain = HYPERVISOR_ABSENT;
    c->code = receive_files(&r, &shared, &c->error);
    if (!c->code)
        fetch_console(c, &r);
    if (c->code && atomic_load(&c->stop)) {
        error_clear(&c->error);
        c->code = error_set(&c->error, ERR_CONFLICT, "It was cancelled");
    }
    c->transient = c->code == ERR_UNAVAILABLE || c->code == ERR_TIMEOUT || c->code == ERR_CORRUPT ||
                   c->code == ERR_FORBIDDEN || c->code == ERR_BUSY;
    return shared;
}

/* The guest is here: so are its files, and nobody else may remove them; what its console said last is fetched. */
static void settle(struct libvirt_call *c)
{
    struct receive r = receive_of(c, true);
    char *folder = storage_folder(c->settings, c->id);
    c->code = owner_take(folder, c->names.host_id, &c->error);
    c->transient = c->code != 0;
    free(folder);
    if (!c->code)
        fetch_console(c, &r);
}

static void work_arrive(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    int code = libvirt_domain_find(c, &domain);
    if (!code && domain)
        code = libvirt_domain_state(c, domain, &c->domain);
    int state = VIR_DOMAIN_NOSTATE, reason = 0;
    if (!code && domain && virDomainGetState(domain, &state, &reason, 0) == 0 && state == VIR_DOMAIN_PAUSED &&
        reason == VIR_DOMAIN_PAUSED_MIGRATION) { /* its memory is still coming, or its source has died */
        c->code = code = error_set(&c->error, ERR_HYPERVISOR, "The guest did not arrive whole");
        c->transient = true;
    }
    if (!code && (!domain || (c->domain != HYPERVISOR_RUNNING && c->domain != HYPERVISOR_PAUSED)))
        c->code = error_set(&c->error, ERR_HYPERVISOR, "The guest did not arrive: its domain is %s here",
                            hypervisor_domain_name(domain ? c->domain : HYPERVISOR_ABSENT));
    if (domain && !c->code)
        libvirt_console_follow(c, domain, c->id);
    if (domain)
        virDomainFree(domain);
    if (!c->code)
        settle(c);
}

static void work_receive(struct libvirt_call *c)
{
    fetch(c, false);
}

/* The source's processor as libvirt compares it; NULL when its inventory does not say. Caller frees. */
static char *print_cpu(const char *inventory)
{
    struct json_doc doc;
    xmlDocPtr xml;
    if (json_in_parse(inventory, strlen(inventory), &doc, NULL))
        return NULL;
    const char *arch = json_in_text(json_in_member(doc.root, "arch"));
    const char *model = json_in_text(json_in_member(doc.root, "model"));
    const char *vendor = json_in_text(json_in_member(doc.root, "vendor"));
    json_value *features = json_in_member(doc.root, "features");
    xmlNodePtr cpu = xml_root(&xml, "cpu");
    if (arch)
        xml_add_text(cpu, "arch", arch);
    if (model)
        xml_add_text(cpu, "model", model);
    if (vendor)
        xml_add_text(cpu, "vendor", vendor);
    for (size_t i = 0; i < json_in_count(features); i++)
        xml_set(xml_add(cpu, "feature"), "name", json_in_text(json_in_item(features, i)));
    char *text = xml_print(xml);
    bool known = arch && model;
    json_in_done(&doc);
    if (!known) {
        free(text);
        return NULL;
    }
    return text;
}

static int check_guest(struct libvirt_call *c)
{
    struct receive r = receive_of(c, true);
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    int code = receive_domain(&r, &text, &c->error);
    if (code == ERR_NOT_FOUND) { /* an agent of the version before: its libvirt will find out */
        error_clear(&c->error);
        code = 0;
    } else if (!code) {
        char *cpu = print_cpu(c->move->peer_cpu);
        code = libvirt_check_guest(c, text.data, cpu);
        free(cpu);
    }
    c->transient = code == ERR_UNAVAILABLE || code == ERR_TIMEOUT || code == ERR_FORBIDDEN;
    strbuf_done(&text);
    return c->code = code;
}

static int check_absent(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    int code = libvirt_domain_find(c, &domain);
    if (!code && domain)
        code = c->code = error_set(&c->error, ERR_CONFLICT, "The server's domain is here already");
    if (domain)
        virDomainFree(domain);
    return code;
}

static int check_encryption(struct libvirt_call *c)
{
    if (strcmp(c->settings->move_tls, "require") != 0 || libvirt_send_can_encrypt(c, c->xml))
        return 0;
    return c->code = error_set(&c->error, ERR_HYPERVISOR,
                               "Guests come to this host encrypted only, and it has no certificates for that");
}

/* The guest's disks as its hypervisor wants to find them. What this host reads must be what the other wrote last. */
static int attach(struct libvirt_call *c)
{
    if (c->profile->root != PROFILE_ROOT_BLOCK)
        return 0;
    char *folder = storage_folder(c->settings, c->id);
    c->code = block_attach(folder, c->names.host_id, &c->error);
    c->transient = c->code == ERR_IO;
    if (!c->code && !block_is_direct(folder, c->names.host_id))
        c->code = error_set(&c->error, ERR_HYPERVISOR,
                            "The file system that the hosts share cannot be read past the page cache (O_DIRECT): a "
                            "guest that runs would lose what it wrote");
    free(folder);
    return c->code;
}

static void work_ready(struct libvirt_call *c)
{
    char name[NAMES_DOMAIN_SIZE];
    struct json_out o;
    if (libvirt_call_open(c))
        return;
    if (check_absent(c) || check_encryption(c) || check_guest(c))
        return;
    bool shared = fetch(c, true);
    if (c->code || attach(c))
        return;
    char *folder = storage_folder(c->settings, c->id), cpus[CPUSET_TEXT_SIZE];
    struct domain_xml_host host = {.shared_cpus = c->facts.divided ? cpuset_print(&c->facts.shared, cpus) : NULL};
    char *tuning = c->profile->cells ? domain_xml_tuning(c->move->spec, &host) : NULL;
    json_out_init(&o, &c->text);
    json_out_object(&o, NULL);
    json_out_text(&o, "tuning", tuning);
    json_out_text(&o, "uri", c->xml);
    json_out_text(&o, "folder", folder);
    json_out_text(&o, "name", names_domain(&c->names, c->id, name));
    json_out_text(&o, "host", c->names.host_id);
    json_out_bool(&o, "shared", shared);
    json_out_bool(&o, "tls", libvirt_send_can_encrypt(c, c->xml));
    json_out_object_end(&o);
    free(tuning);
    free(folder);
}

/* ---- on the loop ---- */

static void moving_end(struct moving *g)
{
    struct libvirt *lv = g->owner;
    idmap_remove(&lv->moving, g->id);
    loop_timer_free(&g->timer);
    free(g);
}

static void delivered(struct libvirt_call *c, const struct hypervisor_result *result)
{
    struct moving *g = c->arg;
    hypervisor_text_fn done = g->done;
    void *arg = g->arg;
    struct hypervisor_result told = *result;
    struct error e = {0};
    bool serves = g->move->kind == HYPERVISOR_MOVE_SERVE && !result->code;
    if (serves) {
        told.code = http_files_allow(g->owner->files, g->id, g->move->peer_id, c->text.size ? c->text.data : NULL, &e);
        told.error = told.code ? &e : NULL;
    }
    bool good = told.code == 0 && !serves;
    moving_end(g);
    done(arg, &told, good ? c->text.data : "", good ? c->text.size : 0);
}

static struct libvirt_call *control(struct libvirt *lv, const char *what, const char *id,
                                    void (*work)(struct libvirt_call *c),
                                    void (*deliver)(struct libvirt_call *c, const struct hypervisor_result *result))
{
    struct libvirt_call *c = libvirt_call_new(lv, what, id, work, deliver, NULL);
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
    return c;
}

static void ignored(struct libvirt_call *c, const struct hypervisor_result *result)
{
    (void)c;
    (void)result;
}

static void measured(struct libvirt_call *c, const struct hypervisor_result *result)
{
    struct moving *g = idmap_get(&c->owner->moving, c->id);
    if (!g)
        return;
    g->measuring = false;
    if (!result->code && c->text.size && g->move->on_progress)
        g->move->on_progress(g->arg, c->text.data);
}

static void measure(void *arg)
{
    struct moving *g = arg;
    if (g->measuring)
        return;
    g->measuring = true;
    if (g->move->kind == HYPERVISOR_MOVE_FLATTEN)
        control(g->owner, "flattening progress", g->id, libvirt_layer_measure, measured);
    else
        control(g->owner, "migration progress", g->id, libvirt_send_measure, measured);
}

static const struct {
    void (*work)(struct libvirt_call *c);
    bool takes_long;
} kinds[HYPERVISOR_MOVE_COUNT] = {
    [HYPERVISOR_MOVE_RELEASE] = {work_release, false},
    [HYPERVISOR_MOVE_SERVE] = {work_serve, false},
    [HYPERVISOR_MOVE_RECEIVE] = {work_receive, true},
    [HYPERVISOR_MOVE_READY] = {work_ready, true},
    [HYPERVISOR_MOVE_SEND] = {libvirt_send_guest, true},
    [HYPERVISOR_MOVE_ARRIVE] = {work_arrive, false},
    [HYPERVISOR_MOVE_ADOPT] = {NULL, true},
    [HYPERVISOR_MOVE_DISCARD] = {libvirt_domain_act, false},
    [HYPERVISOR_MOVE_SNAPSHOT] = {libvirt_snapshot_take, true},
    [HYPERVISOR_MOVE_FLATTEN] = {libvirt_layer_flatten, true},
    [HYPERVISOR_MOVE_FIT] = {libvirt_adjust_fit, false},
};

static void work_refuse(struct libvirt_call *c)
{
    c->code = error_set(&c->error, ERR_NOT_IMPLEMENTED,
                        "The server was imported; its machine stays where it is and as it is");
}

/* A machine that was there before us has its disks and its definition elsewhere. */
static bool stays(const struct libvirt *lv, const struct hypervisor_move *move)
{
    bool leaves = move->kind == HYPERVISOR_MOVE_RELEASE || move->kind == HYPERVISOR_MOVE_SERVE ||
                  move->kind == HYPERVISOR_MOVE_SEND || move->kind == HYPERVISOR_MOVE_SNAPSHOT ||
                  move->kind == HYPERVISOR_MOVE_FLATTEN || move->kind == HYPERVISOR_MOVE_FIT;
    return leaves && storage_is_imported(lv->setup.settings, move->server_id);
}

void libvirt_move(struct hypervisor *h, const struct hypervisor_move *move, hypervisor_text_fn done, void *arg)
{
    struct libvirt *lv = (struct libvirt *)h;
    if (move->kind == HYPERVISOR_MOVE_ADOPT) { /* files alone */
        storage_adopt(lv->storage, move->spec, done, arg);
        return;
    }
    struct moving *g = memory_new(sizeof(*g));
    *g = (struct moving){.owner = lv, .move = move, .done = done, .arg = arg};
    memcpy(g->id, move->server_id, UUID_SIZE);
    struct libvirt_call *c = libvirt_call_new(lv, hypervisor_move_name(move->kind), move->server_id,
                                              stays(lv, move) ? work_refuse : kinds[move->kind].work, delivered, g);
    g->call = c;
    c->action = HYPERVISOR_REMOVE;
    c->move = move;
    c->identity = lv->setup.identity;
    c->xml = uri_of(c, lv);
    c->ephemeral_gib = move->spec ? move->spec->ephemeral_gib : 0;
    c->swap_mib = move->spec ? move->spec->swap_mib : 0;
    idmap_put(&lv->moving, g->id, g);
    if (move->kind != HYPERVISOR_MOVE_SERVE && move->kind != HYPERVISOR_MOVE_SEND &&
        move->kind != HYPERVISOR_MOVE_SNAPSHOT && move->kind != HYPERVISOR_MOVE_FLATTEN)
        http_files_deny(lv->files, move->server_id);
    if (move->kind == HYPERVISOR_MOVE_SEND || move->kind == HYPERVISOR_MOVE_FLATTEN) {
        g->timer = loop_timer_new(lv->setup.loop, measure, g);
        loop_timer_start(g->timer, MOVE_MEASURE_MS, MOVE_MEASURE_MS);
    }
    if (kinds[move->kind].takes_long)
        libvirt_call_submit_move(c, 0);
    else
        libvirt_call_submit(c, lv->setup.settings->start_deadline_ms);
}

void libvirt_move_change(struct hypervisor *h, const char *server_id, bool force)
{
    struct libvirt *lv = (struct libvirt *)h;
    struct moving *g = idmap_get(&lv->moving, server_id);
    if (!g)
        return;
    if (g->move->kind != HYPERVISOR_MOVE_SEND)
        atomic_store(&g->call->stop, !force);
    else
        control(lv, force ? "migration force" : "migration abort", server_id,
                force ? libvirt_send_force : libvirt_send_abort, ignored);
}

void libvirt_move_free(struct libvirt *lv)
{
    size_t at = 0;
    for (struct moving *g; (g = idmap_next(&lv->moving, &at));) {
        atomic_store(&g->call->stop, true);
        loop_timer_free(&g->timer);
        free(g);
    }
    idmap_done(&lv->moving);
    worker_pool_abandon(&lv->moves);
    http_files_free(&lv->files);
}
