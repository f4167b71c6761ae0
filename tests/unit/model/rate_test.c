/* Rating arithmetic: tiers, rounding, limits of the range. What a month costs is compared with an oracle by
 * tests/sim/month_oracle. */
#include "common/model/rate.h"
#include "tests/unit/check.h"

static const struct rate_tier tiers[] = {{100, false, 0}, {250, false, 7}, {0, true, 3}};
static const struct rate_rule graduated = {.kind = RATE_GRADUATED, .tiers = tiers, .tier_count = 3};

TEST("tiers take all of a quantity, however it is cut")
{
    unsigned seed = 3;
    for (int round = 0; round < 2000; round++) {
        int64_t total = rand_r(&seed) % 600, at = 0;
        __int128 whole[3] = {0}, parts[3] = {0};
        for (size_t t = 0; t < 3; t++) {
            whole[t] = rate_in_tier(&graduated, t, 0, total);
        }
        CHECK(whole[0] + whole[1] + whole[2] == total);
        while (at < total) {
            int64_t step = 1 + rand_r(&seed) % 200;
            step = step < total - at ? step : total - at;
            for (size_t t = 0; t < 3; t++) {
                parts[t] += rate_in_tier(&graduated, t, at, step);
            }
            at += step;
        }
        for (size_t t = 0; t < 3; t++) {
            CHECK(whole[t] == parts[t]);
        }
    }
}

TEST("a quantity at its limit is still in the tier")
{
    CHECK_INT(rate_volume_tier(&graduated, 0), 0);
    CHECK_INT(rate_volume_tier(&graduated, 100), 0);
    CHECK_INT(rate_volume_tier(&graduated, 101), 1);
    CHECK_INT(rate_volume_tier(&graduated, 250), 1);
    CHECK_INT(rate_volume_tier(&graduated, 251), 2);
}

TEST("a run is charged its minimum and whole grains, and nothing beyond")
{
    const struct rate_rounding minute = {60000000, 1000000}, none = {0, 0}, hour = {0, 3600000000};
    CHECK_INT(rate_surplus_us(&minute, 400000), 59600000);
    CHECK_INT(rate_surplus_us(&minute, 60000000), 0);
    CHECK_INT(rate_surplus_us(&minute, 60000001), 999999);
    CHECK_INT(rate_surplus_us(&none, 1), 0);
    CHECK_INT(rate_surplus_us(&hour, 0), 0);
    CHECK_INT(rate_surplus_us(&hour, 3600000001), 3599999999);
}

TEST("amounts are rounded once, half to even, and refused beyond 64 bits")
{
    int64_t nano = 0;
    CHECK(rate_amount(5, 1, 10, &nano));
    CHECK_INT(nano, 0);
    CHECK(rate_amount(15, 1, 10, &nano));
    CHECK_INT(nano, 2);
    CHECK(rate_amount(-25, 1, 10, &nano));
    CHECK_INT(nano, -2);
    CHECK(!rate_amount((__int128)1 << 100, (int64_t)1 << 40, 1, &nano));
    CHECK(!rate_amount((__int128)1 << 100, 1, 1, &nano));
    CHECK_INT(rate_share(3, 500000), 2);
    CHECK_INT(rate_share(-1, 500000), 0);
}

TEST("128 bits are printed in full")
{
    char text[RATE_TEXT_SIZE];
    CHECK_TEXT(rate_text(0, text), "0");
    CHECK_TEXT(rate_text(-((__int128)1 << 126), text), "-85070591730234615865843651857942052864");
    CHECK_TEXT(rate_text((__int128)INT64_MAX + 1, text), "9223372036854775808");
}

TEST("the first price that matches counts")
{
    static const char *const running[] = {"running"}, *const tags[] = {"db", "spot"};
    const struct rate_rule rules[] = {{.resource = 1, .when = {.tag = "spot", .states = running, .state_count = 1}},
                                      {.resource = 1, .when = {.flavor = "m1.*"}},
                                      {.resource = 1, .when = {.flavor = "m1", .project = "p"}},
                                      {.resource = 2, .when = {.zone = "az1", .region = "r"}}};
    const struct rate_book book = {.rules = rules, .rule_count = 4};
    struct rate_facts f = {"p", "running", "m1.large", "az1", "r", tags, 2, false, ""};
    CHECK(rate_match(&book, 1, &f) == &rules[0]);
    f.state = "stopped";
    CHECK(rate_match(&book, 1, &f) == &rules[1]);
    f.flavor = "m1";
    CHECK(rate_match(&book, 1, &f) == &rules[2]);
    f.project = "q";
    CHECK(rate_match(&book, 1, &f) == NULL);
    CHECK(rate_match(&book, 2, &f) == &rules[3]);
    f.zone = "az2";
    CHECK(rate_match(&book, 2, &f) == NULL);
}

TEST("rates multiply the prices of their name, one after the other, half to even")
{
    const struct rate_rule rules[] = {{.resource = 1, .label = "cores"}, {.resource = 1, .label = "vcpu"}};
    const struct rate_factor factors[] = {
        {.resource = 1, .label = "cores", .when = {.zone = "az1"}, .nano = 500000000},
        {.resource = 1, .label = "cores", .when = {.flavor = "m1.*"}, .nano = 1500000000},
        {.resource = 1, .label = "other", .nano = 0},
        {.resource = 2, .label = "cores", .nano = 0},
    };
    const struct rate_book book = {.rules = rules, .rule_count = 2, .factors = factors, .factor_count = 4};
    struct rate_facts f = {"p", "running", "m1.large", "az1", "r", NULL, 0, false, ""};
    CHECK_INT(rate_price(&book, &rules[0], &f, 100), 75);
    CHECK_INT(rate_price(&book, &rules[0], &f, 5), 3); /* 2.5 is 2, times 1.5 */
    CHECK_INT(rate_price(&book, &rules[0], &f, 7), 6); /* 3.5 is 4 */
    CHECK_INT(rate_price(&book, &rules[1], &f, 100), 100);
    f.zone = "az2";
    CHECK_INT(rate_price(&book, &rules[0], &f, 100), 150);
    CHECK_INT(rate_price(&book, &rules[0], &f, INT64_MAX - 1), INT64_MAX);
    f.flavor = "c1";
    CHECK_INT(rate_price(&book, &rules[0], &f, 100), 100);
}
