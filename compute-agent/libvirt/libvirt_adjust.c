/* What changes under a running guest. It is compared with what the domain has now, so an agent that died half way just
 * goes on; the definition follows last and is what the next start takes.
 *
 * Failure modes: a guest that does not answer the request to give a device up (paused, booting, hung) keeps it; then
 * the call fails as passing and is repeated. No free slot is left to plug into: the next start brings the device. */
#include "common/log.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/xml/domain_diff.h"
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
        log_info("nic is unplugged", "server=%s mac=%s", c->id, device->mac);
        return virDomainDetachDeviceFlags(domain, device->text, flags) < 0
                   ? libvirt_call_fail(c, "An interface cannot be unplugged")
                   : 0;
    case DOMAIN_DIFF_PLUG:
        log_info("nic is plugged", "server=%s mac=%s", c->id, device->mac);
        return virDomainAttachDeviceFlags(domain, device->text, flags) < 0
                   ? libvirt_call_fail(c, "An interface cannot be plugged")
                   : 0;
    default:
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
                                   diff.devices[0].mac);
    }
    domain_diff_done(&diff);
    return code;
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

int libvirt_adjust(struct libvirt_call *c, virDomainPtr domain)
{
    struct domain_diff diff = {0};
    if (virDomainIsActive(domain) == 0)
        return 0;
    int code = libvirt_adjust_compare(c, domain, &diff);
    for (size_t i = 0; i < diff.count && !code; i++)
        code = libvirt_adjust_device(c, domain, &diff.devices[i]);
    if (!code && diff.unplugs)
        code = libvirt_adjust_check(c, domain);
    domain_diff_done(&diff);
    return code ? code : libvirt_adjust_define(c);
}
