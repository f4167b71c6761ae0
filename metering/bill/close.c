/* Closing. The position in the ledger is fixed once, before the first invoice; everything is computed as it was known
 * then, on a read connection, while the cloud goes on. Only the finished invoices are written in transactions, a few at
 * a time, with their numbers, so that numbers have no gaps whatever dies when. */
#include "metering/bill/close.h"
#include "db/store_amount.h"
#include "db/store_close.h"
#include "db/store_commitment.h"
#include "db/store_counter.h"
#include "db/store_usage.h"
#include "metering/bill/zone.h"
#include <stdio.h>
#include <string.h>

#define EARLIER_MAX     3         /* closed periods that late usage is still billed for */
#define GROUP_BYTES     (4 << 20) /* bodies written in one transaction */
#define GROUP_MAX       64
#define INVOICE_CEILING ((size_t)900 << 20)

struct made {
    struct billing_invoice_row row;
    struct invoice_inputs in;
    struct invoice_result result;
};
struct closing {
    struct db_conn *reader, *writer;
    const struct close_plan *plan;
    struct close_result *result;
    struct bill bill;
    int64_t position, generation;
    struct arena list;  /* payers */
    struct arena group; /* the invoices that wait to be written */
    struct made made[GROUP_MAX];
    size_t made_count, made_bytes;
};

int close_read_month(const char *text, struct close_plan *ret, struct error *e)
{
    char rest = 0;
    if (sscanf(text, "%4d-%2d%c", &ret->year, &ret->month, &rest) != 2 || ret->year < 1970 || ret->month < 1 ||
        ret->month > 12) {
        return error_set(e, ERR_INVALID, "\"%s\" is not a month: write it as 2026-10", text);
    }
    return 0;
}

/* ---- who pays for what ---- */

int close_timezone(struct db_conn *c, const char *payer, struct arena *a, const char **ret, struct error *e)
{
    struct billing_account_row row;
    struct error unknown = {0};
    int rc = store_billing_account(c, payer, a, &row, &unknown);
    if (rc && rc != ERR_NOT_FOUND) {
        return error_set(e, rc, "%s", error_text(&unknown));
    }
    *ret = rc ? "UTC" : row.timezone;
    return 0;
}

struct texts {
    struct arena *arena;
    const char **items;
    size_t count, room;
};

static int add_text(void *arg, const char *text, struct error *e)
{
    (void)e;
    struct texts *t = arg;
    t->items = arena_more(t->arena, t->items, t->count, &t->room, sizeof(*t->items));
    t->items[t->count++] = arena_strdup(t->arena, text);
    return 0;
}

static int read_credits(struct db_conn *c, const char *payer, int64_t to_us, struct arena *a,
                        struct invoice_inputs *ret, struct error *e)
{
    struct billing_credit_row *rows = NULL;
    size_t count = 0;
    int rc = store_billing_credits(c, payer, to_us, a, &rows, &count, e);
    ret->credits = arena_array(a, count + 1, sizeof(*ret->credits));
    for (size_t i = 0; !rc && i < count; i++) {
        ret->credits[i] = (struct invoice_credit){rows[i].id, rows[i].reason, rows[i].amount_nano - rows[i].used_nano};
    }
    ret->credit_count = rc ? 0 : count;
    return rc;
}

static int read_corrections(struct db_conn *c, const char *payer, struct arena *a, struct invoice_inputs *ret,
                            struct error *e)
{
    struct correction_row *rows = NULL;
    size_t count = 0;
    int rc = store_close_corrections(c, payer, true, a, &rows, &count, e);
    ret->corrections = arena_array(a, count + 1, sizeof(*ret->corrections));
    for (size_t i = 0; !rc && i < count; i++) {
        ret->corrections[i] =
            (struct invoice_correction){rows[i].id, rows[i].reason, rows[i].about, rows[i].amount_nano};
    }
    ret->correction_count = rc ? 0 : count;
    return rc;
}

