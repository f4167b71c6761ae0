/* Removing everything of a host from its hypervisor, by the same work that the calls of a running agent do, one after
 * the other. */
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/identity.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/adopt.h"
#include "compute-agent/storage/owner.h"
#include "compute-agent/storage/storage.h"
#include <stdlib.h>
#include <string.h>

static void libvirt_purge_init(struct libvirt_call *c, const struct libvirt_call *like, const char *id)
{
    *c = (struct libvirt_call){.conn = like->conn,
                               .settings = like->settings,
                               .profile = like->profile,
                               .names = like->names,
                               .facts = like->facts};
    if (id)
        memcpy(c->id, id, UUID_SIZE);
}

/* One thing that cannot be removed keeps the others from nothing; the first error is told. A machine that was there
 * before the cloud is there after it. */
static void libvirt_purge_one(const struct libvirt_call *like, const char *id, void (*work)(struct libvirt_call *c),
                              const char *what, struct error *e)
{
    struct libvirt_call c;
    libvirt_purge_init(&c, like, id);
    c.action = HYPERVISOR_REMOVE;
    c.released = storage_is_imported(like->settings, id);
    work(&c);
    if (c.code)
        error_set(e, c.code, "%s %s: %s", what, id, error_text(&c.error));
    else
        log_info(c.released ? "given back" : "purged", "what=%s id=%s", what, id);
}

static int libvirt_purge_all(const struct libvirt_call *like, struct error *e)
{
    struct libvirt_call found;
    libvirt_purge_init(&found, like, NULL);
    libvirt_domain_list(&found);
    if (found.code)
        return error_set(e, found.code, "%s", error_text(&found.error));
    for (size_t i = 0; i < found.found_count; i++)
        libvirt_purge_one(like, found.found[i].server_id, libvirt_domain_act, "server", e);
    for (size_t i = 0; i < found.network_count; i++)
        libvirt_purge_one(like, found.networks[i], libvirt_network_remove, "network", e);
    libvirt_guard_end(like);
    free(found.found);
    free(found.networks);
    arena_done(&found.arena);
    return e->code;
}

int libvirt_purge(const struct settings *settings, const struct identity *identity, struct error *e)
{
    struct libvirt_call like = {.settings = settings, .profile = profile_find(settings->hypervisor_uri)};
    struct error found = {0};
    if (!like.profile)
        return error_set(e, ERR_INVALID, "hypervisor_uri %.80s: no driver is known for it, only %s",
                         settings->hypervisor_uri, profile_schemes());
    if (!libvirt_open_begin())
        return error_set(e, ERR_INTERNAL, "libvirt cannot be initialised");
    names_init(&like.names, identity->cloud_id, identity->host_id);
    like.conn = libvirt_open(settings, e);
    if (!like.conn)
        return e->code;
    if (like.profile->root == PROFILE_ROOT_VOLUME)
        like.facts.datastore = libvirt_volume_datastore(&like, like.conn);
    int code =
        like.code ? error_set(&found, like.code, "%s", error_text(&like.error)) : libvirt_purge_all(&like, &found);
    free(like.facts.datastore);
    virConnectClose(like.conn);
    owner_tidy(settings->instances_dir, identity->host_id);
    if (!code)
        adopt_storage_forget(settings);
    return code ? error_set(e, code, "%s", error_text(&found)) : 0;
}
