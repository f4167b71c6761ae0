/* Raw disks, which nobody but the hypervisor's kernel writes: copies of them for images, and clones of their servers.
 * A guest that is on stands still for as long as its disk is copied; where the file system shares blocks it does not
 * notice. One that an agent before this one has left standing goes on after the next try, unless its owner wants it to
 * be paused. */
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/storage/owner.h"
#include "compute-agent/storage/raw_clone.h"
#include "compute-agent/storage/storage.h"
#include "compute-agent/xml/domain_xml.h"
#include <stdlib.h>
#include <unistd.h>

struct libvirt_raw {
    struct libvirt_call *c;
    virDomainPtr domain;
};

/* libvirt's Xen driver calls a guest that has shut down active until it is taken apart, and keeps every call waiting
 * for that: then nobody writes the disk any more, and it is copied as it lies there. */
static int libvirt_raw_stop(void *arg)
{
    const struct libvirt_raw *r = arg;
    int state = VIR_DOMAIN_NOSTATE;
    if (virDomainGetState(r->domain, &state, NULL, 0) < 0 || state == VIR_DOMAIN_PAUSED ||
        virDomainSuspend(r->domain) >= 0)
        return 0;
    libvirt_call_fail(r->c, "The guest cannot be stopped for the copy of its disk");
    if (virDomainIsActive(r->domain) == 0) {
        error_clear(&r->c->error);
        r->c->code = 0;
        r->c->transient = false;
    }
    return r->c->code;
}

static int libvirt_raw_go_on(void *arg)
{
    const struct libvirt_raw *r = arg;
    if (r->c->goes_on && virDomainResume(r->domain) < 0 && virDomainIsActive(r->domain) == 1)
        return libvirt_call_fail(r->c, "The guest cannot be let go on after the copy of its disk");
    return 0;
}

static void libvirt_raw_make(struct libvirt_call *c, virDomainPtr domain, const char *from, const char *to,
                             int (*make)(const char *from, const char *to, const struct raw_clone_guest *guest,
                                         const atomic_bool *stop, struct error *e))
{
    struct libvirt_raw raw = {c, domain};
    const struct raw_clone_guest guest = {libvirt_raw_stop, libvirt_raw_go_on, &raw};
    bool on = domain && virDomainIsActive(domain) == 1;
    c->code = make(from, to, on ? &guest : NULL, &c->stop, &c->error);
}

void libvirt_raw_copy(struct libvirt_call *c, virDomainPtr domain, const char *root, const char *to)
{
    libvirt_raw_make(c, domain, root, to, raw_clone_copy);
}

void libvirt_raw_clone(struct libvirt_call *c)
{
    virDomainPtr domain = NULL;
    char *from = storage_folder(c->settings, c->id), *to = storage_folder(c->settings, c->clone);
    int code = libvirt_call_open(c);
    code = code ? code : libvirt_domain_find(c, &domain);
    if (!code && owner_is_other(from, c->names.host_id))
        code = c->code = error_set(&c->error, ERR_NOT_FOUND, "The server to be cloned is another host's");
    code = code ? code : (c->code = owner_take(to, c->names.host_id, &c->error));
    if (!code)
        libvirt_raw_make(c, domain, arena_printf(&c->arena, "%s/" DOMAIN_XML_RAW_ROOT, from),
                         arena_printf(&c->arena, "%s/" DOMAIN_XML_RAW_ROOT, to), raw_clone);
    c->transient = c->transient || c->code == ERR_IO || c->code == ERR_TIMEOUT || c->code == ERR_NO_SPACE;
    if (domain)
        virDomainFree(domain);
    free(from);
    free(to);
}

void libvirt_raw_flatten(struct libvirt_call *c)
{
    char *folder = storage_folder(c->settings, c->id);
    const char *root = arena_printf(&c->arena, "%s/" DOMAIN_XML_RAW_ROOT, folder);
    if (access(root, F_OK) != 0 || owner_is_other(folder, c->names.host_id))
        c->code = error_set(&c->error, ERR_NOT_FOUND, "The server's disk is missing on its host");
    free(folder);
}
