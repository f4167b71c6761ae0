/* The DHCP reservations of a network, as files in a folder that libvirt's dnsmasq watches: one "mac,ip,name" each. A
 * file that appears is known to dnsmasq at once; a file that goes is forgotten when it is told to read the folder anew.
 * Blocking: for workers. */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"
#include "compute-agent/names.h"
#include "compute-agent/network_plan.h"

struct settings;

/* <dhcp_dir>/<the libvirt network's name>; caller frees. The name is this host's own: agents of several hosts may share
 * dhcp_dir, and none drops what another one reserved on the same network. */
char *libvirt_dhcp_folder(const struct settings *settings, const struct names *names, const char *network_id);
/* Makes the folder hold exactly the plan's reservations. `name` and `bridge` are the libvirt network's, NULL while it
 * does not run: leases of what goes are released, and dnsmasq reads the folder anew. ERR_IO, ERR_NO_SPACE. */
int libvirt_dhcp_apply(const char *folder, const struct network_plan *plan, const char *name, const char *bridge,
                       struct error *e);
/* Ends the dnsmasq that libvirt noted for its network `name`, if it runs; it is gone when this returns. */
void libvirt_dhcp_end_server(const char *name);
/* The definition of the network that was started last: read ("" when there is none) and written. It lies in the folder
 * too. */
void libvirt_dhcp_read_definition(const char *folder, struct strbuf *ret);
int libvirt_dhcp_write_definition(const char *folder, const char *xml, struct error *e);
/* The network is gone. */
int libvirt_dhcp_remove(const char *folder, struct error *e);
