/* Taking is one statement that either inserts, replaces an expired row, or changes nothing. */
#include "db/store_idempotency.h"

DB_STATEMENT(
    idempotency_take,
    "INSERT INTO idempotency (id, request, created_us, answer) VALUES ($1, $2, $3, NULL) "
    "ON CONFLICT (id) DO UPDATE SET request = excluded.request, created_us = excluded.created_us, answer = NULL "
    "WHERE idempotency.created_us < $4");
int store_idempotency_take(struct db_conn *c, const char *id, const char *request, int64_t now_us, int64_t since_us,
                           bool *ret_taken, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &idempotency_take, &changed, e,
                     DB_ARGS(db_text(id), db_text(request), db_int(now_us), db_int(since_us)));
    if (!rc)
        *ret_taken = changed > 0;
    return rc;
}

DB_STATEMENT(idempotency_answer, "UPDATE idempotency SET answer = $2 WHERE id = $1");
int store_idempotency_answer(struct db_conn *c, const char *id, const char *answer, struct error *e)
{
    return db_exec(c, &idempotency_answer, NULL, e, DB_ARGS(db_text(id), db_text(answer)));
}

DB_STATEMENT(idempotency_get, "SELECT request, answer FROM idempotency WHERE id = $1");
int store_idempotency_get(struct db_conn *c, const char *id, struct arena *a, const char **ret_request,
                          const char **ret_answer, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &idempotency_get, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    const char *request = NULL, *answer = NULL;
    if (db_next(&rows)) {
        request = db_dup_text(&rows, 0, a);
        answer = db_dup_text(&rows, 1, a);
    }
    rc = db_rows_done(&rows, e);
    if (rc)
        return rc;
    if (!request)
        return error_set(e, ERR_NOT_FOUND, "The idempotency key is not known");
    *ret_request = request;
    *ret_answer = answer;
    return 0;
}

DB_STATEMENT(idempotency_purge, "DELETE FROM idempotency WHERE id IN "
                                "(SELECT id FROM idempotency WHERE created_us < $1 ORDER BY created_us LIMIT $2)");
int store_idempotency_purge(struct db_conn *c, int64_t before_us, int64_t limit, int64_t *ret_removed, struct error *e)
{
    return db_exec(c, &idempotency_purge, ret_removed, e, DB_ARGS(db_int(before_us), db_int(limit)));
}
