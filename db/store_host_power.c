/* A row per host for the script, one for what it does. An open job is one that waits or runs; whoever leads begins it,
 * and after a crash it is begun again: every script may be run twice. */
#include "db/store_host_power.h"
#include "db/rows.h"
#include <assert.h>
#include <string.h>

#define POWER_COLUMNS "host_id, script, address, username, secret, updated_us"
#define JOB_COLUMNS   "host_id, wish, reason, state, attempts, message, boot_id, asked_us, next_us, updated_us"
#define OPEN          "state IN ('waiting', 'running')"

static const char *const state_names[HOST_POWER_STATE_COUNT] = {"waiting", "running",   "done",
                                                                "failed",  "cancelled", "lied"};

const char *store_host_power_state_name(enum host_power_state state)
{
    assert(state < HOST_POWER_STATE_COUNT);
    return state_names[state];
}

/* ---- scripts ---- */

DB_STATEMENT(host_power_set,
             "INSERT INTO host_power (" POWER_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (host_id) "
             "DO UPDATE SET script = excluded.script, address = excluded.address, username = excluded.username, "
             "secret = excluded.secret, updated_us = excluded.updated_us");
int store_host_power_set(struct db_conn *c, const struct host_power_row *row, struct error *e)
{
    db_wake(c, "placement");
    return db_exec(c, &host_power_set, NULL, e,
                   DB_ARGS(db_text(row->host_id), db_text(row->script), db_text(row->address), db_text(row->username),
                           db_text(row->secret), db_int(row->updated_us)));
}

DB_STATEMENT(host_power_clear, "DELETE FROM host_power WHERE host_id = $1");
int store_host_power_clear(struct db_conn *c, const char *host_id, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &host_power_clear, &changed, e, DB_ARGS(db_text(host_id)));
    return rc || changed ? rc : error_set(e, ERR_NOT_FOUND, "no script is set");
}

static void read_power(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct host_power_row *)ret = (struct host_power_row){.host_id = rows_text(rows, 0, a),
                                                            .script = rows_text(rows, 1, a),
                                                            .address = rows_text(rows, 2, a),
                                                            .username = rows_text(rows, 3, a),
                                                            .secret = rows_text(rows, 4, a),
                                                            .updated_us = db_get_int(rows, 5)};
}

DB_STATEMENT(host_power_get, "SELECT " POWER_COLUMNS " FROM host_power WHERE host_id = $1 OR host_id = '' "
                             "ORDER BY host_id DESC LIMIT 1");
int store_host_power_get(struct db_conn *c, const char *host_id, struct arena *a, struct host_power_row *ret,
                         bool *ret_found, struct error *e)
{
    struct error none = {0};
    int rc = rows_one(c, &host_power_get, DB_ARGS(db_text(host_id)), read_power, a, ret, &none);
    *ret_found = rc == 0;
    return rc == 0 || rc == ERR_NOT_FOUND ? 0 : error_set(e, rc, "%s", error_text(&none));
}

/* ---- jobs ---- */

static void read_job(const struct db_rows *rows, struct arena *a, void *ret)
{
    struct host_power_job *job = ret;
    const char *state = db_get_text(rows, 3);
    *job = (struct host_power_job){.host_id = rows_text(rows, 0, a),
                                   .wish = rows_text(rows, 1, a),
                                   .reason = rows_text(rows, 2, a),
                                   .state = HOST_POWER_FAILED,
                                   .attempts = db_get_int(rows, 4),
                                   .message = rows_text(rows, 5, a),
                                   .boot_id = rows_text(rows, 6, a),
                                   .asked_us = db_get_int(rows, 7),
                                   .next_us = db_get_int(rows, 8),
                                   .updated_us = db_get_int(rows, 9)};
    for (int i = 0; i < HOST_POWER_STATE_COUNT; i++)
        if (strcmp(state_names[i], state) == 0)
            job->state = (enum host_power_state)i;
}

