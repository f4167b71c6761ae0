/* Periods that somebody asked to be closed, and corrections that wait for their account's next invoice. */
#pragma once
#include "db/db.h"

struct close_row {
    const char *id, *month, *account_id, *asked_by, *state,
        *message; /* account_id "": all; state: waiting, done, failed */
    int64_t asked_us, invoices, lines, there, early, ended_us;
};
/* Asks: the row waits for the meter, which is woken. `id`, month, account_id, asked_by and asked_us count. */
int store_close_ask(struct db_conn *c, const struct close_row *row, struct error *e);
/* Writes what became of it: state, message, the counts and ended_us. */
int store_close_end(struct db_conn *c, const struct close_row *row, struct error *e);
/* Texts in the arena. ERR_NOT_FOUND. */
int store_close_get(struct db_conn *c, const char *id, struct arena *a, struct close_row *ret, struct error *e);
/* The one that waits longest. *ret_found false: none does. */
int store_close_waiting(struct db_conn *c, struct arena *a, struct close_row *ret, bool *ret_found, struct error *e);
/* Those behind `marker` (NULL: from the first) by id, at most `limit`; texts are borrowed. */
typedef int (*store_close_fn)(void *arg, const struct close_row *row, struct error *e);
int store_close_list(struct db_conn *c, const char *marker, int64_t limit, store_close_fn fn, void *arg,
                     struct error *e);

struct correction_row {
    const char *id, *account_id, *reason, *created_by;
    int64_t about, amount_nano, created_us, invoice; /* invoice: that it was put on, 0 before */
};
int store_close_add_correction(struct db_conn *c, const struct correction_row *row, struct error *e);
/* Of an account, oldest first; `waiting`: only those that are on no invoice yet. In the arena. */
int store_close_corrections(struct db_conn *c, const char *account_id, bool waiting, struct arena *a,
                            struct correction_row **ret, size_t *ret_count, struct error *e);
/* Puts it on an invoice. ERR_CONFLICT when it is on one. */
int store_close_bill_correction(struct db_conn *c, const char *id, int64_t invoice, struct error *e);
