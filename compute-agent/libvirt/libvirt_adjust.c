/* What changes under a running guest. It is compared with what the domain has now, so an agent that died half way just
 * goes on; the definition follows last and is what the next start takes.
 *
 * Failure modes: a guest that does not answer the request to give a device up (paused, booting, hung) keeps it; then
 * the call fails as passing and is repeated; with a disk it is restarted in the end. No free slot is left to plug into:
 * the next start brings the nic. A disk's file is made before all else and taken up when it is there, so that a restart
 * at any time finds it; it is removed after all else, when neither the guest nor its definition name it any more. */
#include "common/log.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/storage/disk.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/xml/domain_diff.h"
#include "compute-agent/xml/domain_xml.h"
#include <stdlib.h>

static int libvirt_adjust_compare(struct libvirt_call *c, virDomainPtr domain, struct domain_diff *ret)
{
    char *live = virDomainGetXMLDesc(domain, 0);
    if (!live)
        return libvirt_call_fail(c, "The domain's devices cannot be read");
    int code = c->code = domain_diff_nics(live, c->xml, ret, &c->error);
    free(live);
    return code;
}

static int libvirt_adjust_device(struct libvirt_call *c, virDomainPtr domain, const struct domain_diff_device *device)
{
    unsigned flags = VIR_DOMAIN_AFFECT_LIVE;
    switch (device->kind) {
    case DOMAIN_DIFF_UNPLUG:
        log_info("nic is unplugged", "server=%s mac=%s", c->id, device->name);
        return virDomainDetachDeviceFlags(domain, device->text, flags) < 0
                   ? libvirt_call_fail(c, "An interface cannot be unplugged")
                   : 0;
    case DOMAIN_DIFF_PLUG:
        log_info("nic is plugged", "server=%s mac=%s", c->id, device->name);
        return virDomainAttachDeviceFlags(domain, device->text, flags) < 0
                   ? libvirt_call_fail(c, "An interface cannot be plugged")
                   : 0;
    default:
        if (c->profile->filter != PROFILE_FILTER_LIBVIRT) /* it is not the device's matter */
            return 0;
        return virDomainUpdateDeviceFlags(domain, device->text, flags) < 0
                   ? libvirt_call_fail(c, "What the server may send cannot be changed")
                   : 0;
    }
}

/* libvirt waits some seconds for the guest; afterwards only looking tells. */
static int libvirt_adjust_check(struct libvirt_call *c, virDomainPtr domain)
{
    struct domain_diff diff = {0};
    int code = libvirt_adjust_compare(c, domain, &diff);
    if (!code && diff.unplugs) {
        c->transient = true;
        code = c->code = error_set(&c->error, ERR_HYPERVISOR, "The guest has not given up its interface %s yet",
                                   diff.devices[0].name);
    }
    domain_diff_done(&diff);
    return code;
}

/* ---- processors and memory ---- */

static int libvirt_adjust_restart(struct libvirt_call *c, const char *what, long long from, long long to)
{
    c->restart = true;
    return c->code = error_set(&c->error, ERR_HYPERVISOR, "The guest must be restarted to have %lld %s instead of %lld",
                               to, what, from);
}

/* What the hypervisor refuses comes with a restart; what is away is tried again. */
static int libvirt_adjust_refused(struct libvirt_call *c, const char *what)
{
    int code = libvirt_call_fail(c, what);
    c->restart = code == ERR_HYPERVISOR;
    c->transient = c->transient && !c->restart;
    return code;
}

/* What the guest gave up at its start. */
static int libvirt_adjust_balloon(struct libvirt_call *c, virDomainPtr domain, int64_t size_mib)
{
    log_info("memory is given back", "server=%s memory_mib=%lld", c->id, (long long)size_mib);
    return virDomainSetMemoryFlags(domain, (unsigned long)size_mib * 1024, VIR_DOMAIN_AFFECT_LIVE) < 0
               ? libvirt_adjust_refused(c, "Memory cannot be given back")
               : 0;
}

static int libvirt_adjust_plug(struct libvirt_call *c, virDomainPtr domain, int64_t more_mib)
{
    char *piece = domain_diff_memory(more_mib);
    log_info("memory is plugged", "server=%s more_mib=%lld", c->id, (long long)more_mib);
    int rc = virDomainAttachDeviceFlags(domain, piece, VIR_DOMAIN_AFFECT_LIVE);
    free(piece);
    return rc < 0 ? libvirt_adjust_refused(c, "Memory cannot be plugged") : 0;
}

static int libvirt_adjust_vcpus(struct libvirt_call *c, virDomainPtr domain, int64_t count)
{
    log_info("processors are plugged", "server=%s vcpus=%lld", c->id, (long long)count);
    return virDomainSetVcpusFlags(domain, (unsigned)count, VIR_DOMAIN_VCPU_LIVE) < 0
               ? libvirt_adjust_refused(c, "Processors cannot be plugged")
               : 0;
}

