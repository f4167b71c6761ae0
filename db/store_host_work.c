/* Drains are a row per host; proof that a host is off is a time that its next word makes void by being later. */
#include "db/store_host_work.h"
#include "db/store_host.h"
#include "db/store_host_admin.h"
#include <assert.h>
#include <string.h>

#define DRAIN_COLUMNS                                                                                                  \
    "host_id, user_id, project_id, state, parallel, first_migration, started_us, updated_us, while_off"

static const char *const state_names[HOST_DRAIN_STATE_COUNT] = {"running", "done", "stuck", "cancelled"};

const char *store_host_work_drain_name(enum host_drain_state state)
{
    assert(state < HOST_DRAIN_STATE_COUNT);
    return state_names[state];
}

static void map(const struct db_rows *rows, struct host_drain_row *ret)
{
    const char *state = db_get_text(rows, 3);
    *ret = (struct host_drain_row){.host_id = db_get_text(rows, 0),
                                   .user_id = db_get_text(rows, 1),
                                   .project_id = db_get_text(rows, 2),
                                   .state = HOST_DRAIN_CANCELLED,
                                   .parallel = db_get_int(rows, 4),
                                   .first_migration = db_get_int(rows, 5),
                                   .started_us = db_get_int(rows, 6),
                                   .updated_us = db_get_int(rows, 7),
                                   .while_off = db_get_int(rows, 8) != 0};
    for (int i = 0; i < HOST_DRAIN_STATE_COUNT; i++)
        if (strcmp(state_names[i], state) == 0)
            ret->state = (enum host_drain_state)i;
}

DB_STATEMENT(host_drain_begin,
             "INSERT INTO host_drain (" DRAIN_COLUMNS ") VALUES ($1, $2, $3, 'running', $4, "
             "(SELECT COALESCE(MAX(id), 0) FROM migration), $5, $5, $6) ON CONFLICT (host_id) DO UPDATE SET "
             "user_id = excluded.user_id, project_id = excluded.project_id, state = 'running', "
             "parallel = excluded.parallel, first_migration = excluded.first_migration, "
             "started_us = excluded.started_us, updated_us = excluded.updated_us, while_off = excluded.while_off");
int store_host_work_drain(struct db_conn *c, const struct host_drain_row *row, const char *reason, struct error *e)
{
    int rc = store_host_admin_enable(c, row->host_id, false, reason, e);
    return rc ? rc
              : db_exec(c, &host_drain_begin, NULL, e,
                        DB_ARGS(db_text(row->host_id), db_text(row->user_id), db_text(row->project_id),
                                db_int(row->parallel), db_int(row->started_us), db_int(row->while_off)));
}

DB_STATEMENT(host_drain_get, "SELECT " DRAIN_COLUMNS " FROM host_drain WHERE host_id = $1");
int store_host_work_get_drain(struct db_conn *c, const char *host_id, struct arena *a, struct host_drain_row *ret,
                              bool *ret_found, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &host_drain_get, &rows, e, DB_ARGS(db_text(host_id)));
    if (rc)
        return rc;
    *ret_found = db_next(&rows);
    if (*ret_found) {
        map(&rows, ret);
        ret->host_id = arena_strdup(a, ret->host_id);
        ret->user_id = arena_strdup(a, ret->user_id);
        ret->project_id = arena_strdup(a, ret->project_id);
    }
    return db_rows_done(&rows, e);
}

DB_STATEMENT(host_drain_active, "SELECT " DRAIN_COLUMNS " FROM host_drain WHERE state IN ('running', 'stuck') "
                                "ORDER BY started_us, host_id");
