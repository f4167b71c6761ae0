/* Commitments: see store_commitment.h. */
#include "db/store_commitment.h"

DB_STATEMENT(commitment_add,
             "INSERT INTO billing_commitment (id, account_id, label, resource, project_id, flavor, units, "
             "nano, from_us, to_us, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
int store_commitment_add(struct db_conn *c, const struct commitment_row *r, struct error *e)
{
    return db_exec(c, &commitment_add, NULL, e,
                   DB_ARGS(db_text(r->id), db_text(r->account_id), db_text(r->label), db_text(r->resource),
                           db_text(r->project_id), db_text(r->flavor), db_int(r->units), db_int(r->nano),
                           db_int(r->from_us), db_int(r->to_us), db_int(r->created_us)));
}

DB_STATEMENT(commitment_list,
             "SELECT id, account_id, label, resource, project_id, flavor, units, nano, from_us, to_us, created_us "
             "FROM billing_commitment WHERE account_id = $1 AND to_us > $2 AND from_us < $3 ORDER BY created_us, id");
int store_commitment_list(struct db_conn *c, const char *account_id, int64_t from_us, int64_t to_us, struct arena *a,
                          struct commitment_row **ret, size_t *ret_count, struct error *e)
{
    struct commitment_row *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &commitment_list, &rows, e, DB_ARGS(db_text(account_id), db_int(from_us), db_int(to_us)));
    if (rc) {
        return rc;
    }
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct commitment_row){.id = db_dup_text(&rows, 0, a),
                                                .account_id = db_dup_text(&rows, 1, a),
                                                .label = db_dup_text(&rows, 2, a),
                                                .resource = db_dup_text(&rows, 3, a),
                                                .project_id = db_dup_text(&rows, 4, a),
                                                .flavor = db_dup_text(&rows, 5, a),
                                                .units = db_get_int(&rows, 6),
                                                .nano = db_get_int(&rows, 7),
                                                .from_us = db_get_int(&rows, 8),
                                                .to_us = db_get_int(&rows, 9),
                                                .created_us = db_get_int(&rows, 10)};
    }
    rc = db_rows_done(&rows, e);
    if (!rc) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(commitment_begin, "SELECT from_us FROM billing_commitment WHERE account_id = $1 AND id = $2");
DB_STATEMENT(commitment_delete, "DELETE FROM billing_commitment WHERE account_id = $1 AND id = $2");
int store_commitment_delete(struct db_conn *c, const char *account_id, const char *id, int64_t now_us, struct error *e)
{
    int64_t from_us = 0;
    struct error unknown = {0};
    int rc = db_query_int(c, &commitment_begin, &from_us, &unknown, DB_ARGS(db_text(account_id), db_text(id)));
    if (rc) {
        return rc == ERR_NOT_FOUND ? error_set(e, rc, "there is no commitment %s", id)
                                   : error_set(e, rc, "%s", error_text(&unknown));
    }
    if (from_us <= now_us) {
        return error_set(e, ERR_CONFLICT, "the term of commitment %s has begun", id);
    }
    return db_exec(c, &commitment_delete, NULL, e, DB_ARGS(db_text(account_id), db_text(id)));
}
