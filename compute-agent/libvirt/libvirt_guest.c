/* What QEMU's guest agent does inside a guest, through libvirt's channel to it. A guest without it, or whose agent does
 * not answer within libvirt's own patience, refuses. */
#include "compute-agent/libvirt/libvirt_call.h"

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