DB_STATEMENT(host_power_job_get, "SELECT " JOB_COLUMNS " FROM host_power_job WHERE host_id = $1");
int store_host_power_job(struct db_conn *c, const char *host_id, struct arena *a, struct host_power_job *ret,
                         bool *ret_found, struct error *e)
{
    struct error none = {0};
    int rc = rows_one(c, &host_power_job_get, DB_ARGS(db_text(host_id)), read_job, a, ret, &none);
    *ret_found = rc == 0;
    return rc == 0 || rc == ERR_NOT_FOUND ? 0 : error_set(e, rc, "%s", error_text(&none));
}

DB_STATEMENT(host_power_lied, "SELECT COUNT(*) FROM host_power_job WHERE host_id = $1 AND state = 'lied'");
DB_STATEMENT(host_power_ask,
             "INSERT INTO host_power_job (" JOB_COLUMNS ") VALUES ($1, $2, $3, 'waiting', 0, NULL, NULL, $4, $4, $4) "
             "ON CONFLICT (host_id) DO UPDATE SET wish = excluded.wish, reason = excluded.reason, state = 'waiting', "
             "attempts = 0, message = NULL, boot_id = NULL, asked_us = excluded.asked_us, "
             "next_us = excluded.next_us, updated_us = excluded.updated_us WHERE host_power_job.wish <> excluded.wish "
             "OR host_power_job.state <> 'running'");
int store_host_power_ask(struct db_conn *c, const char *host_id, const char *wish, const char *reason, int64_t now_us,
                         struct error *e)
{
    int64_t lied = 0;
    int rc = strcmp(wish, "off") == 0 ? db_query_int(c, &host_power_lied, &lied, e, DB_ARGS(db_text(host_id))) : 0;
    if (!rc && lied > 0)
        return error_set(e, ERR_CONFLICT,
                         "its script has said off of a host that went on: it is not trusted until an operator says so");
    db_wake(c, "placement");
    return rc ? rc
              : db_exec(c, &host_power_ask, NULL, e,
                        DB_ARGS(db_text(host_id), db_text(wish), db_text(reason), db_int(now_us)));
}

DB_STATEMENT(host_power_cancel, "UPDATE host_power_job SET state = 'cancelled', updated_us = $2 WHERE host_id = $1 "
                                "AND " OPEN);
int store_host_power_cancel(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &host_power_cancel, &changed, e, DB_ARGS(db_text(host_id), db_int(now_us)));
    db_wake(c, "placement");
    return rc || changed ? rc : error_set(e, ERR_NOT_FOUND, "nothing is being done to the host's power");
}

DB_STATEMENT(host_power_trust, "DELETE FROM host_power_job WHERE host_id = $1 AND NOT (" OPEN ")");
int store_host_power_trust(struct db_conn *c, const char *host_id, struct error *e)
{
    return db_exec(c, &host_power_trust, NULL, e, DB_ARGS(db_text(host_id)));
}

DB_STATEMENT(host_power_open, "SELECT " JOB_COLUMNS " FROM host_power_job WHERE " OPEN " ORDER BY asked_us, host_id");
int store_host_power_open(struct db_conn *c, struct arena *a, struct host_power_job **ret, size_t *ret_count,
                          struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &host_power_open, &rows, e, DB_NO_ARGS);
    return rc ? rc : rows_all(&rows, read_job, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(host_power_begin,
             "UPDATE host_power_job SET state = 'running', attempts = attempts + 1, updated_us = $2, boot_id = "
             "(SELECT boot_id FROM host WHERE id = $1) WHERE host_id = $1 AND " OPEN);
int store_host_power_begin(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &host_power_begin, &changed, e, DB_ARGS(db_text(host_id), db_int(now_us)));
    return rc || changed ? rc : error_set(e, ERR_NOT_FOUND, "nothing is to be done any more");
}

DB_STATEMENT(host_power_end, "UPDATE host_power_job SET state = $2, message = $3, next_us = $4, updated_us = $5 "
                             "WHERE host_id = $1 AND " OPEN);
int store_host_power_end(struct db_conn *c, const char *host_id, enum host_power_state state, const char *message,
                         int64_t next_us, int64_t now_us, struct error *e)
{
    return db_exec(
        c, &host_power_end, NULL, e,
        DB_ARGS(db_text(host_id), db_text(state_names[state]), db_text(message), db_int(next_us), db_int(now_us)));
}

