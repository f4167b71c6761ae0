/* One of the cloud's networks as a libvirt NAT network: a bridge, the gateway's address, and DHCP that reads its
 * reservations from a folder of ours (see libvirt_dhcp.h) and serves nobody else. Pure. */
#pragma once
#include "common/error.h"
#include "compute-agent/names.h"
#include "compute-agent/network_plan.h"

/* `hosts`: the folder of reservations. ERR_INVALID when a subnet leaves no address for the bridge. Caller frees *ret.
 * The text does not depend on the reservations, unless a subnet without a gateway has one for the address that the
 * bridge would take. */
int network_xml_make(const struct network_plan *plan, const struct names *names, const char *hosts, char **ret,
                     struct error *e);
