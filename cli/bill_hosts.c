/* virga bill hosts: revenue, cost and margin of each host in a month. virga bill cost: what hosts cost by the hour. */
#include "cli/commands.h"
#include "cli/table.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "metering/bill/close.h"
#include "metering/bill/margin.h"
#include "metering/bill/zone.h"
#include <stdio.h>
#include <string.h>

struct asked {
    struct cli *cli;
    struct bill_period period;
    struct margin_report report;
};

static int make_report(struct db_conn *c, void *arg, struct error *e)
{
    struct asked *x = arg;
    return margin_report(c, &x->period, command_value(x->cli, "currency"), &x->cli->arena, &x->report, e);
}

static const char *percent(struct asked *x, int64_t revenue, int64_t cost)
{
    int64_t permille = revenue > 0 ? money_divide((__int128)(revenue - cost) * 1000, revenue) : 0;
    return revenue > 0 ? arena_printf(&x->cli->arena, "%s%lld.%d %%", permille < 0 ? "-" : "",
                                      (long long)(permille < 0 ? -permille : permille) / 10,
                                      (int)((permille < 0 ? -permille : permille) % 10))
                       : NULL;
}

static void print_table(struct asked *x)
{
    static const char *const headings[] = {"HOST", "ZONE", "HOURS", "     REVENUE", "COST", "MARGIN", "", NULL};
    struct margin_report *r = &x->report;
    struct table t;
    int64_t revenue = 0, cost = 0;
    table_init(&t, &x->cli->arena, headings);
    for (size_t i = 0; i < r->count; i++) {
        const struct margin_row *row = &r->rows[i];
        table_add(&t, *row->name ? row->name : "(no host)");
        table_add(&t, *row->zone ? row->zone : NULL);
        table_addf(&t, "%.2f", (double)row->us / (double)RATE_HOUR_US);
        table_addf(&t, "%12s", command_money(x->cli, row->revenue_nano));
        table_add(&t, row->costed ? command_money(x->cli, row->cost_nano) : NULL);
        table_add(&t, row->costed ? command_money(x->cli, row->revenue_nano - row->cost_nano) : NULL);
        table_add(&t, row->costed ? percent(x, row->revenue_nano, row->cost_nano) : NULL);
        revenue += row->revenue_nano;
        cost += row->cost_nano;
    }
    table_print(&t);
    printf("\nRevenue %s %s, cost %s, margin %s (before credit, tax and fixed discounts)\n",
           command_money(x->cli, revenue), r->currency, command_money(x->cli, cost),
           command_money(x->cli, revenue - cost));
    if (r->left_out > 0) {
        printf("%zu payers are billed in other currencies: choose one with --currency\n", r->left_out);
    }
}

