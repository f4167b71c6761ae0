/* The vtable: each function turns its arguments into a call of its own, which a worker carries out, and the outcome
 * into the caller's callback. */
#include "compute-agent/libvirt/libvirt_hypervisor.h"
#include "common/clock.h"
#include "common/memory.h"
#include "compute-agent/host_address.h"
#include "compute-agent/http/http_files.h"
#include "compute-agent/identity.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/libvirt/libvirt_dhcp.h"
#include "compute-agent/libvirt/libvirt_events.h"
#include "compute-agent/loop.h"
#include "compute-agent/nft/port_guard.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/console_log.h"
#include "compute-agent/storage/id_range.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/xml/network_xml.h"
#include "compute-agent/xml/xml.h"
#include <stdlib.h>
#include <string.h>

#define LIBVIRT_MOVES 8 /* at once; more wait */
#define MIB           ((int64_t)1 << 20)

static struct libvirt *libvirt_of(struct hypervisor *h)
{
    return (struct libvirt *)h;
}

static void libvirt_hypervisor_start(struct hypervisor *h, const struct hypervisor_listener *listener)
{
    libvirt_of(h)->listener = *listener;
    libvirt_connect(libvirt_of(h));
}

/* ---- domains ---- */

static bool libvirt_hypervisor_starts(enum hypervisor_action action)
{
    return action == HYPERVISOR_CREATE || action == HYPERVISOR_START || action == HYPERVISOR_RESET;
}

static void libvirt_hypervisor_deliver(struct libvirt_call *c, const struct hypervisor_result *result)
{
    struct libvirt *lv = c->owner;
    struct hypervisor_event rebooted = {.kind = HYPERVISOR_EVENT_REBOOT,
                                        .domain = HYPERVISOR_RUNNING,
                                        .at_us = clock_now_us(),
                                        .reason = "it was asked to"};
    memcpy(rebooted.server_id, c->id, UUID_SIZE);
    if (lv && !result->code && c->profile->processes && libvirt_hypervisor_starts(c->action))
        libvirt_connect_limit(lv, c->id);
    c->done(c->arg, result);
    if (c->profile->reboots_unsaid && c->action == HYPERVISOR_REBOOT && !result->code)
        lv->listener.on_event(lv->listener.arg, &rebooted);
}

static bool libvirt_hypervisor_is_slow(enum hypervisor_action action)
{
    return libvirt_hypervisor_starts(action) || action == HYPERVISOR_SAVE || action == HYPERVISOR_REMOVE ||
           action == HYPERVISOR_ADJUST;
}

/* Starts take what has changed since the server was defined. Where the properties of a deleted image were lost, the
 * domain stays as it is. */
static bool libvirt_hypervisor_is_whole(const struct spec *spec)
{
    return spec && spec->exists && !spec->imported && !(spec->image && spec->image->properties_lost);
}

/* What a domain that was there before gets: libvirt adds the name space. */
static const char *libvirt_hypervisor_marks(struct libvirt_call *c, const struct names *names, const struct spec *spec)
{
    xmlDocPtr doc;
    xmlNodePtr server = xml_root(&doc, "server");
    xml_set(server, "cloud", names->cloud_id);
    xml_set(server, "host", names->host_id);
    xml_set(server, "id", spec->id);
    xml_setf(server, "revision", "%lld", (long long)spec->revision);
    xml_set(server, "name", spec->name);
    char *text = xml_print(doc);
    const char *copy = arena_strdup(&c->arena, text);
    free(text);
    return copy;
}

static bool libvirt_hypervisor_defines(enum hypervisor_action action, const struct spec *spec)
{
    if (spec && spec->imported)
        return false;
    if (action == HYPERVISOR_CREATE || action == HYPERVISOR_DEFINE)
        return true;
    if (action == HYPERVISOR_ADJUST)
        return spec && spec->exists;
    return libvirt_hypervisor_is_whole(spec) && (action == HYPERVISOR_START || action == HYPERVISOR_RESET);
}

