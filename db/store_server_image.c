/* Images on their way: a few rows at any time. */
#include "db/store_server_image.h"
#include "db/rows.h"

#define SERVER_IMAGE_COLUMNS "image_id, server_id, operation_id, host_id, backup_type, rotation, deadline_us"

DB_STATEMENT(server_image_insert,
             "INSERT INTO server_image (" SERVER_IMAGE_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7)");
int store_server_image_insert(struct db_conn *c, const struct server_image_row *r, struct error *e)
{
    return db_exec(c, &server_image_insert, NULL, e,
                   DB_ARGS(db_text(r->image_id), db_text(r->server_id), db_text(r->operation_id), db_text(r->host_id),
                           db_text(r->backup_type), db_int(r->rotation), db_int(r->deadline_us)));
}

DB_STATEMENT(server_image_get, "SELECT " SERVER_IMAGE_COLUMNS " FROM server_image WHERE image_id = $1");
int store_server_image_get(struct db_conn *c, const char *image_id, struct arena *a, struct server_image_row *ret,
                           bool *ret_found, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &server_image_get, &rows, e, DB_ARGS(db_text(image_id)));
    if (rc)
        return rc;
    *ret_found = db_next(&rows);
    if (*ret_found)
        *ret = (struct server_image_row){.image_id = db_dup_text(&rows, 0, a),
                                         .server_id = db_dup_text(&rows, 1, a),
                                         .operation_id = db_dup_text(&rows, 2, a),
                                         .host_id = db_dup_text(&rows, 3, a),
                                         .backup_type = db_dup_text(&rows, 4, a),
                                         .rotation = db_get_int(&rows, 5),
                                         .deadline_us = db_get_int(&rows, 6)};
    return db_rows_done(&rows, e);
}

DB_STATEMENT(server_image_extend, "UPDATE server_image SET deadline_us = $2 WHERE image_id = $1");
int store_server_image_extend(struct db_conn *c, const char *image_id, int64_t deadline_us, struct error *e)
{
    return db_exec(c, &server_image_extend, NULL, e, DB_ARGS(db_text(image_id), db_int(deadline_us)));
}

DB_STATEMENT(server_image_delete, "DELETE FROM server_image WHERE image_id = $1");
int store_server_image_delete(struct db_conn *c, const char *image_id, struct error *e)
{
    return db_exec(c, &server_image_delete, NULL, e, DB_ARGS(db_text(image_id)));
}

DB_STATEMENT(server_image_lost,
             "SELECT i.image_id FROM server_image i LEFT JOIN server s ON s.id = i.server_id WHERE i.deadline_us < $1 "
             "OR s.id IS NULL OR s.desired_exists = 0 OR s.operation_id IS NULL OR s.operation_id <> i.operation_id "
             "ORDER BY i.deadline_us LIMIT $2");
int store_server_image_lost(struct db_conn *c, int64_t now_us, int64_t limit, store_server_image_fn each, void *arg,
                            struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &server_image_lost, &rows, e, DB_ARGS(db_int(now_us), db_int(limit)));
    return rc ? rc : rows_each_text(&rows, each, arg, e);
}
