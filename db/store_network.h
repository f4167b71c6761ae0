/* Networks, and the limits of a project on what the network service keeps. */
#pragma once
#include "db/db.h"

struct network_row {
    const char *id, *project_id, *name, *description;
    bool admin_state_up, shared, external, is_default, port_security;
    int64_t mtu;
    const char *provider_type, *provider_physical; /* physical: NULL for none */
    bool has_segment;
    int64_t provider_segment;
    const char *zone_hints, *tags; /* JSON arrays */
    int64_t created_us, updated_us, revision;
    const char *subnets; /* ids of its subnets with commas between them, NULL for none; ignored on write */
};

/* The network that a server gets when none is named: the only one among the project's own and the shared ones (external
 * ones apart). NULL when there is none. ERR_CONFLICT, with Nova's sentence, when there are several. */
int store_network_auto(struct db_conn *c, const char *project_id, struct arena *a, const char **ret_network_id,
                       struct error *e);

/* The network that `project_id` may see: its own, shared or external; NULL: any. ERR_NOT_FOUND. */
int store_network_get(struct db_conn *c, const char *id, const char *project_id, struct arena *a,
                      struct network_row *ret, struct error *e);
/* Up to `limit` networks that `project_id` may see (NULL: all) and that are called `name` (NULL: whatever), ordered by
 * id, above `after` (NULL: from the first). */
int store_network_list(struct db_conn *c, const char *project_id, const char *name, const char *after, int64_t limit,
                       struct arena *a, struct network_row **ret, size_t *ret_count, struct error *e);
int store_network_insert(struct db_conn *c, const struct network_row *row, struct error *e);
/* Writes all columns; the revision in `row` is the one that was read, and grows by one. ERR_CONFLICT when it is no
 * longer so. */
int store_network_update(struct db_conn *c, const struct network_row *row, struct error *e);
/* Deletes the network and its subnets. ERR_CONFLICT (NetworkInUse) when ports are left. */
int store_network_delete(struct db_conn *c, const char *id, struct error *e);
/* Whether a project other than the owner has ports or subnets on it. */
int store_network_is_used_by_others(struct db_conn *c, const char *id, const char *owner, bool *ret, struct error *e);

/* Limits. What they count; the names are those of the quota API. */
enum network_quota {
    QUOTA_NETWORK,
    QUOTA_SUBNET,
    QUOTA_PORT,
    QUOTA_SECURITY_GROUP,
    QUOTA_SECURITY_GROUP_RULE,
    QUOTA_COUNT
};
const char *store_network_quota_name(enum network_quota which);
int64_t store_network_quota_default(enum network_quota which);
/* The project's limit, -1 for none. */
int store_network_quota_get(struct db_conn *c, const char *project_id, enum network_quota which, int64_t *ret,
                            struct error *e);
int store_network_quota_set(struct db_conn *c, const char *project_id, enum network_quota which, int64_t most,
                            struct error *e);
/* Back to the defaults; *ret_any: there was something to forget. */
int store_network_quota_reset(struct db_conn *c, const char *project_id, bool *ret_any, struct error *e);
/* Projects that have limits of their own, ordered. */
int store_network_quota_projects(struct db_conn *c, struct arena *a, const char ***ret, size_t *ret_count,
                                 struct error *e);
/* What the project has of it now, counted from the rows, at most `most` + 1 when most >= 0. */
int store_network_quota_used(struct db_conn *c, const char *project_id, enum network_quota which, int64_t most,
                             int64_t *ret, struct error *e);
/* ERR_CONFLICT (OverQuota, as Neutron says it) when `more` of it do not fit. Does not count when there is no limit. */
int store_network_quota_check(struct db_conn *c, const char *project_id, enum network_quota which, int64_t more,
                              struct error *e);