static const char *libvirt_hypervisor_xml(struct libvirt_call *c, const struct libvirt *lv, const struct spec *spec)
{
    const struct settings *s = lv->setup.settings;
    char *folder = storage_folder(s, spec->id), shared[CPUSET_TEXT_SIZE];
    struct domain_xml_host host = {.version = VIRGA_VERSION,
                                   .shared_cpus = lv->facts.divided ? cpuset_print(&lv->facts.shared, shared) : NULL,
                                   .kvm = lv->facts.kvm,
                                   .emulator = s->emulator,
                                   .machine = "q35",
                                   .cpu_flags = s->cpu_flags,
                                   .tcg_cache_mib = s->tcg_cache_bytes / MIB,
                                   .vnc_listen = s->vnc_listen,
                                   .folder = folder,
                                   .ids_first = id_range_of(folder),
                                   .datastore = lv->facts.datastore ? lv->facts.datastore : s->datastore,
                                   .port_group = s->port_group,
                                   .pvh = lv->facts.pvh,
                                   .filters = lv->facts.filters || strcmp(s->port_security, "require") == 0,
                                   .direct_io = storage_direct_io(lv->storage)};
    libvirt_cpu_choose(lv, spec, &c->arena, &host);
    char *xml = lv->profile->make_xml(spec, &lv->names, &host);
    const char *copy = arena_strdup(&c->arena, xml);
    free(xml);
    free(folder);
    return copy;
}

static const char *libvirt_hypervisor_guard(struct libvirt_call *c, const struct libvirt *lv, const struct spec *spec)
{
    struct strbuf text;
    if (lv->profile->filter != PROFILE_FILTER_AGENT)
        return NULL;
    strbuf_init(&text, 0);
    if (lv->facts.filters || strcmp(lv->setup.settings->port_security, "require") == 0)
        port_guard_put(&text, &lv->names, spec);
    const char *copy = arena_strdup(&c->arena, text.data);
    strbuf_done(&text);
    return copy;
}

/* After these the server is this host's own again, or nobody's; others may be done while it moves. */
static bool libvirt_hypervisor_keeps(enum hypervisor_action action)
{
    return libvirt_hypervisor_starts(action) || action == HYPERVISOR_REMOVE;
}

static void libvirt_hypervisor_act(struct hypervisor *h, enum hypervisor_action action, const char *server_id,
                                   const struct spec *spec, hypervisor_done_fn done, void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    const struct settings *s = lv->setup.settings;
    struct libvirt_call *c = libvirt_call_new(lv, hypervisor_action_name(action), server_id, libvirt_domain_act,
                                              libvirt_hypervisor_deliver, arg);
    c->action = action;
    c->done = done;
    if (libvirt_hypervisor_keeps(action))
        http_files_deny(lv->files, server_id); /* it does not move away, whatever it was to do */
    if (libvirt_hypervisor_defines(action, spec)) {
        c->xml = libvirt_hypervisor_xml(c, lv, spec);
        c->guard = libvirt_hypervisor_guard(c, lv, spec);
    }
    c->redefine = libvirt_hypervisor_is_whole(spec);
    c->root_gib = spec ? spec->root_gib : 0;
    c->ephemeral_gib = spec ? spec->ephemeral_gib : 0;
    c->swap_mib = spec ? spec->swap_mib : 0;
    c->imported = spec && spec->imported;
    c->released = spec && spec->released && !spec->exists;
    if (c->imported && (action == HYPERVISOR_CREATE || action == HYPERVISOR_DEFINE))
        c->xml = libvirt_hypervisor_marks(c, &lv->names, spec);
    libvirt_call_submit(c, libvirt_hypervisor_is_slow(action) ? s->start_deadline_ms : s->call_deadline_ms);
}

/* A clone's disk is made before all else, and is there for what prepares it then. */
struct cloning {
    struct libvirt *owner;
    struct hypervisor_prepare what;
    hypervisor_done_fn done;
    void *arg;
};

static void libvirt_hypervisor_cloned(struct libvirt_call *c, const struct hypervisor_result *result)
{
    struct cloning *x = c->arg;
    if (result->code)
        x->done(x->arg, result);
    else
        storage_prepare(x->owner->storage, &x->what, x->done, x->arg);
    free(x);
}

