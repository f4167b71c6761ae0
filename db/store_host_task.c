/* Tasks: rows that live as long as the step that needs them. */
#include "db/store_host_task.h"
#include "common/uuid.h"
#include "db/store_host.h"
#include <string.h>

#define TASK_COLUMNS "id, host_id, server_id, kind, args, result, message, migration_id, revision, state"

static const char *const state_names[HOST_TASK_STATE_COUNT] = {"open", "cancelled", "done", "failed"};

static enum host_task_state state_of(const char *name)
{
    for (int i = 0; i < HOST_TASK_STATE_COUNT; i++)
        if (strcmp(state_names[i], name) == 0)
            return (enum host_task_state)i;
    return HOST_TASK_FAILED;
}

static void map(const struct db_rows *rows, struct host_task_row *ret)
{
    *ret = (struct host_task_row){.id = db_get_text(rows, 0),
                                  .host_id = db_get_text(rows, 1),
                                  .server_id = db_get_text(rows, 2),
                                  .kind = db_get_text(rows, 3),
                                  .args = db_get_text(rows, 4),
                                  .result = db_get_text(rows, 5),
                                  .message = db_get_text(rows, 6),
                                  .migration_id = db_get_int(rows, 7),
                                  .revision = db_get_int(rows, 8),
                                  .state = state_of(db_get_text(rows, 9))};
}

DB_STATEMENT(host_task_insert, "INSERT INTO host_task (id, migration_id, host_id, server_id, kind, args, revision, "
                               "state, result, message) VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', NULL, NULL)");
static int insert(struct db_conn *c, const char *id, int64_t migration_id, const char *host_id, const char *server_id,
                  const char *kind, const char *args, struct error *e)
{
    int64_t revision = 0;
    int rc = store_host_bump(c, host_id, &revision, e);
    return rc ? rc
              : db_exec(c, &host_task_insert, NULL, e,
                        DB_ARGS(db_text(id), db_int(migration_id), db_text(host_id), db_text(server_id), db_text(kind),
                                db_text(args), db_int(revision)));
}

int store_host_task_insert(struct db_conn *c, int64_t migration_id, const char *host_id, const char *server_id,
                           const char *kind, const char *args, struct error *e)
{
    char id[UUID_SIZE];
    return insert(c, uuid_ordered(id), migration_id, host_id, server_id, kind, args, e);
}

int store_host_task_insert_alone(struct db_conn *c, const char *id, const char *host_id, const char *server_id,
                                 const char *kind, const char *args, struct error *e)
{
    return insert(c, id, 0, host_id, server_id, kind, args, e);
}

DB_STATEMENT(host_task_delete_alone, "DELETE FROM host_task WHERE id = $1 AND migration_id = 0");
int store_host_task_delete_alone(struct db_conn *c, const char *id, struct error *e)
{
    return db_exec(c, &host_task_delete_alone, NULL, e, DB_ARGS(db_text(id)));
}

DB_STATEMENT(host_task_close, "DELETE FROM host_task WHERE migration_id = $1");
int store_host_task_close(struct db_conn *c, int64_t migration_id, struct error *e)
{
    return db_exec(c, &host_task_close, NULL, e, DB_ARGS(db_int(migration_id)));
}

DB_STATEMENT(host_task_cancel, "UPDATE host_task SET state = 'cancelled', revision = $2 "
                               "WHERE id = $1 AND state = 'open'");
int store_host_task_cancel(struct db_conn *c, const char *id, const char *host_id, struct error *e)
{
    int64_t revision = 0;
    int rc = store_host_bump(c, host_id, &revision, e);
    return rc ? rc : db_exec(c, &host_task_cancel, NULL, e, DB_ARGS(db_text(id), db_int(revision)));
}

DB_STATEMENT(host_task_change, "UPDATE host_task SET args = $3, revision = $2 WHERE id = $1 AND state = 'open'");
int store_host_task_change(struct db_conn *c, const char *id, const char *host_id, const char *args, struct error *e)
{
    int64_t revision = 0;
    int rc = store_host_bump(c, host_id, &revision, e);
    return rc ? rc : db_exec(c, &host_task_change, NULL, e, DB_ARGS(db_text(id), db_int(revision), db_text(args)));
}

DB_STATEMENT(host_task_of, "SELECT " TASK_COLUMNS " FROM host_task WHERE migration_id = $1 AND kind = $2");
int store_host_task_of(struct db_conn *c, int64_t migration_id, const char *kind, struct arena *a,
                       struct host_task_row *ret, bool *ret_found, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &host_task_of, &rows, e, DB_ARGS(db_int(migration_id), db_text(kind)));
    if (rc)
        return rc;
    *ret_found = db_next(&rows);
    if (*ret_found) {
        map(&rows, ret);
        ret->id = arena_strdup(a, ret->id);
        ret->host_id = arena_strdup(a, ret->host_id);
        ret->server_id = arena_strdup(a, ret->server_id);
        ret->kind = arena_strdup(a, ret->kind);
        ret->args = arena_strdup(a, ret->args);
        ret->result = arena_strdup(a, ret->result);
        ret->message = arena_strdup(a, ret->message);
    }
    return db_rows_done(&rows, e);
}

DB_STATEMENT(host_task_desired, "SELECT " TASK_COLUMNS " FROM host_task WHERE host_id = $1 AND revision > $2 "
                                "AND state IN ('open', 'cancelled') ORDER BY revision");
int store_host_task_desired(struct db_conn *c, const char *host_id, int64_t since, store_host_task_fn each, void *arg,
                            struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &host_task_desired, &rows, e, DB_ARGS(db_text(host_id), db_int(since)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct host_task_row row;
        map(&rows, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(host_task_end, "UPDATE host_task SET state = $3, result = $4, message = $5 WHERE id = $1 "
                            "AND host_id = $2 AND state IN ('open', 'cancelled')");
DB_STATEMENT(host_task_forget,
             "DELETE FROM host_task WHERE id = $1 AND migration_id = 0 AND state IN ('done', 'failed')");
DB_STATEMENT(host_task_progress,
             "UPDATE migration SET progress = $3 WHERE id = (SELECT migration_id FROM host_task WHERE id = $1 "
             "AND host_id = $2 AND kind = 'send' AND state IN ('open', 'cancelled'))");
int store_host_task_report(struct db_conn *c, const char *id, const char *host_id, enum host_task_state state,
                           const char *result, const char *message, struct error *e)
{
    if (state == HOST_TASK_OPEN)
        return result
                   ? db_exec(c, &host_task_progress, NULL, e, DB_ARGS(db_text(id), db_text(host_id), db_text(result)))
                   : 0;
    db_wake(c, "placement");
    int rc =
        db_exec(c, &host_task_end, NULL, e,
                DB_ARGS(db_text(id), db_text(host_id), db_text(state_names[state]), db_text(result), db_text(message)));
    return rc ? rc : db_exec(c, &host_task_forget, NULL, e, DB_ARGS(db_text(id)));
}
