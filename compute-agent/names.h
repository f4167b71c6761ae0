/* What our things are called on a host that others may use too. Names carry a tag made of the cloud's and the host's
 * ids, so that several clouds and agents on one libvirtd neither collide nor take each other's things for their own.
 * Pure. */
#pragma once
#include "common/uuid.h"
#include <stdbool.h>

#define NAMES_TAG_SIZE    9  /* eight hex digits */
#define NAMES_DOMAIN_SIZE 28 /* "virga-" tag "-" twelve hex digits */
#define NAMES_SERVER_SIZE 52 /* "virga-" tag "-" UUID */
#define NAMES_BRIDGE_SIZE 16 /* an interface's name: at most 15 characters */

struct names {
    char tag[NAMES_TAG_SIZE];
    char cloud_id[64], host_id[UUID_SIZE];
};
void names_init(struct names *n, const char *cloud_id, const char *host_id);
/* "virga-<tag>-<end of the server's or network's UUID>", also for networks. */
char *names_domain(const struct names *n, const char *id, char ret[NAMES_DOMAIN_SIZE]);
/* "virga-<tag>-<the server's UUID>", where a domain is known by its name. */
char *names_server(const struct names *n, const char *id, char ret[NAMES_SERVER_SIZE]);
/* The server's UUID out of such a name; false when it is none of ours. */
bool names_read_server(const struct names *n, const char *name, char ret[UUID_SIZE]);
/* "vg<end of the network's UUID>". */
char *names_bridge(const char *network_id, char ret[NAMES_BRIDGE_SIZE]);
/* "vc<end of the port's UUID>": the host's end of a container's nic. */
char *names_nic(const char *port_id, char ret[NAMES_BRIDGE_SIZE]);
/* Whether a domain's or network's name is one of ours. */
bool names_is_ours(const struct names *n, const char *name);