static void libvirt_hypervisor_clone(struct libvirt *lv, const struct hypervisor_prepare *what, hypervisor_done_fn done,
                                     void *arg)
{
    struct cloning *x = memory_new(sizeof(*x));
    *x = (struct cloning){.owner = lv, .what = *what, .done = done, .arg = arg};
    static void (*const ways[])(struct libvirt_call *) = {[PROFILE_ROOT_DISK] = libvirt_layer_clone,
                                                          [PROFILE_ROOT_TREE] = libvirt_layer_clone_tree,
                                                          [PROFILE_ROOT_BLOCK] = libvirt_raw_clone};
    enum profile_root root = lv->profile->root;
    struct libvirt_call *c = libvirt_call_new(lv, "clone", what->source->id, ways[root], libvirt_hypervisor_cloned, x);
    c->clone = arena_strdup(&c->arena, what->spec->id);
    libvirt_snapshot_ask(c, what->source);
    if (root == PROFILE_ROOT_DISK)
        libvirt_call_submit(c, lv->setup.settings->start_deadline_ms);
    else /* it may have to be copied */
        libvirt_call_submit_move(c, 0);
}

static void libvirt_hypervisor_prepare(struct hypervisor *h, const struct hypervisor_prepare *what,
                                       hypervisor_done_fn done, void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    if (lv->profile->clones && what->source && what->first) {
        libvirt_hypervisor_clone(lv, what, done, arg);
        return;
    }
    if (lv->profile->root == PROFILE_ROOT_VOLUME)
        libvirt_volume_prepare(lv, what, done, arg);
    else
        storage_prepare(lv->storage, what, done, arg);
}

static void libvirt_hypervisor_deliver_list(struct libvirt_call *c, const struct hypervisor_result *result)
{
    struct hypervisor_list list = {.result = *result};
    if (!result->code) {
        list.servers = c->found;
        list.server_count = c->found_count;
        list.networks = c->networks;
        list.network_count = c->network_count;
    }
    c->list(c->arg, &list);
}

static void libvirt_hypervisor_list(struct hypervisor *h, hypervisor_list_fn done, void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    struct libvirt_call *c =
        libvirt_call_new(lv, "list", NULL, libvirt_domain_list, libvirt_hypervisor_deliver_list, arg);
    c->list = done;
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
}

/* ---- networks ---- */

static void libvirt_hypervisor_network_apply(struct hypervisor *h, const struct network_plan *plan,
                                             hypervisor_done_fn done, void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    struct libvirt_call *c =
        libvirt_call_new(lv, "network apply", plan->id, libvirt_network_apply, libvirt_hypervisor_deliver, arg);
    struct network_host *hosts = arena_array(&c->arena, plan->host_count + 1, sizeof(*hosts));
    char *xml = NULL, *folder = libvirt_dhcp_folder(lv->setup.settings, &lv->names, plan->id);
    c->done = done;
    for (size_t i = 0; i < plan->host_count; i++)
        hosts[i] = (struct network_host){arena_strdup(&c->arena, plan->hosts[i].mac),
                                         arena_strdup(&c->arena, plan->hosts[i].ip),
                                         arena_strdup(&c->arena, plan->hosts[i].name)};
    c->plan = (struct network_plan){.hosts = hosts, .host_count = plan->host_count};
    c->code = network_xml_make(plan, &lv->names, folder, &xml, &c->error); /* a failure is delivered without any work */
    c->xml = arena_strdup(&c->arena, xml);
    free(xml);
    free(folder);
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
}

static void libvirt_hypervisor_network_remove(struct hypervisor *h, const char *network_id, hypervisor_done_fn done,
                                              void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    struct libvirt_call *c =
        libvirt_call_new(lv, "network remove", network_id, libvirt_network_remove, libvirt_hypervisor_deliver, arg);
    c->done = done;
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
}

/* ---- texts and counters ---- */

static void libvirt_hypervisor_deliver_text(struct libvirt_call *c, const struct hypervisor_result *result)
{
    bool good = result->code == 0;
    c->text_done(c->arg, result, good ? c->text.data : "", good ? c->text.size : 0);
}

static void libvirt_hypervisor_read_console(struct libvirt_call *c)
{
    c->code = console_log_read(c->xml, c->lines, &c->text, &c->error);
}

