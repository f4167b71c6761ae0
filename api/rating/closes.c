/* /v3/closes: a month is closed on request. The request is a row that the meter carries out; it may take a while, and
 * whoever dies in between does not lose it. GET tells what became of it. */
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "db/store_close.h"
#include "metering/bill/close.h"
#include "metering/bill/zone.h"
#include <string.h>

#define CLOSES_MAX    1000
#define ZONE_AHEAD_US ((int64_t)14 * 3600 * CLOCK_SECOND_US) /* no zone is further ahead of UTC */

struct close_body {
    const char *month, *account;
};
static const struct json_field close_fields[] = {
    {.name = "month",
     .kind = JSON_TEXT,
     .offset = offsetof(struct close_body, month),
     .flags = JSON_REQUIRED,
     .min = 7,
     .max = 7},
    {.name = "account_id", .kind = JSON_TEXT, .offset = offsetof(struct close_body, account), .min = 1, .max = 63},
};
static const struct json_table close_table = {
    .fields = close_fields, .count = JSON_COUNT(close_fields), .seen_offset = JSON_NO_SEEN};

static int write_close(void *arg, const struct close_row *row, struct error *e)
{
    (void)e;
    struct json_out *out = arg;
    char text[CLOCK_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_text(out, "id", row->id);
    json_out_text(out, "month", row->month);
    json_out_text(out, "account_id", *row->account_id ? row->account_id : NULL);
    json_out_text(out, "state", row->state);
    json_out_text(out, "message", *row->message ? row->message : NULL);
    json_out_text(out, "asked_by", row->asked_by);
    json_out_text(out, "asked_at", clock_text(row->asked_us, CLOCK_ISO_Z, text));
    json_out_text(out, "ended_at", row->ended_us ? clock_text(row->ended_us, CLOCK_ISO_Z, text) : NULL);
    json_out_int(out, "invoices", row->invoices);
    json_out_int(out, "lines", row->lines);
    json_out_int(out, "there", row->there);
    json_out_int(out, "not_over", row->early);
    json_out_object_end(out);
    return 0;
}

/* What is over nowhere on earth is not closed. */
static int check_month(struct request *request, const char *month)
{
    struct close_plan plan = {0};
    int64_t from_us = 0, to_us = 0;
    int rc = close_read_month(month, &plan, &request->error);
    rc = rc ? rc : zone_month("UTC", plan.year, plan.month, &from_us, &to_us, &request->error);
    if (!rc && to_us - ZONE_AHEAD_US > request->now_us) {
        rc = error_set(&request->error, ERR_CONFLICT, "%s is not over", month);
    }
    return rc;
}

static int closes_add(struct request *request, struct reply *reply)
{
    const struct close_body *b = request->body;
    char id[UUID_SIZE];
    struct close_row row = {.id = uuid_ordered(id),
                            .month = b->month,
                            .account_id = b->account ? b->account : "",
                            .asked_by = request->credential.user_id,
                            .asked_us = request->now_us,
                            .state = "waiting",
                            .message = ""};
    int rc = check_month(request, b->month);
    rc = rc ? rc : store_close_ask(request->conn, &row, &request->error);
    if (!rc) {
        reply->status = 202;
        write_close(&reply->out, &row, NULL);
    }
    return rc;
}

static int closes_list(struct request *request, struct reply *reply)
{
    const char *marker = NULL;
    int64_t limit = 0;
    int rc = request_page(request, CLOSES_MAX, &limit, &marker);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "closes");
    rc = store_close_list(request->conn, marker, limit, write_close, &reply->out, &request->error);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static int closes_show(struct request *request, struct reply *reply)
{
    struct close_row row;
    int rc = store_close_get(request->conn, request_param(request, "close_id"), &request->arena, &row, &request->error);
    return rc ? rc : write_close(&reply->out, &row, NULL);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v3/closes", .permission = PERMISSION_BILLING, .handler = closes_list},
    {.method = "GET", .pattern = "/v3/closes/{close_id}", .permission = PERMISSION_BILLING, .handler = closes_show},
    {.method = "POST",
     .pattern = "/v3/closes",
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .body = &close_table,
     .body_size = sizeof(struct close_body),
     .handler = closes_add},
};
const struct route_table rating_closes_routes = ROUTE_TABLE(rows);
