/* Ports: what ties a device to a network. The addresses that one holds come from db/store_ipam.h. Everything runs
 * inside the caller's transaction. */
#pragma once
#include "common/json_out.h"
#include "db/store_ipam.h"
#include "db/store_network.h"

/* ---- what compute needs (store_port_server.c) ---- */

/* One interface that a new server asks for: a port that exists, or a network (with an address of the tenant's choice,
 * or NULL). */
struct port_row;
struct port_request {
    const char *network_id, *port_id, *fixed_ip;
};

/* Gives the server its interfaces in the order of `requests`: makes ports (device_owner "compute:nova", security group
 * `default`) or binds those that exist. `ret_addresses_json`: the `addresses` object as Nova shows it, in the arena;
 * "{}" when count is 0. ERR_INVALID: unknown network or port, network without subnet, address outside or taken.
 * ERR_CONFLICT: port in use, no address left. ERR_QUOTA: "Maximum number of ports exceeded". ERR_FORBIDDEN: an external
 * network that is not shared. The sentences are Nova's. */
int store_port_attach(struct db_conn *c, const char *server_id, const char *project_id,
                      const struct port_request *requests, size_t count, int64_t now_us, struct arena *a,
                      char **ret_addresses_json, struct error *e);
/* One more interface for a server that there is: as store_port_attach, behind the others; the server's row and its
 * host's revision follow. *ret_id: the port, in the arena. */
int store_port_add(struct db_conn *c, const char *server_id, const char *project_id, const struct port_request *request,
                   int64_t now_us, struct arena *a, const char **ret_id, struct error *e);
/* The port leaves the server that is its device: deleted when it was made with the server, unbound else. The server's
 * row and its host's revision follow. Changes `row`. */
int store_port_remove(struct db_conn *c, struct port_row *row, int64_t now_us, struct arena *a, struct error *e);
/* The server is gone: ports that were made with it are deleted, those of the tenant are unbound. Nothing to do is not
 * an error. The addresses are free at once (but come last when new ones are given out), so call this when the guest no
 * longer runs. */
int store_port_detach_all(struct db_conn *c, const char *server_id, int64_t now_us, struct error *e);
/* Writes the member "nics" of an agent's SPEC (docs/agent-protocol.md) into the open object of `out`. */
int store_port_write_nics(struct db_conn *c, const char *server_id, struct json_out *out, struct arena *a,
                          struct error *e);
/* The `addresses` object of a server as its ports are now. */
int store_port_addresses(struct db_conn *c, const char *server_id, struct arena *a, char **ret_json, struct error *e);

/* The names of the security groups on its ports, as Nova shows them: [{"name":"default"}], one for each port and group.
 */
int store_port_group_names(struct db_conn *c, const char *server_id, struct arena *a, const char **ret_json,
                           struct error *e);

/* The ports of this server changed: writes its `addresses` and `security_groups` anew and gives its host a new
 * revision. Nothing happens when there is no such server. */
int store_port_refresh_server(struct db_conn *c, const char *server_id, int64_t now_us, struct arena *a,
                              struct error *e);

/* ---- rows ---- */

struct port_row {
    const char *id, *network_id, *project_id, *name, *description;
    const char *mac; /* NULL on insert: one is made */
    bool admin_state_up, port_security;
    const char *device_id, *device_owner; /* "" for none */
    int64_t nic;
    bool made_for_server;
    const char *fixed_ips, *security_groups;      /* JSON arrays, see store_ipam_print; of ids */
    const char *address_pairs, *dhcp_opts, *tags; /* JSON arrays */
    const char *vnic_type, *binding_profile, *binding_host;
    int64_t created_us, updated_us, revision;
    /* Of the server that is its device: observed_state, the host's name and traits; NULL; ignored on write. */
    const char *server_state, *server_host, *server_host_traits;
};

/* Which ports: all members that are not NULL must match. At most one of id, device_id, network_id is used for the
 * search, in that order. */
struct port_filter {
    const char *id, *project_id, *network_id, *device_id, *name;
};
/* The port of this project (NULL: any). ERR_NOT_FOUND. */
int store_port_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a, struct port_row *ret,
                   struct error *e);
/* Up to `limit` ports, ordered by id, above `after` (NULL: from the first). */
int store_port_list(struct db_conn *c, const struct port_filter *filter, const char *after, int64_t limit,
                    struct arena *a, struct port_row **ret, size_t *ret_count, struct error *e);
/* Writes the port, its addresses and groups. row->mac NULL: a MAC that the network does not have yet is made and put
 * into the row. ERR_CONFLICT: MacAddressInUse, IpAddressAlreadyAllocated. The addresses were taken by store_ipam_take.
 */
int store_port_insert(struct db_conn *c, struct port_row *row, const struct ip_assigned *addresses, size_t count,
                      const char *const *groups, size_t group_count, struct arena *a, struct error *e);
/* A new port of a server's nic, made with it and gone with it: without id, MAC and addresses. */
struct port_row store_port_of_server(const struct network_row *network, const char *project_id, const char *server_id,
                                     int64_t nic, int64_t now_us);
/* A MAC that no port of the network has, in the arena. */
int store_port_make_mac(struct db_conn *c, const char *network_id, struct arena *a, const char **ret, struct error *e);
/* Writes all columns but ids, fixed_ips and security_groups; compares and grows the revision (ERR_CONFLICT;
 * MacAddressInUse). row->fixed_ips are what it holds by now: they are metered from row->updated_us on, unless it is a
 * server's. */
int store_port_update(struct db_conn *c, const struct port_row *row, struct error *e);
/* Replaces the security groups; the ids must exist. */
int store_port_set_groups(struct db_conn *c, const char *id, const char *const *groups, size_t count, struct arena *a,
                          struct error *e);
/* Writes the column fixed_ips. Holding and releasing is the caller's. */
int store_port_set_fixed_ips(struct db_conn *c, const char *id, const struct ip_assigned *list, size_t count,
                             struct arena *a, struct error *e);
/* Its addresses (row->fixed_ips) are held by its project from now on, unless they are a server's, whose interval counts
 * them. The functions above and below do so themselves. */
int store_port_meter(struct db_conn *c, const struct port_row *row, int64_t now_us, struct error *e);
/* Deletes the port; its addresses are free again. */
int store_port_delete(struct db_conn *c, const struct port_row *row, int64_t now_us, struct arena *a, struct error *e);
/* An automatic (SLAAC) subnet goes: its addresses leave their ports, and the servers among these are refreshed. */
int store_port_drop_subnet(struct db_conn *c, const char *subnet_id, int64_t now_us, struct arena *a, struct error *e);
