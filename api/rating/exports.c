/* /v3/exports: the invoices and credit notes of a period as one CSV file, ours or FOCUS 1.2, of the caller's account
 * or, for those who see accounts, of one or all. */
#include "api/rating/rating.h"
#include "common/clock.h"
#include "metering/bill/export.h"
#include "metering/bill/invoice.h"
#include <string.h>

#define INVOICES_MAX 1000
#define FORM_CEILING ((size_t)256 << 20)

struct numbers {
    int64_t items[INVOICES_MAX];
    size_t count;
};

static int add_number(void *arg, const struct billing_invoice_row *row, struct error *e)
{
    (void)e;
    struct numbers *n = arg;
    n->items[n->count++] = row->number;
    return 0;
}

/* The form of one invoice, without its heading when others went before. */
static int append(struct request *request, struct reply *reply, int64_t number, const char *format, bool first)
{
    struct billing_invoice_row row;
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text, FORM_CEILING);
    int rc = store_billing_invoice(request->conn, number, &a, &row, &request->error);
    rc = rc ? rc : export_write(request->conn, row.body, format, &a, &text, &reply->content_type, &request->error);
    if (!rc) {
        const char *end = first ? text.data : strstr(text.data, "\r\n") + 2;
        strbuf_append(&reply->body, end, text.size - (size_t)(end - text.data));
    }
    strbuf_done(&text);
    arena_done(&a);
    return rc || !reply->body.error ? rc
                                    : error_set(&request->error, ERR_TOO_LARGE,
                                                "the export is too large: ask for a shorter period or one account_id");
}

static int exports_show(struct request *request, struct reply *reply)
{
    const char *format = request_query(request, "format"), *begin = request_query(request, "begin"),
               *end = request_query(request, "end"), *marker = NULL, *account = NULL;
    int64_t from_us = INT64_MIN, to_us = INT64_MAX, limit = 0;
    format = format ? format : "focus";
    if (strcmp(format, "focus") != 0 && strcmp(format, "csv") != 0) {
        return error_set(&request->error, ERR_INVALID, "format: \"%s\" is not one of focus, csv", format);
    }
    if ((begin && !clock_parse(begin, &from_us)) || (end && !clock_parse(end, &to_us))) {
        return error_set(&request->error, ERR_INVALID, "begin and end are times");
    }
    struct numbers *n = arena_alloc(&request->arena, sizeof(*n));
    int rc = request_page(request, INVOICES_MAX, &limit, &marker);
    rc = rc ? rc : rating_account(request, &account);
    rc = rc ? rc
            : store_billing_invoices(request->conn, account, from_us, to_us, marker ? invoice_number_parse(marker) : 0,
                                     limit, add_number, n, &request->error);
    reply->content_type = "text/csv; charset=utf-8";
    for (size_t i = 0; !rc && i < n->count; i++) {
        rc = append(request, reply, n->items[i], format, i == 0);
    }
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v3/exports", .permission = PERMISSION_BILLED, .handler = exports_show},
};
const struct route_table rating_exports_routes = ROUTE_TABLE(rows);