static int libvirt_adjust_memory(struct libvirt_call *c, virDomainPtr domain, const struct domain_diff_sizes *has,
                                 const struct domain_diff_sizes *wanted)
{
    enum profile_growth growth = c->profile->growth;
    bool balloon = growth == PROFILE_GROWTH_BALLOON;
    int64_t now = balloon ? has->current_mib : has->memory_mib;
    int64_t then = balloon ? wanted->current_mib : wanted->memory_mib;
    if (then == now)
        return 0;
    if (then < now || growth == PROFILE_GROWTH_NONE || (balloon && then > has->memory_mib))
        return libvirt_adjust_restart(c, "MiB of memory", (long long)now, (long long)then);
    return balloon ? libvirt_adjust_balloon(c, domain, then) : libvirt_adjust_plug(c, domain, then - now);
}

static int libvirt_adjust_sizes(struct libvirt_call *c, virDomainPtr domain)
{
    struct domain_diff_sizes has = {0}, wanted = {0};
    char *live = virDomainGetXMLDesc(domain, 0);
    if (!live)
        return libvirt_call_fail(c, "The domain's size cannot be read");
    int code = domain_diff_read_sizes(live, &has, &c->error);
    free(live);
    code = c->code = code ? code : domain_diff_read_sizes(c->xml, &wanted, &c->error);
    if (!code && wanted.vcpus != has.vcpus && (wanted.vcpus < has.vcpus || c->profile->growth == PROFILE_GROWTH_NONE))
        return libvirt_adjust_restart(c, "processors", (long long)has.vcpus, (long long)wanted.vcpus);
    if (!code)
        code = libvirt_adjust_memory(c, domain, &has, &wanted);
    if (!code && wanted.vcpus > has.vcpus)
        code = libvirt_adjust_vcpus(c, domain, wanted.vcpus);
    return code;
}

/* ---- disks ---- */

/* Those that the guest was started with are left alone, also one that it has given up by itself. */
static int libvirt_adjust_compare_disks(struct libvirt_call *c, virDomainPtr domain, struct domain_diff *ret)
{
    char *live = virDomainGetXMLDesc(domain, 0), *defined = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    int code = live && defined ? domain_diff_disks(live, defined, c->xml, ret, &c->error)
                               : libvirt_call_fail(c, "The domain's disks cannot be read");
    free(live);
    free(defined);
    return c->code = code;
}

static int libvirt_adjust_make_disks(struct libvirt_call *c)
{
    char *folder = storage_folder(c->settings, c->id);
    int code = disk_make_more(folder, c->ephemeral_gib, c->swap_mib, &c->error);
    free(folder);
    c->lacks = code != 0;
    return c->code = code;
}

void libvirt_adjust_fit(struct libvirt_call *c)
{
    if (libvirt_adjust_make_disks(c))
        error_prefix(&c->error, "The server's new disk cannot be made: ");
}

/* Without a definition that may be changed the disk would be gone with the next start. */
static bool libvirt_adjust_has_disks(const struct libvirt_call *c)
{
    return c->redefine && c->profile->plugs_disks;
}

static int libvirt_adjust_plug_disks(struct libvirt_call *c, virDomainPtr domain)
{
    struct domain_diff diff = {0};
    if (!libvirt_adjust_has_disks(c))
        return 0;
    int code = libvirt_adjust_compare_disks(c, domain, &diff);
    if (!code && diff.count > diff.unplugs)
        code = libvirt_adjust_make_disks(c);
    for (size_t i = diff.unplugs; i < diff.count && !code; i++) {
        log_info("disk is plugged", "server=%s target=%s", c->id, diff.devices[i].name);
        if (virDomainAttachDeviceFlags(domain, diff.devices[i].text, VIR_DOMAIN_AFFECT_LIVE) < 0)
            code = libvirt_adjust_refused(c, "A disk cannot be plugged");
    }
    domain_diff_done(&diff);
    return code;
}

/* The guest has to let go of it; one that does not is restarted once trying again has not helped. */
static int libvirt_adjust_unplug_disk(struct libvirt_call *c, virDomainPtr domain,
                                      const struct domain_diff_device *disk)
{
    log_info("disk is unplugged", "server=%s target=%s", c->id, disk->name);
    if (virDomainDetachDeviceFlags(domain, disk->text, VIR_DOMAIN_AFFECT_LIVE) == 0 ||
        virGetLastErrorCode() == VIR_ERR_DEVICE_MISSING)
        return 0;
    int code = libvirt_call_fail(c, "A disk cannot be unplugged");
    c->restart = code == ERR_HYPERVISOR;
    return code;
}

static int libvirt_adjust_check_disks(struct libvirt_call *c, virDomainPtr domain)
{
    struct domain_diff diff = {0};
    int code = libvirt_adjust_compare_disks(c, domain, &diff);
    if (!code && diff.unplugs) {
        c->transient = c->restart = true;
        code = c->code =
            error_set(&c->error, ERR_HYPERVISOR, "The guest has not given up its disk %s yet", diff.devices[0].name);
    }
    domain_diff_done(&diff);
    return code;
}

