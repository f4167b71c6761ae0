/* Revenue, cost and margin by host. Payers are rated one after the other, by host; hosts are few enough to be found by
 * a hash. */
#include "metering/bill/margin.h"
#include "common/model/money.h"
#include "common/model/rate.h"
#include "metering/bill/close.h"
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
    struct margin_row row;
    UT_hash_handle hh;
};
struct payer {
    const char *id;
    struct payer *next;
};
struct report {
    struct bill bill;
    const struct bill_period *period;
    const char *currency;
    struct arena *arena;
    struct arena lines; /* of the project at hand */
    struct entry *entries;
    struct payer *payers, **last;
    size_t left_out;
};

/* ---- cost ---- */

static bool is_about(const struct host_cost_row *c, int kind, const struct host_life_row *h)
{
    static const char *const kinds[] = {"host", "zone", "hypervisor", "all"};
    const char *const names[] = {h->name, h->zone, h->hypervisor, ""};
    return strcmp(c->kind, kinds[kind]) == 0 && strcmp(c->name, names[kind]) == 0;
}

/* What holds at an instant, NULL for nothing; *ret_until: when that may change. */
static const struct host_cost_row *cost_at(const struct host_cost_row *costs, size_t count,
                                           const struct host_life_row *h, int64_t at_us, int64_t *ret_until)
{
    const struct host_cost_row *best = NULL;
    for (int kind = 0; kind < 4; kind++) {
        const struct host_cost_row *last = NULL;
        for (size_t i = 0; i < count; i++) {
            if (!is_about(&costs[i], kind, h)) {
                continue;
            }
            if (costs[i].from_us <= at_us) {
                last = &costs[i];
            } else if (costs[i].from_us < *ret_until) {
                *ret_until = costs[i].from_us;
            }
        }
        best = best ? best : last;
    }
    return best;
}

int64_t margin_cost(const struct host_cost_row *costs, size_t count, const struct host_life_row *host, int64_t from_us,
                    int64_t to_us, bool *ret_costed)
{
    __int128 sum = 0;
    *ret_costed = false;
    for (int64_t at = from_us, until; at < to_us; at = until) {
        until = to_us;
        const struct host_cost_row *cost = cost_at(costs, count, host, at, &until);
        sum += cost ? (__int128)cost->nano_per_hour * (until - at) : 0;
        *ret_costed = *ret_costed || cost;
    }
    return money_divide(sum, RATE_HOUR_US);
}

/* ---- revenue ---- */

static struct entry *entry_of(struct report *r, const char *host)
{
    struct entry *x;
    HASH_FIND_STR(r->entries, host, x);
    if (!x) {
        x = arena_alloc(r->arena, sizeof(*x));
        x->row.id = arena_strdup(r->arena, host);
        x->row.name = x->row.id; /* one that left before anybody wrote down its name */
        x->row.zone = x->row.hypervisor = "";
        HASH_ADD_KEYPTR(hh, r->entries, x->row.id, strlen(x->row.id), x);
    }
    return x;
}

/* A line less the percentages that apply to it. */
static int64_t net_of(const struct rate_book *book, const char *project, const struct bill_line *line)
{
    struct bill_lines one = {(struct bill_line *)line, 1};
    int64_t left = line->amount_nano;
    for (size_t i = 0; book && i < book->discount_count; i++) {
        int64_t nano = bill_discount(&book->discounts[i], project, &one);
        left -= nano < left ? nano : left;
    }
    return left;
}

static int add_project(struct report *r, const char *project, const struct book_versions *books, struct error *e)
{
    struct bill_lines lines = {0};
    const struct rate_book *book = book_last(books, r->period->to_us);
    arena_reset(&r->lines);
    int rc = bill_project(&r->bill, project, r->period, books, true, &r->lines, &lines, e);
    for (size_t i = 0; !rc && i < lines.count; i++) {
        entry_of(r, lines.items[i].host)->row.revenue_nano += net_of(book, project, &lines.items[i]);
    }
    return rc;
}

