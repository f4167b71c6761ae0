/* Operators' changes of hosts: each counts the feed, by which the scheduler notices. */
#include "db/store_host_admin.h"

static int changed_or_missing(int rc, int64_t changed, const char *id, struct error *e)
{
    return rc || changed ? rc : error_set(e, ERR_NOT_FOUND, "Compute host %s could not be found.", id);
}

static int next_feed(struct db_conn *c, int64_t *ret, struct error *e)
{
    db_wake(c, "placement");
    return db_counter_next(c, "host_feed", 1, ret, e);
}

DB_STATEMENT(host_admin_enable, "UPDATE host SET enabled = $2, disabled_reason = $3, feed = $4 WHERE id = $1");
int store_host_admin_enable(struct db_conn *c, const char *id, bool enabled, const char *reason, struct error *e)
{
    int64_t feed = 0, changed = 0;
    int rc = next_feed(c, &feed, e);
    rc = rc ? rc
            : db_exec(c, &host_admin_enable, &changed, e,
                      DB_ARGS(db_text(id), db_int(enabled), db_text(enabled ? NULL : reason), db_int(feed)));
    return changed_or_missing(rc, changed, id, e);
}

DB_STATEMENT(host_admin_zone, "UPDATE host SET zone = $2, feed = $3 WHERE id = $1");
int store_host_admin_zone(struct db_conn *c, const char *id, const char *zone, struct error *e)
{
    int64_t feed = 0, changed = 0;
    int rc = next_feed(c, &feed, e);
    rc = rc ? rc : db_exec(c, &host_admin_zone, &changed, e, DB_ARGS(db_text(id), db_text(zone), db_int(feed)));
    return changed_or_missing(rc, changed, id, e);
}

DB_STATEMENT(host_admin_touch, "UPDATE host SET feed = $2 WHERE id = $1");
int store_host_admin_touch(struct db_conn *c, const char *id, struct error *e)
{
    int64_t feed = 0;
    int rc = next_feed(c, &feed, e);
    return rc ? rc : db_exec(c, &host_admin_touch, NULL, e, DB_ARGS(db_text(id), db_int(feed)));
}

DB_STATEMENT(host_admin_find, "SELECT id FROM host WHERE name = $1");
int store_host_admin_find(struct db_conn *c, const char *name, struct arena *a, const char **ret_id, struct error *e)
{
    struct db_rows rows;
    const char *id = NULL;
    int rc = db_query(c, &host_admin_find, &rows, e, DB_ARGS(db_text(name)));
    if (rc) {
        return rc;
    }
    if (db_next(&rows)) {
        id = db_dup_text(&rows, 0, a);
    }
    rc = db_rows_done(&rows, e);
    if (!rc && id) {
        *ret_id = id;
    }
    return rc || id ? rc : error_set(e, ERR_NOT_FOUND, "Compute host %s could not be found.", name);
}

DB_STATEMENT(host_admin_others, "SELECT COUNT(*) FROM allocation WHERE host_id = $1 AND project_id <> $2");
DB_STATEMENT(host_admin_dedicate, "UPDATE host SET dedicated_project_id = $2, allocation_revision = "
                                  "allocation_revision + 1, feed = $3 WHERE id = $1");
int store_host_admin_dedicate(struct db_conn *c, const char *id, const char *project_id, struct error *e)
{
    int64_t feed = 0, changed = 0, others = 0;
    int rc = next_feed(c, &feed, e);
    rc = rc ? rc
            : db_exec(c, &host_admin_dedicate, &changed, e, DB_ARGS(db_text(id), db_text(project_id), db_int(feed)));
    rc = changed_or_missing(rc, changed, id, e);
    if (!rc && project_id) {
        rc = db_query_int(c, &host_admin_others, &others, e, DB_ARGS(db_text(id), db_text(project_id)));
    }
    if (!rc && others > 0) {
        rc = error_set(e, ERR_CONFLICT, "The host holds %lld servers of other projects", (long long)others);
    }
    return rc;
}

DB_STATEMENT(host_admin_dedicated,
             "SELECT id, name, zone, dedicated_project_id, vcpus, memory_mib, disk_gib, used_vcpus, used_memory_mib, "
             "used_disk_gib, server_count FROM host WHERE dedicated_project_id IS NOT NULL AND "
             "(dedicated_project_id = $1 OR $1 IS NULL) ORDER BY dedicated_project_id, name");
int store_host_admin_dedicated(struct db_conn *c, const char *project_id, store_host_admin_dedicated_fn each, void *arg,
                               struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &host_admin_dedicated, &rows, e, DB_ARGS(db_text(project_id)));
    if (rc) {
        return rc;
    }
    while (!stop && db_next(&rows)) {
        struct host_dedication_row row = {.host_id = db_get_text(&rows, 0),
                                          .name = db_get_text(&rows, 1),
                                          .zone = db_get_text(&rows, 2),
                                          .project_id = db_get_text(&rows, 3),
                                          .server_count = db_get_int(&rows, 10)};
        for (int i = 0; i < RESOURCE_COUNT; i++) {
            row.total.amount[i] = db_get_int(&rows, 4 + i);
            row.used.amount[i] = db_get_int(&rows, 7 + i);
        }
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}
