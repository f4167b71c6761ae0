/* Nics that were plugged into a running container. libvirt leaves them there with a name of its own and switched off;
 * at a container's start its first process would have done the rest. It is done from a thread in the container's
 * network namespace that ends afterwards; nothing that runs in the container is asked.
 *
 * Failure modes: the container has a link of that name already: then the nic keeps libvirt's name and is switched on.
 * An agent that dies amid it finds the nic as libvirt has left it and does it again. */
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/rtnetlink.h"
#include "compute-agent/xml/xml.h"
#include <errno.h>
#include <libvirt/libvirt-lxc.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINK_UNNAMED "vnet" /* what names begin with that libvirt chooses */

struct link_nic {
    unsigned index; /* in the container; 0: it is not there */
    char name[IFNAMSIZ];
    int mtu; /* 0: as it is */
};
struct link_work {
    const char *id;
    int space;
    struct link_nic *nics;
    size_t count;
    int why; /* errno */
};

/* ---- in the container's namespace ---- */

/* One message, so that nobody finds it half done. Returns errno. */
static int link_change(int fd, const struct link_nic *nic, const char *name)
{
    struct rtnetlink_change change;
    rtnetlink_begin(&change, RTM_SETLINK, nic->index);
    change.link.ifi_flags = change.link.ifi_change = IFF_UP;
    if (name)
        rtnetlink_add(&change, IFLA_IFNAME, name, strlen(name) + 1);
    if (nic->mtu)
        rtnetlink_add(&change, IFLA_MTU, &nic->mtu, sizeof(nic->mtu));
    return rtnetlink_send(fd, &change);
}

/* One that has a name is the container's matter. EBUSY: so is one that it has switched on before (Linux before 6.2). */
static int link_set(int fd, const struct link_work *w, const struct link_nic *nic)
{
    char name[IFNAMSIZ];
    if (!nic->index || !if_indextoname(nic->index, name) || strncmp(name, LINK_UNNAMED, strlen(LINK_UNNAMED)) != 0)
        return 0;
    int why = link_change(fd, nic, nic->name);
    if (why != EEXIST && why != EBUSY)
        return why;
    log_warn("a container's new nic keeps the name that libvirt gave it", "server=%s name=%s wanted=%s", w->id, name,
             nic->name);
    return link_change(fd, nic, NULL);
}

static void *link_run(void *arg)
{
    struct link_work *w = arg;
    int fd = setns(w->space, CLONE_NEWNET) ? -1 : rtnetlink_open();
    w->why = fd < 0 ? errno : 0;
    for (size_t i = 0; !w->why && i < w->count; i++)
        w->why = link_set(fd, w, &w->nics[i]);
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* ---- from outside ---- */

/* The other end of the nic's pair has this index, where that is. */
static unsigned link_peer(const char *outside)
{
    struct strbuf text;
    char *path = strbuf_print("/sys/class/net/%s/iflink", outside);
    strbuf_init(&text, 0);
    unsigned index = file_read(path, &text, NULL) ? 0 : (unsigned)strtoul(text.data, NULL, 10);
    strbuf_done(&text);
    free(path);
    return index;
}

static struct link_nic link_read(xmlNodePtr nic)
{
    char *outside = xml_get(xml_first(nic, "target"), "dev"), *name = xml_get(xml_first(nic, "guest"), "dev"),
         *mtu = xml_get(xml_first(nic, "mtu"), "size");
    struct link_nic ret = {.mtu = mtu ? (int)strtol(mtu, NULL, 10) : 0};
    if (outside && name && strlen(name) < IFNAMSIZ) {
        ret.index = link_peer(outside);
        memcpy(ret.name, name, strlen(name) + 1);
    }
    free(outside);
    free(name);
    free(mtu);
    return ret;
}

static int link_list(struct libvirt_call *c, virDomainPtr domain, struct link_work *w)
{
    char *live = virDomainGetXMLDesc(domain, 0);
    xmlDocPtr doc = live ? xml_parse(live, &c->error) : NULL;
    xmlNodePtr devices = doc ? xml_first(xmlDocGetRootElement(doc), "devices") : NULL;
    for (xmlNodePtr nic = xml_first(devices, "interface"); nic; nic = xml_next(nic, "interface")) {
        w->nics = memory_resize(w->nics, (w->count + 1) * sizeof(*w->nics));
        w->nics[w->count++] = link_read(nic);
    }
    if (doc)
        xmlFreeDoc(doc);
    free(live);
    return doc ? 0 : libvirt_call_fail(c, "The domain's devices cannot be read");
}

/* The namespace of the container's network, -1 when it cannot be had. */
static int link_open(virDomainPtr domain)
{
    int *fds = NULL, count = virDomainLxcOpenNamespace(domain, &fds, 0), space = -1;
    for (int i = 0; i < count; i++) {
        if (space < 0 && ioctl(fds[i], NS_GET_NSTYPE) == CLONE_NEWNET)
            space = fds[i];
        else
            close(fds[i]);
    }
    free(fds);
    return space;
}

static int link_enter(struct libvirt_call *c, struct link_work *w)
{
    pthread_t thread;
    int why = pthread_create(&thread, NULL, link_run, w);
    if (!why && pthread_join(thread, NULL) == 0)
        why = w->why;
    c->transient = c->transient || why;
    return c->code =
               why ? error_set(&c->error, ERR_HYPERVISOR, "An interface cannot be switched on: %s", strerror(why)) : 0;
}

int libvirt_link_up(struct libvirt_call *c, virDomainPtr domain)
{
    struct link_work w = {.id = c->id};
    int code = link_list(c, domain, &w);
    w.space = code || !w.count ? -1 : link_open(domain);
    if (!code && w.count)
        code = w.space < 0 ? libvirt_call_fail(c, "The container's network cannot be reached") : link_enter(c, &w);
    if (w.space >= 0)
        close(w.space);
    free(w.nics);
    return code;
}
