/* GET /ops/v1/capacity: how full the pool is, and when it is full at the present trend. */
#include "api/ops/ops.h"
#include "common/clock.h"
#include "common/model/trend.h"
#include "db/store_pool.h"

#define TREND_US ((int64_t)30 * 86400 * CLOCK_SECOND_US)

static void write_one(struct json_out *out, enum resource r, const struct pool_sums *sums, const struct trend *t,
                      int64_t now_us)
{
    json_out_object(out, resource_name(r));
    json_out_int(out, "used", sums->used.amount[r]);
    json_out_int(out, "capacity", sums->capacity.amount[r]);
    json_out_bool(out, "trend_known", t->known);
    json_out_int(out, "growth_a_day", t->known ? (int64_t)t->a_day : 0);
    json_out_int(out, "hours_known", (int64_t)t->count);
    ops_write_time(out, "full_at", trend_full_us(t, now_us, sums->used.amount[r], sums->capacity.amount[r]));
    json_out_object_end(out);
}

static int capacity_show(struct request *request, struct reply *reply)
{
    struct pool_sums sums = {0};
    struct pool_hour *hours = NULL;
    size_t count = 0;
    int rc = store_pool_sums(request->conn, request->now_us, true, &sums, &request->error);
    rc = rc ? rc
            : store_pool_past(request->conn, request->now_us - TREND_US, &request->arena, &hours, &count,
                              &request->error);
    if (rc)
        return rc;
    struct trend_point *points = arena_array(&request->arena, count + 1, sizeof(*points));
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "capacity");
    json_out_int(&reply->out, "hosts", sums.hosts);
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        for (size_t i = 0; i < count; i++)
            points[i] = (struct trend_point){hours[i].hour_us, hours[i].sums.used.amount[r]};
        struct trend t = trend_of(points, count);
        write_one(&reply->out, (enum resource)r, &sums, &t, request->now_us);
    }
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/capacity", .permission = PERMISSION_ADMIN, .handler = capacity_show},
};
const struct route_table ops_capacity_routes = ROUTE_TABLE(rows);
