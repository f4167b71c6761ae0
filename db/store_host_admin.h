/* What operators change of a host. */
#pragma once
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
