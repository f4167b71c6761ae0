/* Closes that were asked for, and corrections. */
#include "db/store_close.h"

#define CLOSE_COLUMNS                                                                                                  \
    "id, month, account_id, asked_by, asked_us, state, message, invoices, lines, there, early, ended_us"

static void read_close(const struct db_rows *rows, struct close_row *ret)
{
    *ret = (struct close_row){.id = db_get_text(rows, 0),
                              .month = db_get_text(rows, 1),
                              .account_id = db_get_text(rows, 2),
                              .asked_by = db_get_text(rows, 3),
                              .asked_us = db_get_int(rows, 4),
                              .state = db_get_text(rows, 5),
                              .message = db_get_text(rows, 6),
                              .invoices = db_get_int(rows, 7),
                              .lines = db_get_int(rows, 8),
                              .there = db_get_int(rows, 9),
                              .early = db_get_int(rows, 10),
                              .ended_us = db_get_int(rows, 11)};
}

static void keep_close(struct close_row *row, struct arena *a)
{
    row->id = arena_strdup(a, row->id);
    row->month = arena_strdup(a, row->month);
    row->account_id = arena_strdup(a, row->account_id);
    row->asked_by = arena_strdup(a, row->asked_by);
    row->state = arena_strdup(a, row->state);
    row->message = arena_strdup(a, row->message);
}

DB_STATEMENT(close_ask,
             "INSERT INTO billing_close (" CLOSE_COLUMNS ") VALUES ($1, $2, $3, $4, $5, 'waiting', '', 0, 0, "
             "0, 0, 0)");
int store_close_ask(struct db_conn *c, const struct close_row *r, struct error *e)
{
    int rc = db_exec(
        c, &close_ask, NULL, e,
        DB_ARGS(db_text(r->id), db_text(r->month), db_text(r->account_id), db_text(r->asked_by), db_int(r->asked_us)));
    if (!rc) {
        db_wake(c, "closes");
    }
    return rc;
}

DB_STATEMENT(close_end, "UPDATE billing_close SET state = $2, message = $3, invoices = $4, lines = $5, there = $6, "
                        "early = $7, ended_us = $8 WHERE id = $1");
int store_close_end(struct db_conn *c, const struct close_row *r, struct error *e)
{
    return db_exec(c, &close_end, NULL, e,
                   DB_ARGS(db_text(r->id), db_text(r->state), db_text(r->message), db_int(r->invoices),
                           db_int(r->lines), db_int(r->there), db_int(r->early), db_int(r->ended_us)));
}

static int read_one(struct db_rows *rows, struct arena *a, struct close_row *ret, bool *ret_found, struct error *e)
{
    *ret_found = db_next(rows);
    if (*ret_found) {
        read_close(rows, ret);
        keep_close(ret, a);
    }
    return db_rows_done(rows, e);
}

DB_STATEMENT(close_get, "SELECT " CLOSE_COLUMNS " FROM billing_close WHERE id = $1");
int store_close_get(struct db_conn *c, const char *id, struct arena *a, struct close_row *ret, struct error *e)
{
    struct db_rows rows;
    bool found = false;
    int rc = db_query(c, &close_get, &rows, e, DB_ARGS(db_text(id)));
    rc = rc ? rc : read_one(&rows, a, ret, &found, e);
    return rc || found ? rc : error_set(e, ERR_NOT_FOUND, "nobody asked for a close %s", id);
}

DB_STATEMENT(close_waiting, "SELECT " CLOSE_COLUMNS " FROM billing_close WHERE state = 'waiting' ORDER BY id LIMIT 1");
int store_close_waiting(struct db_conn *c, struct arena *a, struct close_row *ret, bool *ret_found, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &close_waiting, &rows, e, DB_NO_ARGS);
    return rc ? rc : read_one(&rows, a, ret, ret_found, e);
}

DB_STATEMENT(close_list, "SELECT " CLOSE_COLUMNS " FROM billing_close WHERE id > $1 ORDER BY id LIMIT $2");
int store_close_list(struct db_conn *c, const char *marker, int64_t limit, store_close_fn fn, void *arg,
                     struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &close_list, &rows, e, DB_ARGS(db_text(marker ? marker : ""), db_int(limit)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        struct close_row row;
        read_close(&rows, &row);
        rc = fn(arg, &row, e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

/* ---- corrections ---- */

DB_STATEMENT(correction_add,
             "INSERT INTO billing_correction (id, account_id, about, amount_nano, reason, created_by, created_us) "
             "VALUES ($1, $2, $3, $4, $5, $6, $7)");
int store_close_add_correction(struct db_conn *c, const struct correction_row *r, struct error *e)
{
    return db_exec(c, &correction_add, NULL, e,
                   DB_ARGS(db_text(r->id), db_text(r->account_id), db_int(r->about), db_int(r->amount_nano),
                           db_text(r->reason), db_text(r->created_by), db_int(r->created_us)));
}

DB_STATEMENT(correction_list,
             "SELECT id, account_id, about, amount_nano, reason, created_by, created_us, coalesce(invoice, 0) FROM "
             "billing_correction WHERE account_id = $1 AND (invoice IS NULL OR $2 = 0) ORDER BY id");
int store_close_corrections(struct db_conn *c, const char *account_id, bool waiting, struct arena *a,
                            struct correction_row **ret, size_t *ret_count, struct error *e)
{
    struct correction_row *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &correction_list, &rows, e, DB_ARGS(db_text(account_id), db_int(waiting)));
    if (rc) {
        return rc;
    }
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct correction_row){.id = db_dup_text(&rows, 0, a),
                                                .account_id = db_dup_text(&rows, 1, a),
                                                .about = db_get_int(&rows, 2),
                                                .amount_nano = db_get_int(&rows, 3),
                                                .reason = db_dup_text(&rows, 4, a),
                                                .created_by = db_dup_text(&rows, 5, a),
                                                .created_us = db_get_int(&rows, 6),
                                                .invoice = db_get_int(&rows, 7)};
    }
    rc = db_rows_done(&rows, e);
    if (!rc) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(correction_bill, "UPDATE billing_correction SET invoice = $2 WHERE id = $1 AND invoice IS NULL");
int store_close_bill_correction(struct db_conn *c, const char *id, int64_t invoice, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &correction_bill, &changed, e, DB_ARGS(db_text(id), db_int(invoice)));
    return rc || changed > 0 ? rc : error_set(e, ERR_CONFLICT, "correction %s was billed meanwhile", id);
}
