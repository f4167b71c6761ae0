/* Times are taken relative to the first point, in days: the sums stay small. */
#include "common/model/trend.h"

#define DAY_US     (86400.0 * 1e6)
#define HOUR_US    ((int64_t)3600 * 1000000)
#define HORIZON_US ((double)(INT64_MAX / 4))

static double slope(const struct trend_point *points, size_t count)
{
    double t = 0, v = 0, tt = 0, tv = 0, n = (double)count;
    for (size_t i = 0; i < count; i++) {
        double x = (double)(points[i].at_us - points[0].at_us) / DAY_US,
               y = (double)(points[i].value - points[0].value);
        t += x;
        v += y;
        tt += x * x;
        tv += x * y;
    }
    double divisor = n * tt - t * t;
    return divisor > 0 ? (n * tv - t * v) / divisor : 0;
}

struct trend trend_of(const struct trend_point *points, size_t count)
{
    struct trend t = {.count = count};
    if (count == 0)
        return t;
    t.span_us = points[count - 1].at_us - points[0].at_us;
    t.known = count >= TREND_LEAST_COUNT && t.span_us >= TREND_LEAST_SPAN_US;
    t.a_day = slope(points, count);
    for (size_t i = 1; i < count; i++) {
        int64_t grown = points[i].value - points[i - 1].value;
        if (points[i].at_us - points[i - 1].at_us <= HOUR_US + HOUR_US / 2 && grown > t.most_an_hour)
            t.most_an_hour = grown;
    }
    return t;
}

int64_t trend_full_us(const struct trend *t, int64_t now_us, int64_t used, int64_t capacity)
{
    if (!t->known || t->a_day <= 0)
        return 0;
    if (used >= capacity)
        return now_us;
    double left_us = (double)(capacity - used) / t->a_day * DAY_US;
    return left_us < HORIZON_US ? now_us + (int64_t)left_us : 0;
}
