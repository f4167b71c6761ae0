/* /v3/hosts: what each host brought in, what it cost, and the margin. /v3/host-costs: what the operator says that hosts
 * cost by the hour. For operators alone. */
#include "api/rating/period.h"
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "metering/bill/margin.h"
#include <string.h>

static void write_money(struct json_out *out, const char *name, int64_t nano)
{
    char text[MONEY_TEXT_SIZE];
    json_out_text(out, name, money_text(nano, text));
}

static void write_host(struct json_out *out, const struct margin_row *row)
{
    json_out_object(out, NULL);
    json_out_text(out, "id", *row->id ? row->id : NULL);
    json_out_text(out, "name", *row->name ? row->name : NULL);
    json_out_text(out, "zone", *row->zone ? row->zone : NULL);
    json_out_text(out, "hypervisor", *row->hypervisor ? row->hypervisor : NULL);
    json_out_int(out, "seconds", row->us / CLOCK_SECOND_US);
    write_money(out, "revenue", row->revenue_nano);
    if (row->costed) {
        write_money(out, "cost", row->cost_nano);
        write_money(out, "margin", row->revenue_nano - row->cost_nano);
    } else {
        json_out_null(out, "cost");
        json_out_null(out, "margin");
    }
    json_out_object_end(out);
}

static void write_report(struct json_out *out, const struct margin_report *r, const struct period *period)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t revenue = 0, cost = 0;
    json_out_object(out, NULL);
    json_out_text(out, "begin", clock_text(period->from_us, CLOCK_ISO_Z, text));
    json_out_text(out, "end", clock_text(period->to_us, CLOCK_ISO_Z, text));
    json_out_text(out, "currency", r->currency);
    json_out_array(out, "hosts");
    for (size_t i = 0; i < r->count; i++) {
        write_host(out, &r->rows[i]);
        revenue += r->rows[i].revenue_nano;
        cost += r->rows[i].cost_nano;
    }
    json_out_array_end(out);
    write_money(out, "revenue", revenue);
    write_money(out, "cost", cost);
    write_money(out, "margin", revenue - cost);
    json_out_uint(out, "payers_in_other_currencies", r->left_out);
    json_out_object_end(out);
}

struct asked {
    struct request *request;
    const struct bill_period *period;
    struct margin_report report;
};

static int make_report(struct db_conn *c, void *arg, struct error *e)
{
    struct asked *x = arg;
    return margin_report(c, x->period, request_query(x->request, "currency"), &x->request->arena, &x->report, e);
}

static int hosts_list(struct request *request, struct reply *reply)
{
    struct period period;
    int rc = period_read(request, &period);
    const struct bill_period known = {rc ? 0 : period.from_us, rc ? 0 : period.to_us, INT64_MAX, INT64_MAX};
    struct asked x = {.request = request, .period = &known};
    rc = rc ? rc : db_snapshot(request->conn, make_report, &x, &request->error);
    if (!rc) {
        write_report(&reply->out, &x.report, &period);
    }
    return rc;
}

/* ---- costs ---- */

struct cost_body {
    const char *kind, *name, *per_hour, *from;
};
static const char *const kinds[] = {"host", "zone", "hypervisor", "all", NULL};
static const struct json_field cost_fields[] = {
    {.name = "kind",
     .kind = JSON_TEXT,
     .offset = offsetof(struct cost_body, kind),
     .flags = JSON_REQUIRED,
     .choices = kinds},
    {.name = "name", .kind = JSON_TEXT, .offset = offsetof(struct cost_body, name), .min = 1, .max = 255},
    {.name = "per_hour", .kind = JSON_TEXT, .offset = offsetof(struct cost_body, per_hour), .flags = JSON_REQUIRED},
    {.name = "from", .kind = JSON_TEXT, .offset = offsetof(struct cost_body, from)},
};
static const struct json_table cost_table = {
    .fields = cost_fields, .count = JSON_COUNT(cost_fields), .seen_offset = JSON_NO_SEEN};

static void write_cost(struct json_out *out, const struct host_cost_row *row)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_text(out, "kind", row->kind);
    json_out_text(out, "name", *row->name ? row->name : NULL);
    json_out_text(out, "from", clock_text(row->from_us, CLOCK_ISO_Z, text));
    write_money(out, "per_hour", row->nano_per_hour);
    json_out_object_end(out);
}

static int costs_put(struct request *request, struct reply *reply)
{
    const struct cost_body *b = request->body;
    struct host_cost_row row = {
        .kind = b->kind, .name = b->name ? b->name : "", .from_us = request->now_us, .set_us = request->now_us};
    if ((b->name == NULL) != (strcmp(b->kind, "all") == 0)) {
        return error_set(&request->error, ERR_INVALID, "name: a cost of a host, zone or hypervisor names it");
    }
    if (!money_parse(b->per_hour, &row.nano_per_hour) || row.nano_per_hour < 0) {
        return error_set(&request->error, ERR_INVALID, "per_hour: \"%s\" is not an amount", b->per_hour);
    }
    if (b->from && !clock_parse(b->from, &row.from_us)) {
        return error_set(&request->error, ERR_INVALID, "from: \"%s\" is not a time", b->from);
    }
    int rc = store_host_cost_put(request->conn, &row, &request->error);
    if (!rc) {
        write_cost(&reply->out, &row);
    }
    return rc;
}

static int costs_list(struct request *request, struct reply *reply)
{
    struct host_cost_row *rows = NULL;
    size_t count = 0;
    int rc = store_host_cost_list(request->conn, &request->arena, &rows, &count, &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "host_costs");
    for (size_t i = 0; i < count; i++) {
        write_cost(&reply->out, &rows[i]);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v3/hosts", .permission = PERMISSION_ADMIN, .handler = hosts_list},
    {.method = "GET", .pattern = "/v3/host-costs", .permission = PERMISSION_ADMIN, .handler = costs_list},
    {.method = "PUT",
     .pattern = "/v3/host-costs",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &cost_table,
     .body_size = sizeof(struct cost_body),
     .handler = costs_put},
};
const struct route_table rating_hosts_routes = ROUTE_TABLE(rows);
