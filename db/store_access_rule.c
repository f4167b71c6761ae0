/* Rows of access_rule. */
#include "db/store_access_rule.h"

#define COLUMNS "id, user_id, service, method, path"

static int one(struct db_conn *c, const struct db_statement *s, const struct db_value *args, size_t count,
               struct arena *a, struct access_rule_row *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, s, &rows, e, args, count);
    if (rc)
        return rc;
    bool found = db_next(&rows);
    if (found)
        *ret = (struct access_rule_row){db_dup_text(&rows, 0, a), db_dup_text(&rows, 1, a), db_dup_text(&rows, 2, a),
                                        db_dup_text(&rows, 3, a), db_dup_text(&rows, 4, a)};
    rc = db_rows_done(&rows, e);
    return rc ? rc : found ? 0 : ERR_NOT_FOUND;
}

DB_STATEMENT(access_rule_by_id, "SELECT " COLUMNS " FROM access_rule WHERE id = $1");
int store_access_rule_get(struct db_conn *c, const char *id, struct arena *a, struct access_rule_row *ret,
                          struct error *e)
{
    return one(c, &access_rule_by_id, DB_ARGS(db_text(id)), a, ret, e);
}

DB_STATEMENT(access_rule_like,
             "SELECT " COLUMNS " FROM access_rule WHERE user_id = $1 AND service = $2 AND method = $3 AND path = $4");
int store_access_rule_find(struct db_conn *c, const struct access_rule_row *like, struct arena *a,
                           struct access_rule_row *ret, struct error *e)
{
    return one(c, &access_rule_like,
               DB_ARGS(db_text(like->user_id), db_text(like->service), db_text(like->method), db_text(like->path)), a,
               ret, e);
}

DB_STATEMENT(access_rule_of_user, "SELECT " COLUMNS " FROM access_rule WHERE user_id = $1 ORDER BY id");
int store_access_rule_each(struct db_conn *c, const char *user_id, store_access_rule_fn each, void *arg,
                           struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &access_rule_of_user, &rows, e, DB_ARGS(db_text(user_id)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct access_rule_row row = {db_get_text(&rows, 0), db_get_text(&rows, 1), db_get_text(&rows, 2),
                                      db_get_text(&rows, 3), db_get_text(&rows, 4)};
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(access_rule_add,
             "INSERT INTO access_rule (id, user_id, service, method, path) VALUES ($1, $2, $3, $4, $5)");
int store_access_rule_insert(struct db_conn *c, const struct access_rule_row *row, struct error *e)
{
    return db_exec(c, &access_rule_add, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->user_id), db_text(row->service), db_text(row->method),
                           db_text(row->path)));
}

DB_STATEMENT(access_rule_delete, "DELETE FROM access_rule WHERE id = $1");
int store_access_rule_delete(struct db_conn *c, const char *id, struct error *e)
{
    return db_exec(c, &access_rule_delete, NULL, e, DB_ARGS(db_text(id)));
}

DB_STATEMENT(access_rule_uses, "SELECT COUNT(*) FROM application_credential_rule WHERE access_rule_id = $1");
int store_access_rule_is_used(struct db_conn *c, const char *id, bool *ret, struct error *e)
{
    int64_t count;
    int rc = db_query_int(c, &access_rule_uses, &count, e, DB_ARGS(db_text(id)));
    if (!rc)
        *ret = count > 0;
    return rc;
}
