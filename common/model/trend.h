/* A straight line through the past: how fast something grows, and when it is full at that. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREND_LEAST_COUNT   24 /* points, over at least TREND_LEAST_SPAN_US: less says nothing */
#define TREND_LEAST_SPAN_US ((int64_t)24 * 3600 * 1000000)

struct trend_point {
    int64_t at_us, value;
};
struct trend {
    bool known;      /* enough of the past is known */
    int64_t span_us; /* of the points */
    size_t count;
    double a_day;         /* growth; below 0: it shrinks */
    int64_t most_an_hour; /* by which it ever grew from one point to the next within an hour or so, at least 0 */
};
/* Least squares. Points in the order of time. */
struct trend trend_of(const struct trend_point *points, size_t count);
/* When `used` reaches `capacity` at that growth; 0: never, or it is not known. */
int64_t trend_full_us(const struct trend *t, int64_t now_us, int64_t used, int64_t capacity);
