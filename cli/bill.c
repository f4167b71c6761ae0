/* virga bill: what a project, an account or all of them cost this month so far, by what, beside last month, and where
 * it is going. */
#include "cli/commands.h"
#include "cli/table.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "metering/bill/close.h"
#include "metering/bill/zone.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAR_WIDTH 30

enum by { BY_RESOURCE, BY_PROJECT, BY_FLAVOR, BY_STATE, BY_ZONE, BY_SERVER, BY_TAGS, BY_NETWORK, BY_COUNT };
static const char *const by_names[BY_COUNT] = {"resource", "project", "flavor", "state",
                                               "zone",     "server",  "tags",   "network"};

struct group {
    const char *name;
    int64_t nano[2]; /* this month, last month */
    struct group *next;
};
struct report {
    struct cli *cli;
    struct bill bill;
    enum by by;
    int year, month;
    int64_t now_us;
    struct bill_period periods[2];
    struct group *groups;
    size_t count;
    const char *currency;
    struct arena lines;
    int which;
};

static const char *group_name(const struct report *r, const char *project, const struct bill_line *l)
{
    const struct ledger_shape *f = &l->shape->facts;
    switch (r->by) {
    case BY_RESOURCE:
        return r->bill.resources.items[l->resource].name;
    case BY_PROJECT:
        return project;
    case BY_FLAVOR:
        return f->flavor;
    case BY_STATE:
        return f->state;
    case BY_ZONE:
        return f->zone;
    case BY_SERVER:
        return l->subject;
    case BY_TAGS:
        return f->tags;
    case BY_NETWORK:
        return l->network;
    case BY_COUNT:
        break;
    }
    return "";
}

static void add(struct report *r, const char *name, int64_t nano)
{
    struct group *g = r->groups;
    while (g && strcmp(g->name, name) != 0) {
        g = g->next;
    }
    if (!g) {
        g = arena_alloc(&r->cli->arena, sizeof(*g));
        g->name = arena_strdup(&r->cli->arena, name);
        g->next = r->groups;
        r->groups = g;
        r->count++;
    }
    g->nano[r->which] += nano;
}

static void add_lines(struct report *r, const char *project, const struct bill_lines *lines)
{
    const char *tag = command_value(r->cli, "tag");
    for (size_t i = 0; i < lines->count; i++) {
        if (!tag || bill_has_tag(&lines->items[i], tag)) {
            add(r, group_name(r, project, &lines->items[i]), lines->items[i].amount_nano);
        }
    }
}

static int add_project(struct report *r, const char *project, const struct book_versions *books, struct error *e)
{
    struct bill_lines lines = {0};
    arena_reset(&r->lines);
    int rc = bill_project(&r->bill, project, &r->periods[r->which], books, false, &r->lines, &lines, e);
    if (!rc) {
        add_lines(r, project, &lines);
    }
    return rc;
}

/* What was committed and not used. */
static int add_unused(struct report *r, const struct book_versions *books, struct error *e)
{
    struct bill_lines lines = {0};
    arena_reset(&r->lines);
    int rc = bill_unused(&r->bill, &r->periods[r->which], books, &r->lines, &lines, e);
    if (!rc) {
        add_lines(r, "", &lines);
    }
    return rc;
}

