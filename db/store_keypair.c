/* Users' keypairs. */
#include "db/store_keypair.h"

#define KEYPAIR_COLUMNS "user_id, name, type, public_key, fingerprint, created_us"

static void map(const struct db_rows *rows, struct keypair_row *ret)
{
    *ret = (struct keypair_row){
        .user_id = db_get_text(rows, 0),
        .name = db_get_text(rows, 1),
        .type = db_get_text(rows, 2),
        .public_key = db_get_text(rows, 3),
        .fingerprint = db_get_text(rows, 4),
        .created_us = db_get_int(rows, 5),
    };
}

DB_STATEMENT(keypair_get, "SELECT " KEYPAIR_COLUMNS " FROM keypair WHERE user_id = $1 AND name = $2");
int store_keypair_get(struct db_conn *c, const char *user_id, const char *name, struct arena *a,
                      struct keypair_row *ret, struct error *e)
{
    struct db_rows rows;
    struct keypair_row row;
    bool found;
    int rc = db_query(c, &keypair_get, &rows, e, DB_ARGS(db_text(user_id), db_text(name)));
    if (rc)
        return rc;
    found = db_next(&rows);
    if (found) {
        map(&rows, &row);
        row.user_id = arena_strdup(a, row.user_id);
        row.name = arena_strdup(a, row.name);
        row.type = arena_strdup(a, row.type);
        row.public_key = arena_strdup(a, row.public_key);
        row.fingerprint = arena_strdup(a, row.fingerprint);
    }
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "Keypair %s not found for user %s", name, user_id);
    if (!rc)
        *ret = row;
    return rc;
}

DB_STATEMENT(keypair_insert, "INSERT INTO keypair (" KEYPAIR_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6)");
int store_keypair_insert(struct db_conn *c, const struct keypair_row *row, struct error *e)
{
    return db_exec(c, &keypair_insert, NULL, e,
                   DB_ARGS(db_text(row->user_id), db_text(row->name), db_text(row->type), db_text(row->public_key),
                           db_text(row->fingerprint), db_int(row->created_us)));
}

DB_STATEMENT(keypair_delete, "DELETE FROM keypair WHERE user_id = $1 AND name = $2");
int store_keypair_delete(struct db_conn *c, const char *user_id, const char *name, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &keypair_delete, &changed, e, DB_ARGS(db_text(user_id), db_text(name)));
    if (!rc && changed == 0)
        rc = error_set(e, ERR_NOT_FOUND, "Keypair %s not found for user %s", name, user_id);
    return rc;
}

DB_STATEMENT(keypair_list, "SELECT " KEYPAIR_COLUMNS " FROM keypair WHERE user_id = $1 AND name > $2 "
                           "ORDER BY name LIMIT $3");
int store_keypair_list(struct db_conn *c, const char *user_id, const char *marker, int64_t limit, store_keypair_fn each,
                       void *arg, struct error *e)
{
    struct db_rows rows;
    struct keypair_row row;
    int stop = 0, rc = db_query(c, &keypair_list, &rows, e,
                                DB_ARGS(db_text(user_id), db_text(marker != NULL ? marker : ""), db_int(limit)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        map(&rows, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(keypair_count, "SELECT COUNT(*) FROM keypair WHERE user_id = $1");
int store_keypair_count(struct db_conn *c, const char *user_id, int64_t *ret, struct error *e)
{
    return db_query_int(c, &keypair_count, ret, e, DB_ARGS(db_text(user_id)));
}
