/* Closing a month: one immutable, numbered invoice for each payer, made from the ledger as it is known now. */
#pragma once
#include "metering/bill/invoice.h"

struct close_plan {
    int year, month;
    int64_t now_us;
    const char *account; /* NULL: all payers */
};
struct close_result {
    size_t invoices, lines, there, early; /* made; their lines; had theirs already; whose month has not ended */
};
/* Reads on `reader`, writes on `writer` in small transactions: it may be killed and run again; who has an invoice for
 * the period gets no second one. ERR_BUSY when lifecycle events wait to be metered; ERR_CONFLICT without a price book;
 * ERR_NOT_FOUND when `account` is nobody who pays. */
int close_month(struct db_conn *reader, struct db_conn *writer, const struct close_plan *plan, struct close_result *ret,
                struct error *e);
/* Reads "2026-10". ERR_INVALID. */
int close_read_month(const char *text, struct close_plan *ret, struct error *e);
/* What an invoice of that payer would be for a period, known as far as it is: position and generation of `in` are set
 * by the caller. Projects, credits and facts of the payer; without earlier periods. In the arena. */
int close_inputs(struct db_conn *c, const char *payer, const struct bill_period *period, struct arena *a,
                 struct invoice_inputs *ret, struct error *e);
/* The payer's time zone; "UTC" for a project without account. In the arena. */
int close_timezone(struct db_conn *c, const char *payer, struct arena *a, const char **ret, struct error *e);
