/* Rows of credential. */
#include "db/store_credential.h"
#include "db/rows.h"

#define COLUMNS "id, user_id, project_id, type, blob, extra"

static void from_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct credential_row *)ret = (struct credential_row){.id = rows_text(rows, 0, a),
                                                            .user_id = rows_text(rows, 1, a),
                                                            .project_id = rows_text(rows, 2, a),
                                                            .type = rows_text(rows, 3, a),
                                                            .blob = rows_text(rows, 4, a),
                                                            .extra = rows_text(rows, 5, a)};
}

DB_STATEMENT(credential_by_id, "SELECT " COLUMNS " FROM credential WHERE id = $1");
int store_credential_get(struct db_conn *c, const char *id, struct arena *a, struct credential_row *ret,
                         struct error *e)
{
    return rows_one(c, &credential_by_id, DB_ARGS(db_text(id)), from_row, a, ret, e);
}

#define REST "id > $1 AND (type = $2 OR $2 IS NULL) "
DB_STATEMENT(credential_all, "SELECT " COLUMNS " FROM credential WHERE " REST "ORDER BY id LIMIT $3");
DB_STATEMENT(credential_of_user,
             "SELECT " COLUMNS " FROM credential WHERE " REST "AND user_id = $3 ORDER BY id LIMIT $4");
int store_credential_each(struct db_conn *c, const char *user_id, const char *type, const struct page *page,
                          store_credential_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct credential_row row;
    int stop = 0, rc = user_id ? db_query(c, &credential_of_user, &rows, e,
                                          DB_ARGS(PAGE_AFTER(page), db_text(type), db_text(user_id), PAGE_LIMIT(page)))
                               : db_query(c, &credential_all, &rows, e,
                                          DB_ARGS(PAGE_AFTER(page), db_text(type), PAGE_LIMIT(page)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        from_row(&rows, NULL, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(credential_add,
             "INSERT INTO credential (id, user_id, project_id, type, blob, extra) VALUES ($1, $2, $3, $4, $5, $6)");
DB_STATEMENT(credential_update,
             "UPDATE credential SET user_id = $2, project_id = $3, type = $4, blob = $5, extra = $6 WHERE id = $1");
#define ROW_ARGS(row)                                                                                                  \
    DB_ARGS(db_text((row)->id), db_text((row)->user_id), db_text((row)->project_id), db_text((row)->type),             \
            db_text((row)->blob), db_text((row)->extra))
int store_credential_insert(struct db_conn *c, const struct credential_row *row, struct error *e)
{
    return db_exec(c, &credential_add, NULL, e, ROW_ARGS(row));
}

int store_credential_update(struct db_conn *c, const struct credential_row *row, struct error *e)
{
    return db_exec(c, &credential_update, NULL, e, ROW_ARGS(row));
}

DB_STATEMENT(credential_delete, "DELETE FROM credential WHERE id = $1");
int store_credential_delete(struct db_conn *c, const char *id, struct error *e)
{
    return db_exec(c, &credential_delete, NULL, e, DB_ARGS(db_text(id)));
}
