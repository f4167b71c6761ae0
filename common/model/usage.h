/* Usage intervals and what they cost: half-open spans of one server in one state, a price book with effective dates,
 * exact sums. Pure. */
#pragma once
#include "common/model/server.h"
#include <stddef.h>
#include <stdint.h>

#define USAGE_OPEN    INT64_MAX /* end of an interval that still runs */
#define USAGE_HOUR_US ((int64_t)3600000000)

struct usage_interval {
    enum server_state state;
    const char *flavor;
    int64_t vcpus, memory_mib, disk_gib;
    int64_t begin_us, end_us; /* [begin, end); USAGE_OPEN while it runs */
};

/* Microseconds of the interval inside [from_us, to_us); 0 when outside. */
int64_t usage_within(const struct usage_interval *i, int64_t from_us, int64_t to_us);

/* What can be priced. Quantities are in unit * microseconds; a price is per unit and hour. */
enum usage_resource { USAGE_SERVER, USAGE_VCPU, USAGE_MEMORY_MIB, USAGE_DISK_GIB, USAGE_RESOURCE_COUNT };
const char *usage_resource_name(enum usage_resource r); /* "server", "vcpu", "memory_mib", "disk_gib" */
int usage_resource_parse(const char *text);             /* -1 when unknown */
const char *usage_resource_unit(enum usage_resource r); /* "server*h", "vcpu*h", "MiB*h", "GiB*h" */
/* Units of the resource that the interval holds at each instant. */
int64_t usage_units(const struct usage_interval *i, enum usage_resource r);

/* A price: of a resource, in some states, for one flavor or all. The first that matches counts. */
struct usage_price {
    enum usage_resource resource;
    unsigned states;       /* bit 1 << enum server_state */
    char flavor[64];       /* "" for all */
    int64_t nano_per_hour; /* nano-currency per unit and hour */
};
/* Prices from an instant on, until the next book begins. */
struct usage_book {
    int64_t from_us;
    const struct usage_price *prices;
    size_t count;
};
/* Nano-currency per unit and hour; 0 when no price matches. */
int64_t usage_price_of(const struct usage_book *book, const struct usage_interval *i, enum usage_resource r);

/* The exact sum of a line: unit-microseconds and (nano-currency * microseconds / hour) before rounding. */
struct usage_sum {
    __int128 unit_us;
    __int128 charge; /* nano-currency * USAGE_HOUR_US */
};
/* Adds the part of the interval inside [from_us, to_us), split wherever a new book takes effect. `books` ascend by
 * from_us; before the first nothing costs. */
void usage_add(struct usage_sum *sum, const struct usage_interval *i, enum usage_resource r, int64_t from_us,
               int64_t to_us, const struct usage_book *books, size_t count);
/* The line's amount in nano-currency, rounded once, half to even. */
int64_t usage_charge_nano(const struct usage_sum *sum);
/* The line's quantity in millionths of unit-hours, rounded half to even. */
int64_t usage_quantity_micro(const struct usage_sum *sum);
