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
