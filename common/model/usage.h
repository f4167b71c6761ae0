/* Usage intervals: half-open spans of one server in one state. What they cost is in rate.h. Pure. */
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
