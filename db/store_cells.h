/* NUMA cells of hosts, and what allocations hold of them (JSON as common/model/numa.h reads it). What is held of a host
 * is what its allocations say, so that it comes and goes with them. */
#pragma once
#include "common/model/numa.h"
#include "db/store_resource.h"

/* What the host has, as its agent says. Counts no feed: the inventory that it comes with does. What it has of
 * store_cells_class becomes a resource class. */
int store_cells_set(struct db_conn *c, const char *host_id, const char *topology, int64_t now_us, struct error *e);
/* Name of the class of huge pages of that size; "PCPU" for 0. Returns ret. */
#define STORE_CELLS_CLASS_SIZE 48
const char *store_cells_class(int64_t page_kib, char ret[STORE_CELLS_CLASS_SIZE]);
/* Whether hosts have the class by their topology, and no row counts it. */
bool store_cells_is_class(const char *name);
/* Dedicated processors and huge pages as resources, of one host or of all (NULL), by host; in the arena. */
int store_cells_resources(struct db_conn *c, const char *host_id, struct arena *a, struct host_resource_row **ret,
                          size_t *ret_count, struct error *e);
/* *ret_given: a JSON array of what is held, NULL for nothing; both in the arena. ERR_NOT_FOUND. */
int store_cells_of_host(struct db_conn *c, const char *host_id, struct arena *a, const char **ret_topology,
                        const char **ret_given, struct error *e);
/* What this consumer holds; NULL: nothing of the kind, or there is no such allocation. */
int store_cells_held(struct db_conn *c, const char *consumer_id, struct arena *a, const char **ret, struct error *e);
