/* What is done to a domain, on a worker: straight-line calls of libvirt. Each action may be repeated: it looks at the
 * domain first. A domain that does not carry this cloud's and this host's marks is never touched. */
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/settings.h"
#include "compute-agent/storage/block.h"
#include "compute-agent/storage/owner.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/storage/tpm_state.h"
#include "compute-agent/storage/tree.h"
#include "compute-agent/xml/xml.h"
#include <stdlib.h>
#include <string.h>

int libvirt_domain_find(struct libvirt_call *c, virDomainPtr *ret)
{
    virDomainPtr domain = libvirt_identify_lookup(c, c->id);
    if (!domain && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) {
        *ret = NULL;
        return 0;
    }
    if (!domain)
        return libvirt_call_fail(c, "Cannot look for the domain");
    if (!libvirt_identify_is_ours(c, domain)) {
        bool alive = !c->profile->silent || libvirt_call_alive(c);
        virDomainFree(domain);
        if (!alive)
            return libvirt_call_fail(c, "The domain's marks cannot be read");
        return c->code = error_set(&c->error, ERR_CONFLICT,
                                   "There is a domain with the server's id that belongs to somebody else");
    }
    *ret = domain;
    return 0;
}

static bool libvirt_domain_is_saved(const struct libvirt_call *c, virDomainPtr domain)
{
    int state = 0;
    if (c->profile->suspend_saves)
        return virDomainGetState(domain, &state, NULL, 0) == 0 && state == VIR_DOMAIN_PAUSED;
    return profile_can(c->profile, HYPERVISOR_SAVE) && virDomainHasManagedSaveImage(domain, 0) == 1;
}

static enum hypervisor_domain libvirt_domain_off(const struct libvirt_call *c, virDomainPtr domain, int reason)
{
    if (libvirt_domain_is_saved(c, domain))
        return HYPERVISOR_SAVED;
    return reason == VIR_DOMAIN_SHUTOFF_CRASHED || reason == VIR_DOMAIN_SHUTOFF_DAEMON ? HYPERVISOR_CRASHED
                                                                                       : HYPERVISOR_SHUTOFF;
}

int libvirt_domain_state(struct libvirt_call *c, virDomainPtr domain, enum hypervisor_domain *ret)
{
    int state, reason;
    if (virDomainGetState(domain, &state, &reason, 0) < 0)
        return libvirt_call_fail(c, "Cannot read the domain's state");
    switch (state) {
    case VIR_DOMAIN_SHUTOFF:
        *ret = libvirt_domain_off(c, domain, reason);
        break;
    case VIR_DOMAIN_PAUSED:
    case VIR_DOMAIN_PMSUSPENDED:
        *ret = c->profile->suspend_saves ? HYPERVISOR_SAVED : HYPERVISOR_PAUSED;
        break;
    case VIR_DOMAIN_CRASHED:
        *ret = HYPERVISOR_CRASHED;
        break;
    default:
        *ret = HYPERVISOR_RUNNING;
        break;
    }
    return 0;
}

/* libvirt says no when it is so already: that is no failure. */
static int libvirt_domain_check(struct libvirt_call *c, virDomainPtr domain, int rc, bool active, const char *what)
{
    if (rc >= 0)
        return 0;
    libvirt_call_fail(c, what);
    if (virDomainIsActive(domain) == (active ? 1 : 0)) {
        error_clear(&c->error);
        c->code = 0;
    }
    return c->code;
}

static int libvirt_domain_call(struct libvirt_call *c, int rc, const char *what)
{
    return rc < 0 ? libvirt_call_fail(c, what) : 0;
}

/* As it was when it was found, which asks nothing: a domain that is off has no number. */
static bool libvirt_domain_was_off(virDomainPtr domain)
{
    return virDomainGetID(domain) == (unsigned)-1;
}

/* ---- actions ---- */

static int libvirt_domain_undefine(struct libvirt_call *c, virDomainPtr *domain);

