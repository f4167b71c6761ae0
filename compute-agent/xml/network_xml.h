/* One of the cloud's networks as a libvirt NAT network: bridge, gateway address, DHCP that serves our reservations and
 * nobody else. Pure. */
#pragma once
#include "common/error.h"
#include "compute-agent/names.h"
#include "compute-agent/network_plan.h"
#include <stdbool.h>

/* ERR_INVALID when a subnet leaves no address for the bridge. Caller frees *ret. */
int network_xml_make(const struct network_plan *plan, const struct names *names, char **ret, struct error *e);
/* One reservation as libvirt's <host>; without a name when `named` is false. Caller frees. */
char *network_xml_host(const struct network_host *host, bool named);

/* What a libvirt network has. */
struct network_xml_found {
    char *bridge;
    struct network_host *hosts; /* texts owned; missing parts are "" */
    size_t host_count;
};
int network_xml_read(const char *xml, struct network_xml_found *ret, struct error *e);
void network_xml_done(struct network_xml_found *f);
