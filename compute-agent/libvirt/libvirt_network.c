/* The cloud's networks as libvirt networks, on a worker. Reservations come and go while a network runs, without a call
 * of libvirt; anything else about it changes when no domain uses it. */
#include "common/log.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/libvirt/libvirt_dhcp.h"
#include "compute-agent/rtnetlink.h"
#include "compute-agent/settings.h"
#include <dirent.h>
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* 0 with *ret NULL when it is not there. */
static int libvirt_network_find(struct libvirt_call *c, virNetworkPtr *ret)
{
    virNetworkPtr network = virNetworkLookupByUUIDString(c->conn, c->id);
    if (!network && virGetLastErrorCode() == VIR_ERR_NO_NETWORK) {
        *ret = NULL;
        return 0;
    }
    if (!network)
        return libvirt_call_fail(c, "Cannot look for the network");
    if (!names_is_ours(&c->names, virNetworkGetName(network))) {
        error_set(&c->error, ERR_CONFLICT, "The network is another agent's on this machine (libvirt calls it %s)",
                  virNetworkGetName(network));
        virNetworkFree(network);
        return c->code = ERR_CONFLICT;
    }
    *ret = network;
    return 0;
}

static int libvirt_network_port_count(virNetworkPtr network)
{
    virNetworkPortPtr *ports = NULL;
    int count = virNetworkListAllPorts(network, &ports, 0);
    for (int i = 0; i < count; i++)
        virNetworkPortFree(ports[i]);
    free(ports);
    return count;
}

/* Whether something is in the bridge; yes when that cannot be seen. */
static bool libvirt_network_is_plugged(const char *bridge)
{
    char *path = strbuf_print("/sys/class/net/%s/brif", bridge);
    DIR *folder = opendir(path);
    bool plugged = !folder && if_nametoindex(bridge);
    for (struct dirent *d; folder && (d = readdir(folder));)
        plugged = plugged || d->d_name[0] != '.';
    if (folder)
        closedir(folder);
    free(path);
    return plugged;
}

/* Ports alone do not tell: one whose domain libvirtd was just starting when it was killed is there as long as the
 * network. */
static bool libvirt_network_is_used(virNetworkPtr network)
{
    char *bridge = libvirt_network_port_count(network) > 0 ? virNetworkGetBridgeName(network) : NULL;
    bool used = bridge && libvirt_network_is_plugged(bridge);
    free(bridge);
    return used;
}

/* A libvirtd that was killed amid the network's start or stop knows it as off afterwards and cannot make the bridge,
 * which is there, nor start a dnsmasq on its address, which the one before holds, be the bridge there or not. */
static void libvirt_network_clear(virNetworkPtr network)
{
    char *bridge = virNetworkGetBridgeName(network);
    struct ifreq down = {0};
    bool off = bridge && !libvirt_network_is_plugged(bridge) && virNetworkIsActive(network) == 0;
    int fd = -1;
    if (off)
        libvirt_dhcp_end_server(virNetworkGetName(network));
    if (off && if_nametoindex(bridge))
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        snprintf(down.ifr_name, sizeof(down.ifr_name), "%s", bridge);
        if (ioctl(fd, SIOCSIFFLAGS, &down) || ioctl(fd, SIOCBRDELBR, down.ifr_name))
            log_warn("bridge not removed", "bridge=%s error=\"%s\"", bridge, strerror(errno));
        close(fd);
    }
    free(bridge);
}

static int libvirt_network_stop(struct libvirt_call *c, virNetworkPtr network)
{
    if (virNetworkIsActive(network) == 1 && virNetworkDestroy(network) < 0) {
        libvirt_call_fail(c, "The network cannot be stopped");
        if (virNetworkIsActive(network) == 0) {
            error_clear(&c->error);
            c->code = 0;
        }
    }
    return c->code;
}

static int libvirt_network_define(struct libvirt_call *c, virNetworkPtr *network)
{
    virNetworkPtr defined = virNetworkDefineXML(c->conn, c->xml);
    if (!defined)
        return libvirt_call_fail(c, "The hypervisor does not accept the network");
    if (*network)
        virNetworkFree(*network);
    *network = defined;
    return 0;
}

static int libvirt_network_start(struct libvirt_call *c, virNetworkPtr *network, const char *folder)
{
    int code = libvirt_dhcp_apply(folder, &c->plan, NULL, NULL, &c->error);
    if (code) {
        c->transient = true;
        return c->code = code;
    }
    code = libvirt_network_define(c, network);
    if (!code)
        libvirt_network_clear(*network);
    if (!code && virNetworkCreate(*network) < 0) {
        libvirt_call_fail(c, "The network cannot be started");
        if (virNetworkIsActive(*network) != 1)
            return c->code;
        error_clear(&c->error);
        c->code = 0;
    }
    return c->code = code ? code : libvirt_dhcp_write_definition(folder, c->xml, &c->error);
}

