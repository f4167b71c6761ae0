/* GET /v2/dataframes: the lines of a period, each a frame in CloudKitty's shape: what was used, how much of it, what it
 * costs. */
#include "api/http/handler.h"
#include "api/rating/rated.h"
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 1000

struct frames {
    struct json_out *out;
    const struct period *period;
    const char *only_id, *only_type;
    int64_t offset, limit, seen;
};

void rating_write_quantity(struct json_out *out, const char *key, __int128 quantity, int64_t unit_base)
{
    char text[48];
    int64_t micro = rate_micro(quantity, unit_base);
    snprintf(text, sizeof(text), "%s%ld.%06ld", micro < 0 ? "-" : "", labs((long)(micro / 1000000)),
             labs((long)(micro % 1000000)));
    json_out_raw(out, key, text);
}

static void write_frame(struct frames *f, const struct rated *r, const struct bill_line *l)
{
    struct json_out *out = f->out;
    const struct rate_resource *resource = &r->bill.resources.items[l->resource];
    char text[CLOCK_TEXT_SIZE], money[MONEY_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_object(out, "period");
    json_out_text(out, "begin", clock_text(f->period->from_us, CLOCK_ISO, text));
    json_out_text(out, "end", clock_text(f->period->to_us, CLOCK_ISO, text));
    json_out_object_end(out);
    json_out_object(out, "usage");
    json_out_array(out, resource->name);
    json_out_object(out, NULL);
    json_out_object(out, "vol");
    json_out_text(out, "unit", resource->unit);
    rating_write_quantity(out, "qty", l->quantity, rate_unit_base(resource));
    json_out_object_end(out);
    json_out_object(out, "rating");
    json_out_raw(out, "price", money_text(l->amount_nano, money));
    json_out_object_end(out);
    json_out_object(out, "groupby");
    json_out_text(out, "project_id", r->project);
    json_out_text(out, "id", l->subject);
    json_out_object_end(out);
    json_out_object(out, "metadata");
    json_out_text(out, "flavor_name", l->shape->facts.flavor);
    json_out_text(out, "state", l->shape->facts.state);
    json_out_text(out, "zone", l->shape->facts.zone);
    json_out_raw(out, "tags", l->shape->facts.tags);
    if (*l->network) {
        json_out_text(out, "network", l->network);
    }
    json_out_text(out, "unit_price", money_text(l->price_nano, money));
    json_out_object_end(out);
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object_end(out);
    json_out_object_end(out);
}

static int write_lines(void *arg, const struct rated *r)
{
    struct frames *f = arg;
    for (size_t i = 0; i < r->lines.count; i++) {
        const struct bill_line *l = &r->lines.items[i];
        const char *type = r->bill.resources.items[l->resource].name;
        if ((f->only_id && strcmp(f->only_id, l->subject) != 0) || (f->only_type && strcmp(f->only_type, type) != 0)) {
            continue;
        }
        f->seen++;
        if (f->seen > f->offset && f->seen <= f->offset + f->limit) {
            write_frame(f, r, l);
        }
    }
    return 0;
}

static int dataframes_list(struct request *request, struct reply *reply)
{
    struct period period;
    struct frames f = {.out = &reply->out,
                       .period = &period,
                       .only_id = rating_filter(request, "id"),
                       .only_type = rating_filter(request, "type")};
    const char *project = NULL, *marker;
    int rc = period_read(request, &period);
    rc = rc ? rc : rating_project(request, &project);
    rc = rc ? rc : request_page(request, FRAMES_MAX, &f.limit, &marker);
    rc = rc ? rc : rating_offset(request, &f.offset);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "dataframes");
    rc = rated_each(request, project, &period, false, NULL, write_lines, &f);
    json_out_array_end(&reply->out);
    json_out_int(&reply->out, "total", f.seen);
    json_out_object_end(&reply->out);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v2/dataframes", .permission = PERMISSION_BILLED, .handler = dataframes_list},
};
const struct route_table dataframes_routes = ROUTE_TABLE(rows);