/* A payer's months are those of its time zone. */
static int add_payer(struct report *r, const char *payer, struct error *e)
{
    struct invoice_inputs in;
    struct book_versions books;
    const char *only = command_value(r->cli, "project"), *timezone = NULL;
    struct arena *a = &r->cli->arena;
    int rc = close_timezone(r->bill.conn, payer, a, &timezone, e);
    for (r->which = 0; !rc && r->which < 2; r->which++) {
        struct bill_period *p = &r->periods[r->which];
        int month = r->year * 12 + r->month - 1 - r->which;
        *p = (struct bill_period){.position = INT64_MAX, .generation = INT64_MAX};
        rc = zone_month(timezone, month / 12, month % 12 + 1, &p->from_us, &p->to_us, e);
        p->to_us = p->to_us > r->now_us ? r->now_us : p->to_us;
        p->from_us = p->from_us > p->to_us ? p->to_us : p->from_us;
        rc = rc ? rc : close_inputs(r->bill.conn, payer, p, a, &in, e);
        rc = rc ? rc : invoice_prices(&r->bill, &in, p, a, &books, e);
        if (!rc && books.count > 0) {
            r->currency = books.items[0].currency;
        }
        for (size_t i = 0; !rc && i < in.project_count; i++) {
            rc = !only || strcmp(only, in.projects[i]) == 0 ? add_project(r, in.projects[i], &books, e) : 0;
        }
        rc = rc || only ? rc : add_unused(r, &books, e);
    }
    return rc;
}

struct payers {
    struct arena *arena;
    const char *items[10000];
    size_t count;
};

static int list_payer(void *arg, const char *text, struct error *e)
{
    struct payers *p = arg;
    if (p->count == sizeof(p->items) / sizeof(p->items[0])) {
        return error_set(e, ERR_TOO_LARGE, "more than 10,000 payers: choose one with --account");
    }
    p->items[p->count++] = arena_strdup(p->arena, text);
    return 0;
}

static int collect(struct db_conn *c, void *arg, struct error *e)
{
    struct report *r = arg;
    const char *account = command_value(r->cli, "account"), *project = command_value(r->cli, "project");
    int rc = 0;
    if (!account && project) {
        rc = store_billing_account_of(c, project, &r->cli->arena, &account, e);
        account = account ? account : project;
    }
    if (rc || account) {
        return rc ? rc : add_payer(r, account, e);
    }
    struct payers *p = arena_alloc(&r->cli->arena, sizeof(*p));
    p->arena = &r->cli->arena;
    rc = store_billing_payers(c, list_payer, p, e);
    for (size_t i = 0; !rc && i < p->count; i++) {
        rc = add_payer(r, p->items[i], e);
    }
    return rc;
}

static int dearest(const void *a, const void *b)
{
    const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
    return x->nano[0] != y->nano[0] ? (x->nano[0] < y->nano[0] ? 1 : -1) : strcmp(x->name, y->name);
}

static struct group **sorted(struct report *r)
{
    struct group **list = arena_array(&r->cli->arena, r->count + 1, sizeof(struct group *));
    size_t n = 0;
    for (struct group *g = r->groups; g; g = g->next) {
        list[n++] = g;
    }
    if (n > 1) {
        qsort(list, n, sizeof(struct group *), dearest);
    }
    return list;
}

/* Straight on to the end of the month, by what it has come to so far. */
static int64_t forecast(const struct report *r, int64_t nano, int64_t end_us)
{
    const struct bill_period *p = &r->periods[0];
    int64_t gone = p->to_us - p->from_us;
    return gone > 0 ? money_divide((__int128)nano * (end_us - p->from_us), gone) : nano;
}

static void print_table(struct report *r, int64_t end_us)
{
    const char *headings[] = {arena_printf(&r->cli->arena, "BY %s", by_names[r->by]), "  THIS MONTH", "  LAST MONTH",
                              "", NULL};
    struct group **list = sorted(r);
    struct table t;
    int64_t total[2] = {0}, most = 1;
    table_init(&t, &r->cli->arena, headings);
    for (size_t i = 0; i < r->count; i++) {
        most = list[i]->nano[0] > most ? list[i]->nano[0] : most;
    }
    for (size_t i = 0; i < r->count; i++) {
        char bar[BAR_WIDTH + 1] = "";
        int64_t width = list[i]->nano[0] > 0 ? (int64_t)((__int128)list[i]->nano[0] * BAR_WIDTH / most) : 0;
        memset(bar, '#', (size_t)width);
        table_add(&t, *list[i]->name ? list[i]->name : "-");
        table_addf(&t, "%12s", command_money(r->cli, list[i]->nano[0]));
        table_addf(&t, "%12s", command_money(r->cli, list[i]->nano[1]));
        table_add(&t, bar);
        total[0] += list[i]->nano[0];
        total[1] += list[i]->nano[1];
    }
    table_print(&t);
    printf("\nMonth to date %s %s; at this pace %s at its end; last month %s (before discounts and tax)\n",
           command_money(r->cli, total[0]), r->currency, command_money(r->cli, forecast(r, total[0], end_us)),
           command_money(r->cli, total[1]));
}

