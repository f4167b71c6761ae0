/* Rated usage. Books are loaded once per account; each project's lines live in an arena of their own. */
#include "api/rating/rated.h"
#include "metering/bill/close.h"
#include <string.h>

struct loaded {
    const char *account; /* "" for projects without */
    struct book_versions books;
    struct loaded *next;
};
struct names {
    const char **items;
    size_t count, room;
    struct arena *arena;
};
struct walk {
    struct request *request;
    const char *project;
    struct bill_period period;
    bool by_host;
    const struct book_versions *books;
    rated_fn fn;
    void *arg;
    struct rated rated;
    struct loaded *loaded;
    struct arena lines;
};

int rated_book(struct request *request, struct db_conn *c, const char *project, const char **ret)
{
    const char *account = NULL;
    struct billing_account_row row;
    int rc = store_billing_account_of(c, project, &request->arena, &account, &request->error);
    if (!rc && account) {
        rc = store_billing_account(c, account, &request->arena, &row, &request->error);
    }
    if (!rc) {
        *ret = account ? row.book : "default";
    }
    return rc;
}

/* Where nobody has set prices, usage is still shown. */
static void count_only(struct walk *w, struct book_versions *ret)
{
    static const struct rate_tier free_of_charge[] = {{.last = true}};
    size_t count = w->rated.bill.resources.count;
    struct rate_rule *rules = arena_array(&w->request->arena, count + 1, sizeof(*rules));
    struct rate_book *book = arena_alloc(&w->request->arena, sizeof(*book));
    for (size_t i = 0; i < count; i++) {
        rules[i] = (struct rate_rule){
            .resource = i, .label = w->rated.bill.resources.items[i].name, .tiers = free_of_charge, .tier_count = 1};
    }
    *book = (struct rate_book){
        .name = "", .currency = "", .digest = "", .rules = rules, .rule_count = count, .rounding_count = 1};
    *ret = (struct book_versions){.items = book, .count = 1};
}

/* An account has its own prices; projects without one share those of the book "default". */
static int load_books(struct walk *w, struct db_conn *c, const char *account, struct book_versions *ret)
{
    struct arena *a = &w->request->arena;
    struct invoice_inputs in;
    int rc = 0;
    if (account) {
        rc = close_inputs(c, account, &w->period, a, &in, &w->request->error);
        rc = rc ? rc : invoice_prices(&w->rated.bill, &in, &w->period, a, ret, &w->request->error);
    } else {
        rc = book_load(c, "default", &w->rated.bill.resources, a, ret, &w->request->error);
    }
    if (!rc && ret->count == 0) {
        count_only(w, ret);
    }
    return rc;
}

static int books_of(struct walk *w, struct db_conn *c, const char *project, const struct book_versions **ret)
{
    const char *account = NULL;
    int rc = store_billing_account_of(c, project, &w->request->arena, &account, &w->request->error);
    if (rc) {
        return rc;
    }
    struct loaded *l = w->loaded;
    while (l && strcmp(l->account, account ? account : "") != 0) {
        l = l->next;
    }
    if (!l) {
        l = arena_alloc(&w->request->arena, sizeof(*l));
        l->account = account ? account : "";
        l->next = w->loaded;
        w->loaded = l;
        rc = load_books(w, c, account, &l->books);
    }
    *ret = &l->books;
    return rc;
}

static int64_t discount(const struct walk *w, const struct book_versions *books)
{
    const struct rate_book *book = NULL;
    int64_t sum = bill_sum(&w->rated.lines), taken = 0;
    for (size_t i = 0; i < books->count && books->items[i].from_us < w->period.to_us; i++) {
        book = &books->items[i];
    }
    for (size_t i = 0; book && i < book->discount_count; i++) {
        taken += bill_discount(&book->discounts[i], w->rated.project, &w->rated.lines);
    }
    return taken < sum ? taken : sum;
}

static int walk_project(struct walk *w, struct db_conn *c, const char *project)
{
    const struct book_versions *books = w->books;
    int rc = books ? 0 : books_of(w, c, project, &books);
    arena_reset(&w->lines);
    rc = rc ? rc
            : bill_project(&w->rated.bill, project, &w->period, books, w->by_host, &w->lines, &w->rated.lines,
                           &w->request->error);
    if (rc || w->rated.lines.count == 0) {
        return rc;
    }
    w->rated.project = project;
    w->rated.currency = books->items[0].currency;
    w->rated.discount_nano = discount(w, books);
    return w->fn(w->arg, &w->rated);
}

static int add_name(void *arg, int64_t no, const char *text, struct error *e)
{
    (void)no, (void)e;
    struct names *n = arg;
    n->items = arena_more(n->arena, n->items, n->count, &n->room, sizeof(*n->items));
    n->items[n->count++] = arena_strdup(n->arena, text);
    return 0;
}

static int walk_all(struct db_conn *c, void *arg, struct error *e)
{
    struct walk *w = arg;
    struct names names = {.arena = &w->request->arena};
    int rc = bill_open(c, &w->rated.bill, e);
    if (rc) {
        return rc;
    }
    if (w->project) {
        rc = walk_project(w, c, w->project);
    } else {
        rc = store_ledger_projects(c, add_name, &names, e);
        for (size_t i = 0; !rc && i < names.count; i++) {
            rc = walk_project(w, c, names.items[i]);
        }
    }
    bill_close(&w->rated.bill);
    return rc;
}

int rated_each(struct request *request, const char *project, const struct period *period, bool by_host,
               const struct book_versions *books, rated_fn fn, void *arg)
{
    struct walk w = {.request = request,
                     .project = project,
                     .period = {period->from_us, period->to_us, INT64_MAX, INT64_MAX},
                     .by_host = by_host,
                     .books = books,
                     .fn = fn,
                     .arg = arg};
    arena_init(&w.lines);
    int rc = db_snapshot(request->conn, walk_all, &w, &request->error);
    arena_done(&w.lines);
    return rc;
}
