/* /v3/invoices/{invoice}/corrections: what an invoice had wrong is put right on its account's next one, with the
 * reason. The invoice itself never changes. */
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "common/uuid.h"
#include "db/store_close.h"
#include "metering/bill/invoice.h"
#include <string.h>

struct correction_body {
    const char *amount, *reason;
};
static const struct json_field correction_fields[] = {
    {.name = "amount", .kind = JSON_TEXT, .offset = offsetof(struct correction_body, amount), .flags = JSON_REQUIRED},
    {.name = "reason",
     .kind = JSON_TEXT,
     .offset = offsetof(struct correction_body, reason),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 1000},
};
static const struct json_table correction_table = {
    .fields = correction_fields, .count = JSON_COUNT(correction_fields), .seen_offset = JSON_NO_SEEN};

static void write_correction(struct json_out *out, const struct correction_row *row)
{
    char number[INVOICE_NUMBER_SIZE], text[MONEY_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_text(out, "id", row->id);
    json_out_text(out, "account_id", row->account_id);
    json_out_text(out, "about", invoice_number(row->about, number));
    json_out_text(out, "amount", money_text(row->amount_nano, text));
    json_out_text(out, "reason", row->reason);
    json_out_text(out, "created_by", row->created_by);
    json_out_text(out, "created_at", clock_text(row->created_us, CLOCK_ISO_Z, time));
    json_out_text(out, "invoice", row->invoice ? invoice_number(row->invoice, number) : NULL);
    json_out_object_end(out);
}

static int corrections_add(struct request *request, struct reply *reply)
{
    const struct correction_body *b = request->body;
    struct billing_invoice_row about;
    char id[UUID_SIZE];
    struct correction_row row = {.id = uuid_ordered(id),
                                 .reason = b->reason,
                                 .created_by = request->credential.user_id,
                                 .created_us = request->now_us};
    int rc = rating_invoice(request, &about);
    if (!rc && strcmp(about.kind, "invoice") != 0) {
        return error_set(&request->error, ERR_CONFLICT, "a correction is about an invoice");
    }
    if (!rc && (!money_parse(b->amount, &row.amount_nano) || row.amount_nano == 0)) {
        return error_set(&request->error, ERR_INVALID, "amount: \"%s\" is not an amount above or below 0", b->amount);
    }
    row.about = rc ? 0 : about.number;
    row.account_id = rc ? "" : about.account_id;
    rc = rc ? rc : store_close_add_correction(request->conn, &row, &request->error);
    if (!rc) {
        reply->status = 201;
        write_correction(&reply->out, &row);
    }
    return rc;
}

static int corrections_list(struct request *request, struct reply *reply)
{
    struct billing_invoice_row about;
    struct correction_row *rows = NULL;
    size_t count = 0;
    int rc = rating_invoice(request, &about);
    rc = rc ? rc
            : store_close_corrections(request->conn, about.account_id, false, &request->arena, &rows, &count,
                                      &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "corrections");
    for (size_t i = 0; i < count; i++) {
        if (rows[i].about == about.number) {
            write_correction(&reply->out, &rows[i]);
        }
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/v3/invoices/{invoice}/corrections",
     .permission = PERMISSION_BILLED,
     .handler = corrections_list},
    {.method = "POST",
     .pattern = "/v3/invoices/{invoice}/corrections",
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .body = &correction_table,
     .body_size = sizeof(struct correction_body),
     .handler = corrections_add},
};
const struct route_table rating_corrections_routes = ROUTE_TABLE(rows);
