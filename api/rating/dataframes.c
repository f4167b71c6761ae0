/* GET /v2/dataframes: the usage intervals themselves, each with what it costs, in CloudKitty's shape. Exact times are
 * in "x_begin_us" and "x_end_us". */
#include "api/http/handler.h"
#include "api/rating/books.h"
#include "api/rating/period.h"
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "db/store_usage.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FRAMES_MAX 1000

struct frames {
    struct reply *reply;
    struct books books;
    struct period period;
    int64_t offset, limit, seen;
};

static void write_usage(struct json_out *out, const struct frames *f, const struct usage_row *row,
                        enum usage_resource r)
{
    struct usage_sum sum = {0};
    char text[48], rate[MONEY_TEXT_SIZE];
    usage_add(&sum, &row->interval, r, f->period.from_us, f->period.to_us, f->books.items, f->books.count);
    int64_t micro = usage_quantity_micro(&sum);
    snprintf(text, sizeof(text), "%" PRId64 ".%06" PRId64, micro / 1000000, micro % 1000000);
    json_out_array(out, usage_resource_name(r));
    json_out_object(out, NULL);
    json_out_object(out, "vol");
    json_out_text(out, "unit", usage_resource_unit(r));
    json_out_raw(out, "qty", text);
    json_out_object_end(out);
    json_out_object(out, "rating");
    json_out_raw(out, "price", money_text(usage_charge_nano(&sum), rate));
    json_out_object_end(out);
    json_out_object(out, "groupby");
    json_out_text(out, "project_id", row->project_id);
    json_out_text(out, "id", row->server_id);
    json_out_object_end(out);
    json_out_object(out, "metadata");
    json_out_text(out, "flavor_name", row->flavor);
    json_out_text(out, "state", server_state_name(row->interval.state));
    json_out_text(out, "host_id", row->host_id);
    json_out_object_end(out);
    json_out_object_end(out);
    json_out_array_end(out);
}

static int write_row(void *arg, const struct usage_row *row, struct error *e)
{
    (void)e;
    struct frames *f = arg;
    struct json_out *out = &f->reply->out;
    if (f->seen++ < f->offset || f->seen > f->offset + f->limit) {
        return 0;
    }
    char text[CLOCK_TEXT_SIZE];
    int64_t begin = row->interval.begin_us > f->period.from_us ? row->interval.begin_us : f->period.from_us;
    int64_t end = row->interval.end_us < f->period.to_us ? row->interval.end_us : f->period.to_us;
    json_out_object(out, NULL);
    json_out_object(out, "period");
    json_out_text(out, "begin", clock_text(begin, CLOCK_ISO, text));
    json_out_text(out, "end", clock_text(end, CLOCK_ISO, text));
    json_out_int(out, "x_begin_us", begin);
    json_out_int(out, "x_end_us", end);
    json_out_bool(out, "x_open", row->interval.end_us == USAGE_OPEN);
    json_out_object_end(out);
    json_out_object(out, "usage");
    for (int r = 0; r < USAGE_RESOURCE_COUNT; r++) {
        write_usage(out, f, row, (enum usage_resource)r);
    }
    json_out_object_end(out);
    json_out_object_end(out);
    return 0;
}

static int read_offset(struct request *request, int64_t *ret)
{
    const char *text = request_query(request, "offset");
    char *end = NULL;
    *ret = text ? strtoll(text, &end, 10) : 0;
    if (text && (!*text || *end || *ret < 0)) {
        return error_set(&request->error, ERR_INVALID, "offset: \"%s\" is not a number of frames", text);
    }
    return 0;
}

static int dataframes_list(struct request *request, struct reply *reply)
{
    struct frames f = {.reply = reply};
    const char *project = NULL, *marker;
    int rc = period_read(request, &f.period);
    rc = rc ? rc : rating_project(request, &project);
    rc = rc ? rc : request_page(request, FRAMES_MAX, &f.limit, &marker);
    rc = rc ? rc : read_offset(request, &f.offset);
    rc = rc ? rc : books_load(request->conn, &request->arena, &f.books, &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "dataframes");
    rc = store_usage_each(request->conn, project, request_query(request, "id"), f.period.from_us, f.period.to_us,
                          write_row, &f, &request->error);
    json_out_array_end(&reply->out);
    json_out_int(&reply->out, "total", f.seen);
    json_out_object_end(&reply->out);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v2/dataframes", .permission = PERMISSION_READER, .handler = dataframes_list},
};
const struct route_table dataframes_routes = ROUTE_TABLE(rows);
