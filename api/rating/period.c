/* Period. What lies in the future has not been used: an end after now is now. */
#include "api/rating/period.h"
#include "common/clock.h"
#include <stdio.h>

static int64_t month_begin(int64_t now_us)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t begin = 0;
    clock_text(now_us, CLOCK_ISO, text);
    snprintf(text + 8, sizeof(text) - 8, "01T00:00:00");
    clock_parse(text, &begin);
    return begin;
}

static int read_period(struct request *request, struct period p, struct period *ret)
{
    const char *begin = request_query(request, "begin"), *end = request_query(request, "end");
    if (begin && !clock_parse(begin, &p.from_us)) {
        return error_set(&request->error, ERR_INVALID, "begin: \"%s\" is not a time", begin);
    }
    if (end && !clock_parse(end, &p.to_us)) {
        return error_set(&request->error, ERR_INVALID, "end: \"%s\" is not a time", end);
    }
    if (p.to_us > request->now_us) {
        p.to_us = request->now_us;
    }
    if (p.from_us > p.to_us) {
        return error_set(&request->error, ERR_INVALID, "begin must not be after end");
    }
    *ret = p;
    return 0;
}

int period_read(struct request *request, struct period *ret)
{
    return read_period(request, (struct period){month_begin(request->now_us), request->now_us}, ret);
}

int period_read_last_month(struct request *request, struct period *ret)
{
    int64_t begin = month_begin(request->now_us);
    return read_period(request, (struct period){month_begin(begin - 1), begin}, ret);
}