static int libvirt_domain_define(struct libvirt_call *c, virDomainPtr *domain)
{
    if (c->defined || (*domain && !libvirt_domain_was_off(*domain) && virDomainIsActive(*domain) == 1))
        return 0;
    if (*domain && c->profile->fixed) {
        c->defined = libvirt_identify_is_defined(c);
        if (c->defined)
            return 0;
        if (libvirt_domain_undefine(c, domain))
            return c->code;
    }
    virDomainPtr defined = virDomainDefineXML(c->conn, c->xml); /* that of Hyper-V takes no flags, not even none */
    if (!defined)
        return libvirt_call_fail(c, "The hypervisor does not accept the domain");
    if (*domain)
        virDomainFree(*domain);
    *domain = defined;
    c->defined = true;
    if (c->profile->key == PROFILE_KEY_UUID)
        return 0;
    virDomainFree(defined); /* it carries our UUID, which is none of the hypervisor's */
    *domain = libvirt_identify_lookup(c, c->id);
    return *domain ? 0 : libvirt_call_fail(c, "The domain that was defined cannot be found");
}

/* What the driver wants to find before a start. */
static int libvirt_domain_ready(struct libvirt_call *c)
{
    if (c->profile->root == PROFILE_ROOT_NONE || c->imported)
        return 0;
    char *folder = storage_folder(c->settings, c->id);
    int code;
    switch (c->profile->root) {
    case PROFILE_ROOT_TREE:
        code = tree_mount(folder, &c->error);
        break;
    case PROFILE_ROOT_VOLUME:
        code = 0;
        break;
    case PROFILE_ROOT_BLOCK:
        code = block_attach(folder, c->names.host_id, &c->error);
        break;
    default:
        code = tpm_state_restore(c->settings->tpm_dir, c->id, folder, &c->error);
        break;
    }
    c->transient = code == ERR_IO;
    free(folder);
    return c->code = code;
}

static int libvirt_domain_power_on(struct libvirt_call *c, virDomainPtr domain)
{
    int rc = virDomainCreateWithFlags(domain, 0);
    if (libvirt_domain_check(c, domain, rc, true, "The server cannot be started") == 0)
        c->started = rc == 0;
    else if (c->profile->root == PROFILE_ROOT_VOLUME && !c->imported)
        libvirt_volume_explain(c);
    return c->code;
}

/* As its specification is now, unless it goes on from saved memory, which has a definition of its own. */
static int libvirt_domain_start(struct libvirt_call *c, virDomainPtr *domain)
{
    bool off = libvirt_domain_was_off(*domain);
    if (!off && c->profile->suspend_saves && libvirt_domain_is_saved(c, *domain))
        return libvirt_domain_call(c, virDomainResume(*domain), "The server cannot be resumed");
    if (!off && virDomainIsActive(*domain) == 1)
        return 0;
    bool saved = !c->profile->suspend_saves && libvirt_domain_is_saved(c, *domain);
    int code = libvirt_layer_settle(c, *domain);
    if (!code && c->xml && !saved)
        code = libvirt_domain_define(c, domain);
    if (!code && saved && c->profile->root == PROFILE_ROOT_DISK)
        code = libvirt_layer_fix_saved(c, *domain);
    code = code ? code : libvirt_domain_ready(c);
    code = code ? code : libvirt_guard_put(c);
    return code ? code : libvirt_domain_power_on(c, *domain);
}

static int libvirt_domain_destroy(struct libvirt_call *c, virDomainPtr domain)
{
    if (virDomainIsActive(domain) == 0)
        return 0;
    if (c->profile->suspend_saves && libvirt_domain_is_saved(c, domain) &&
        libvirt_domain_call(c, virDomainResume(domain), "The server's saved memory cannot be dropped"))
        return c->code;
    return libvirt_domain_check(c, domain, virDomainDestroyFlags(domain, 0), false,
                                "The server cannot be switched off");
}

static int libvirt_domain_reset(struct libvirt_call *c, virDomainPtr *domain)
{
    int code = libvirt_domain_destroy(c, *domain);
    return code ? code : libvirt_domain_start(c, domain);
}