static int read_commitments(struct db_conn *c, const char *payer, const struct bill_period *period, struct arena *a,
                            struct invoice_inputs *ret, struct error *e)
{
    struct commitment_row *rows = NULL;
    size_t count = 0;
    int rc = store_commitment_list(c, payer, period->from_us, period->to_us, a, &rows, &count, e);
    ret->commitments = arena_array(a, count + 1, sizeof(*ret->commitments));
    for (size_t i = 0; !rc && i < count; i++) {
        const struct commitment_row *r = &rows[i];
        ret->commitments[i] = (struct invoice_commitment){r->id,    r->label, r->resource, r->project_id, r->flavor,
                                                          r->units, r->nano,  r->from_us,  r->to_us};
    }
    ret->commitment_count = rc ? 0 : count;
    return rc;
}

int close_inputs(struct db_conn *c, const char *payer, const struct bill_period *period, struct arena *a,
                 struct invoice_inputs *ret, struct error *e)
{
    struct billing_account_row row;
    struct error unknown = {0};
    struct texts projects = {.arena = a};
    int rc = store_billing_account(c, payer, a, &row, &unknown);
    if (rc && rc != ERR_NOT_FOUND) {
        return error_set(e, rc, "%s", error_text(&unknown));
    }
    *ret = (struct invoice_inputs){.period = *period, .form = INVOICE_FORM};
    if (rc) { /* a project that pays for itself */
        row = (struct billing_account_row){.id = arena_strdup(a, payer),
                                           .name = arena_strdup(a, payer),
                                           .address = "",
                                           .book = "default",
                                           .timezone = "UTC"};
        rc = add_text(&projects, payer, e);
    } else {
        rc = store_billing_members(c, payer, add_text, &projects, e);
    }
    ret->account_id = row.id;
    ret->name = row.name;
    ret->address = row.address;
    ret->book = row.book;
    ret->timezone = row.timezone;
    ret->tax_ppm = row.tax_ppm;
    ret->projects = projects.items;
    ret->project_count = projects.count;
    rc = rc ? rc : read_corrections(c, payer, a, ret, e);
    rc = rc ? rc : read_commitments(c, payer, period, a, ret, e);
    return rc ? rc : read_credits(c, payer, period->to_us, a, ret, e);
}

/* ---- earlier periods ---- */

struct earlier {
    struct closing *closing;
    struct arena *arena;
    struct invoice_earlier *items;
    size_t count, room;
};

static int add_earlier(void *arg, const struct billing_invoice_row *row, struct error *e)
{
    (void)e;
    struct earlier *x = arg;
    if (strcmp(row->kind, "invoice") != 0) {
        return 0;
    }
    x->items = arena_more(x->arena, x->items, x->count, &x->room, sizeof(*x->items));
    x->items[x->count++] = (struct invoice_earlier){row->number, row->position, row->generation};
    return 0;
}

/* What an invoice knew about an earlier one's period is what the last invoice since then knew: it looked again. */
static void know_last(struct earlier *x)
{
    for (size_t i = 0; i + 1 < x->count; i++) {
        x->items[i].position = x->items[x->count - 1].position;
        x->items[i].generation = x->items[x->count - 1].generation;
    }
}

static int has_changed(struct closing *c, const struct invoice_earlier *known, struct arena *a, bool *ret,
                       struct error *e)
{
    struct billing_invoice_row row;
    struct invoice_inputs in;
    int rc = store_billing_invoice(c->reader, known->number, a, &row, e);
    rc = rc ? rc : invoice_read_inputs(row.inputs, a, &in, e);
    *ret = false;
    for (size_t i = 0; !rc && !*ret && i < in.project_count; i++) {
        int64_t no = 0;
        rc = store_ledger_find(c->reader, "project", in.projects[i], &no, e);
        rc = rc ? rc : store_ledger_changed(c->reader, no, in.period.from_us, in.period.to_us, known->position, ret, e);
        if (!rc && !*ret) {
            rc = store_amount_changed(c->reader, no, in.period.from_us, in.period.to_us, known->generation, ret, e);
        }
        if (!rc && !*ret) {
            rc = store_counter_changed(c->reader, no, in.period.from_us, in.period.to_us, known->generation, ret, e);
        }
    }
    return rc;
}