static void print_json(struct asked *x)
{
    struct strbuf text;
    struct json_out out;
    char number[MONEY_TEXT_SIZE];
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_text(&out, "currency", x->report.currency);
    json_out_array(&out, "hosts");
    for (size_t i = 0; i < x->report.count; i++) {
        const struct margin_row *row = &x->report.rows[i];
        json_out_object(&out, NULL);
        json_out_text(&out, "id", row->id);
        json_out_text(&out, "name", row->name);
        json_out_text(&out, "zone", row->zone);
        json_out_int(&out, "seconds", row->us / CLOCK_SECOND_US);
        json_out_text(&out, "revenue", money_text(row->revenue_nano, number));
        json_out_text(&out, "cost", row->costed ? money_text(row->cost_nano, number) : NULL);
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    json_out_object_end(&out);
    command_print_json(&out);
    strbuf_done(&text);
}

static int read_month(struct cli *cli, int64_t now_us, struct bill_period *ret, struct error *e)
{
    struct close_plan plan = {0};
    const char *month = command_value(cli, "month");
    int rc = month ? close_read_month(month, &plan, e) : zone_month_of("UTC", now_us, &plan.year, &plan.month, e);
    *ret = (struct bill_period){.position = INT64_MAX, .generation = INT64_MAX};
    rc = rc ? rc : zone_month("UTC", plan.year, plan.month, &ret->from_us, &ret->to_us, e);
    ret->to_us = ret->to_us > now_us ? now_us : ret->to_us;
    return rc || ret->from_us <= ret->to_us ? rc : error_set(e, ERR_INVALID, "--month: %s has not begun", month);
}

static int hosts_run(struct cli *cli, struct error *e)
{
    struct asked x = {.cli = cli};
    int rc = read_month(cli, clock_now_us(), &x.period, e);
    rc = rc ? rc : command_open(cli, false, e);
    rc = rc ? rc : db_snapshot(db_reader(cli->db), make_report, &x, e);
    if (!rc && cli->json) {
        print_json(&x);
    } else if (!rc) {
        print_table(&x);
    }
    return rc;
}

static const struct command_option hosts_options[] = {
    {"month", "MONTH", "Another month (in UTC) than the running one, as 2026-10."},
    {"currency", "CODE", "Only payers whose price book is in that currency. Default: that of the book \"default\"."},
};
const struct command bill_hosts_command = {
    .name = "bill hosts",
    .arguments = "",
    .summary = "Show what each host brought in this month, what it cost, and the margin",
    .help = "Revenue is usage on the host at the books' prices less discounts by percentage. What a host costs by the "
            "hour is set with \"virga bill cost\".",
    COMMAND_OPTIONS(hosts_options),
    .run = hosts_run,
};

/* ---- costs ---- */

static int list_costs(struct cli *cli, struct error *e)
{
    static const char *const headings[] = {"KIND", "NAME", "FROM", "PER HOUR", NULL};
    struct host_cost_row *rows = NULL;
    struct table t;
    size_t count = 0;
    char time[CLOCK_TEXT_SIZE], money[MONEY_TEXT_SIZE];
    int rc = store_host_cost_list(db_reader(cli->db), &cli->arena, &rows, &count, e);
    table_init(&t, &cli->arena, headings);
    for (size_t i = 0; !rc && i < count; i++) {
        table_add(&t, rows[i].kind);
        table_add(&t, *rows[i].name ? rows[i].name : NULL);
        table_add(&t, clock_text(rows[i].from_us, CLOCK_ISO_Z, time));
        table_add(&t, money_text(rows[i].nano_per_hour, money));
    }
    if (!rc) {
        table_print(&t);
    }
    return rc;
}

static int put_cost(struct db_conn *c, void *arg, struct error *e)
{
    return store_host_cost_put(c, arg, e);
}

static int read_cost(struct cli *cli, struct host_cost_row *ret, struct error *e)
{
    static const char *const kinds[] = {"host", "zone", "hypervisor"};
    const char *from = command_value(cli, "from");
    *ret = (struct host_cost_row){.kind = "all", .name = "", .set_us = clock_now_us()};
    ret->from_us = ret->set_us;
    for (size_t i = 0; i < 3; i++) {
        const char *name = command_value(cli, kinds[i]);
        if (name && *ret->name) {
            return error_set(e, ERR_INVALID, "choose one of --host, --zone and --hypervisor");
        }
        ret->kind = name ? kinds[i] : ret->kind;
        ret->name = name ? name : ret->name;
    }
    if (!money_parse(cli->arguments[0], &ret->nano_per_hour) || ret->nano_per_hour < 0) {
        return error_set(e, ERR_INVALID, "\"%s\" is not an amount: write it as 0.35", cli->arguments[0]);
    }
    return !from || clock_parse(from, &ret->from_us) ? 0
                                                     : error_set(e, ERR_INVALID, "--from: \"%s\" is not a time", from);
}

static int cost_run(struct cli *cli, struct error *e)
{
    struct host_cost_row row;
    struct db_conn *writer = NULL;
    int rc = cli->argument_count > 0 ? read_cost(cli, &row, e) : 0;
    rc = rc ? rc : command_open(cli, false, e);
    if (rc || cli->argument_count == 0) {
        return rc ? rc : list_costs(cli, e);
    }
    rc = db_conn_open(cli->db, &writer, e);
    if (!rc) {
        rc = db_transact(writer, put_cost, &row, e);
        db_conn_close(&writer);
    }
    return rc;
}

static const struct command_option cost_options[] = {
    {"host", "NAME", "Of this host alone."},
    {"zone", "NAME", "Of hosts in this availability zone."},
    {"hypervisor", "NAME", "Of hosts with this hypervisor, as \"virga host list\" shows it."},
    {"from", "TIME", "From then on. Default: now."},
};
const struct command bill_cost_command = {
    .name = "bill cost",
    .arguments = "[AMOUNT]",
    .summary = "Set what a host costs by the hour, or list what is set",
    .help =
        "Without --host, --zone or --hypervisor it is for all hosts. The most particular cost counts. Amounts are in "
        "the currency of the price books.",
    COMMAND_OPTIONS(cost_options),
    .run = cost_run,
};
