/* What operators change of a host. */
#pragma once
#include "common/model/resources.h"
#include "db/db.h"

/* Lets new servers come, or keeps them away with a reason (NULL for none). Counts the feed, wakes "placement".
 * ERR_NOT_FOUND. */
int store_host_admin_enable(struct db_conn *c, const char *id, bool enabled, const char *reason, struct error *e);
/* Moves the host to an availability zone. Counts the feed. ERR_NOT_FOUND. */
int store_host_admin_zone(struct db_conn *c, const char *id, const char *zone, struct error *e);
/* The host's aggregates have changed: counts the feed. */
int store_host_admin_touch(struct db_conn *c, const char *id, struct error *e);
/* The host's id by its name. ERR_NOT_FOUND. */
int store_host_admin_find(struct db_conn *c, const char *name, struct arena *a, const char **ret_id, struct error *e);

struct host_dedication_row {
    const char *host_id, *name, *zone, *project_id;
    struct resources total, used;
    int64_t server_count;
};
/* Keeps the host for a project, or (NULL) for nobody any more. A placement that was decided before, on either side, is
 * undone by the allocation revision that this counts. ERR_NOT_FOUND; ERR_CONFLICT while other projects' servers are on
 * it or come to it. */
int store_host_admin_dedicate(struct db_conn *c, const char *id, const char *project_id, struct error *e);
/* Dedicated hosts of a project (NULL: of all), by project and name; texts are borrowed. */
typedef int (*store_host_admin_dedicated_fn)(void *arg, const struct host_dedication_row *row, struct error *e);
int store_host_admin_dedicated(struct db_conn *c, const char *project_id, store_host_admin_dedicated_fn each, void *arg,
                               struct error *e);
