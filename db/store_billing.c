/* Billing: books, accounts and credit. Invoices are in store_billing_invoice.c. */
#include "db/store_billing.h"
#include <string.h>

/* ---- price books ---- */

DB_STATEMENT(billing_books, "SELECT name, version, from_us, currency, body, digest FROM price_book "
                            "WHERE (name = $1 OR $1 IS NULL) ORDER BY name, from_us");
int store_billing_books(struct db_conn *c, const char *name, struct arena *a, struct billing_book_row **ret,
                        size_t *ret_count, struct error *e)
{
    struct billing_book_row *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &billing_books, &rows, e, DB_ARGS(db_text(name)));
    if (rc) {
        return rc;
    }
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct billing_book_row){.name = db_dup_text(&rows, 0, a),
                                                  .version = db_get_int(&rows, 1),
                                                  .from_us = db_get_int(&rows, 2),
                                                  .currency = db_dup_text(&rows, 3, a),
                                                  .body = db_dup_text(&rows, 4, a),
                                                  .digest = db_dup_text(&rows, 5, a)};
    }
    rc = db_rows_done(&rows, e);
    if (!rc) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

static int refuse_book(const struct billing_book_row *book, const struct billing_book_row *others, size_t count,
                       int64_t now_us, bool *ret_there, struct error *e)
{
    static const char rule[] = "a price book in effect never changes; add one with a later date instead of editing it";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(others[i].currency, book->currency) != 0) {
            return error_set(e, ERR_CONFLICT, "price book %s is in %s", book->name, others[i].currency);
        }
        if (others[i].from_us == book->from_us && strcmp(others[i].digest, book->digest) == 0) {
            *ret_there = true;
            return 0;
        }
        if (others[i].from_us == book->from_us && book->from_us <= now_us) {
            return error_set(e, ERR_CONFLICT, rule);
        }
    }
    return 0;
}

DB_STATEMENT(billing_book_billed, "SELECT count(*) FROM invoice WHERE to_us > $1 AND book = $2 AND kind = 'invoice'");
DB_STATEMENT(billing_book_drop, "DELETE FROM price_book WHERE name = $1 AND from_us = $2");
DB_STATEMENT(billing_book_add,
             "INSERT INTO price_book (name, version, from_us, currency, body, digest, loaded_us) VALUES ($1, "
             "(SELECT coalesce(max(version), 0) + 1 FROM price_book WHERE name = $1), $2, $3, $4, $5, $6)");
int store_billing_put_book(struct db_conn *c, const struct billing_book_row *book, int64_t now_us, struct error *e)
{
    struct billing_book_row *others = NULL;
    struct arena a;
    size_t count = 0;
    int64_t billed = 0;
    bool there = false;
    arena_init(&a);
    int rc = store_billing_books(c, book->name, &a, &others, &count, e);
    rc = rc ? rc : refuse_book(book, others, count, now_us, &there, e);
    arena_done(&a);
    if (rc || there) {
        return rc;
    }
    rc = db_query_int(c, &billing_book_billed, &billed, e, DB_ARGS(db_int(book->from_us), db_text(book->name)));
    if (!rc && billed > 0) {
        rc = error_set(e, ERR_CONFLICT, "invoices have been made for times that this book would price");
    }
    rc = rc ? rc : db_exec(c, &billing_book_drop, NULL, e, DB_ARGS(db_text(book->name), db_int(book->from_us)));
    return rc ? rc
              : db_exec(c, &billing_book_add, NULL, e,
                        DB_ARGS(db_text(book->name), db_int(book->from_us), db_text(book->currency),
                                db_text(book->body), db_text(book->digest), db_int(now_us)));
}

/* ---- accounts ---- */

#define ACCOUNT_COLUMNS "id, name, address, book, timezone, tax_ppm, created_us"

static void read_account(const struct db_rows *rows, struct arena *a, struct billing_account_row *ret)
{
    *ret = (struct billing_account_row){.id = db_dup_text(rows, 0, a),
                                        .name = db_dup_text(rows, 1, a),
                                        .address = db_dup_text(rows, 2, a),
                                        .book = db_dup_text(rows, 3, a),
                                        .timezone = db_dup_text(rows, 4, a),
                                        .tax_ppm = db_get_int(rows, 5),
                                        .created_us = db_get_int(rows, 6)};
}

DB_STATEMENT(billing_account_put,
             "INSERT INTO billing_account (" ACCOUNT_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7) "
             "ON CONFLICT (id) DO UPDATE SET name = excluded.name, address = excluded.address, book = excluded.book, "
             "timezone = excluded.timezone, tax_ppm = excluded.tax_ppm");
int store_billing_put_account(struct db_conn *c, const struct billing_account_row *r, struct error *e)
{
    return db_exec(c, &billing_account_put, NULL, e,
                   DB_ARGS(db_text(r->id), db_text(r->name), db_text(r->address), db_text(r->book),
                           db_text(r->timezone), db_int(r->tax_ppm), db_int(r->created_us)));
}

DB_STATEMENT(billing_account_get, "SELECT " ACCOUNT_COLUMNS " FROM billing_account WHERE id = $1");
int store_billing_account(struct db_conn *c, const char *id, struct arena *a, struct billing_account_row *ret,
                          struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &billing_account_get, &rows, e, DB_ARGS(db_text(id)));
    if (rc) {
        return rc;
    }
    bool found = db_next(&rows);
    if (found) {
        read_account(&rows, a, ret);
    }
    rc = db_rows_done(&rows, e);
    return rc || found ? rc : error_set(e, ERR_NOT_FOUND, "there is no billing account %s", id);
}