static void print_json(struct report *r, int64_t end_us)
{
    struct strbuf text;
    struct json_out out;
    char number[MONEY_TEXT_SIZE];
    int64_t total = 0;
    struct group **list = sorted(r);
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_text(&out, "currency", r->currency);
    json_out_array(&out, by_names[r->by]);
    for (size_t i = 0; i < r->count; i++) {
        json_out_object(&out, NULL);
        json_out_text(&out, "name", list[i]->name);
        json_out_text(&out, "this_month", money_text(list[i]->nano[0], number));
        json_out_text(&out, "last_month", money_text(list[i]->nano[1], number));
        json_out_object_end(&out);
        total += list[i]->nano[0];
    }
    json_out_array_end(&out);
    json_out_text(&out, "month_to_date", money_text(total, number));
    json_out_text(&out, "forecast", money_text(forecast(r, total, end_us), number));
    json_out_object_end(&out);
    command_print_json(&out);
    strbuf_done(&text);
}

static int read_options(struct report *r, struct error *e)
{
    const char *by = command_value(r->cli, "by"), *month = command_value(r->cli, "month");
    char rest = 0;
    for (int i = 0; by && i < BY_COUNT; i++) {
        if (strcmp(by_names[i], by) == 0) {
            r->by = (enum by)i;
            by = NULL;
        }
    }
    if (by) {
        return error_set(e, ERR_INVALID,
                         "--by: \"%s\" is not one of resource, project, flavor, state, zone, server, tags, network",
                         by);
    }
    if (!month) {
        return zone_month_of("UTC", r->now_us, &r->year, &r->month, e);
    }
    if (sscanf(month, "%4d-%2d%c", &r->year, &r->month, &rest) != 2 || r->month < 1 || r->month > 12) {
        return error_set(e, ERR_INVALID, "--month: \"%s\" is not a month: write it as 2026-10", month);
    }
    return 0;
}

static int bill_run(struct cli *cli, struct error *e)
{
    struct report r = {.cli = cli, .now_us = clock_now_us(), .currency = ""};
    int64_t begin_us = 0, end_us = 0;
    int rc = read_options(&r, e);
    rc = rc ? rc : zone_month("UTC", r.year, r.month, &begin_us, &end_us, e);
    rc = rc ? rc : command_open(cli, false, e);
    rc = rc ? rc : bill_open(db_reader(cli->db), &r.bill, e);
    if (rc) {
        return rc;
    }
    arena_init(&r.lines);
    rc = db_snapshot(db_reader(cli->db), collect, &r, e);
    arena_done(&r.lines);
    bill_close(&r.bill);
    if (!rc && cli->json) {
        print_json(&r, end_us);
    } else if (!rc) {
        print_table(&r, end_us);
    }
    return rc;
}

static const struct command_option options[] = {
    {"account", "ID", "Only this billing account."},
    {"project", "ID", "Only this project."},
    {"tag", "TAG", "Only of servers that had this tag, while they had it."},
    {"month", "MONTH", "Another month than the running one, as 2026-10."},
    {"by", "WHAT", "resource (default), project, flavor, state, zone, server, tags or network."},
};
const struct command bill_command = {
    .name = "bill",
    .arguments = "",
    .summary = "Show what this month has cost so far, by what, beside last month",
    COMMAND_OPTIONS(options),
    .run = bill_run,
};
