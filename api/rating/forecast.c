/* GET /v3/forecast: the running month to date, and at its end by the pace so far. */
#include "api/rating/rated.h"
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "metering/bill/zone.h"
#include <stdio.h>

struct outlook {
    int64_t nano;
    char currency[8];
};

static int add_project(void *arg, const struct rated *r)
{
    struct outlook *x = arg;
    x->nano += bill_sum(&r->lines) - r->discount_nano;
    snprintf(x->currency, sizeof(x->currency), "%s", r->currency);
    return 0;
}

static int forecast_show(struct request *request, struct reply *reply)
{
    struct outlook x = {0};
    struct period period;
    const char *project = NULL;
    char text[MONEY_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
    int year = 0, month = 0;
    int64_t end_us = 0;
    int rc = rating_project(request, &project);
    rc = rc ? rc : zone_month_of("UTC", request->now_us, &year, &month, &request->error);
    rc = rc ? rc : zone_month("UTC", year, month, &period.from_us, &end_us, &request->error);
    period.to_us = request->now_us;
    rc = rc ? rc : rated_each(request, project, &period, false, NULL, add_project, &x);
    if (rc) {
        return rc;
    }
    int64_t gone_us = period.to_us - period.from_us;
    int64_t nano = gone_us > 0 ? money_divide((__int128)x.nano * (end_us - period.from_us), gone_us) : x.nano;
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "begin", clock_text(period.from_us, CLOCK_ISO_Z, time));
    json_out_text(&reply->out, "now", clock_text(period.to_us, CLOCK_ISO_Z, time));
    json_out_text(&reply->out, "end", clock_text(end_us, CLOCK_ISO_Z, time));
    json_out_text(&reply->out, "currency", x.currency);
    json_out_text(&reply->out, "month_to_date", money_text(x.nano, text));
    json_out_text(&reply->out, "forecast", money_text(nano, text));
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v3/forecast", .permission = PERMISSION_BILLED, .handler = forecast_show},
};
const struct route_table rating_forecast_routes = ROUTE_TABLE(rows);
