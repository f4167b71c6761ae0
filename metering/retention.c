/* Retention. Only what an invoice has billed is touched, and only within spans that its recomputation sums up as a
 * whole: the invoice's period, cut where a version of its price book begins. So every invoice can still be made again.
 * How far each policy came is a cursor: the number of the last invoice that it has seen to. What is forgotten is behind
 * the account's last invoices, which may still adjust it. */
#include "metering/retention.h"
#include "common/clock.h"
#include "common/log.h"
#include "db/store_ledger.h"
#include "db/store_roll.h"
#include "db/store_usage.h"
#include "metering/bill/invoice.h"
#include <string.h>

#define PERIOD_US ((int64_t)3600 * CLOCK_SECOND_US)
#define DAY_US    ((int64_t)86400 * CLOCK_SECOND_US)
#define NEWER_MIN 6 /* invoices of the account that keep their usage: three look back at three */

struct policy {
    const char *cursor;
    int64_t after_us, bucket_us; /* bucket 0: forget */
};

struct pass {
    struct retention *r;
    const struct policy *policy;
    struct bill bill;
    struct arena arena;
    struct invoice_inputs in;
    struct book_versions books;
    int64_t position;                   /* of the cursor */
    int64_t number, account_newer;      /* the invoice at hand, later ones of its account */
    int64_t project_no, from_us, to_us; /* of one transaction */
    int64_t gone;
};

static int take_first(void *arg, const struct billing_invoice_row *row, struct error *e)
{
    (void)e;
    *(struct billing_invoice_row *)arg = *row;
    ((struct billing_invoice_row *)arg)->kind = strcmp(row->kind, "invoice") == 0 ? "invoice" : "other";
    return 0;
}

static int count_one(void *arg, const struct billing_invoice_row *row, struct error *e)
{
    (void)e;
    *(int64_t *)arg += strcmp(row->kind, "invoice") == 0;
    return 0;
}

/* The next invoice that the policy is about, by number. *ret_found false: none is due. */
static int find_next(struct pass *p, bool *ret_found, bool *ret_skip, struct error *e)
{
    struct billing_invoice_row row = {0};
    int rc = store_usage_cursor(p->r->reader, p->policy->cursor, &p->position, e);
    rc =
        rc ? rc : store_billing_invoices(p->r->reader, NULL, INT64_MIN, INT64_MAX, p->position, 1, take_first, &row, e);
    *ret_found = !rc && row.number > 0 && row.to_us < clock_now_us() - p->policy->after_us;
    *ret_skip = row.kind && strcmp(row.kind, "invoice") != 0;
    p->number = row.number;
    if (rc || !*ret_found || *ret_skip) {
        return rc;
    }
    rc = store_billing_invoice(p->r->reader, row.number, &p->arena, &row, e);
    rc = rc ? rc : invoice_read_inputs(row.inputs, &p->arena, &p->in, e);
    rc = rc ? rc : invoice_books(&p->bill, &p->in, &p->arena, &p->books, e);
    if (!rc && p->policy->bucket_us == 0) {
        rc = store_billing_invoices(p->r->reader, p->in.account_id, INT64_MIN, INT64_MAX, p->number, NEWER_MIN * 2,
                                    count_one, &p->account_newer, e);
        *ret_found = p->account_newer >= NEWER_MIN;
    }
    return rc;
}

static int treat(struct db_conn *c, void *arg, struct error *e)
{
    struct pass *p = arg;
    return p->policy->bucket_us > 0
               ? store_roll(c, p->project_no, p->from_us, p->to_us, p->policy->bucket_us, &p->gone, e)
               : store_roll_forget(c, p->project_no, p->from_us, p->to_us, &p->gone, e);
}

/* A day per transaction, so that the write lock is held for moments; what becomes one sum is few rows already. */
static int treat_span(struct pass *p, int64_t from_us, int64_t to_us, struct error *e)
{
    int rc = 0;
    for (int64_t at = from_us; !rc && at < to_us; at = p->to_us) {
        int64_t next = p->policy->bucket_us == INT64_MAX ? to_us : (at / DAY_US + 1) * DAY_US;
        p->from_us = at;
        p->to_us = next < to_us ? next : to_us;
        rc = db_transact(p->r->conn, treat, p, e);
        *(p->policy->bucket_us > 0 ? &p->r->rolled : &p->r->forgotten) += rc ? 0 : (uint64_t)p->gone;
    }
    return rc;
}

/* From the begin of a version of the book to that of the next, within the period. */
static int treat_project(struct pass *p, const char *project, struct error *e)
{
    int64_t at = p->in.period.from_us;
    int rc = store_ledger_find(p->r->reader, "project", project, &p->project_no, e);
    for (size_t k = 0; !rc && p->project_no > 0 && k <= p->books.count && at < p->in.period.to_us; k++) {
        int64_t cut = k < p->books.count ? p->books.items[k].from_us : p->in.period.to_us;
        cut = cut < p->in.period.to_us ? cut : p->in.period.to_us;
        if (cut > at) {
            rc = treat_span(p, at, cut, e);
            at = cut;
        }
    }
    return rc;
}

static int advance(struct db_conn *c, void *arg, struct error *e)
{
    const struct pass *p = arg;
    return store_usage_advance(c, p->policy->cursor, p->position, p->number, 0, clock_now_us(), e);
}

/* What is forgotten is noted before, so that nobody takes half of it for the whole. */
static int treat_next(struct pass *p, bool *ret_found, struct error *e)
{
    bool skip = false, first = p->policy->bucket_us == 0;
    int rc = find_next(p, ret_found, &skip, e);
    if (rc || !*ret_found) {
        return rc;
    }
    rc = first ? db_transact(p->r->conn, advance, p, e) : 0;
    for (size_t i = 0; !rc && !skip && i < p->in.project_count; i++) {
        rc = treat_project(p, p->in.projects[i], e);
    }
    rc = rc || first ? rc : db_transact(p->r->conn, advance, p, e);
    if (!rc && !skip) {
        log_info("usage of an invoice rolled up", "policy=%s invoice=%lld", p->policy->cursor, (long long)p->number);
    }
    return rc;
}

static int run_policy(struct retention *r, const struct policy *policy, bool *ret_found, struct error *e)
{
    struct pass p = {.r = r, .policy = policy};
    int rc = bill_open(r->reader, &p.bill, e);
    if (rc) {
        return rc;
    }
    arena_init(&p.arena);
    rc = treat_next(&p, ret_found, e);
    arena_done(&p.arena);
    bill_close(&p.bill);
    return rc;
}

int retention_run(struct retention *r, struct error *e)
{
    const struct policy policies[] = {{"usage-days", r->days_after_us, DAY_US},
                                      {"usage-months", r->months_after_us, INT64_MAX},
                                      {STORE_USAGE_FORGOTTEN, r->forget_after_us, 0}};
    int64_t now = clock_mono_us();
    bool any = false;
    int rc = 0;
    if (r->looked_us > 0 && now - r->looked_us < PERIOD_US) {
        return 0;
    }
    for (size_t i = 0; !rc && i < sizeof(policies) / sizeof(policies[0]); i++) {
        bool found = false;
        rc = policies[i].after_us > 0 ? run_policy(r, &policies[i], &found, e) : 0;
        any = any || found;
    }
    if (rc || !any) {
        r->looked_us = now;
    }
    return rc;
}
