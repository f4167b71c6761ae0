/* Budgets. The month is UTC's; what counts is usage less percentage discounts, before credit and tax. A crossing is a
 * row, so it is noted once whatever dies when; its webhook is called at least once and says by X-Virga-Delivery which
 * crossing it is about. A threshold of an amount that was raised is another crossing. */
#include "metering/budgets.h"
#include "common/clock.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/model/money.h"
#include "db/store_budget.h"
#include "metering/bill/close.h"
#include "metering/bill/zone.h"
#include "metering/webhook.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_US     ((int64_t)10 * CLOCK_SECOND_US) /* doubled with each attempt */
#define RETRY_MAX_US ((int64_t)3600 * CLOCK_SECOND_US)

/* What is being told; its texts are its own. */
struct budgets_telling {
    struct arena arena;
    struct budget_crossing crossing;
    bool told;
};

struct look {
    struct budgets *b;
    struct arena arena;
    struct bill bill;
    struct bill_period period;
    char month[16];
    struct budget_row *rows;
    int64_t *spent; /* of each row */
    size_t count;
    bool reached; /* some threshold is */
    int64_t now_us;
};

static int spend_project(struct look *l, const char *project, const struct book_versions *books, int64_t *nano,
                         struct error *e)
{
    struct bill_lines lines = {0};
    struct arena a;
    arena_init(&a);
    int rc = bill_project(&l->bill, project, &l->period, books, false, &a, &lines, e);
    const struct rate_book *book = books->count > 0 ? &books->items[books->count - 1] : NULL;
    while (book && book > books->items && book->from_us >= l->period.to_us) {
        book--;
    }
    *nano += bill_sum(&lines);
    for (size_t i = 0; !rc && book && i < book->discount_count; i++) {
        *nano -= bill_discount(&book->discounts[i], project, &lines);
    }
    arena_done(&a);
    return rc;
}

/* What the budget is about has cost so far. */
static int spend(struct look *l, const struct budget_row *row, int64_t *ret_nano, struct error *e)
{
    struct invoice_inputs in;
    struct book_versions books;
    const char *payer = row->account_id;
    int rc = 0;
    *ret_nano = 0;
    if (*row->project_id) {
        rc = store_billing_account_of(l->b->reader, row->project_id, &l->arena, &payer, e);
        payer = payer ? payer : row->project_id;
    }
    rc = rc ? rc : close_inputs(l->b->reader, payer, &l->period, &l->arena, &in, e);
    rc = rc ? rc : invoice_prices(&l->bill, &in, &l->period, &l->arena, &books, e);
    for (size_t i = 0; !rc && i < in.project_count; i++) {
        if (!*row->project_id || strcmp(row->project_id, in.projects[i]) == 0) {
            rc = spend_project(l, in.projects[i], &books, ret_nano, e);
        }
    }
    struct bill_lines unused = {0};
    rc = rc ? rc : bill_unused(&l->bill, &l->period, &books, &l->arena, &unused, e);
    if (!rc && !*row->project_id) {
        *ret_nano += bill_sum(&unused);
    }
    return rc;
}

/* Notes the thresholds that are reached, or with `note` false only sees whether one is. */
static int cross(struct look *l, struct db_conn *c, size_t index, bool note, struct error *e)
{
    const struct budget_row *row = &l->rows[index];
    struct json_doc doc;
    int rc = json_in_parse(row->thresholds, strlen(row->thresholds), &doc, e);
    if (rc) {
        return rc;
    }
    for (size_t i = 0; !rc && i < json_in_count(doc.root); i++) {
        struct budget_crossing x = {.budget_id = row->id,
                                    .month = l->month,
                                    .threshold = json_in_text(json_in_item(doc.root, i)),
                                    .spent_nano = l->spent[index],
                                    .amount_nano = row->amount_nano,
                                    .crossed_us = l->now_us};
        int64_t percent = 0;
        bool fresh = false;
        if (!x.threshold || !money_parse(x.threshold, &percent) ||
            (__int128)x.spent_nano * 100 * MONEY_UNIT < (__int128)row->amount_nano * percent) {
            continue;
        }
        l->reached = true;
        x.needed_nano = money_divide((__int128)row->amount_nano * percent, 100 * MONEY_UNIT);
        x.needed_nano = x.needed_nano < x.spent_nano ? x.needed_nano : x.spent_nano; /* rounded up it is above */
        rc = note ? store_budget_cross(c, &x, *row->webhook, *row->email, &fresh, e) : 0;
        if (fresh) {
            l->b->crossed++;
            log_info("budget threshold reached", "budget=%s month=%s percent=%s", row->id, l->month, x.threshold);
        }
    }
    json_in_done(&doc);
    return rc;
}

static int spend_all(struct db_conn *c, void *arg, struct error *e)
{
    struct look *l = arg;
    int rc = bill_open(c, &l->bill, e);
    if (rc) {
        return rc;
    }
    rc = store_budget_list(c, NULL, NULL, &l->arena, &l->rows, &l->count, e);
    l->spent = arena_array(&l->arena, l->count + 1, sizeof(*l->spent));
    for (size_t i = 0; !rc && i < l->count; i++) {
        rc = spend(l, &l->rows[i], &l->spent[i], e);
        rc = rc ? rc : cross(l, c, i, false, e);
        l->reached = l->reached || l->rows[i].hard; /* what it has come to is written down */
    }
    bill_close(&l->bill);
    return rc;
}