static int libvirt_adjust_unplug_disks(struct libvirt_call *c, virDomainPtr domain)
{
    struct domain_diff diff = {0};
    if (!libvirt_adjust_has_disks(c))
        return 0;
    int code = libvirt_adjust_compare_disks(c, domain, &diff);
    for (size_t i = 0; i < diff.unplugs && !code; i++)
        code = libvirt_adjust_unplug_disk(c, domain, &diff.devices[i]);
    if (!code && diff.unplugs)
        code = libvirt_adjust_check_disks(c, domain);
    domain_diff_done(&diff);
    return code;
}

/* Only that a disk is smaller is put right. Takes over `device`; NULL: the guest has it not. */
static int libvirt_adjust_grow(struct libvirt_call *c, virDomainPtr domain, char *device, unsigned long long bytes)
{
    virDomainBlockInfo info;
    if (device && virDomainGetBlockInfo(domain, device, &info, 0) < 0) {
        libvirt_call_fail(c, "The size of the server's disk cannot be read");
    } else if (device && info.capacity < bytes) {
        log_info("disk grows", "server=%s device=%s from_bytes=%llu to_bytes=%llu", c->id, device, info.capacity,
                 bytes);
        if (virDomainBlockResize(domain, device, bytes, VIR_DOMAIN_BLOCK_RESIZE_BYTES) < 0)
            libvirt_call_fail(c, "The server's disk cannot grow while it is on");
    }
    free(device);
    return c->code;
}

static int libvirt_adjust_grow_other(struct libvirt_call *c, virDomainPtr domain, const char *file,
                                     unsigned long long bytes)
{
    char *live = virDomainGetXMLDesc(domain, 0);
    if (!live)
        return libvirt_call_fail(c, "The domain's disks cannot be read");
    char *device = domain_diff_target(live, file);
    free(live);
    return libvirt_adjust_grow(c, domain, device, bytes);
}

static int libvirt_adjust_grow_disks(struct libvirt_call *c, virDomainPtr domain)
{
    int code = 0;
    if (!libvirt_adjust_has_disks(c))
        return 0;
    if (c->root_gib)
        code = libvirt_adjust_grow(c, domain, libvirt_layer_device(c, domain), (unsigned long long)c->root_gib << 30);
    if (!code && c->ephemeral_gib)
        code = libvirt_adjust_grow_other(c, domain, DOMAIN_XML_EPHEMERAL, (unsigned long long)c->ephemeral_gib << 30);
    if (!code && c->swap_mib)
        code = libvirt_adjust_grow_other(c, domain, DOMAIN_XML_SWAP, (unsigned long long)c->swap_mib << 20);
    return c->code;
}

static int libvirt_adjust_drop_disks(struct libvirt_call *c)
{
    if (!libvirt_adjust_has_disks(c))
        return 0;
    char *folder = storage_folder(c->settings, c->id);
    int code = disk_drop_more(folder, c->ephemeral_gib, c->swap_mib, &c->error);
    free(folder);
    c->transient = code != 0;
    return c->code = code;
}

static int libvirt_adjust_define(struct libvirt_call *c)
{
    virDomainPtr defined = c->redefine ? virDomainDefineXMLFlags(c->conn, c->xml, 0) : NULL;
    if (c->redefine && !defined)
        return libvirt_call_fail(c, "The hypervisor does not accept the domain");
    if (defined)
        virDomainFree(defined);
    return 0;
}

/* What a nic may send was said before it comes, and is forgotten after it went. */
static int libvirt_adjust_nics(struct libvirt_call *c, virDomainPtr domain)
{
    struct domain_diff diff = {0};
    int code = libvirt_adjust_compare(c, domain, &diff);
    for (size_t i = 0; i < diff.count && !code; i++)
        code = libvirt_adjust_device(c, domain, &diff.devices[i]);
    if (!code && diff.unplugs)
        code = libvirt_adjust_check(c, domain);
    domain_diff_done(&diff);
    if (!code && c->profile->bare_nics)
        code = libvirt_link_up(c, domain);
    return code ? code : libvirt_guard_put(c);
}

int libvirt_adjust(struct libvirt_call *c, virDomainPtr domain)
{
    if (virDomainIsActive(domain) == 0)
        return 0;
    int code = libvirt_guard_add(c);
    code = code ? code : libvirt_adjust_plug_disks(c, domain);
    code = code ? code : libvirt_adjust_sizes(c, domain);
    if (!code && !profile_can(c->profile, HYPERVISOR_ADJUST)) {
        log_info("a server's devices change with its next start", "server=%s hypervisor=%s", c->id, c->profile->driver);
        return 0;
    }
    code = code ? code : libvirt_adjust_nics(c, domain);
    code = code ? code : libvirt_adjust_grow_disks(c, domain);
    code = code ? code : libvirt_adjust_unplug_disks(c, domain);
    code = code ? code : libvirt_adjust_define(c);
    return code ? code : libvirt_adjust_drop_disks(c);
}