/* ---- who is dead, who was heard ---- */

static void read_id(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(const char **)ret = rows_text(rows, 0, a);
}

DB_STATEMENT(host_power_dead,
             "SELECT h.id FROM host h WHERE h.server_count > 0 AND h.seen_us > 0 AND h.seen_us < $1 "
             "AND h.fenced_us <= h.seen_us AND EXISTS (SELECT 1 FROM host_power p WHERE p.host_id IN (h.id, '')) "
             "AND NOT EXISTS (SELECT 1 FROM host_power_job j WHERE j.host_id = h.id AND (j.state = 'lied' "
             "OR (j.wish = 'off' AND j.state IN ('waiting', 'running')) "
             "OR (j.wish = 'off' AND j.state IN ('failed', 'cancelled') AND j.updated_us > h.seen_us)))");
int store_host_power_dead(struct db_conn *c, int64_t silent_since_us, struct arena *a, const char ***ret,
                          size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &host_power_dead, &rows, e, DB_ARGS(db_int(silent_since_us)));
    return rc ? rc : rows_all(&rows, read_id, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(host_power_liars, "SELECT h.id FROM host_power_job j JOIN host h ON h.id = j.host_id WHERE "
                               "j.state = 'done' AND j.reason = 'fence' AND h.seen_us > j.updated_us "
                               "AND h.boot_id = j.boot_id");
DB_STATEMENT(host_power_returned, "SELECT COUNT(*) FROM host_power_job j JOIN host h ON h.id = j.host_id WHERE "
                                  "j.state = 'done' AND j.reason = 'fence' AND h.seen_us > j.updated_us");
int store_host_power_to_judge(struct db_conn *c, bool *ret, struct error *e)
{
    int64_t count = 0;
    int rc = db_query_int(c, &host_power_returned, &count, e, DB_NO_ARGS);
    *ret = count > 0;
    return rc;
}

DB_STATEMENT(host_power_lie, "UPDATE host_power_job SET state = 'lied', updated_us = $2, message = 'the host was heard "
                             "afterwards without having been started anew' WHERE host_id = $1");
DB_STATEMENT(host_power_honest,
             "DELETE FROM host_power_job WHERE state = 'done' AND reason = 'fence' AND EXISTS (SELECT 1 FROM host h "
             "WHERE h.id = host_power_job.host_id AND h.seen_us > host_power_job.updated_us)");
int store_host_power_judge(struct db_conn *c, int64_t now_us, store_host_power_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct arena a;
    const char **ids = NULL;
    size_t count = 0;
    arena_init(&a);
    int rc = db_query(c, &host_power_liars, &rows, e, DB_NO_ARGS);
    rc = rc ? rc : rows_all(&rows, read_id, sizeof(*ids), &a, &ids, &count, e);
    for (size_t i = 0; !rc && i < count; i++) {
        rc = db_exec(c, &host_power_lie, NULL, e, DB_ARGS(db_text(ids[i]), db_int(now_us)));
        rc = rc ? rc : each(arg, ids[i], e);
    }
    rc = rc ? rc : db_exec(c, &host_power_honest, NULL, e, DB_NO_ARGS);
    arena_done(&a);
    return rc;
}

/* Hosts that are proved off are no news. */
DB_STATEMENT(host_power_heard, "SELECT COUNT(*), COALESCE(SUM(CASE WHEN seen_us >= $1 THEN 1 ELSE 0 END), 0) FROM host "
                               "WHERE seen_us > 0 AND asleep_us = 0 AND fenced_us <= seen_us");
int store_host_power_heard(struct db_conn *c, int64_t since_us, int64_t *ret_all, int64_t *ret_heard, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &host_power_heard, &rows, e, DB_ARGS(db_int(since_us)));
    if (rc)
        return rc;
    if (db_next(&rows)) {
        *ret_all = db_get_int(&rows, 0);
        *ret_heard = db_get_int(&rows, 1);
    }
    return db_rows_done(&rows, e);
}