static int find_earlier(struct closing *c, struct invoice_inputs *in, struct arena *a, struct error *e)
{
    struct earlier x = {.closing = c, .arena = a};
    int rc = store_billing_invoices(c->reader, in->account_id, INT64_MIN, in->period.from_us, 0, INT64_MAX, add_earlier,
                                    &x, e);
    know_last(&x);
    size_t first = x.count > EARLIER_MAX ? x.count - EARLIER_MAX : 0;
    in->earlier = arena_array(a, EARLIER_MAX, sizeof(*in->earlier));
    for (size_t i = first; !rc && i < x.count; i++) {
        bool changed = false;
        rc = has_changed(c, &x.items[i], a, &changed, e);
        if (changed) {
            in->earlier[in->earlier_count++] = x.items[i];
        }
    }
    return rc;
}

/* ---- writing ---- */

static int use_credits(struct db_conn *c, const struct made *m, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < m->in.credit_count; i++) {
        if (m->result.credits_used[i] > 0) {
            rc = store_billing_use_credit(c, m->in.credits[i].id, m->result.credits_used[i], e);
        }
    }
    return rc;
}

static int bill_corrections(struct db_conn *c, const struct made *m, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < m->in.correction_count; i++) {
        rc = store_close_bill_correction(c, m->in.corrections[i].id, m->row.number, e);
    }
    return rc;
}

/* The number stands in the body: who closed in between has taken it, and the group is made anew. */
static int write_group(struct db_conn *conn, void *arg, struct error *e)
{
    struct closing *c = arg;
    int64_t first = 0, there = 0;
    int rc = db_counter_next(conn, "invoice", (int64_t)c->made_count, &first, e);
    if (!rc && first != c->made[0].row.number) {
        rc = error_set(e, ERR_BUSY, "somebody else is writing invoices: run it again");
    }
    for (size_t i = 0; !rc && i < c->made_count; i++) {
        const struct made *m = &c->made[i];
        rc = store_billing_find_invoice(conn, m->row.account_id, m->row.from_us, m->row.to_us, &there, e);
        if (!rc && there > 0) {
            rc = error_set(e, ERR_BUSY, "somebody else is closing the period: run it again");
        }
        rc = rc ? rc : store_billing_add_invoice(conn, &m->row, e);
        rc = rc ? rc : use_credits(conn, m, e);
        rc = rc ? rc : bill_corrections(conn, m, e);
    }
    return rc;
}

static int flush(struct closing *c, struct error *e)
{
    int rc = c->made_count > 0 ? db_transact(c->writer, write_group, c, e) : 0;
    if (!rc) {
        c->result->invoices += c->made_count;
        for (size_t i = 0; i < c->made_count; i++) {
            c->result->lines += c->made[i].result.lines;
        }
    }
    c->made_count = c->made_bytes = 0;
    arena_reset(&c->group);
    return rc;
}

/* ---- one payer ---- */

struct one {
    struct closing *closing;
    const char *payer;
    int64_t number;
};

static int make(struct db_conn *conn, void *arg, struct error *e)
{
    struct one *x = arg;
    struct closing *c = x->closing;
    struct made *m = &c->made[c->made_count];
    struct arena *a = &c->group;
    struct strbuf body;
    (void)conn;
    strbuf_init(&body, INVOICE_CEILING);
    int rc = find_earlier(c, &m->in, a, e);
    rc = rc ? rc : invoice_render(&c->bill, &m->in, x->number, c->plan->now_us, a, &body, &m->result, e);
    if (!rc && !*m->result.currency) {
        rc = error_set(e, ERR_CONFLICT, "there is no price book \"%s\"", m->in.book);
    }
    if (!rc) {
        m->row = (struct billing_invoice_row){.number = x->number,
                                              .kind = "invoice",
                                              .account_id = m->in.account_id,
                                              .book = m->in.book,
                                              .currency = m->result.currency,
                                              .from_us = m->in.period.from_us,
                                              .to_us = m->in.period.to_us,
                                              .payable_nano = m->result.payable_nano,
                                              .position = c->position,
                                              .generation = c->generation,
                                              .issued_us = c->plan->now_us};
        m->row.inputs = invoice_write_inputs(&m->in, a);
        m->row.body = arena_strndup(a, body.data, body.size);
        m->row.digest = book_digest(m->row.body, "", a);
        c->made_bytes += body.size;
        c->made_count++;
    }
    strbuf_done(&body);
    return rc;
}