int store_host_work_drains(struct db_conn *c, store_host_drain_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &host_drain_active, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct host_drain_row row;
        map(&rows, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(host_drain_set, "UPDATE host_drain SET state = $2, updated_us = $3 WHERE host_id = $1 AND state <> $2 "
                             "AND state <> 'cancelled'");
int store_host_work_set_drain(struct db_conn *c, const char *host_id, enum host_drain_state state, int64_t now_us,
                              struct error *e)
{
    return db_exec(c, &host_drain_set, NULL, e, DB_ARGS(db_text(host_id), db_text(state_names[state]), db_int(now_us)));
}

DB_STATEMENT(host_drain_cancel, "UPDATE host_drain SET state = 'cancelled', updated_us = $2 WHERE host_id = $1 "
                                "AND state IN ('running', 'stuck')");
DB_STATEMENT(host_drain_abort,
             "UPDATE migration SET request = 'abort' WHERE drain_host = $1 AND ended = 0 "
             "AND step IN ('queued', 'stopping', 'releasing', 'receiving', 'adopting', 'readying', 'sending')");
int store_host_work_cancel_drain(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &host_drain_cancel, &changed, e, DB_ARGS(db_text(host_id), db_int(now_us)));
    if (!rc && changed == 0)
        return error_set(e, ERR_NOT_FOUND, "the host is not being drained");
    db_wake(c, "placement");
    return rc ? rc : db_exec(c, &host_drain_abort, NULL, e, DB_ARGS(db_text(host_id)));
}

DB_STATEMENT(host_drain_moved, "SELECT COUNT(*) FROM migration WHERE drain_host = $1 AND id > $2 "
                               "AND outcome = 'completed'");
DB_STATEMENT(host_drain_moving, "SELECT COUNT(*) FROM migration WHERE drain_host = $1 AND ended = 0 "
                                "AND step NOT IN ('clearing', 'undoing')");
DB_STATEMENT(host_drain_failed, "SELECT COUNT(*) FROM migration WHERE drain_host = $1 AND id > $2 "
                                "AND outcome = 'failed'");
DB_STATEMENT(host_drain_left, "SELECT COUNT(*) FROM server WHERE host_id = $1");
int store_host_work_figures(struct db_conn *c, const struct host_drain_row *row, struct host_drain_figures *ret,
                            struct error *e)
{
    struct db_value host = db_text(row->host_id), first = db_int(row->first_migration);
    int rc = db_query_int(c, &host_drain_moved, &ret->moved, e, DB_ARGS(host, first));
    rc = rc ? rc : db_query_int(c, &host_drain_moving, &ret->moving, e, DB_ARGS(host));
    rc = rc ? rc : db_query_int(c, &host_drain_failed, &ret->failed, e, DB_ARGS(host, first));
    return rc ? rc : db_query_int(c, &host_drain_left, &ret->left, e, DB_ARGS(host));
}

DB_STATEMENT(host_drain_try, "SELECT CASE kind WHEN 'live-migration' THEN 1 ELSE 0 END, message, updated_us "
                             "FROM migration WHERE drain_host = $1 AND id > $2 AND server_id = $3 "
                             "ORDER BY id DESC LIMIT 1");
int store_host_work_last_try(struct db_conn *c, const struct host_drain_row *row, const char *server_id,
                             struct arena *a, int *ret_kind, const char **ret_message, int64_t *ret_updated_us,
                             struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &host_drain_try, &rows, e,
                      DB_ARGS(db_text(row->host_id), db_int(row->first_migration), db_text(server_id)));
    if (rc)
        return rc;
    *ret_kind = -1;
    if (db_next(&rows)) {
        *ret_kind = (int)db_get_int(&rows, 0);
        *ret_message = db_dup_text(&rows, 1, a);
        *ret_updated_us = db_get_int(&rows, 2);
    }
    return db_rows_done(&rows, e);
}

/* ---- proof ---- */

DB_STATEMENT(host_fence, "UPDATE host SET fenced_us = $2, fenced_by = $3 WHERE id = $1 AND seen_us < $4");
int store_host_work_fence(struct db_conn *c, const char *host_id, const char *by, int64_t now_us, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &host_fence, &changed, e,
                     DB_ARGS(db_text(host_id), db_int(now_us), db_text(by), db_int(now_us - STORE_HOST_ALIVE_US)));
    if (!rc && changed == 0)
        return error_set(e, ERR_CONFLICT, "the host is heard: it is not off");
    db_wake(c, "placement");
    return rc;
}

