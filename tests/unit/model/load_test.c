/* Loads fade, and trends are told only where enough is known. */
#include "common/model/load.h"
#include "common/model/trend.h"
#include "tests/unit/check.h"

#define SECOND ((int64_t)1000000)
#define HOUR   (3600 * SECOND)

TEST("a smoothed load starts with the first sample, follows, and reaches what stays")
{
    CHECK_INT(load_smooth(-1, 700, 10 * SECOND), 700);
    CHECK_INT(load_smooth(700, 0, 0), 700);
    int64_t once = load_smooth(0, 1000, 10 * SECOND);
    CHECK(once > 20 && once < 50);
    CHECK_INT(load_smooth(0, 1000, LOAD_FADE_US), 500);
    int64_t load = 0;
    for (int i = 0; i < 2000; i++)
        load = load_smooth(load, 333, 10 * SECOND);
    CHECK_INT(load, 333);
    for (int i = 0; i < 2000; i++)
        load = load_smooth(load, 0, 10 * SECOND);
    CHECK_INT(load, 0);
}

TEST("a processor that is busy is a thousand thousandths")
{
    CHECK_INT(load_cpu_milli(10 * SECOND * 1000, 10 * SECOND), 1000);
    CHECK_INT(load_cpu_milli(-5, SECOND), 0);
    CHECK_INT(load_cpu_milli(5, 0), 0);
}

TEST("a trend needs a day of points, and a line through them says when it is full")
{
    struct trend_point points[100];
    for (int i = 0; i < 100; i++)
        points[i] = (struct trend_point){.at_us = i * HOUR, .value = 1000 + i * 2};
    CHECK(!trend_of(points, 0).known);
    CHECK(!trend_of(points, 24).known); /* 23 hours */
    struct trend t = trend_of(points, 25);
    CHECK(t.known);
    CHECK(t.a_day > 47.9 && t.a_day < 48.1);
    CHECK_INT(t.most_an_hour, 2);
    CHECK_INT(trend_full_us(&t, 0, 1000, 1096) / HOUR, 48);
    CHECK_INT(trend_full_us(&t, 5, 1096, 1096), 5);
    for (int i = 0; i < 100; i++)
        points[i].value = 1000 - i;
    t = trend_of(points, 100);
    CHECK_INT(trend_full_us(&t, 0, 500, 1000), 0);
    CHECK_INT(t.most_an_hour, 0);
}
