/* virga bill show: an invoice in the form that is wanted. */
#include "cli/commands.h"
#include "metering/bill/export.h"
#include "metering/bill/invoice.h"
#include <stdio.h>
#include <string.h>

static int bill_show_run(struct cli *cli, struct error *e)
{
    const char *format = command_value(cli, "format"), *type = NULL;
    struct billing_invoice_row row;
    struct strbuf text;
    int64_t number = invoice_number_parse(cli->arguments[0]);
    if (number == 0) {
        return error_set(e, ERR_INVALID, "\"%s\" is not an invoice's number", cli->arguments[0]);
    }
    int rc = command_open(cli, false, e);
    rc = rc ? rc : store_billing_invoice(db_reader(cli->db), number, &cli->arena, &row, e);
    if (rc || !format || strcmp(format, "json") == 0) {
        return rc || fputs(row.body, stdout) == EOF || putchar('\n') == EOF ? rc : 0;
    }
    strbuf_init(&text, (size_t)900 << 20);
    rc = export_write(db_reader(cli->db), row.body, format, &cli->arena, &text, &type, e);
    if (!rc) {
        fputs(text.data, stdout);
    }
    strbuf_done(&text);
    return rc;
}

static const struct command_option options[] = {
    {"format", "FORM", "json (default), csv, html (printable) or focus (FOCUS 1.2 CSV)."},
};
const struct command bill_show_command = {
    .name = "bill show",
    .arguments = "INVOICE",
    .summary = "Print an invoice",
    COMMAND_OPTIONS(options),
    .run = bill_show_run,
};
