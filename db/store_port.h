/* Ports and the addresses that they hold. IPAM lives here: an address leaves subnet_free in the transaction that writes port_address, and
 * comes back in the one that removes it. Everything runs inside the caller's transaction. */
#pragma once
#include "common/json_out.h"
#include "db/db.h"
#include "db/store_network.h"

/* ---- what compute needs ---- */

/* One interface that a new server asks for: a port that exists, or a network (with an address of the tenant's choice, or NULL). */
struct port_request {
    const char *network_id, *port_id, *fixed_ip;
};

/* Gives the server its interfaces in the order of `requests`: makes ports (device_owner "compute:nova", security group `default`) or binds
 * those that exist. `ret_addresses_json`: the `addresses` object as Nova shows it, in the arena; "{}" when count is 0.
 * ERR_INVALID: unknown network or port, network without subnet, address outside or taken. ERR_CONFLICT: port in use, no address left.
 * ERR_QUOTA: "Maximum number of ports exceeded". ERR_FORBIDDEN: an external network that is not shared. The sentences are Nova's. */
int store_port_attach(struct db_conn *c, const char *server_id, const char *project_id,
                      const struct port_request *requests, size_t count, int64_t now_us, struct arena *a,
                      char **ret_addresses_json, struct error *e);
/* The server is gone: ports that were made with it are deleted, those of the tenant are unbound. Nothing to do is not an error. */
int store_port_detach_all(struct db_conn *c, const char *server_id, int64_t now_us, struct error *e);
/* Writes the member "nics" of an agent's SPEC (docs/agent-protocol.md) into the open object of `out`. */
int store_port_write_nics(struct db_conn *c, const char *server_id, struct json_out *out, struct arena *a,
                          struct error *e);
/* The `addresses` object of a server as its ports are now. */
int store_port_addresses(struct db_conn *c, const char *server_id, struct arena *a, char **ret_json, struct error *e);
