/* What QEMU's guest agent does inside a guest, through libvirt's channel to it. A guest without it, or whose agent does
 * not answer within libvirt's own patience, refuses. */
#include "common/json_out.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include <stdlib.h>

#define GUEST_AGENT_S 5

void libvirt_guest_password(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    int code = libvirt_domain_find(c, &domain);
    if (!code && !domain)
        code = c->code = error_set(&c->error, ERR_NOT_FOUND, "The server's domain is not there");
    if (!code && virDomainSetUserPassword(domain, c->user, c->password, 0) < 0)
        code = libvirt_call_fail(c, "The guest does not take the password");
    c->transient = false; /* it is the tenant who tries again */
    if (domain)
        virDomainFree(domain);
    if (!code)
        strbuf_append_text(&c->text, "done");
}

static void guest_write_nic(const virDomainInterface *nic, struct json_out *o)
{
    json_out_object(o, NULL);
    json_out_text(o, "name", nic->name);
    json_out_text(o, "mac", nic->hwaddr);
    json_out_array(o, "addresses");
    for (unsigned i = 0; i < nic->naddrs; i++)
        json_out_textf(o, NULL, "%s/%u", nic->addrs[i].addr, nic->addrs[i].prefix);
    json_out_array_end(o);
    json_out_object_end(o);
}

static void guest_write_nics(struct libvirt_call *c, virDomainPtr domain)
{
    virDomainInterfacePtr *list = NULL;
    struct json_out o;
    if (!c->profile->guest_agent) {
        c->code = error_set(&c->error, ERR_NOT_IMPLEMENTED,
                            "The hypervisor %s cannot ask its guests for their addresses", c->profile->driver);
        return;
    }
    virDomainAgentSetResponseTimeout(domain, GUEST_AGENT_S, 0);
    int count = virDomainInterfaceAddresses(domain, &list, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, 0);
    if (count < 0) {
        libvirt_call_fail(c, "The guest does not say its addresses");
        return;
    }
    json_out_init(&o, &c->text);
    json_out_object(&o, NULL);
    json_out_array(&o, "nics");
    for (int i = 0; i < count; i++) {
        guest_write_nic(list[i], &o);
        virDomainInterfaceFree(list[i]);
    }
    json_out_array_end(&o);
    json_out_object_end(&o);
    free(list);
}

void libvirt_guest_addresses(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    if (libvirt_domain_find(c, &domain))
        return;
    if (domain)
        guest_write_nics(c, domain);
    else
        c->code = error_set(&c->error, ERR_NOT_FOUND, "The server's domain is not there");
    c->transient = false;
    if (domain)
        virDomainFree(domain);
}
