/* Subnets. The addresses that one may still give out are in db/store_ipam.h. */
#pragma once
#include "db/db.h"

struct subnet_row {
    const char *id, *network_id, *project_id, *name, *description;
    int64_t ip_version;
    const char *cidr, *gateway_ip; /* gateway_ip: NULL for none */
    bool enable_dhcp;
    const char *ipv6_ra_mode, *ipv6_address_mode;                             /* NULL for none */
    const char *pools, *dns_nameservers, *host_routes, *service_types, *tags; /* JSON arrays */
    int64_t created_us, updated_us, revision;
};

/* The subnet that `project_id` may see: its own, or one of a network that it owns or that is shared (an external
 * network keeps its subnets to itself); NULL: any. ERR_NOT_FOUND. */
int store_subnet_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a, struct subnet_row *ret,
                     struct error *e);
/* Up to `limit` subnets that `project_id` may see (NULL: all) and that are called `name` (NULL: whatever), ordered by
 * id, above `after` (NULL: from the first). */
int store_subnet_list(struct db_conn *c, const char *project_id, const char *name, const char *after, int64_t limit,
                      struct arena *a, struct subnet_row **ret, size_t *ret_count, struct error *e);
/* All subnets of one network, ordered by id. */
int store_subnet_of_network(struct db_conn *c, const char *network_id, struct arena *a, struct subnet_row **ret,
                            size_t *ret_count, struct error *e);
int store_subnet_insert(struct db_conn *c, const struct subnet_row *row, struct error *e);
/* Writes all columns but ids, version and cidr; compares and grows the revision (ERR_CONFLICT). */
int store_subnet_update(struct db_conn *c, const struct subnet_row *row, struct error *e);
/* Deletes the subnet and what it may give out. ERR_CONFLICT (SubnetInUse) when a port holds an address. */
int store_subnet_delete(struct db_conn *c, const char *id, struct error *e);
/* The port that holds this address of the subnet: its id, or NULL. */
int store_subnet_address_port(struct db_conn *c, const char *id, const char *ip, struct arena *a, const char **ret_port,
                              struct error *e);