unsigned libvirt_domain_undefine_flags(const struct profile *p, bool leaves_nvram)
{
    unsigned nvram = leaves_nvram ? VIR_DOMAIN_UNDEFINE_KEEP_NVRAM : VIR_DOMAIN_UNDEFINE_NVRAM;
    const struct {
        bool kept;
        unsigned flags;
    } rows[] = {{p->keeps & PROFILE_KEEPS_SAVED, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE},
                {p->keeps & PROFILE_KEEPS_SNAPSHOTS, VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA},
                {p->keeps & PROFILE_KEEPS_CHECKPOINTS, VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA},
                {p->keeps & PROFILE_KEEPS_FIRMWARE, nvram | VIR_DOMAIN_UNDEFINE_TPM}};
    unsigned flags = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        flags |= rows[i].kept ? rows[i].flags : 0;
    return flags;
}

/* What a migration's target is to forget is the source's too, where they share it: it is the source's again. */
static bool libvirt_domain_leaves_files(struct libvirt_call *c)
{
    if (!c->move || c->move->from_here)
        return false;
    char *folder = storage_folder(c->settings, c->id);
    bool shared = owner_is_shared(folder);
    if (shared && c->move->source_id && !owner_is_other(folder, c->names.host_id))
        c->code = owner_take(folder, c->move->source_id, &c->error);
    c->transient = c->code != 0;
    free(folder);
    return shared;
}

static int libvirt_domain_undefine(struct libvirt_call *c, virDomainPtr *domain)
{
    if (virDomainUndefineFlags(*domain, libvirt_domain_undefine_flags(c->profile, false)) < 0 &&
        virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
        return libvirt_call_fail(c, "The domain cannot be removed");
    virDomainFree(*domain);
    *domain = NULL;
    return 0;
}

static int libvirt_domain_remove_files(struct libvirt_call *c)
{
    libvirt_limit_forget(c, c->id);
    libvirt_guard_forget(c, c->id);
    libvirt_log_forget(c, c->id);
    bool leaves = libvirt_domain_leaves_files(c);
    char *folder = storage_folder(c->settings, c->id);
    if (leaves)
        block_detach(folder, c->names.host_id);
    free(folder);
    int code = leaves ? c->code : storage_remove(c->settings, c->names.host_id, c->id, &c->error);
    c->transient = c->transient || code;
    return c->code = code;
}

/* Where the domain's own file lies among the server's, it must go first; this machine's folder still tells of it. */
static int libvirt_domain_remove_remote(struct libvirt_call *c, virDomainPtr *domain)
{
    int code = c->imported ? 0 : libvirt_volume_remove_disk(c);
    code = code || !*domain ? code : libvirt_domain_undefine(c, domain);
    code = code ? code : c->imported ? libvirt_beside_end(c) : libvirt_volume_remove_folder(c);
    return code ? code : libvirt_domain_remove_files(c);
}

/* Files first: as long as the domain is there, a removal that was interrupted is taken up again. */
static int libvirt_domain_remove(struct libvirt_call *c, virDomainPtr *domain)
{
    int code = *domain && !c->released ? libvirt_domain_destroy(c, *domain) : 0;
    if (!code && c->imported)
        code = libvirt_import_clear(c, domain);
    if (!code && c->profile->root == PROFILE_ROOT_VOLUME)
        return libvirt_domain_remove_remote(c, domain);
    code = code ? code : libvirt_domain_remove_files(c);
    return code || !*domain ? code : libvirt_domain_undefine(c, domain);
}

/* One that is just being started looks paused, to an agent that came back meanwhile. */
static int libvirt_domain_resume(struct libvirt_call *c, virDomainPtr domain)
{
    int state = VIR_DOMAIN_NOSTATE;
    if (virDomainResume(domain) >= 0)
        return 0;
    libvirt_call_fail(c, "The server cannot be unpaused");
    if (virDomainGetState(domain, &state, NULL, 0) == 0 && state == VIR_DOMAIN_RUNNING) {
        error_clear(&c->error);
        c->code = 0;
    }
    return c->code;
}

/* Without a power button: by the pipe that some inits read, and by the signal that the others take. */
static int libvirt_domain_ask_off(const struct libvirt_call *c, virDomainPtr domain)
{
    if (c->profile->power_button)
        return virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN);
    if (!c->profile->shutdown_signal)
        return virDomainShutdown(domain);
    virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_INITCTL);
    return virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_SIGNAL);
}

