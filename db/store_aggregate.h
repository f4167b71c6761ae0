/* Host aggregates: named sets of hosts with properties; one with an availability zone puts its hosts there. */
#pragma once
#include "db/db.h"

struct aggregate_row {
    int64_t id;
    const char *uuid, *name, *zone; /* zone: NULL for none */
    const char *metadata;           /* JSON object of text */
    int64_t created_us, updated_us; /* updated: 0 before the first change */
};
typedef int (*aggregate_fn)(void *arg, const struct aggregate_row *row, struct error *e);
typedef int (*aggregate_host_fn)(void *arg, const char *host_id, const char *host_name, struct error *e);

/* Text is in the arena. ERR_NOT_FOUND "Aggregate <id> could not be found." */
int store_aggregate_get(struct db_conn *c, int64_t id, struct arena *a, struct aggregate_row *ret, struct error *e);
/* In the order of ids; texts are borrowed. */
int store_aggregate_list(struct db_conn *c, aggregate_fn fn, void *arg, struct error *e);
/* The properties of those that have the property `limit_tenants`, one JSON object after the other; borrowed. */
typedef int (*aggregate_metadata_fn)(void *arg, const char *metadata, struct error *e);
int store_aggregate_limiting(struct db_conn *c, aggregate_metadata_fn fn, void *arg, struct error *e);
/* The id comes from its counter, into row->id. ERR_CONFLICT "Aggregate <name> already exists." */
int store_aggregate_insert(struct db_conn *c, struct aggregate_row *row, struct error *e);
/* Writes name, zone, metadata and updated_us; its hosts move to the zone and count the feed. */
int store_aggregate_update(struct db_conn *c, const struct aggregate_row *row, struct error *e);
/* ERR_INVALID while it has hosts. */
int store_aggregate_delete(struct db_conn *c, int64_t id, struct error *e);
/* Its hosts by name; texts are borrowed. */
int store_aggregate_hosts(struct db_conn *c, int64_t id, aggregate_host_fn fn, void *arg, struct error *e);
/* ERR_CONFLICT when it is in already, or in an aggregate of another zone while it has servers. */
int store_aggregate_add_host(struct db_conn *c, const struct aggregate_row *row, const char *host_id, struct error *e);
/* ERR_NOT_FOUND when it is not in. The host goes back to the zone of another aggregate, or to `default_zone`. */
int store_aggregate_remove_host(struct db_conn *c, const struct aggregate_row *row, const char *host_id,
                                const char *default_zone, struct error *e);
