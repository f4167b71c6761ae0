/* What a host costs: the most particular cost counts, at each instant. */
#include "common/model/rate.h"
#include "metering/bill/margin.h"
#include "tests/unit/check.h"

#define HOUR RATE_HOUR_US

static const struct host_life_row host = {.id = "1", .name = "a", .zone = "z", .hypervisor = "kvm"};

TEST("a host, its zone, its hypervisor, all: the first of these that has a cost counts")
{
    static const struct host_cost_row costs[] = {
        {.kind = "all", .name = "", .from_us = 0, .nano_per_hour = 1},
        {.kind = "host", .name = "a", .from_us = 6 * HOUR, .nano_per_hour = 1000},
        {.kind = "host", .name = "b", .from_us = 0, .nano_per_hour = 1000000},
        {.kind = "hypervisor", .name = "kvm", .from_us = 2 * HOUR, .nano_per_hour = 10},
        {.kind = "zone", .name = "z", .from_us = 4 * HOUR, .nano_per_hour = 100},
    };
    bool costed = false;
    CHECK_INT(margin_cost(costs, 5, &host, 0, 8 * HOUR, &costed), 2 * 1 + 2 * 10 + 2 * 100 + 2 * 1000);
    CHECK(costed);
    CHECK_INT(margin_cost(costs, 5, &host, HOUR, 3 * HOUR, &costed), 11);
}

TEST("time before the first cost is free and known to be so; a cost of 0 is one")
{
    static const struct host_cost_row costs[] = {
        {.kind = "zone", .name = "z", .from_us = 2 * HOUR, .nano_per_hour = 100},
        {.kind = "zone", .name = "z", .from_us = 3 * HOUR, .nano_per_hour = 0},
    };
    bool costed = true;
    CHECK_INT(margin_cost(costs, 2, &host, 0, 2 * HOUR, &costed), 0);
    CHECK(!costed);
    CHECK_INT(margin_cost(costs, 2, &host, 0, 4 * HOUR, &costed), 100);
    CHECK(costed);
    CHECK_INT(margin_cost(costs, 2, &host, 3 * HOUR, 4 * HOUR, &costed), 0);
    CHECK(costed);
}
