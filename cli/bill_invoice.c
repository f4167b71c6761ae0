/* virga bill invoice: an invoice in the form that is wanted; as PDF through Chromium's print, where it is installed. */
#include "cli/commands.h"
#include "cli/print.h"
#include "common/file.h"
#include "metering/bill/export.h"
#include "metering/bill/invoice.h"
#include <stdio.h>
#include <string.h>

#define CEILING ((size_t)900 << 20)

static int write_form(struct cli *cli, const char *body, const char *format, struct strbuf *to, struct error *e)
{
    const char *type = NULL;
    if (strcmp(format, "json") == 0) {
        strbuf_append_text(to, body);
        strbuf_append_char(to, '\n');
        return 0;
    }
    return export_write(db_reader(cli->db), body, format, &cli->arena, to, &type, e);
}

static int give(struct cli *cli, const char *body, struct error *e)
{
    const char *format = command_value(cli, "format"), *pdf = command_value(cli, "pdf");
    struct strbuf text;
    strbuf_init(&text, CEILING);
    int rc = write_form(cli, body, pdf ? "html" : format ? format : "json", &text, e);
    if (!rc && pdf) {
        rc = print_pdf(text.data, text.size, pdf, e);
    } else if (!rc && (fwrite(text.data, 1, text.size, stdout) != text.size || fflush(stdout))) {
        rc = error_set(e, ERR_IO, "the invoice was not written whole");
    }
    strbuf_done(&text);
    return rc;
}

static int bill_invoice_run(struct cli *cli, struct error *e)
{
    struct billing_invoice_row row;
    int64_t number = invoice_number_parse(cli->arguments[0]);
    if (number == 0) {
        return error_set(e, ERR_INVALID, "\"%s\" is not an invoice's number", cli->arguments[0]);
    }
    if (command_value(cli, "format") && command_value(cli, "pdf")) {
        return error_set(e, ERR_INVALID, "give either --format or --pdf");
    }
    int rc = command_open(cli, false, e);
    rc = rc ? rc : store_billing_invoice(db_reader(cli->db), number, &cli->arena, &row, e);
    return rc ? rc : give(cli, row.body, e);
}

static const struct command_option options[] = {
    {"format", "FORM", "json (default), csv, html (printable) or focus (FOCUS 1.2 CSV)."},
    {"pdf", "FILE", "Write the printable form to that file as PDF. Needs Chromium."},
};
const struct command bill_invoice_command = {
    .name = "bill invoice",
    .arguments = "INVOICE",
    .summary = "Print an invoice",
    COMMAND_OPTIONS(options),
    .run = bill_invoice_run,
};