/* Whether the payer gets an invoice now: its month is over, and has none. */
static int is_due(struct closing *c, const char *payer, struct bill_period *period, bool *ret, struct error *e)
{
    const char *timezone = NULL;
    int64_t there = 0;
    *ret = false;
    int rc = close_timezone(c->reader, payer, &c->group, &timezone, e);
    rc = rc ? rc : zone_month(timezone, c->plan->year, c->plan->month, &period->from_us, &period->to_us, e);
    rc = rc ? rc : store_billing_find_invoice(c->reader, payer, period->from_us, period->to_us, &there, e);
    if (!rc && there > 0) {
        c->result->there++;
    } else if (!rc && period->to_us > c->plan->now_us) {
        c->result->early++;
    } else if (!rc) {
        *ret = true;
    }
    return rc;
}

static int close_payer(struct closing *c, const char *payer, struct error *e)
{
    struct bill_period period = {.position = c->position, .generation = c->generation};
    struct one x = {.closing = c, .payer = payer};
    bool due = false;
    int rc = is_due(c, payer, &period, &due, e);
    if (rc || !due) {
        return rc;
    }
    rc = close_inputs(c->reader, payer, &period, &c->group, &c->made[c->made_count].in, e);
    if (!rc && c->made_count == 0) {
        rc = store_billing_counter(c->reader, "invoice", &x.number, e);
        x.number++;
    } else if (!rc) {
        x.number = c->made[0].row.number + (int64_t)c->made_count;
    }
    rc = rc ? rc : db_snapshot(c->reader, make, &x, e);
    if (rc) {
        error_prefix(e, "account %s", payer);
        return rc;
    }
    return c->made_count == GROUP_MAX || c->made_bytes > GROUP_BYTES ? flush(c, e) : 0;
}

/* ---- all ---- */

/* From here on what comes is late: amounts get the next generation. The ledger must be complete up to the position. */
static int fix_position(struct db_conn *conn, void *arg, struct error *e)
{
    struct closing *c = arg;
    int64_t newest = 0, taken = 0, next = 0;
    int rc = store_usage_newest_event(conn, &newest, e);
    rc = rc ? rc : store_usage_cursor(conn, "intervals", &taken, e);
    if (!rc && taken < newest) {
        return error_set(e, ERR_BUSY, "%lld lifecycle events wait to be metered: is virga-metering running?",
                         (long long)(newest - taken));
    }
    rc = rc ? rc : store_billing_counter(conn, "lifecycle_event", &c->position, e);
    rc = rc ? rc : db_counter_next(conn, "usage_generation", 1, &next, e);
    c->generation = next - 1;
    return rc;
}

/* An account, or a project that pays for itself. */
static int check_payer(struct closing *c, struct error *e)
{
    struct billing_account_row row;
    struct error unknown = {0};
    int64_t no = 0;
    int rc = store_billing_account(c->reader, c->plan->account, &c->list, &row, &unknown);
    if (rc != ERR_NOT_FOUND) {
        return rc ? error_set(e, rc, "%s", error_text(&unknown)) : 0;
    }
    rc = store_ledger_find(c->reader, "project", c->plan->account, &no, e);
    return rc || no > 0 ? rc
                        : error_set(e, ERR_NOT_FOUND, "%s is neither a billing account nor a project with usage",
                                    c->plan->account);
}

static int close_all(struct closing *c, struct error *e)
{
    struct texts payers = {.arena = &c->list};
    int rc = c->plan->account ? check_payer(c, e) : store_billing_payers(c->reader, add_text, &payers, e);
    if (!rc && c->plan->account) {
        rc = add_text(&payers, c->plan->account, e);
    }
    for (size_t i = 0; !rc && i < payers.count; i++) {
        rc = close_payer(c, payers.items[i], e);
    }
    return rc ? rc : flush(c, e);
}

int close_month(struct db_conn *reader, struct db_conn *writer, const struct close_plan *plan, struct close_result *ret,
                struct error *e)
{
    struct closing c = {.reader = reader, .writer = writer, .plan = plan, .result = ret};
    *ret = (struct close_result){0};
    int rc = db_transact(writer, fix_position, &c, e);
    rc = rc ? rc : bill_open(reader, &c.bill, e);
    if (rc) {
        return rc;
    }
    arena_init(&c.list);
    arena_init(&c.group);
    rc = close_all(&c, e);
    arena_done(&c.list);
    arena_done(&c.group);
    bill_close(&c.bill);
    return rc;
}
