/* Limits of the network service: a row where a project's limit differs from the default; what is used is counted from
 * the rows themselves, and no further than the limit, so there is no figure that could drift. */
#include "db/store_network.h"
#include <assert.h>

static const struct {
    const char *name;
    int64_t fallback;
} quotas[QUOTA_COUNT] = {
    [QUOTA_NETWORK] = {"network", 100},
    [QUOTA_SUBNET] = {"subnet", 100},
    [QUOTA_PORT] = {"port", 500},
    [QUOTA_SECURITY_GROUP] = {"security_group", 10},
    [QUOTA_SECURITY_GROUP_RULE] = {"security_group_rule", 100},
};

const char *store_network_quota_name(enum network_quota which)
{
    assert(which < QUOTA_COUNT);
    return quotas[which].name;
}

int64_t store_network_quota_default(enum network_quota which)
{
    assert(which < QUOTA_COUNT);
    return quotas[which].fallback;
}

DB_STATEMENT(network_quota_get, "SELECT most FROM network_quota WHERE project_id = $1 AND resource = $2");
int store_network_quota_get(struct db_conn *c, const char *project_id, enum network_quota which, int64_t *ret,
                            struct error *e)
{
    struct db_rows rows;
    int64_t most = store_network_quota_default(which);
    int rc = db_query(c, &network_quota_get, &rows, e,
                      DB_ARGS(db_text(project_id), db_text(store_network_quota_name(which))));
    if (rc != 0)
        return rc;
    while (db_next(&rows))
        most = db_get_int(&rows, 0);
    rc = db_rows_done(&rows, e);
    if (rc == 0)
        *ret = most;
    return rc;
}

DB_STATEMENT(network_quota_set, "INSERT INTO network_quota (project_id, resource, most) VALUES ($1, $2, $3) "
                                "ON CONFLICT (project_id, resource) DO UPDATE SET most = excluded.most");
int store_network_quota_set(struct db_conn *c, const char *project_id, enum network_quota which, int64_t most,
                            struct error *e)
{
    return db_exec(c, &network_quota_set, NULL, e,
                   DB_ARGS(db_text(project_id), db_text(store_network_quota_name(which)), db_int(most)));
}

DB_STATEMENT(network_quota_reset, "DELETE FROM network_quota WHERE project_id = $1");
int store_network_quota_reset(struct db_conn *c, const char *project_id, bool *ret_any, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &network_quota_reset, &changed, e, DB_ARGS(db_text(project_id)));
    if (rc == 0)
        *ret_any = changed > 0;
    return rc;
}

DB_STATEMENT(network_quota_projects, "SELECT DISTINCT project_id FROM network_quota ORDER BY project_id");
int store_network_quota_projects(struct db_conn *c, struct arena *a, const char ***ret, size_t *ret_count,
                                 struct error *e)
{
    struct db_rows rows;
    const char **list = NULL;
    size_t count = 0, room = 0;
    int rc = db_query(c, &network_quota_projects, &rows, e, DB_NO_ARGS);
    if (rc != 0)
        return rc;
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = db_dup_text(&rows, 0, a);
    }
    rc = db_rows_done(&rows, e);
    if (rc == 0) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(network_count, "SELECT count(*) FROM (SELECT 1 FROM network WHERE project_id = $1 LIMIT $2) t");
DB_STATEMENT(subnet_count, "SELECT count(*) FROM (SELECT 1 FROM subnet WHERE project_id = $1 LIMIT $2) t");
DB_STATEMENT(port_count, "SELECT count(*) FROM (SELECT 1 FROM port WHERE project_id = $1 LIMIT $2) t");
DB_STATEMENT(security_group_count,
             "SELECT count(*) FROM (SELECT 1 FROM security_group WHERE project_id = $1 LIMIT $2) t");
DB_STATEMENT(security_group_rule_count,
             "SELECT count(*) FROM (SELECT 1 FROM security_group_rule WHERE project_id = $1 LIMIT $2) t");
int store_network_quota_used(struct db_conn *c, const char *project_id, enum network_quota which, int64_t most,
                             int64_t *ret, struct error *e)
{
    static const struct db_statement *const counts[QUOTA_COUNT] = {
        [QUOTA_NETWORK] = &network_count,
        [QUOTA_SUBNET] = &subnet_count,
        [QUOTA_PORT] = &port_count,
        [QUOTA_SECURITY_GROUP] = &security_group_count,
        [QUOTA_SECURITY_GROUP_RULE] = &security_group_rule_count,
    };
    int64_t limit = most < 0 || most == INT64_MAX ? INT64_MAX : most + 1;
    return db_query_int(c, counts[which], ret, e, DB_ARGS(db_text(project_id), db_int(limit)));
}

int store_network_quota_check(struct db_conn *c, const char *project_id, enum network_quota which, int64_t more,
                              struct error *e)
{
    int64_t most = 0, used = 0;
    int rc = store_network_quota_get(c, project_id, which, &most, e);
    if (rc != 0 || most < 0)
        return rc;
    rc = store_network_quota_used(c, project_id, which, most, &used, e);
    if (rc == 0 && (used > most || more > most - used))
        rc = error_set_type(e, ERR_CONFLICT, "OverQuota", "Quota exceeded for resources: ['%s'].",
                            store_network_quota_name(which));
    return rc;
}
