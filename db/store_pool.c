/* Sums are made by the database: what they cost does not depend on what is done with them. */
#include "db/store_pool.h"
#include "db/rows.h"
#include "db/store_host.h"
#include <string.h>

#define HOUR_US ((int64_t)3600 * 1000000)
#define CAPACITY                                                                                                       \
    "(vcpus - reserved_vcpus) * ratio_vcpus / 1000, (memory_mib - reserved_memory_mib) * ratio_memory / 1000, "        \
    "(disk_gib - reserved_disk_gib) * ratio_disk / 1000"

DB_STATEMENT(pool_sums, "SELECT COUNT(*), COALESCE(SUM((vcpus - reserved_vcpus) * ratio_vcpus / 1000), 0), "
                        "COALESCE(SUM((memory_mib - reserved_memory_mib) * ratio_memory / 1000), 0), "
                        "COALESCE(SUM((disk_gib - reserved_disk_gib) * ratio_disk / 1000), 0), "
                        "COALESCE(SUM(used_vcpus), 0), COALESCE(SUM(used_memory_mib), 0), "
                        "COALESCE(SUM(used_disk_gib), 0) FROM host WHERE enabled = 1 AND "
                        "((asleep_us = 0 AND seen_us >= $1) OR (asleep_us > 0 AND $2 = 1))");
int store_pool_sums(struct db_conn *c, int64_t now_us, bool asleep, struct pool_sums *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &pool_sums, &rows, e, DB_ARGS(db_int(now_us - STORE_HOST_ALIVE_US), db_int(asleep)));
    if (rc)
        return rc;
    if (db_next(&rows)) {
        ret->hosts = db_get_int(&rows, 0);
        for (int r = 0; r < RESOURCE_COUNT; r++) {
            ret->capacity.amount[r] = db_get_int(&rows, 1 + r);
            ret->used.amount[r] = db_get_int(&rows, 4 + r);
        }
    }
    return db_rows_done(&rows, e);
}

#define MOST(column)                                                                                                   \
    "CASE WHEN excluded." column " > capacity_past." column " THEN excluded." column " ELSE capacity_past." column     \
    " END"
DB_STATEMENT(pool_note,
             "INSERT INTO capacity_past (hour_us, hosts, vcpus, memory_mib, disk_gib, used_vcpus, used_memory_mib, "
             "used_disk_gib) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (hour_us) DO UPDATE SET "
             "hosts = excluded.hosts, vcpus = excluded.vcpus, memory_mib = excluded.memory_mib, "
             "disk_gib = excluded.disk_gib, used_vcpus = " MOST("used_vcpus") ", used_memory_mib = " MOST(
                 "used_memory_mib") ", used_disk_gib = " MOST("used_disk_gib"));
DB_STATEMENT(pool_forget, "DELETE FROM capacity_past WHERE hour_us < $1");
int store_pool_note(struct db_conn *c, const struct pool_sums *sums, int64_t now_us, int64_t keep_us, struct error *e)
{
    const int64_t *capacity = sums->capacity.amount, *used = sums->used.amount;
    int rc = db_exec(c, &pool_forget, NULL, e, DB_ARGS(db_int(keep_us)));
    return rc ? rc
              : db_exec(c, &pool_note, NULL, e,
                        DB_ARGS(db_int(now_us - now_us % HOUR_US), db_int(sums->hosts), db_int(capacity[0]),
                                db_int(capacity[1]), db_int(capacity[2]), db_int(used[0]), db_int(used[1]),
                                db_int(used[2])));
}

static void read_hour(const struct db_rows *rows, struct arena *a, void *ret)
{
    struct pool_hour *h = ret;
    (void)a;
    h->hour_us = db_get_int(rows, 0);
    h->sums.hosts = db_get_int(rows, 1);
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        h->sums.capacity.amount[r] = db_get_int(rows, 2 + r);
        h->sums.used.amount[r] = db_get_int(rows, 5 + r);
    }
}

DB_STATEMENT(pool_past, "SELECT hour_us, hosts, vcpus, memory_mib, disk_gib, used_vcpus, used_memory_mib, "
                        "used_disk_gib FROM capacity_past WHERE hour_us >= $1 ORDER BY hour_us");
int store_pool_past(struct db_conn *c, int64_t from_us, struct arena *a, struct pool_hour **ret, size_t *ret_count,
                    struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &pool_past, &rows, e, DB_ARGS(db_int(from_us)));
    return rc ? rc : rows_all(&rows, read_hour, sizeof(**ret), a, ret, ret_count, e);
}

static void read_host(const struct db_rows *rows, struct arena *a, void *ret)
{
    struct pool_host *h = ret;
    h->host_id = rows_text(rows, 0, a);
    h->name = rows_text(rows, 1, a);
    for (int r = 0; r < RESOURCE_COUNT; r++)
        h->capacity.amount[r] = db_get_int(rows, 2 + r);
    h->asleep_us = db_get_int(rows, 5);
    h->seen_us = db_get_int(rows, 6);
}

DB_STATEMENT(pool_idle,
             "SELECT id, name, " CAPACITY ", asleep_us, seen_us FROM host h WHERE enabled = 1 AND asleep_us = 0 "
             "AND server_count = 0 AND seen_us >= $1 AND dedicated_project_id IS NULL AND EXISTS (SELECT 1 FROM "
             "host_power p WHERE p.host_id IN (h.id, '')) AND NOT EXISTS (SELECT 1 FROM host_drain d WHERE "
             "d.host_id = h.id AND d.state IN ('running', 'stuck')) AND NOT EXISTS (SELECT 1 FROM host_power_job j "
             "WHERE j.host_id = h.id AND j.state IN ('waiting', 'running', 'lied')) ORDER BY memory_mib, id");
int store_pool_idle(struct db_conn *c, int64_t now_us, struct arena *a, struct pool_host **ret, size_t *ret_count,
                    struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &pool_idle, &rows, e, DB_ARGS(db_int(now_us - STORE_HOST_ALIVE_US)));
    return rc ? rc : rows_all(&rows, read_host, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(pool_asleep, "SELECT id, name, " CAPACITY ", asleep_us, seen_us FROM host WHERE asleep_us > 0 "
                          "ORDER BY memory_mib DESC, id");
int store_pool_asleep(struct db_conn *c, struct arena *a, struct pool_host **ret, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &pool_asleep, &rows, e, DB_NO_ARGS);
    return rc ? rc : rows_all(&rows, read_host, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(pool_sleep, "UPDATE host SET asleep_us = $2, feed = $3, allocation_revision = allocation_revision + 1 "
                         "WHERE id = $1 AND server_count = 0 AND asleep_us = 0");
int store_pool_sleep(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e)
{
    int64_t feed, changed = 0;
    int rc = db_counter_next(c, "host_feed", 1, &feed, e);
    rc = rc ? rc : db_exec(c, &pool_sleep, &changed, e, DB_ARGS(db_text(host_id), db_int(now_us), db_int(feed)));
    return rc || changed ? rc : error_set(e, ERR_PRECONDITION, "the host is not empty any more");
}

DB_STATEMENT(pool_wake, "UPDATE host SET asleep_us = 0, feed = $2 WHERE id = $1");
int store_pool_wake(struct db_conn *c, const char *host_id, struct error *e)
{
    int64_t feed;
    int rc = db_counter_next(c, "host_feed", 1, &feed, e);
    db_wake(c, "placement");
    return rc ? rc : db_exec(c, &pool_wake, NULL, e, DB_ARGS(db_text(host_id), db_int(feed)));
}
