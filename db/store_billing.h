/* Rows of billing: price books, accounts and their projects, credit, invoices. */
#pragma once
#include "db/db.h"

struct billing_book_row {
    const char *name, *currency, *body, *digest; /* body: JSON object */
    int64_t version, from_us;
};
/* The versions of a book (NULL: of all), by name and from_us; in the arena. */
int store_billing_books(struct db_conn *c, const char *name, struct arena *a, struct billing_book_row **ret,
                        size_t *ret_count, struct error *e);
/* Adds a version (its number is given here). One with the same time and content changes nothing; one that has not taken
 * effect at now_us is replaced. ERR_CONFLICT when another is in effect since that time, when an invoice covers a time
 * that it would price, or when its currency is not that of the name's other versions. */
int store_billing_put_book(struct db_conn *c, const struct billing_book_row *book, int64_t now_us, struct error *e);

struct billing_account_row {
    const char *id, *name, *address, *book, *timezone;
    int64_t tax_ppm, created_us;
};
int store_billing_put_account(struct db_conn *c, const struct billing_account_row *row, struct error *e);
/* ERR_NOT_FOUND. */
int store_billing_account(struct db_conn *c, const char *id, struct arena *a, struct billing_account_row *ret,
                          struct error *e);
int store_billing_accounts(struct db_conn *c, struct arena *a, struct billing_account_row **ret, size_t *ret_count,
                           struct error *e);
/* Moves a project to an account; NULL: to none. */
int store_billing_join(struct db_conn *c, const char *project_id, const char *account_id, struct error *e);
/* The account of a project, NULL for none; in the arena. */
int store_billing_account_of(struct db_conn *c, const char *project_id, struct arena *a, const char **ret,
                             struct error *e);
typedef int (*store_billing_text_fn)(void *arg, const char *text, struct error *e);
/* The projects of an account, sorted. */
int store_billing_members(struct db_conn *c, const char *account_id, store_billing_text_fn fn, void *arg,
                          struct error *e);
/* Ids of all who pay, sorted: accounts, and projects with usage that belong to none. */
int store_billing_payers(struct db_conn *c, store_billing_text_fn fn, void *arg, struct error *e);

struct billing_credit_row {
    const char *id, *account_id, *reason;
    int64_t amount_nano, used_nano, until_us, created_us;
};
int store_billing_add_credit(struct db_conn *c, const struct billing_credit_row *row, struct error *e);
/* Credit of an account, oldest first; only what is left and good at `at_us`, unless that is 0. */
int store_billing_credits(struct db_conn *c, const char *account_id, int64_t at_us, struct arena *a,
                          struct billing_credit_row **ret, size_t *ret_count, struct error *e);
/* ERR_CONFLICT when less is left. */
int store_billing_use_credit(struct db_conn *c, const char *id, int64_t nano, struct error *e);

struct billing_invoice_row {
    int64_t number;
    const char *kind, *account_id, *book, *currency, *inputs, *body, *digest;
    int64_t from_us, to_us, payable_nano, position, generation, about, issued_us; /* about: 0 for none */
};
int store_billing_add_invoice(struct db_conn *c, const struct billing_invoice_row *row, struct error *e);
/* ERR_NOT_FOUND. */
int store_billing_invoice(struct db_conn *c, int64_t number, struct arena *a, struct billing_invoice_row *ret,
                          struct error *e);
/* Calls `fn` with the invoices of an account (NULL: of all) whose period overlaps [from_us, to_us) and whose number is
 * above `after`, by number, at most `limit`; without inputs and body. */
typedef int (*store_billing_invoice_fn)(void *arg, const struct billing_invoice_row *row, struct error *e);
int store_billing_invoices(struct db_conn *c, const char *account_id, int64_t from_us, int64_t to_us, int64_t after,
                           int64_t limit, store_billing_invoice_fn fn, void *arg, struct error *e);
/* The number of the account's invoice for that period, 0 for none. */
int store_billing_find_invoice(struct db_conn *c, const char *account_id, int64_t from_us, int64_t to_us,
                               int64_t *ret_number, struct error *e);
/* The last number of a counter, 0 before its first. */
int store_billing_counter(struct db_conn *c, const char *name, int64_t *ret, struct error *e);