static int cross_all(struct db_conn *c, void *arg, struct error *e)
{
    struct look *l = arg;
    int rc = 0;
    for (size_t i = 0; !rc && i < l->count; i++) {
        rc = cross(l, c, i, true, e);
        if (!rc && l->rows[i].hard) {
            rc = store_budget_spent(c, l->rows[i].id, l->month, l->spent[i], e);
        }
    }
    return rc;
}

static int look(struct budgets *b, struct error *e)
{
    struct look l = {.b = b, .now_us = clock_now_us()};
    int year = 0, month = 0;
    int rc = zone_month_of("UTC", l.now_us, &year, &month, e);
    rc = rc ? rc : zone_month("UTC", year, month, &l.period.from_us, &l.period.to_us, e);
    if (rc) {
        return rc;
    }
    l.period = (struct bill_period){l.period.from_us, l.now_us, INT64_MAX, INT64_MAX};
    snprintf(l.month, sizeof(l.month), "%04d-%02d", year, month);
    arena_init(&l.arena);
    rc = db_snapshot(b->reader, spend_all, &l, e);
    rc = rc || !l.reached ? rc : db_transact(b->conn, cross_all, &l, e);
    arena_done(&l.arena);
    return rc;
}

/* ---- telling ---- */

static void write_body(struct strbuf *text, const struct budget_crossing *x)
{
    struct json_out out;
    char money[MONEY_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
    json_out_init(&out, text);
    json_out_object(&out, NULL);
    json_out_text(&out, "budget", x->budget_id);
    json_out_text(&out, "month", x->month);
    json_out_text(&out, "threshold_percent", x->threshold);
    json_out_text(&out, "spent", money_text(x->spent_nano, money));
    json_out_text(&out, "crossed_at", clock_text(x->crossed_us, CLOCK_ISO_Z, time));
    json_out_object_end(&out);
}

static int settle(struct db_conn *c, void *arg, struct error *e)
{
    const struct budgets_telling *x = arg;
    int64_t attempts = x->crossing.attempts < 12 ? x->crossing.attempts : 12, pause = RETRY_US << attempts;
    int64_t due = clock_now_us() + (pause < RETRY_MAX_US ? pause : RETRY_MAX_US);
    return store_budget_told(c, &x->crossing, x->told ? 0 : due, e);
}

static const char *write_mail(struct budgets_telling *t)
{
    const struct budget_crossing *x = &t->crossing;
    char money[MONEY_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
    return arena_printf(&t->arena,
                        "The budget %s has reached %s %% of its amount for %s.\r\n\r\n"
                        "Spent: %s\r\nSeen at: %s (UTC)\r\n",
                        x->budget_id, x->threshold, x->month, money_text(x->spent_nano, money),
                        clock_text(x->crossed_us, CLOCK_ISO_Z, time));
}

/* What it is about is named, so that who gets it twice can see that. */
static int tell(struct budgets *b, struct budgets_telling *t, struct error *e)
{
    const struct budget_crossing *x = &t->crossing;
    struct strbuf body;
    const char *id =
        arena_printf(&t->arena, "%s/%s/%s/%lld", x->budget_id, x->month, x->threshold, (long long)x->crossed_us);
    if (x->email) {
        const struct webhook_mail mail = {
            .server = b->mail.server,
            .from = b->mail.from,
            .user = b->mail.user,
            .password = b->mail.password,
            .ca = b->mail.ca,
            .to = x->email,
            .subject = arena_printf(&t->arena, "Budget %s: %s %% of %s", x->budget_id, x->threshold, x->month),
            .text = write_mail(t)};
        return webhook_send_mail(b->webhook, &mail, id, e);
    }
    strbuf_init(&body, 0);
    write_body(&body, x);
    int rc = webhook_send(b->webhook, x->webhook, id, body.data, e);
    strbuf_done(&body);
    return rc;
}

static int start_telling(struct budgets *b, struct error *e)
{
    struct budgets_telling *t = memory_new(sizeof(*t));
    bool found = false;
    arena_init(&t->arena);
    int rc = store_budget_due(b->conn, clock_now_us(), &t->arena, &t->crossing, &found, e);
    b->telling = t;
    if (rc || !found) {
        budgets_done(b);
        return rc;
    }
    struct error refused = {0};
    if (tell(b, t, &refused)) {
        log_warn("nobody can be told of a budget", "budget=%s error=\"%s\"", t->crossing.budget_id,
                 error_text(&refused));
        rc = db_transact(b->conn, settle, t, e);
        budgets_done(b);
    }
    return rc;
}

static int go_on(struct budgets *b, struct error *e)
{
    long status = 0;
    if (!webhook_step(b->webhook, &status)) {
        return 0;
    }
    const struct budget_crossing *x = &b->telling->crossing;
    b->telling->told = status >= 200 && status < 300;
    b->told += b->telling->told;
    if (!b->telling->told) {
        log_warn(x->email ? "mail not sent" : "webhook not told",
                 "budget=%s month=%s percent=%s status=%ld attempts=%lld", x->budget_id, x->month, x->threshold, status,
                 (long long)x->attempts + 1);
    }
    int rc = db_transact(b->conn, settle, b->telling, e);
    budgets_done(b);
    return rc;
}

void budgets_done(struct budgets *b)
{
    if (b->telling) {
        arena_done(&b->telling->arena);
        free(b->telling);
        b->telling = NULL;
    }
}

int budgets_run(struct budgets *b, struct error *e)
{
    int64_t now = clock_mono_us();
    int rc = 0;
    if (now - b->looked_us >= b->period_us) {
        b->looked_us = now;
        rc = look(b, e);
    }
    if (!rc && !b->telling) {
        rc = start_telling(b, e);
    }
    return rc || !b->telling ? rc : go_on(b, e);
}
