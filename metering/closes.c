/* Closes on request. The row is the whole state; the invoices themselves make a repeat harmless. */
#include "metering/closes.h"
#include "common/clock.h"
#include "common/log.h"
#include "db/store_close.h"
#include "metering/bill/close.h"
#include <string.h>

static int find(struct db_conn *c, struct arena *a, struct close_row *row, bool *ret_found)
{
    struct error e = {0};
    int rc = store_close_waiting(c, a, row, ret_found, &e);
    if (rc) {
        log_error("closes not looked for", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    }
    return rc;
}

static int write_end(struct db_conn *c, void *arg, struct error *e)
{
    return store_close_end(c, arg, e);
}

static int carry_out(struct db_conn *reader, struct db_conn *writer, struct close_row *row, struct arena *a,
                     struct error *e)
{
    struct close_plan plan = {.now_us = clock_now_us(), .account = *row->account_id ? row->account_id : NULL};
    struct close_result result = {0};
    struct error why = {0};
    int rc = close_read_month(row->month, &plan, &why);
    rc = rc ? rc : close_month(reader, writer, &plan, &result, &why);
    if (rc == ERR_BUSY || rc == ERR_UNAVAILABLE) {
        return error_set(e, rc, "%s", error_text(&why));
    }
    row->state = rc ? "failed" : "done";
    row->message = rc ? arena_strdup(a, error_text(&why)) : "";
    row->invoices = (int64_t)result.invoices;
    row->lines = (int64_t)result.lines;
    row->there = (int64_t)result.there;
    row->early = (int64_t)result.early;
    row->ended_us = clock_now_us();
    rc = db_transact(writer, write_end, row, e);
    log_info("month closed on request", "close=%s month=%s state=%s invoices=%zu", row->id, row->month, row->state,
             result.invoices);
    return rc;
}

void closes_run(struct db_conn *reader, struct db_conn *writer)
{
    struct arena a;
    struct close_row row;
    bool found = true;
    int rc = 0;
    arena_init(&a);
    while (!rc && found) {
        struct error e = {0};
        arena_reset(&a);
        rc = find(reader, &a, &row, &found);
        if (!rc && found && (rc = carry_out(reader, writer, &row, &a, &e)) != 0) {
            log_warn("close waits", "close=%s code=%s error=\"%s\"", row.id, error_name(rc), error_text(&e));
        }
    }
    arena_done(&a);
}
