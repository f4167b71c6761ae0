/* Quotas: a project's limits, and what its servers hold (one row, changed in the transaction that makes or removes a
 * server). */
#pragma once
#include "common/model/quota.h"
#include "db/db.h"

/* The defaults, overridden by the limits of all projects, overridden by the project's own. `project_id` "" gives those
 * of all projects. */
int store_quota_limits(struct db_conn *c, const char *project_id, struct quota_set *ret, struct error *e);
/* Sets or changes a limit; store_quota_reset forgets the project's own ones. */
int store_quota_set(struct db_conn *c, const char *project_id, enum quota q, int64_t value, struct error *e);
int store_quota_reset(struct db_conn *c, const char *project_id, struct error *e);
/* Cores, instances and ram in use, 0 for the rest. */
int store_quota_used(struct db_conn *c, const char *project_id, struct quota_set *ret, struct error *e);
/* Adds cores, instances and ram of `what` (times `sign`, 1 or -1) to what the project holds. */
int store_quota_add(struct db_conn *c, const char *project_id, const struct quota_set *what, int64_t sign,
                    struct error *e);