DB_STATEMENT(host_is_off, "SELECT fenced_by FROM host WHERE id = $1 AND fenced_us > seen_us AND seen_us < $2");
int store_host_work_is_off(struct db_conn *c, const char *host_id, int64_t now_us, bool *ret, const char **ret_by,
                           struct arena *a, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &host_is_off, &rows, e, DB_ARGS(db_text(host_id), db_int(now_us - STORE_HOST_ALIVE_US)));
    if (rc)
        return rc;
    *ret = db_next(&rows);
    if (*ret && ret_by)
        *ret_by = db_dup_text(&rows, 0, a);
    return db_rows_done(&rows, e);
}

/* ---- removal ---- */

DB_STATEMENT(host_busy, "SELECT (SELECT COUNT(*) FROM server WHERE host_id = $1) + (SELECT COUNT(*) FROM migration "
                        "WHERE ended = 0 AND (source_host = $1 OR target_host = $1) "
                        "AND step NOT IN ('clearing', 'undoing'))");
DB_STATEMENT(host_heard, "SELECT COUNT(*) FROM host WHERE id = $1 AND enabled = 1 AND seen_us >= $2");
DB_STATEMENT(host_remove_rooms, "DELETE FROM allocation WHERE host_id = $1");
DB_STATEMENT(host_remove_resources, "DELETE FROM host_resource WHERE host_id = $1");
DB_STATEMENT(host_remove_tasks, "DELETE FROM host_task WHERE host_id = $1");
DB_STATEMENT(host_remove_migrations,
             "UPDATE migration SET step = 'done', ended = 1, deadline_us = NULL WHERE ended = 0 "
             "AND ((step = 'clearing' AND source_host = $1) OR (step = 'undoing' AND target_host = $1))");
DB_STATEMENT(host_remove_drain, "DELETE FROM host_drain WHERE host_id = $1");
DB_STATEMENT(host_remove_load, "DELETE FROM host_load WHERE host_id = $1");
DB_STATEMENT(host_remove_power, "DELETE FROM host_power WHERE host_id = $1");
DB_STATEMENT(host_remove_power_job, "DELETE FROM host_power_job WHERE host_id = $1");
DB_STATEMENT(host_remove_cpu, "DELETE FROM host_cpu WHERE host_id = $1");
DB_STATEMENT(host_remove_aggregates, "DELETE FROM aggregate_host WHERE host_id = $1");
DB_STATEMENT(
    host_remember,
    "INSERT INTO host_past (id, name, zone, hypervisor, vcpus, reserved_vcpus, ratio_vcpus, enrolled_us, "
    "gone_us) SELECT id, name, zone, hypervisor, vcpus, reserved_vcpus, ratio_vcpus, enrolled_us, $2 FROM host "
    "WHERE id = $1");
DB_STATEMENT(host_remove, "DELETE FROM host WHERE id = $1");
int store_host_work_remove(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e)
{
    static const struct db_statement *const statements[] = {
        &host_remove_rooms,     &host_remove_resources,  &host_remove_tasks, &host_remove_migrations,
        &host_remove_drain,     &host_remove_aggregates, &host_remove_load,  &host_remove_power,
        &host_remove_power_job, &host_remove_cpu,        &host_remove};
    int64_t count = 0, changed = 0;
    int rc = db_query_int(c, &host_busy, &count, e, DB_ARGS(db_text(host_id)));
    if (!rc && count > 0)
        return error_set(e, ERR_CONFLICT, "there are servers on the host, or on their way: drain it first");
    rc = rc ? rc
            : db_query_int(c, &host_heard, &count, e, DB_ARGS(db_text(host_id), db_int(now_us - STORE_HOST_ALIVE_US)));
    if (!rc && count > 0)
        return error_set(e, ERR_CONFLICT, "the host is up and enabled: disable or drain it first");
    rc = rc ? rc : db_exec(c, &host_remember, NULL, e, DB_ARGS(db_text(host_id), db_int(now_us)));
    for (size_t i = 0; !rc && i < sizeof(statements) / sizeof(statements[0]); i++)
        rc = db_exec(c, statements[i], &changed, e, DB_ARGS(db_text(host_id)));
    if (!rc && changed == 0)
        rc = error_set(e, ERR_NOT_FOUND, "host %s is not known", host_id);
    db_wake(c, "placement");
    return rc;
}
