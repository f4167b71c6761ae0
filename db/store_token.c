/* Rows of token_key and token_revocation. */
#include "db/store_token.h"
#include "common/clock.h"

#define GATE "token_revocation" /* a counter */

DB_STATEMENT(token_key_all, "SELECT id, secret, active_us FROM token_key ORDER BY id");
int store_token_keys(struct db_conn *c, store_token_key_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &token_key_all, &rows, e, DB_NO_ARGS), stop = 0;
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct token_key_row row = {
            .id = db_get_int(&rows, 0), .secret = db_get_text(&rows, 1), .active_us = db_get_int(&rows, 2)};
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(token_key_add, "INSERT INTO token_key (id, secret, created_us, active_us) VALUES ($1, $2, $3, $4)");
int store_token_key_insert(struct db_conn *c, const struct token_key_row *row, int64_t now_us, struct error *e)
{
    return db_exec(c, &token_key_add, NULL, e,
                   DB_ARGS(db_int(row->id), db_text(row->secret), db_int(now_us), db_int(row->active_us)));
}

DB_STATEMENT(token_key_delete_below, "DELETE FROM token_key WHERE id < $1");
int store_token_keys_delete_below(struct db_conn *c, int64_t id, struct error *e)
{
    return db_exec(c, &token_key_delete_below, NULL, e, DB_ARGS(db_int(id)));
}

DB_STATEMENT(token_revocation_after, "SELECT seq, kind, subject, target, before_us, expires_us FROM token_revocation "
                                     "WHERE seq > $1 ORDER BY seq");
int store_token_revocations(struct db_conn *c, int64_t seq, store_token_revocation_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &token_revocation_after, &rows, e, DB_ARGS(db_int(seq))), stop = 0;
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct token_revocation_row row = {.seq = db_get_int(&rows, 0),
                                           .kind = db_get_text(&rows, 1),
                                           .subject = db_get_text(&rows, 2),
                                           .target = db_get_text(&rows, 3),
                                           .before_us = db_get_int(&rows, 4),
                                           .expires_us = db_get_int(&rows, 5)};
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(token_revocation_add, "INSERT INTO token_revocation (seq, kind, subject, target, before_us, expires_us) "
                                   "VALUES ($1, $2, $3, $4, $5, $6)");
int store_token_revocation_insert(struct db_conn *c, const struct token_revocation_row *row, int64_t life_us,
                                  int64_t *ret_seq, struct error *e)
{
    int64_t seq;
    int rc = db_counter_next(c, GATE, 1, &seq, e);
    int64_t now_us = clock_now_us(); /* not before the counter is ours */
    if (!rc)
        rc = db_exec(c, &token_revocation_add, NULL, e,
                     DB_ARGS(db_int(seq), db_text(row->kind), db_text(row->subject), db_text(row->target),
                             db_int(now_us), db_int(now_us + life_us)));
    if (!rc)
        *ret_seq = seq;
    return rc;
}

DB_STATEMENT2(token_gate, "SELECT COUNT(*) FROM counter WHERE name = $1",
              "SELECT COUNT(*) FROM (SELECT value FROM counter WHERE name = $1 FOR SHARE) AS gate");
int store_token_gate(struct db_conn *c, struct error *e)
{
    int64_t ignored;
    return db_query_int(c, &token_gate, &ignored, e, DB_ARGS(db_text(GATE)));
}

int store_token_gate_make(struct db_conn *c, struct error *e)
{
    int64_t ignored;
    return db_counter_next(c, GATE, 1, &ignored, e);
}

DB_STATEMENT(token_revocation_purge, "DELETE FROM token_revocation WHERE expires_us <= $1");
int store_token_revocations_purge(struct db_conn *c, int64_t now_us, struct error *e)
{
    return db_exec(c, &token_revocation_purge, NULL, e, DB_ARGS(db_int(now_us)));
}
