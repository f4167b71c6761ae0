/* /v3/accounts/{id}/commitments: so much of a resource for a term at a price, used or not. */
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "common/uuid.h"
#include "db/store_commitment.h"
#include "metering/bill/book.h"
#include <string.h>

struct commitment_body {
    const char *name, *resource, *amount, *price, *begin, *end, *project, *flavor;
};
#define TEXT(field, member, needed)                                                                                    \
    {                                                                                                                  \
        .name = #field, .kind = JSON_TEXT, .offset = offsetof(struct commitment_body, member), .flags = (needed),      \
        .min = 1, .max = 255                                                                                           \
    }
static const struct json_field commitment_fields[] = {
    TEXT(name, name, 0),
    TEXT(resource, resource, JSON_REQUIRED),
    TEXT(amount, amount, JSON_REQUIRED),
    TEXT(price, price, JSON_REQUIRED),
    TEXT(begin, begin, JSON_REQUIRED),
    TEXT(end, end, JSON_REQUIRED),
    TEXT(project_id, project, 0),
    TEXT(flavor, flavor, 0),
};
static const struct json_table commitment_table = {
    .fields = commitment_fields, .count = JSON_COUNT(commitment_fields), .seen_offset = JSON_NO_SEEN};

static void write_commitment(struct json_out *out, const struct book_resources *resources,
                             const struct commitment_row *row)
{
    char text[MONEY_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
    int resource = book_resource(resources, row->resource);
    int64_t scale = resource < 0 ? 1 : resources->items[resource].scale;
    json_out_object(out, NULL);
    json_out_text(out, "id", row->id);
    json_out_text(out, "name", row->label);
    json_out_text(out, "resource", row->resource);
    json_out_text(out, "amount", money_text(money_divide((__int128)row->units * MONEY_UNIT, scale), text));
    json_out_text(out, "price", money_text(row->nano, text));
    json_out_text(out, "begin", clock_text(row->from_us, CLOCK_ISO_Z, time));
    json_out_text(out, "end", clock_text(row->to_us, CLOCK_ISO_Z, time));
    json_out_text(out, "project_id", *row->project_id ? row->project_id : NULL);
    json_out_text(out, "flavor", *row->flavor ? row->flavor : NULL);
    json_out_object_end(out);
}

static int commitments_list(struct request *request, struct reply *reply)
{
    struct commitment_row *rows = NULL;
    struct book_resources resources;
    size_t count = 0;
    const char *id = request_param(request, "account_id");
    int rc = rating_may_see_account(request, id);
    rc = rc ? rc : book_resources_load(request->conn, &request->arena, &resources, &request->error);
    rc = rc ? rc
            : store_commitment_list(request->conn, id, INT64_MIN, INT64_MAX, &request->arena, &rows, &count,
                                    &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "commitments");
    for (size_t i = 0; i < count; i++) {
        write_commitment(&reply->out, &resources, &rows[i]);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int read_amounts(struct request *request, const struct book_resources *resources, struct commitment_row *row)
{
    const struct commitment_body *b = request->body;
    int resource = book_resource(resources, b->resource);
    int64_t amount = 0;
    if (resource < 0 || !resources->items[resource].timed) {
        return error_set(&request->error, ERR_INVALID, "resource: \"%s\" is not held by time", b->resource);
    }
    __int128 units = 0;
    bool good = money_parse(b->amount, &amount) && amount > 0;
    units = (__int128)amount * resources->items[resource].scale;
    if (!good || units % MONEY_UNIT != 0) {
        return error_set(&request->error, ERR_INVALID, "amount: \"%s\" is not an amount above 0 of what is counted",
                         b->amount);
    }
    row->units = (int64_t)(units / MONEY_UNIT);
    if (!money_parse(b->price, &row->nano) || row->nano < 0) {
        return error_set(&request->error, ERR_INVALID, "price: \"%s\" is not a price", b->price);
    }
    return 0;
}

static int refuse_invoice(void *arg, const struct billing_invoice_row *row, struct error *e)
{
    (void)arg;
    return strcmp(row->kind, "invoice") != 0
               ? 0
               : error_set(e, ERR_CONFLICT, "an invoice of the account covers a part of that term");
}

/* A term begins in time that is not invoiced. */
static int read_term(struct request *request, struct commitment_row *row)
{
    const struct commitment_body *b = request->body;
    if (!clock_parse(b->begin, &row->from_us)) {
        return error_set(&request->error, ERR_INVALID, "begin: \"%s\" is not a time", b->begin);
    }
    if (!clock_parse(b->end, &row->to_us) || row->to_us <= row->from_us) {
        return error_set(&request->error, ERR_INVALID, "end: \"%s\" is not a time after the begin", b->end);
    }
    return store_billing_invoices(request->conn, row->account_id, row->from_us, row->to_us, 0, INT64_MAX,
                                  refuse_invoice, NULL, &request->error);
}

static int commitments_add(struct request *request, struct reply *reply)
{
    const struct commitment_body *b = request->body;
    struct book_resources resources;
    struct billing_account_row account;
    char id[UUID_SIZE];
    struct commitment_row row = {.id = uuid_ordered(id),
                                 .account_id = request_param(request, "account_id"),
                                 .label = b->name ? b->name : b->resource,
                                 .resource = b->resource,
                                 .project_id = b->project ? b->project : "",
                                 .flavor = b->flavor ? b->flavor : "",
                                 .created_us = request->now_us};
    int rc = store_billing_account(request->conn, row.account_id, &request->arena, &account, &request->error);
    rc = rc ? rc : book_resources_load(request->conn, &request->arena, &resources, &request->error);
    rc = rc ? rc : read_amounts(request, &resources, &row);
    rc = rc ? rc : read_term(request, &row);
    rc = rc ? rc : store_commitment_add(request->conn, &row, &request->error);
    if (!rc) {
        reply->status = 201;
        write_commitment(&reply->out, &resources, &row);
    }
    return rc;
}

static int commitments_delete(struct request *request, struct reply *reply)
{
    reply->status = 204;
    return store_commitment_delete(request->conn, request_param(request, "account_id"),
                                   request_param(request, "commitment_id"), request->now_us, &request->error);
}

#define COMMITMENTS "/v3/accounts/{account_id}/commitments"
static const struct route rows[] = {
    {.method = "GET", .pattern = COMMITMENTS, .permission = PERMISSION_BILLED, .handler = commitments_list},
    {.method = "POST",
     .pattern = COMMITMENTS,
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .body = &commitment_table,
     .body_size = sizeof(struct commitment_body),
     .handler = commitments_add},
    {.method = "DELETE",
     .pattern = COMMITMENTS "/{commitment_id}",
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .handler = commitments_delete},
};
const struct route_table rating_commitments_routes = ROUTE_TABLE(rows);