static int libvirt_domain_do_existing(struct libvirt_call *c, virDomainPtr domain)
{
    switch (c->action) {
    case HYPERVISOR_SHUTDOWN:
        return libvirt_domain_check(c, domain, libvirt_domain_ask_off(c, domain), false,
                                    "The server cannot be asked to shut down");
    case HYPERVISOR_ADJUST:
        return libvirt_adjust(c, domain);
    case HYPERVISOR_REBOOT:
        if (c->profile->shutdown_signal) /* few inits know how they would be told: it is switched on when it is off */
            return libvirt_domain_check(c, domain, libvirt_domain_ask_off(c, domain), false,
                                        "The server cannot be asked to reboot");
        return libvirt_domain_call(
            c, virDomainReboot(domain, c->profile->power_button ? VIR_DOMAIN_REBOOT_ACPI_POWER_BTN : 0),
            "The server cannot be asked to reboot");
    case HYPERVISOR_DESTROY:
        return libvirt_domain_destroy(c, domain);
    case HYPERVISOR_PAUSE:
        return libvirt_domain_call(c, virDomainSuspend(domain), "The server cannot be paused");
    case HYPERVISOR_RESUME:
        return libvirt_domain_resume(c, domain);
    case HYPERVISOR_SAVE:
        return libvirt_domain_call(
            c, c->profile->suspend_saves ? virDomainSuspend(domain) : virDomainManagedSave(domain, 0),
            "The server cannot be suspended");
    case HYPERVISOR_DISCARD:
        if (c->profile->suspend_saves)
            return libvirt_domain_destroy(c, domain);
        return libvirt_domain_call(c, virDomainManagedSaveRemove(domain, 0),
                                   "The server's saved memory cannot be dropped");
    default:
        return 0;
    }
}

/* One that was there before stays as it is. */
static int libvirt_domain_make(struct libvirt_call *c, virDomainPtr *domain)
{
    if (!c->imported)
        return libvirt_domain_define(c, domain);
    int code = libvirt_import(c, domain);
    c->xml = NULL;
    return code;
}

static int libvirt_domain_do(struct libvirt_call *c, virDomainPtr *domain)
{
    if (c->action != HYPERVISOR_ADJUST && !profile_can(c->profile, c->action))
        return c->code = error_set(&c->error, ERR_NOT_IMPLEMENTED, "The hypervisor %s cannot %s a server",
                                   c->profile->driver, hypervisor_action_name(c->action));
    switch (c->action) {
    case HYPERVISOR_CREATE: {
        int code = libvirt_domain_make(c, domain);
        return code ? code : libvirt_domain_start(c, domain);
    }
    case HYPERVISOR_DEFINE:
        return libvirt_domain_make(c, domain);
    case HYPERVISOR_REMOVE:
        return libvirt_domain_remove(c, domain);
    case HYPERVISOR_LOOK:
        return 0;
    default:
        if (!*domain)
            return c->code = error_set(&c->error, ERR_NOT_FOUND, "The server's domain is not there");
        if (c->action == HYPERVISOR_START)
            return libvirt_domain_start(c, domain);
        if (c->action == HYPERVISOR_RESET)
            return libvirt_domain_reset(c, domain);
        libvirt_domain_do_existing(c, *domain);
        /* Such drivers call everything an internal error, also a guest without tools. */
        if (c->profile->silent && (c->action == HYPERVISOR_SHUTDOWN || c->action == HYPERVISOR_REBOOT))
            c->transient = c->code == ERR_UNAVAILABLE;
        return c->code;
    }
}

/* What it is now. Where each question is a round trip and nobody would hear of a change before the next look anyhow,
 * a start's own word is enough. */
