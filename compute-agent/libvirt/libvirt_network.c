/* The cloud's networks as libvirt networks, on a worker. A network that runs is changed while it runs: only
 * reservations come and go. A lease that the DHCP server keeps for a reservation that goes is released, else the next
 * server with that address would wait for it to expire. */
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/child.h"
#include "compute-agent/libvirt/libvirt_call.h"
#include "compute-agent/xml/network_xml.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LIBVIRT_NETWORK_RELEASE_MS 5000
#define LIBVIRT_NETWORK_FLAGS      (VIR_NETWORK_UPDATE_AFFECT_LIVE | VIR_NETWORK_UPDATE_AFFECT_CONFIG)

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
        virNetworkFree(network);
        return c->code =
                   error_set(&c->error, ERR_CONFLICT, "There is a network with this id that belongs to somebody else");
    }
    *ret = network;
    return 0;
}

static int libvirt_network_start(struct libvirt_call *c, virNetworkPtr *network)
{
    virNetworkPtr defined = virNetworkDefineXML(c->conn, c->xml);
    if (!defined)
        return libvirt_call_fail(c, "The hypervisor does not accept the network");
    if (*network)
        virNetworkFree(*network);
    *network = defined;
    if (virNetworkCreate(defined) < 0 && virNetworkIsActive(defined) != 1)
        return libvirt_call_fail(c, "The network cannot be started");
    return 0;
}

static bool libvirt_network_has(const struct network_host *hosts, size_t count, const struct network_host *host)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(hosts[i].mac, host->mac) == 0 && strcmp(hosts[i].ip, host->ip) == 0)
            return true;
    }
    return false;
}

static bool libvirt_network_has_name(const struct network_xml_found *found, const char *name)
{
    for (size_t i = 0; i < found->host_count; i++) {
        if (strcmp(found->hosts[i].name, name) == 0)
            return true;
    }
    return false;
}

static int libvirt_network_update(struct libvirt_call *c, virNetworkPtr network, unsigned command,
                                  const struct network_host *host, bool named)
{
    char *xml = network_xml_host(host, named);
    int rc = virNetworkUpdate(network, command, VIR_NETWORK_SECTION_IP_DHCP_HOST, -1, xml, LIBVIRT_NETWORK_FLAGS);
    free(xml);
    return rc < 0 ? libvirt_call_fail(c, "The network's reservations cannot be changed") : 0;
}

static void libvirt_network_release(const char *bridge, const struct network_host *host)
{
    const char *argv[] = {"dhcp_release", bridge, host->ip, host->mac, NULL};
    struct child child = {.argv = argv, .deadline_ms = LIBVIRT_NETWORK_RELEASE_MS};
    struct error e = {0};
    if (child_run(&child, NULL, &e))
        log_warn("DHCP lease not released", "bridge=%s ip=%s error=\"%s\"", bridge, host->ip, error_text(&e));
}

static int libvirt_network_update_hosts(struct libvirt_call *c, virNetworkPtr network, struct network_xml_found *found)
{
    int code = 0;
    for (size_t i = 0; i < found->host_count && !code; i++) {
        struct network_host *host = &found->hosts[i];
        if (libvirt_network_has(c->plan.hosts, c->plan.host_count, host))
            continue;
        code = libvirt_network_update(c, network, VIR_NETWORK_UPDATE_COMMAND_DELETE, host, true);
        if (code)
            break;
        libvirt_network_release(found->bridge, host);
        ((char *)(uintptr_t)host->name)[0] = '\0'; /* free for others */
    }
    for (size_t i = 0; i < c->plan.host_count && !code; i++) {
        const struct network_host *host = &c->plan.hosts[i];
        if (!libvirt_network_has(found->hosts, found->host_count, host))
            code = libvirt_network_update(c, network, VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, host,
                                          !libvirt_network_has_name(found, host->name));
    }
    return code;
}

static int libvirt_network_adjust(struct libvirt_call *c, virNetworkPtr network)
{
    struct network_xml_found found;
    char *xml = virNetworkGetXMLDesc(network, 0);
    if (!xml)
        return libvirt_call_fail(c, "The network cannot be read");
    int code = network_xml_read(xml, &found, &c->error);
    free(xml);
    if (code)
        return c->code = code;
    code = libvirt_network_update_hosts(c, network, &found);
    network_xml_done(&found);
    return code;
}

void libvirt_network_apply(struct libvirt_call *c)
{
    virNetworkPtr network = NULL;
    int code = libvirt_network_find(c, &network);
    if (!code) {
        if (network && virNetworkIsActive(network) == 1)
            libvirt_network_adjust(c, network);
        else
            libvirt_network_start(c, &network);
    }
    if (network)
        virNetworkFree(network);
}

static int libvirt_network_is_used(virNetworkPtr network)
{
    virNetworkPortPtr *ports = NULL;
    int count = virNetworkListAllPorts(network, &ports, 0);
    for (int i = 0; i < count; i++)
        virNetworkPortFree(ports[i]);
    free(ports);
    return count;
}

void libvirt_network_remove(struct libvirt_call *c)
{
    virNetworkPtr network = NULL;
    if (libvirt_network_find(c, &network) || !network)
        return;
    if (libvirt_network_is_used(network) > 0) {
        c->transient = true;
        c->code = error_set(&c->error, ERR_CONFLICT, "A domain still uses the network");
    } else if (virNetworkIsActive(network) == 1 && virNetworkDestroy(network) < 0 && virNetworkIsActive(network) == 1) {
        libvirt_call_fail(c, "The network cannot be stopped");
    } else if (virNetworkUndefine(network) < 0 && virGetLastErrorCode() != VIR_ERR_NO_NETWORK) {
        libvirt_call_fail(c, "The network cannot be removed");
    }
    virNetworkFree(network);
}

int libvirt_network_list(struct libvirt_call *c)
{
    virNetworkPtr *networks = NULL;
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
