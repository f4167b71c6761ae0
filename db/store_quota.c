/* Quotas: limits as rows that differ from the defaults, usage as one row a project. */
#include "db/store_quota.h"

/* One project at a time: an order over both would be sorted each time. */
DB_STATEMENT(quota_limits, "SELECT name, value FROM quota_limit WHERE project_id = $1");
static int read_limits(struct db_conn *c, const char *project_id, struct quota_set *set, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &quota_limits, &rows, e, DB_ARGS(db_text(project_id)));
    if (rc)
        return rc;
    while (db_next(&rows)) {
        int q = quota_parse(db_get_text(&rows, 0));
        if (q >= 0)
            set->amount[q] = db_get_int(&rows, 1);
    }
    return db_rows_done(&rows, e);
}

int store_quota_limits(struct db_conn *c, const char *project_id, struct quota_set *ret, struct error *e)
{
    struct quota_set set;
    quota_defaults(&set);
    int rc = read_limits(c, "", &set, e);
    if (!rc && *project_id)
        rc = read_limits(c, project_id, &set, e);
    if (!rc)
        *ret = set;
    return rc;
}

DB_STATEMENT(quota_set_limit, "INSERT INTO quota_limit (project_id, name, value) VALUES ($1, $2, $3) "
                              "ON CONFLICT (project_id, name) DO UPDATE SET value = excluded.value");
int store_quota_set(struct db_conn *c, const char *project_id, enum quota q, int64_t value, struct error *e)
{
    return db_exec(c, &quota_set_limit, NULL, e, DB_ARGS(db_text(project_id), db_text(quota_name(q)), db_int(value)));
}

DB_STATEMENT(quota_reset, "DELETE FROM quota_limit WHERE project_id = $1");
int store_quota_reset(struct db_conn *c, const char *project_id, struct error *e)
{
    return db_exec(c, &quota_reset, NULL, e, DB_ARGS(db_text(project_id)));
}

DB_STATEMENT(quota_used, "SELECT instances, cores, ram FROM project_usage WHERE project_id = $1");
int store_quota_used(struct db_conn *c, const char *project_id, struct quota_set *ret, struct error *e)
{
    struct db_rows rows;
    struct quota_set set = {{0}};
    int rc = db_query(c, &quota_used, &rows, e, DB_ARGS(db_text(project_id)));
    if (rc)
        return rc;
    if (db_next(&rows)) {
        set.amount[QUOTA_INSTANCES] = db_get_int(&rows, 0);
        set.amount[QUOTA_CORES] = db_get_int(&rows, 1);
        set.amount[QUOTA_RAM] = db_get_int(&rows, 2);
    }
    rc = db_rows_done(&rows, e);
    if (!rc)
        *ret = set;
    return rc;
}

DB_STATEMENT(quota_add,
             "INSERT INTO project_usage (project_id, instances, cores, ram) VALUES ($1, $2, $3, $4) "
             "ON CONFLICT (project_id) DO UPDATE SET instances = project_usage.instances + excluded.instances, "
             "cores = project_usage.cores + excluded.cores, ram = project_usage.ram + excluded.ram");
int store_quota_add(struct db_conn *c, const char *project_id, const struct quota_set *what, int64_t sign,
                    struct error *e)
{
    return db_exec(c, &quota_add, NULL, e,
                   DB_ARGS(db_text(project_id), db_int(sign * what->amount[QUOTA_INSTANCES]),
                           db_int(sign * what->amount[QUOTA_CORES]), db_int(sign * what->amount[QUOTA_RAM])));
}
