/* Hosts, what they have and what servers hold of them, as the placement API shows them. Reading only. */
#pragma once
#include "common/model/resources.h"
#include "db/db.h"

struct placement_aggregate_row {
    const char *host_id, *uuid;
};
/* Which hosts are in which aggregates, ordered by host. */
int store_placement_view_aggregates(struct db_conn *c, struct arena *a, struct placement_aggregate_row **ret,
                                    size_t *ret_count, struct error *e);

struct placement_allocation_row {
    const char *server_id, *host_id, *project_id;
    const char *user_id; /* NULL when the server is unknown */
    struct resources held;
    const char *resources; /* JSON object of further ones; NULL: none */
    int64_t host_revision; /* its host's allocation_revision */
};
/* By server or by host: one of the two is given, the other NULL. */
int store_placement_view_allocations(struct db_conn *c, const char *server_id, const char *host_id, struct arena *a,
                                     struct placement_allocation_row **ret, size_t *ret_count, struct error *e);
/* What the servers of a project (and, unless NULL, of a user) hold together, and how many they are. */
int store_placement_view_usage(struct db_conn *c, const char *project_id, const char *user_id, struct resources *ret,
                               int64_t *ret_servers, struct error *e);
