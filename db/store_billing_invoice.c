/* Invoices: written once, never changed. */
#include "db/store_billing.h"

#define INVOICE_HEAD                                                                                                   \
    "number, kind, account_id, from_us, to_us, currency, payable_nano, position, generation, digest, about, "          \
    "issued_us, book"

DB_STATEMENT(billing_invoice_add,
             "INSERT INTO invoice (" INVOICE_HEAD
             ", inputs, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)");
int store_billing_add_invoice(struct db_conn *c, const struct billing_invoice_row *r, struct error *e)
{
    return db_exec(c, &billing_invoice_add, NULL, e,
                   DB_ARGS(db_int(r->number), db_text(r->kind), db_text(r->account_id), db_int(r->from_us),
                           db_int(r->to_us), db_text(r->currency), db_int(r->payable_nano), db_int(r->position),
                           db_int(r->generation), db_text(r->digest), db_int_opt(r->about != 0, r->about),
                           db_int(r->issued_us), db_text(r->book), db_text(r->inputs), db_text(r->body)));
}

static void read_head(const struct db_rows *rows, struct billing_invoice_row *ret)
{
    *ret = (struct billing_invoice_row){.number = db_get_int(rows, 0),
                                        .kind = db_get_text(rows, 1),
                                        .account_id = db_get_text(rows, 2),
                                        .from_us = db_get_int(rows, 3),
                                        .to_us = db_get_int(rows, 4),
                                        .currency = db_get_text(rows, 5),
                                        .payable_nano = db_get_int(rows, 6),
                                        .position = db_get_int(rows, 7),
                                        .generation = db_get_int(rows, 8),
                                        .digest = db_get_text(rows, 9),
                                        .about = db_get_int(rows, 10),
                                        .issued_us = db_get_int(rows, 11),
                                        .book = db_get_text(rows, 12)};
}

DB_STATEMENT(billing_invoice_get, "SELECT " INVOICE_HEAD ", inputs, body FROM invoice WHERE number = $1");
int store_billing_invoice(struct db_conn *c, int64_t number, struct arena *a, struct billing_invoice_row *ret,
                          struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &billing_invoice_get, &rows, e, DB_ARGS(db_int(number)));
    if (rc) {
        return rc;
    }
    bool found = db_next(&rows);
    if (found) {
        read_head(&rows, ret);
        ret->kind = db_dup_text(&rows, 1, a);
        ret->account_id = db_dup_text(&rows, 2, a);
        ret->currency = db_dup_text(&rows, 5, a);
        ret->digest = db_dup_text(&rows, 9, a);
        ret->book = db_dup_text(&rows, 12, a);
        ret->inputs = db_dup_text(&rows, 13, a);
        ret->body = db_dup_text(&rows, 14, a);
    }
    rc = db_rows_done(&rows, e);
    return rc || found ? rc : error_set(e, ERR_NOT_FOUND, "there is no invoice %lld", (long long)number);
}

DB_STATEMENT(billing_invoices, "SELECT " INVOICE_HEAD " FROM invoice WHERE to_us > $1 AND from_us < $2 AND number > $3 "
                               "ORDER BY number LIMIT $4");
DB_STATEMENT(billing_invoices_of, "SELECT " INVOICE_HEAD " FROM invoice WHERE account_id = $1 AND to_us > $2 AND "
                                  "from_us < $3 AND number > $4 ORDER BY number LIMIT $5");
int store_billing_invoices(struct db_conn *c, const char *account_id, int64_t from_us, int64_t to_us, int64_t after,
                           int64_t limit, store_billing_invoice_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = account_id
                 ? db_query(c, &billing_invoices_of, &rows, e,
                            DB_ARGS(db_text(account_id), db_int(from_us), db_int(to_us), db_int(after), db_int(limit)))
                 : db_query(c, &billing_invoices, &rows, e,
                            DB_ARGS(db_int(from_us), db_int(to_us), db_int(after), db_int(limit)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        struct billing_invoice_row row;
        read_head(&rows, &row);
        rc = fn(arg, &row, e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(billing_find_invoice, "SELECT coalesce(max(number), 0) FROM invoice WHERE account_id = $1 AND "
                                   "from_us < $3 AND to_us > $2 AND kind = 'invoice'");
int store_billing_find_invoice(struct db_conn *c, const char *account_id, int64_t from_us, int64_t to_us,
                               int64_t *ret_number, struct error *e)
{
    return db_query_int(c, &billing_find_invoice, ret_number, e,
                        DB_ARGS(db_text(account_id), db_int(from_us), db_int(to_us)));
}

DB_STATEMENT(billing_counter, "SELECT coalesce(max(value), 0) FROM counter WHERE name = $1");
int store_billing_counter(struct db_conn *c, const char *name, int64_t *ret, struct error *e)
{
    return db_query_int(c, &billing_counter, ret, e, DB_ARGS(db_text(name)));
}
