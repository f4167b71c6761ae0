/* NUMA cells of hosts, and what allocations hold of them (JSON as common/model/numa.h reads it). What is held of a host
 * is what its allocations say, so that it comes and goes with them. */
#pragma once
#include "db/db.h"

/* What the host has, as its agent says. Counts no feed: the inventory that it comes with does. */
int store_cells_set(struct db_conn *c, const char *host_id, const char *topology, struct error *e);
/* *ret_given: a JSON array of what is held, NULL for nothing; both in the arena. ERR_NOT_FOUND. */
int store_cells_of_host(struct db_conn *c, const char *host_id, struct arena *a, const char **ret_topology,
                        const char **ret_given, struct error *e);
/* What this consumer holds; NULL: nothing of the kind, or there is no such allocation. */
int store_cells_held(struct db_conn *c, const char *consumer_id, struct arena *a, const char **ret, struct error *e);