/* The log is a file of ours: it is read whether or not the hypervisor is there. */
static void libvirt_hypervisor_console_log(struct hypervisor *h, const char *server_id, int64_t lines,
                                           hypervisor_text_fn done, void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    struct libvirt_call *c = libvirt_call_new(lv, "console log", NULL, libvirt_hypervisor_read_console,
                                              libvirt_hypervisor_deliver_text, arg);
    char *folder = storage_folder(lv->setup.settings, server_id);
    c->xml = arena_printf(&c->arena, "%s/" DOMAIN_XML_CONSOLE, folder);
    c->lines = lines;
    c->text_done = done;
    free(folder);
    libvirt_call_submit_unconnected(c, lv->setup.settings->call_deadline_ms);
}

static void libvirt_hypervisor_diagnostics(struct hypervisor *h, const char *server_id, hypervisor_text_fn done,
                                           void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    struct libvirt_call *c =
        libvirt_call_new(lv, "diagnostics", server_id, libvirt_stats_diagnose, libvirt_hypervisor_deliver_text, arg);
    c->text_done = done;
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
}

static void libvirt_hypervisor_foreign(struct hypervisor *h, hypervisor_text_fn done, void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    struct libvirt_call *c =
        libvirt_call_new(lv, "foreign", NULL, libvirt_import_tell, libvirt_hypervisor_deliver_text, arg);
    c->text_done = done;
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
}

static void libvirt_hypervisor_addresses(struct hypervisor *h, const char *server_id, hypervisor_text_fn done,
                                         void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    struct libvirt_call *c =
        libvirt_call_new(lv, "addresses", server_id, libvirt_guest_addresses, libvirt_hypervisor_deliver_text, arg);
    c->text_done = done;
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
}

static void libvirt_hypervisor_set_password(struct hypervisor *h, const char *server_id, const char *user,
                                            const char *password, hypervisor_text_fn done, void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    struct libvirt_call *c =
        libvirt_call_new(lv, "set password", server_id, libvirt_guest_password, libvirt_hypervisor_deliver_text, arg);
    c->user = arena_strdup(&c->arena, user);
    c->password = arena_strdup(&c->arena, password);
    c->text_done = done;
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
}

static void libvirt_hypervisor_deliver_inventory(struct libvirt_call *c, const struct hypervisor_result *result)
{
    if (!result->code && c->owner)
        libvirt_cpu_keep(c->owner, c);
    libvirt_hypervisor_deliver_text(c, result);
}

static void libvirt_hypervisor_set_baseline(struct hypervisor *h, const struct guest_cpu_baseline *baseline)
{
    libvirt_cpu_set_baseline(libvirt_of(h), baseline);
}

static void libvirt_hypervisor_baseline(struct hypervisor *h, const struct json_list *cpus, hypervisor_text_fn done,
                                        void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    struct libvirt_call *c =
        libvirt_call_new(lv, "baseline", NULL, libvirt_cpu_baseline, libvirt_hypervisor_deliver_text, arg);
    const char *const *from = cpus->items;
    c->cpus = arena_array(&c->arena, cpus->count + 1, sizeof(*c->cpus));
    for (size_t i = 0; i < cpus->count; i++)
        c->cpus[c->cpu_count++] = arena_strdup(&c->arena, from[i]);
    c->text_done = done;
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
}

static void libvirt_hypervisor_inventory(struct hypervisor *h, hypervisor_text_fn done, void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    char address[HOST_ADDRESS_SIZE];
    struct libvirt_call *c =
        libvirt_call_new(lv, "inventory", NULL, libvirt_inventory_read, libvirt_hypervisor_deliver_inventory, arg);
    c->baseline =
        (struct guest_cpu_baseline){.id = lv->baseline.id, .features = cpu_set_copy(&lv->baseline.features, &c->arena)};
    c->xml = arena_strdup(&c->arena, lv->setup.settings->address ? lv->setup.settings->address
                                                                 : host_address(lv->setup.url, address));
    c->text_done = done;
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
}

static void libvirt_hypervisor_deliver_samples(struct libvirt_call *c, const struct hypervisor_result *result)
{
    if (!result->code && c->owner) {
        libvirt_nics_keep(&c->nics);
        free(c->owner->nics.items);
        c->owner->nics = c->nics;
        c->nics = (struct libvirt_nics){0};
    }
    c->samples_done(c->arg, result, result->code ? NULL : c->samples, result->code ? 0 : c->sample_count);
}

