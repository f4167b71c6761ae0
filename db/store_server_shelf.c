/* The shelf: a row per server that is there or on its way. */
#include "db/store_server_shelf.h"
#include "db/rows.h"

#define SERVER_SHELF_COLUMNS "server_id, image_id, task_id, offload_after_s, offload_us"

static int read_one(struct db_rows *rows, struct arena *a, struct server_shelf_row *ret, bool *ret_found,
                    struct error *e)
{
    *ret_found = db_next(rows);
    if (*ret_found)
        *ret = (struct server_shelf_row){.server_id = db_dup_text(rows, 0, a),
                                         .image_id = db_dup_text(rows, 1, a),
                                         .task_id = db_dup_text(rows, 2, a),
                                         .offload_after_s = db_get_int(rows, 3),
                                         .offload_us = db_get_int(rows, 4)};
    return db_rows_done(rows, e);
}

DB_STATEMENT(server_shelf_insert, "INSERT INTO server_shelf (" SERVER_SHELF_COLUMNS ") VALUES ($1, $2, $3, $4, $5)");
int store_server_shelf_insert(struct db_conn *c, const struct server_shelf_row *r, struct error *e)
{
    return db_exec(c, &server_shelf_insert, NULL, e,
                   DB_ARGS(db_text(r->server_id), db_text(r->image_id), db_text(r->task_id), db_int(r->offload_after_s),
                           db_int_opt(r->offload_us != 0, r->offload_us)));
}

DB_STATEMENT(server_shelf_get, "SELECT " SERVER_SHELF_COLUMNS " FROM server_shelf WHERE server_id = $1");
int store_server_shelf_get(struct db_conn *c, const char *server_id, struct arena *a, struct server_shelf_row *ret,
                           bool *ret_found, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &server_shelf_get, &rows, e, DB_ARGS(db_text(server_id)));
    return rc ? rc : read_one(&rows, a, ret, ret_found, e);
}

DB_STATEMENT(server_shelf_of_task, "SELECT " SERVER_SHELF_COLUMNS " FROM server_shelf WHERE task_id = $1");
int store_server_shelf_of_task(struct db_conn *c, const char *task_id, struct arena *a, struct server_shelf_row *ret,
                               bool *ret_found, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &server_shelf_of_task, &rows, e, DB_ARGS(db_text(task_id)));
    return rc ? rc : read_one(&rows, a, ret, ret_found, e);
}

DB_STATEMENT(server_shelf_update, "UPDATE server_shelf SET task_id = $2, offload_us = $3 WHERE server_id = $1");
int store_server_shelf_update(struct db_conn *c, const struct server_shelf_row *r, struct error *e)
{
    return db_exec(c, &server_shelf_update, NULL, e,
                   DB_ARGS(db_text(r->server_id), db_text(r->task_id), db_int_opt(r->offload_us != 0, r->offload_us)));
}

DB_STATEMENT(server_shelf_hasten, "UPDATE server_shelf SET offload_us = $2 WHERE server_id = $1 "
                                  "AND (offload_us IS NULL OR offload_us > $2)");
int store_server_shelf_hasten(struct db_conn *c, const char *server_id, int64_t now_us, struct error *e)
{
    return db_exec(c, &server_shelf_hasten, NULL, e, DB_ARGS(db_text(server_id), db_int(now_us)));
}

DB_STATEMENT(server_shelf_delete, "DELETE FROM server_shelf WHERE server_id = $1");
int store_server_shelf_delete(struct db_conn *c, const char *server_id, struct error *e)
{
    return db_exec(c, &server_shelf_delete, NULL, e, DB_ARGS(db_text(server_id)));
}

DB_STATEMENT(server_shelf_due, "SELECT f.server_id FROM server_shelf f JOIN server s ON s.id = f.server_id "
                               "WHERE f.offload_us <= $1 AND s.operation IN ('shelved', 'offloading') LIMIT $2");
int store_server_shelf_due(struct db_conn *c, int64_t now_us, int64_t limit, store_server_id_fn each, void *arg,
                           struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &server_shelf_due, &rows, e, DB_ARGS(db_int(now_us), db_int(limit)));
    return rc ? rc : rows_each_text(&rows, each, arg, e);
}

/* One row was written, or somebody was faster. */
static int written_once(struct server_row *row, int64_t changed, int rc, struct error *e)
{
    if (rc)
        return rc;
    if (changed != 1)
        return error_set(e, ERR_SERIALIZATION, "server %s was changed at the same time", row->id);
    row->revision++;
    return 0;
}

DB_STATEMENT(server_shelf_leave_host,
             "UPDATE server SET host_id = NULL, revision = revision + 1 WHERE id = $1 AND revision = $2");
int store_server_shelf_leave_host(struct db_conn *c, struct server_row *row, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &server_shelf_leave_host, &changed, e, DB_ARGS(db_text(row->id), db_int(row->revision)));
    row->host_id = NULL;
    return written_once(row, changed, rc, e);
}

DB_STATEMENT(server_shelf_set_zone,
             "UPDATE server SET zone = $3, revision = revision + 1 WHERE id = $1 AND revision = $2");
int store_server_shelf_set_zone(struct db_conn *c, struct server_row *row, const char *zone, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &server_shelf_set_zone, &changed, e,
                     DB_ARGS(db_text(row->id), db_int(row->revision), db_text(zone)));
    row->zone = zone;
    return written_once(row, changed, rc, e);
}
