/* Operations: inserted running, ended once. The update names the state that it leaves, so that an operation that has
 * ended stays as it ended. */
#include "db/store_operation.h"

#define OPERATION_COLUMNS                                                                                              \
    "id, server_id, project_id, user_id, request_id, action, state, message, started_us, updated_us, finished_us"

static void map(const struct db_rows *rows, struct operation_row *ret)
{
    *ret = (struct operation_row){
        .id = db_get_text(rows, 0),
        .server_id = db_get_text(rows, 1),
        .project_id = db_get_text(rows, 2),
        .user_id = db_get_text(rows, 3),
        .request_id = db_get_text(rows, 4),
        .action = db_get_text(rows, 5),
        .state = db_get_text(rows, 6),
        .message = db_get_text(rows, 7),
        .started_us = db_get_int(rows, 8),
        .updated_us = db_get_int(rows, 9),
        .finished_us = db_get_int(rows, 10),
    };
}

static void keep(struct operation_row *row, struct arena *a)
{
    row->id = arena_strdup(a, row->id);
    row->server_id = arena_strdup(a, row->server_id);
    row->project_id = arena_strdup(a, row->project_id);
    row->user_id = arena_strdup(a, row->user_id);
    row->request_id = arena_strdup(a, row->request_id);
    row->action = arena_strdup(a, row->action);
    row->state = arena_strdup(a, row->state);
    row->message = arena_strdup(a, row->message);
}

static const char *state_name(int state)
{
    return fsm_state_name(&operation_fsm, state);
}

DB_STATEMENT(operation_insert, "INSERT INTO operation (" OPERATION_COLUMNS ") "
                               "VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, $8, $8, $9)");
int store_operation_insert(struct db_conn *c, const struct operation_row *row, bool ended, struct error *e)
{
    return db_exec(c, &operation_insert, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->server_id), db_text(row->project_id), db_text(row->user_id),
                           db_text(row->request_id), db_text(row->action),
                           db_text(state_name(ended ? OPERATION_DONE : OPERATION_RUNNING)), db_int(row->started_us),
                           db_int_opt(ended, row->started_us)));
}

DB_STATEMENT(operation_end, "UPDATE operation SET state = $3, message = $4, updated_us = $5, finished_us = $5 "
                            "WHERE id = $1 AND state = $2");
int store_operation_end(struct db_conn *c, const char *id, enum operation_step step, const char *message,
                        int64_t now_us, struct error *e)
{
    int next = fsm_next(&operation_fsm, OPERATION_RUNNING, (int)step);
    if (id == NULL)
        return 0;
    return db_exec(c, &operation_end, NULL, e,
                   DB_ARGS(db_text(id), db_text(state_name(OPERATION_RUNNING)), db_text(state_name(next)),
                           db_text(message), db_int(now_us)));
}

DB_STATEMENT(operation_end_all, "UPDATE operation SET state = $3, message = $4, updated_us = $5, finished_us = $5 "
                                "WHERE server_id = $1 AND state = $2");
int store_operation_end_all(struct db_conn *c, const char *server_id, enum operation_step step, const char *message,
                            int64_t now_us, struct error *e)
{
    int next = fsm_next(&operation_fsm, OPERATION_RUNNING, (int)step);
    return db_exec(c, &operation_end_all, NULL, e,
                   DB_ARGS(db_text(server_id), db_text(state_name(OPERATION_RUNNING)), db_text(state_name(next)),
                           db_text(message), db_int(now_us)));
}

DB_STATEMENT(operation_by_server, "SELECT " OPERATION_COLUMNS " FROM operation WHERE server_id = $1 "
                                  "AND started_us < $2 AND updated_us >= $3 AND updated_us <= $4 "
                                  "ORDER BY started_us DESC, id DESC LIMIT $5");
int store_operation_list(struct db_conn *c, const char *server_id, int64_t marker_us, int64_t since_us,
                         int64_t before_us, int64_t limit, store_operation_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct operation_row row;
    int stop = 0,
        rc = db_query(c, &operation_by_server, &rows, e,
                      DB_ARGS(db_text(server_id), db_int(marker_us != 0 ? marker_us : INT64_MAX), db_int(since_us),
                              db_int(before_us != 0 ? before_us : INT64_MAX), db_int(limit)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        map(&rows, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(operation_by_request, "SELECT " OPERATION_COLUMNS " FROM operation WHERE request_id = $2 "
                                   "AND server_id = $1 ORDER BY started_us DESC LIMIT 1");
int store_operation_by_request(struct db_conn *c, const char *server_id, const char *request_id, struct arena *a,
                               struct operation_row *ret, struct error *e)
{
    struct db_rows rows;
    struct operation_row row;
    bool found;
    int rc = db_query(c, &operation_by_request, &rows, e, DB_ARGS(db_text(server_id), db_text(request_id)));
    if (rc)
        return rc;
    found = db_next(&rows);
    if (found) {
        map(&rows, &row);
        keep(&row, a);
    }
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "Action %s not found", request_id);
    if (!rc)
        *ret = row;
    return rc;
}