/* It runs as it was defined before: with the next start it is as it is wanted now, which is at once when nobody uses
 * it. */
static int libvirt_network_redefine(struct libvirt_call *c, virNetworkPtr *network, const char *folder)
{
    int ports = libvirt_network_port_count(*network);
    if (ports < 0)
        return libvirt_call_fail(c, "The network's users cannot be counted");
    if (ports > 0) {
        log_info("network changes when no server uses it", "network=%s servers=%d", c->id, ports);
        return libvirt_network_define(c, network);
    }
    int code = libvirt_network_stop(c, *network);
    return code ? code : libvirt_network_start(c, network, folder);
}

static int libvirt_network_adjust(struct libvirt_call *c, virNetworkPtr *network, const char *folder)
{
    struct strbuf definition;
    int code = 0;
    strbuf_init(&definition, 0);
    libvirt_dhcp_read_definition(folder, &definition);
    if (strcmp(definition.data, c->xml) != 0)
        code = libvirt_network_redefine(c, network, folder);
    strbuf_done(&definition);
    char *bridge = code ? NULL : virNetworkGetBridgeName(*network);
    if (!code && (code = libvirt_dhcp_apply(folder, &c->plan, virNetworkGetName(*network), bridge, &c->error)))
        c->transient = true;
    free(bridge);
    return c->code = code;
}

/* Filters of guests' nics are worth little on a bridge that frames can deceive which pass these by. */
static int libvirt_network_deafen(struct libvirt_call *c, virNetworkPtr network)
{
    char *bridge = virNetworkGetBridgeName(network);
    int why = bridge ? rtnetlink_bridge_deafen(bridge) : ENODEV;
    if (why && strcmp(c->settings->port_security, "require") == 0) {
        c->transient = true;
        c->code =
            error_set(&c->error, ERR_IO, "The bridge of the network would learn from frames that are not filtered: %s",
                      strerror(why));
    } else if (why) {
        log_warn("a bridge learns from frames that are not filtered", "network=%s bridge=%s reason=\"%s\"", c->id,
                 bridge ? bridge : "", strerror(why));
    }
    free(bridge);
    return c->code;
}

/* Nothing where networks are the hypervisor's own. */
void libvirt_network_apply(struct libvirt_call *c)
{
    virNetworkPtr network = NULL;
    if (c->profile->remote)
        return;
    int code = libvirt_network_find(c, &network);
    char *folder = libvirt_dhcp_folder(c->settings, &c->names, c->id);
    if (!code && network && virNetworkIsActive(network) == 1)
        code = libvirt_network_adjust(c, &network, folder);
    else if (!code)
        code = libvirt_network_start(c, &network, folder);
    if (!code)
        libvirt_network_deafen(c, network);
    if (network)
        virNetworkFree(network);
    free(folder);
}

static int libvirt_network_undefine(struct libvirt_call *c, virNetworkPtr network)
{
    if (libvirt_network_is_used(network)) {
        c->transient = true;
        return c->code = error_set(&c->error, ERR_CONFLICT, "A domain still uses the network");
    }
    int code = libvirt_network_stop(c, network);
    if (!code)
        libvirt_network_clear(network);
    if (!code && virNetworkUndefine(network) < 0 && virGetLastErrorCode() != VIR_ERR_NO_NETWORK)
        code = libvirt_call_fail(c, "The network cannot be removed");
    return code;
}

void libvirt_network_remove(struct libvirt_call *c)
{
    virNetworkPtr network = NULL;
    if (c->profile->remote)
        return;
    int code = libvirt_network_find(c, &network);
    if (!code && network) {
        code = libvirt_network_undefine(c, network);
        virNetworkFree(network);
    }
    if (!code) {
        char *folder = libvirt_dhcp_folder(c->settings, &c->names, c->id);
        c->code = libvirt_dhcp_remove(folder, &c->error);
        free(folder);
    }
}

int libvirt_network_list(struct libvirt_call *c)
{
    virNetworkPtr *networks = NULL;
    if (c->profile->remote) {
        c->networks = memory_array(1, sizeof(*c->networks));
        return 0;
    }
    int count = virConnectListAllNetworks(c->conn, &networks, 0);
    if (count < 0)
        return libvirt_call_fail(c, "The networks cannot be listed");
    c->networks = memory_array((size_t)count + 1, sizeof(*c->networks));
    for (int i = 0; i < count; i++) {
        char id[UUID_SIZE];
        if (names_is_ours(&c->names, virNetworkGetName(networks[i])) && virNetworkGetUUIDString(networks[i], id) == 0)
            c->networks[c->network_count++] = arena_strdup(&c->arena, id);
        virNetworkFree(networks[i]);
    }
    free(networks);
    return 0;
}
