/* Leases are rows: taking one compares holder and time in the statement that writes it. A released lease keeps its row,
 * so that its epoch never goes back. */
#include "db/lease.h"

DB_STATEMENT(lease_take, "INSERT INTO lease (name, holder, epoch, until_us) VALUES ($1, $2, 1, $3)"
                         " ON CONFLICT (name) DO UPDATE SET"
                         " epoch = CASE WHEN lease.holder = excluded.holder THEN lease.epoch ELSE lease.epoch + 1 END,"
                         " holder = excluded.holder, until_us = excluded.until_us"
                         " WHERE lease.holder = excluded.holder OR lease.until_us <= $4"
                         " RETURNING epoch");
DB_STATEMENT(lease_until, "SELECT until_us FROM lease WHERE name = $1");
DB_STATEMENT(lease_holds, "SELECT count(*) FROM lease WHERE name = $1 AND holder = $2 AND epoch = $3");
DB_STATEMENT(lease_give_up, "UPDATE lease SET holder = '', until_us = 0 WHERE name = $1 AND holder = $2");

int lease_acquire(struct db_conn *c, const char *name, const char *holder, int64_t now_us, int64_t ttl_us,
                  bool *ret_held, int64_t *ret_epoch, int64_t *ret_until_us, struct error *e)
{
    struct db_rows rows;
    int64_t until_us = now_us + ttl_us;
    int rc =
        db_query(c, &lease_take, &rows, e, DB_ARGS(db_text(name), db_text(holder), db_int(until_us), db_int(now_us)));
    if (rc)
        return rc;
    bool held = db_next(&rows);
    int64_t epoch = held ? db_get_int(&rows, 0) : 0;
    rc = db_rows_done(&rows, e);
    if (!rc && !held)
        rc = db_query_int(c, &lease_until, &until_us, e, DB_ARGS(db_text(name)));
    if (rc)
        return rc;
    *ret_held = held;
    if (held)
        *ret_epoch = epoch;
    *ret_until_us = until_us;
    return 0;
}

int lease_check(struct db_conn *c, const char *name, const char *holder, int64_t epoch, struct error *e)
{
    int64_t count;
    int rc = db_query_int(c, &lease_holds, &count, e, DB_ARGS(db_text(name), db_text(holder), db_int(epoch)));
    if (!rc && !count)
        rc = error_set(e, ERR_CONFLICT, "%s does not hold the lease '%s' any more", holder, name);
    return rc;
}

int lease_release(struct db_conn *c, const char *name, const char *holder, struct error *e)
{
    return db_exec(c, &lease_give_up, NULL, e, DB_ARGS(db_text(name), db_text(holder)));
}