static void libvirt_hypervisor_samples(struct hypervisor *h, hypervisor_samples_fn done, void *arg)
{
    struct libvirt *lv = libvirt_of(h);
    struct libvirt_call *c =
        libvirt_call_new(lv, "samples", NULL, libvirt_stats_sample, libvirt_hypervisor_deliver_samples, arg);
    c->samples_done = done;
    c->nics = lv->nics;
    lv->nics = (struct libvirt_nics){0};
    libvirt_call_submit(c, lv->setup.settings->call_deadline_ms);
}

/* ---- life ---- */

static void libvirt_hypervisor_free(struct hypervisor *h)
{
    struct libvirt *lv = libvirt_of(h);
    libvirt_connect_forget();
    for (struct libvirt_call *c = lv->outstanding; c; c = c->next)
        c->owner = NULL;
    libvirt_move_free(lv);
    worker_pool_abandon(&lv->probes);
    worker_pool_abandon(&lv->calls); /* a call may hang for ever */
    storage_free(&lv->storage);
    libvirt_events_stop();
    loop_timer_free(&lv->again);
    loop_timer_free(&lv->look);
    idmap_done(&lv->lost);
    free(lv->facts.emulator);
    free(lv->nics.items);
    free(lv->facts.datastore);
    arena_done(&lv->cpu.arena);
    arena_done(&lv->baseline_arena);
    free(lv); /* the connection goes with the process: closing it may block */
}

static const struct hypervisor_ops libvirt_hypervisor_ops = {
    .start = libvirt_hypervisor_start,
    .list = libvirt_hypervisor_list,
    .prepare = libvirt_hypervisor_prepare,
    .move = libvirt_move,
    .move_change = libvirt_move_change,
    .act = libvirt_hypervisor_act,
    .network_apply = libvirt_hypervisor_network_apply,
    .network_remove = libvirt_hypervisor_network_remove,
    .console_log = libvirt_hypervisor_console_log,
    .diagnostics = libvirt_hypervisor_diagnostics,
    .set_password = libvirt_hypervisor_set_password,
    .foreign = libvirt_hypervisor_foreign,
    .addresses = libvirt_hypervisor_addresses,
    .probe = libvirt_probe,
    .set_baseline = libvirt_hypervisor_set_baseline,
    .baseline = libvirt_hypervisor_baseline,
    .inventory = libvirt_hypervisor_inventory,
    .samples = libvirt_hypervisor_samples,
    .free = libvirt_hypervisor_free,
};

static void libvirt_hypervisor_again(void *arg)
{
    libvirt_connect(arg);
}

int libvirt_hypervisor_new(const struct libvirt_setup *setup, struct hypervisor **ret, struct error *e)
{
    struct storage_setup files = {
        .settings = setup->settings, .identity = setup->identity, .loop = setup->loop, .url = setup->url};
    const struct profile *profile = files.profile = profile_find(setup->settings->hypervisor_uri);
    if (!profile)
        return error_set(e, ERR_INVALID, "hypervisor_uri %.80s: no driver is known for it, only %s",
                         setup->settings->hypervisor_uri, profile_schemes());
    struct libvirt *lv = memory_new(sizeof(*lv));
    int code = storage_new(&files, &lv->storage, e);
    if (code) {
        free(lv);
        return code;
    }
    unsigned workers = (unsigned)setup->settings->workers;
    if (!libvirt_open_begin()) {
        storage_free(&lv->storage);
        free(lv);
        return error_set(e, ERR_INTERNAL, "libvirt cannot be initialised");
    }
    libvirt_events_register(setup->loop);
    lv->base.ops = &libvirt_hypervisor_ops;
    lv->setup = *setup;
    lv->profile = profile;
    lv->calls = worker_pool_new(setup->loop, "hypervisor", workers, workers);
    lv->moves = worker_pool_new(setup->loop, "moves", LIBVIRT_MOVES, 0);
    lv->files = http_files_new(&(struct http_files_setup){.listen = setup->settings->move_listen,
                                                          .instances = setup->settings->instances_dir,
                                                          .identity = setup->identity});
    lv->again = loop_timer_new(setup->loop, libvirt_hypervisor_again, lv);
    if (profile->silent)
        lv->look = loop_timer_new(setup->loop, libvirt_connect_look, lv);
    names_init(&lv->names, setup->identity->cloud_id, setup->identity->host_id);
    *ret = &lv->base;
    return 0;
}