DB_STATEMENT(billing_accounts, "SELECT " ACCOUNT_COLUMNS " FROM billing_account ORDER BY id");
int store_billing_accounts(struct db_conn *c, struct arena *a, struct billing_account_row **ret, size_t *ret_count,
                           struct error *e)
{
    struct billing_account_row *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &billing_accounts, &rows, e, DB_NO_ARGS);
    if (rc) {
        return rc;
    }
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        read_account(&rows, a, &list[count++]);
    }
    rc = db_rows_done(&rows, e);
    if (!rc) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(billing_leave, "DELETE FROM billing_member WHERE project_id = $1");
DB_STATEMENT(billing_join, "INSERT INTO billing_member (project_id, account_id) VALUES ($1, $2) "
                           "ON CONFLICT (project_id) DO UPDATE SET account_id = excluded.account_id");
int store_billing_join(struct db_conn *c, const char *project_id, const char *account_id, struct error *e)
{
    return account_id ? db_exec(c, &billing_join, NULL, e, DB_ARGS(db_text(project_id), db_text(account_id)))
                      : db_exec(c, &billing_leave, NULL, e, DB_ARGS(db_text(project_id)));
}

DB_STATEMENT(billing_account_of, "SELECT account_id FROM billing_member WHERE project_id = $1");
int store_billing_account_of(struct db_conn *c, const char *project_id, struct arena *a, const char **ret,
                             struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &billing_account_of, &rows, e, DB_ARGS(db_text(project_id)));
    if (rc) {
        return rc;
    }
    *ret = db_next(&rows) ? db_dup_text(&rows, 0, a) : NULL;
    return db_rows_done(&rows, e);
}

static int each_text(struct db_rows *rows, store_billing_text_fn fn, void *arg, struct error *e)
{
    int rc = 0;
    while (!rc && db_next(rows)) {
        rc = fn(arg, db_get_text(rows, 0), e);
    }
    int end = db_rows_done(rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(billing_members, "SELECT project_id FROM billing_member WHERE account_id = $1 ORDER BY project_id");
int store_billing_members(struct db_conn *c, const char *account_id, store_billing_text_fn fn, void *arg,
                          struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &billing_members, &rows, e, DB_ARGS(db_text(account_id)));
    return rc ? rc : each_text(&rows, fn, arg, e);
}

DB_STATEMENT(billing_payers, "SELECT id FROM billing_account UNION SELECT n.text FROM usage_name n WHERE n.kind = "
                             "'project' AND NOT EXISTS (SELECT 1 FROM billing_member m WHERE m.project_id = n.text) "
                             "ORDER BY 1");
int store_billing_payers(struct db_conn *c, store_billing_text_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &billing_payers, &rows, e, DB_NO_ARGS);
    return rc ? rc : each_text(&rows, fn, arg, e);
}

/* ---- credit ---- */

DB_STATEMENT(billing_credit_add,
             "INSERT INTO billing_credit (id, account_id, amount_nano, used_nano, until_us, reason, created_us) "
             "VALUES ($1, $2, $3, 0, $4, $5, $6)");
int store_billing_add_credit(struct db_conn *c, const struct billing_credit_row *r, struct error *e)
{
    return db_exec(c, &billing_credit_add, NULL, e,
                   DB_ARGS(db_text(r->id), db_text(r->account_id), db_int(r->amount_nano), db_int(r->until_us),
                           db_text(r->reason), db_int(r->created_us)));
}

DB_STATEMENT(billing_credits,
             "SELECT id, account_id, amount_nano, used_nano, until_us, reason, created_us FROM billing_credit WHERE "
             "account_id = $1 AND (used_nano < amount_nano AND until_us >= $2 OR $2 = 0) ORDER BY created_us, id");
int store_billing_credits(struct db_conn *c, const char *account_id, int64_t at_us, struct arena *a,
                          struct billing_credit_row **ret, size_t *ret_count, struct error *e)
{
    struct billing_credit_row *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &billing_credits, &rows, e, DB_ARGS(db_text(account_id), db_int(at_us)));
    if (rc) {
        return rc;
    }
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct billing_credit_row){.id = db_dup_text(&rows, 0, a),
                                                    .account_id = db_dup_text(&rows, 1, a),
                                                    .amount_nano = db_get_int(&rows, 2),
                                                    .used_nano = db_get_int(&rows, 3),
                                                    .until_us = db_get_int(&rows, 4),
                                                    .reason = db_dup_text(&rows, 5, a),
                                                    .created_us = db_get_int(&rows, 6)};
    }
    rc = db_rows_done(&rows, e);
    if (!rc) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(billing_credit_use, "UPDATE billing_credit SET used_nano = used_nano + $2 "
                                 "WHERE id = $1 AND amount_nano - used_nano >= $2");
int store_billing_use_credit(struct db_conn *c, const char *id, int64_t nano, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &billing_credit_use, &changed, e, DB_ARGS(db_text(id), db_int(nano)));
    return rc || changed > 0 ? rc : error_set(e, ERR_CONFLICT, "credit %s was used meanwhile", id);
}