static int libvirt_domain_outcome(struct libvirt_call *c, virDomainPtr domain)
{
    if (!c->profile->silent || !c->started)
        return libvirt_domain_state(c, domain, &c->domain);
    c->domain = HYPERVISOR_RUNNING;
    return 0;
}

void libvirt_domain_act(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    c->imported = c->imported || storage_is_imported(c->settings, c->id);
    int code = c->imported ? libvirt_import_find(c, &domain) : libvirt_domain_find(c, &domain);
    if (!code)
        code = libvirt_domain_do(c, &domain);
    if (!code && domain)
        code = libvirt_domain_outcome(c, domain);
    if (!code && domain && c->domain == HYPERVISOR_RUNNING &&
        (c->action == HYPERVISOR_LOOK ||
         c->action == HYPERVISOR_RESUME)) /* after a start somebody looks, see deliver */
        code = libvirt_limit(c, domain);
    if (!code && domain && c->action != HYPERVISOR_SHUTDOWN && c->action != HYPERVISOR_REBOOT)
        libvirt_console_follow(c, domain, c->id);
    if (domain)
        virDomainFree(domain);
}

/* ---- listing ---- */

static void libvirt_domain_add_found(struct libvirt_call *c, const char *id, enum hypervisor_domain state)
{
    c->found = memory_resize(c->found, (c->found_count + 1) * sizeof(*c->found));
    struct hypervisor_found *f = &c->found[c->found_count++];
    *f = (struct hypervisor_found){.domain = state, .traces = true};
    memcpy(f->server_id, id, UUID_SIZE);
}

static int libvirt_domain_list_one(struct libvirt_call *c, virDomainPtr domain, const struct strbuf *guarded)
{
    char id[UUID_SIZE];
    enum hypervisor_domain state;
    if (c->profile->key != PROFILE_KEY_UUID
            ? !libvirt_identify_id(c->profile, &c->names, c->settings, domain, id)
            : !libvirt_identify_is_ours(c, domain) || virDomainGetUUIDString(domain, id))
        return 0;
    int code = libvirt_domain_state(c, domain, &state);
    if (!code) {
        if (state == HYPERVISOR_RUNNING && libvirt_limit(c, domain)) {
            log_warn("a container was switched off, for it cannot be limited", "server=%s error=\"%s\"", id,
                     error_text(&c->error));
            error_clear(&c->error);
            c->code = 0;
            state = HYPERVISOR_CRASHED;
        }
        if (state == HYPERVISOR_RUNNING || state == HYPERVISOR_PAUSED)
            libvirt_guard_heal(c, id, guarded);
        libvirt_domain_add_found(c, id, state);
        libvirt_console_follow(c, domain, id);
    } else if (c->number == VIR_ERR_NO_DOMAIN) /* went while we looked */
        code = c->code = 0;
    return code;
}

/* Folders without a domain: of a server whose making or removal was interrupted. */
static void libvirt_domain_list_folders(struct libvirt_call *c)
{
    size_t count, domains = c->found_count;
    char **ids = storage_list(c->settings, c->names.host_id, &count);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t d = 0; d < domains && !known; d++)
            known = strcmp(c->found[d].server_id, ids[i]) == 0;
        if (!known)
            libvirt_domain_add_found(c, ids[i], HYPERVISOR_ABSENT);
        free(ids[i]);
    }
    free(ids);
}

void libvirt_domain_list(struct libvirt_call *c)
{
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(c->conn, &domains, 0), code = 0;
    if (count < 0) {
        libvirt_call_fail(c, "The domains cannot be listed");
        return;
    }
    struct strbuf guarded;
    strbuf_init(&guarded, 0);
    libvirt_guard_look(c, &guarded);
    if (c->profile->marks_beside)
        code = libvirt_beside_regain(c, domains, count);
    for (int i = 0; i < count; i++) {
        if (!code)
            code = libvirt_domain_list_one(c, domains[i], &guarded);
        virDomainFree(domains[i]);
    }
    strbuf_done(&guarded);
    free(domains);
    if (!code)
        libvirt_domain_list_folders(c);
    if (!code)
        libvirt_network_list(c);
}