static int add_payer(struct report *r, const char *payer, struct error *e)
{
    struct invoice_inputs in;
    struct book_versions books;
    struct arena a;
    arena_init(&a);
    int rc = close_inputs(r->bill.conn, payer, r->period, &a, &in, e);
    rc = rc ? rc : invoice_prices(&r->bill, &in, r->period, &a, &books, e);
    bool counts = !rc && books.count > 0;
    if (counts && !r->currency) {
        r->currency = arena_strdup(r->arena, books.items[0].currency);
    }
    if (counts && strcmp(books.items[0].currency, r->currency) != 0) {
        r->left_out++;
        counts = false;
    }
    for (size_t i = 0; !rc && counts && i < in.project_count; i++) {
        rc = add_project(r, in.projects[i], &books, e);
    }
    arena_done(&a);
    return rc;
}

static int list_payer(void *arg, const char *text, struct error *e)
{
    (void)e;
    struct report *r = arg;
    struct payer *p = arena_alloc(r->arena, sizeof(*p));
    p->id = arena_strdup(r->arena, text);
    *r->last = p;
    r->last = &p->next;
    return 0;
}

static int find_currency(struct report *r, struct error *e)
{
    struct book_versions books = {0};
    int rc = r->currency ? 0 : book_load(r->bill.conn, "default", &r->bill.resources, r->arena, &books, e);
    if (!rc && books.count > 0) {
        r->currency = books.items[0].currency;
    }
    return rc;
}

static int add_revenue(struct report *r, struct error *e)
{
    r->last = &r->payers;
    int rc = find_currency(r, e);
    rc = rc ? rc : store_billing_payers(r->bill.conn, list_payer, r, e);
    for (const struct payer *p = r->payers; !rc && p; p = p->next) {
        rc = add_payer(r, p->id, e);
    }
    return rc;
}

static int add_cost(struct report *r, struct error *e)
{
    struct host_cost_row *costs = NULL;
    struct host_life_row *hosts = NULL;
    size_t cost_count = 0, host_count = 0;
    int rc = store_host_cost_list(r->bill.conn, r->arena, &costs, &cost_count, e);
    rc = rc ? rc : store_host_cost_lives(r->bill.conn, r->arena, &hosts, &host_count, e);
    for (size_t i = 0; !rc && i < host_count; i++) {
        const struct host_life_row *h = &hosts[i];
        int64_t from = h->enrolled_us > r->period->from_us ? h->enrolled_us : r->period->from_us;
        int64_t to = h->gone_us < r->period->to_us ? h->gone_us : r->period->to_us;
        bool costed = false;
        if (to <= from) {
            continue;
        }
        struct margin_row *row = &entry_of(r, h->id)->row;
        row->name = h->name;
        row->zone = h->zone;
        row->hypervisor = h->hypervisor;
        row->us += to - from;
        row->cost_nano += margin_cost(costs, cost_count, h, from, to, &costed);
        row->costed = row->costed || costed;
    }
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const struct margin_row *x = a, *y = b;
    if (!*x->name || !*y->name) {
        return !*x->name - !*y->name;
    }
    int by = strcmp(x->name, y->name);
    return by ? by : strcmp(x->id, y->id);
}

int margin_report(struct db_conn *c, const struct bill_period *period, const char *currency, struct arena *a,
                  struct margin_report *ret, struct error *e)
{
    struct report r = {.period = period, .currency = currency, .arena = a};
    int rc = bill_open(c, &r.bill, e);
    if (rc) {
        return rc;
    }
    arena_init(&r.lines);
    rc = add_revenue(&r, e);
    rc = rc ? rc : add_cost(&r, e);
    *ret = (struct margin_report){.currency = r.currency ? r.currency : "", .left_out = r.left_out};
    ret->rows = arena_array(a, HASH_COUNT(r.entries) + 1, sizeof(*ret->rows));
    for (const struct entry *x = r.entries; !rc && x; x = x->hh.next) {
        ret->rows[ret->count++] = x->row;
    }
    if (ret->count > 1) {
        qsort(ret->rows, ret->count, sizeof(*ret->rows), by_name);
    }
    HASH_CLEAR(hh, r.entries);
    arena_done(&r.lines);
    bill_close(&r.bill);
    return rc;
}
