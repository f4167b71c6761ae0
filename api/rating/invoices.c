/* /v3/invoices: what was closed. The body of an invoice is stored text and goes out as it is; other forms are made from
 * it. Credit notes are written by administrators, about one invoice each. */
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "metering/bill/export.h"
#include "metering/bill/invoice.h"
#include <string.h>

#define INVOICES_MAX 1000

static int write_head(void *arg, const struct billing_invoice_row *row, struct error *e)
{
    (void)e;
    struct json_out *out = arg;
    char number[INVOICE_NUMBER_SIZE], text[CLOCK_TEXT_SIZE], money[MONEY_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_text(out, "invoice", invoice_number(row->number, number));
    json_out_text(out, "kind", row->kind);
    json_out_text(out, "account_id", row->account_id);
    json_out_text(out, "begin", clock_text(row->from_us, CLOCK_ISO_Z, text));
    json_out_text(out, "end", clock_text(row->to_us, CLOCK_ISO_Z, text));
    json_out_text(out, "currency", row->currency);
    json_out_text(out, "payable", money_text(row->payable_nano, money));
    json_out_text(out, "about", row->about ? invoice_number(row->about, number) : NULL);
    json_out_text(out, "issued_at", clock_text(row->issued_us, CLOCK_ISO_MICRO_Z, text));
    json_out_text(out, "sha256", row->digest);
    json_out_object_end(out);
    return 0;
}

int rating_account(struct request *request, const char **ret)
{
    const struct credential *c = &request->credential;
    const char *asked = request_query(request, "account_id"), *own = NULL;
    if (asked || (c->roles & (ROLE_ADMIN | ROLE_BILLING))) {
        *ret = asked;
        return asked ? rating_may_see_account(request, asked) : 0;
    }
    int rc = store_billing_account_of(request->conn, c->project_id, &request->arena, &own, &request->error);
    *ret = own ? own : c->project_id;
    return rc;
}

static int invoices_list(struct request *request, struct reply *reply)
{
    const char *account = NULL, *marker = NULL, *begin = request_query(request, "begin"),
               *end = request_query(request, "end");
    int64_t from_us = INT64_MIN, to_us = INT64_MAX, limit = 0;
    if ((begin && !clock_parse(begin, &from_us)) || (end && !clock_parse(end, &to_us))) {
        return error_set(&request->error, ERR_INVALID, "begin and end are times");
    }
    int rc = request_page(request, INVOICES_MAX, &limit, &marker);
    rc = rc ? rc : rating_account(request, &account);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "invoices");
    rc = store_billing_invoices(request->conn, account, from_us, to_us, marker ? invoice_number_parse(marker) : 0,
                                limit, write_head, &reply->out, &request->error);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

int rating_invoice(struct request *request, struct billing_invoice_row *ret)
{
    const char *text = request_param(request, "invoice");
    int64_t number = invoice_number_parse(text);
    if (number == 0) {
        return error_set(&request->error, ERR_NOT_FOUND, "there is no invoice %s", text);
    }
    int rc = store_billing_invoice(request->conn, number, &request->arena, ret, &request->error);
    if (!rc && rating_may_see_account(request, ret->account_id)) {
        error_clear(&request->error);
        rc = error_set(&request->error, ERR_NOT_FOUND, "there is no invoice %s", text);
    }
    return rc;
}

static int invoices_show(struct request *request, struct reply *reply)
{
    struct billing_invoice_row row;
    const char *format = request_query(request, "format");
    int rc = rating_invoice(request, &row);
    if (rc) {
        return rc;
    }
    if (!format || strcmp(format, "json") == 0) {
        strbuf_append_text(&reply->body, row.body);
        return 0;
    }
    return export_write(request->conn, row.body, format, &request->arena, &reply->body, &reply->content_type,
                        &request->error);
}

/* ---- credit notes ---- */

struct note_body {
    const char *amount, *reason;
};
static const struct json_field note_fields[] = {
    {.name = "amount", .kind = JSON_TEXT, .offset = offsetof(struct note_body, amount), .flags = JSON_REQUIRED},
    {.name = "reason",
     .kind = JSON_TEXT,
     .offset = offsetof(struct note_body, reason),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 1000},
};
static const struct json_table note_table = {
    .fields = note_fields, .count = JSON_COUNT(note_fields), .seen_offset = JSON_NO_SEEN};

static void write_note(struct json_out *out, const struct billing_invoice_row *row, const char *reason)
{
    char number[INVOICE_NUMBER_SIZE], text[CLOCK_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_text(out, "invoice", invoice_number(row->number, number));
    json_out_text(out, "kind", row->kind);
    json_out_text(out, "issued_at", clock_text(row->issued_us, CLOCK_ISO_MICRO_Z, text));
    json_out_object(out, "account");
    json_out_text(out, "id", row->account_id);
    json_out_object_end(out);
    json_out_text(out, "about", invoice_number(row->about, number));
    json_out_text(out, "currency", row->currency);
    json_out_text(out, "amounts_in", "nano-units of the currency: 1000000000 are 1");
    json_out_text(out, "reason", reason);
    json_out_int(out, "payable", row->payable_nano);
    json_out_object_end(out);
}

static int notes_add(struct request *request, struct reply *reply)
{
    const struct note_body *b = request->body;
    struct billing_invoice_row about, row;
    struct strbuf text;
    struct json_out out;
    int64_t nano = 0;
    int rc = rating_invoice(request, &about);
    if (!rc && strcmp(about.kind, "invoice") != 0) {
        return error_set(&request->error, ERR_CONFLICT, "a credit note is about an invoice");
    }
    if (!rc && (!money_parse(b->amount, &nano) || nano <= 0 || nano % invoice_minor_unit(about.currency) != 0)) {
        return error_set(&request->error, ERR_INVALID, "amount: \"%s\" is not an amount above 0 that can be paid",
                         b->amount);
    }
    row = about;
    rc = rc ? rc : db_counter_next(request->conn, "invoice", 1, &row.number, &request->error);
    if (rc) {
        return rc;
    }
    row.kind = "credit_note";
    row.about = about.number;
    row.payable_nano = -nano;
    row.issued_us = request->now_us;
    row.inputs = "{}";
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    write_note(&out, &row, b->reason);
    row.body = text.data;
    row.digest = book_digest(row.body, "", &request->arena);
    rc = store_billing_add_invoice(request->conn, &row, &request->error);
    if (!rc) {
        reply->status = 201;
        strbuf_append_text(&reply->body, row.body);
    }
    strbuf_done(&text);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v3/invoices", .permission = PERMISSION_BILLED, .handler = invoices_list},
    {.method = "GET", .pattern = "/v3/invoices/{invoice}", .permission = PERMISSION_BILLED, .handler = invoices_show},
    {.method = "POST",
     .pattern = "/v3/invoices/{invoice}/credit-notes",
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .body = &note_table,
     .body_size = sizeof(struct note_body),
     .handler = notes_add},
};
const struct route_table rating_invoices_routes = ROUTE_TABLE(rows);
