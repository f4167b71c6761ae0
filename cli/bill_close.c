/* virga bill close: one invoice for each payer of a month that is over. */
#include "cli/commands.h"
#include "common/clock.h"
#include "metering/bill/close.h"
#include <stdio.h>
#include <stdlib.h>

static void print(struct cli *cli, const struct close_result *r)
{
    struct strbuf text;
    struct json_out out;
    if (!cli->json) {
        printf("%zu invoices of %zu lines; %zu were there, %zu months are not over\n", r->invoices, r->lines, r->there,
               r->early);
        return;
    }
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_uint(&out, "invoices", r->invoices);
    json_out_uint(&out, "lines", r->lines);
    json_out_uint(&out, "there", r->there);
    json_out_uint(&out, "not_over", r->early);
    json_out_object_end(&out);
    command_print_json(&out);
    strbuf_done(&text);
}

static int bill_close_run(struct cli *cli, struct error *e)
{
    struct close_plan plan = {.now_us = clock_now_us(), .account = command_value(cli, "account")};
    struct close_result result;
    struct db_conn *writer = NULL;
    int rc = close_read_month(cli->arguments[0], &plan, e);
    rc = rc ? rc : command_open(cli, false, e);
    rc = rc ? rc : db_conn_open(cli->db, &writer, e);
    if (rc) {
        return rc;
    }
    rc = close_month(db_reader(cli->db), writer, &plan, &result, e);
    db_conn_close(&writer);
    if (!rc) {
        print(cli, &result);
    }
    return rc;
}

static const struct command_option options[] = {
    {"account", "ID", "Only this billing account (or project that pays for itself)."},
};
const struct command bill_close_command = {
    .name = "bill close",
    .arguments = "MONTH",
    .summary = "Close a month (2026-10): one immutable invoice for each payer",
    .help = "What has an invoice for the month keeps it: the command may be run again after whatever ended it. Usage "
            "that becomes known later is billed as an adjustment with the next invoice.",
    COMMAND_OPTIONS(options),
    .run = bill_close_run,
};
