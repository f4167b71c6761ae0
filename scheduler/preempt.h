/* Who has to go so that a server finds room: spot servers only, the fewest, of those the cheapest (the least part of
 * their host), on the host of the lowest slot. Exact, as long as a host's different spot servers are a few dozen. */
#pragma once
#include "common/arena.h"
#include "scheduler/placement/placement.h"

#define PREEMPT_MAX 16 /* that go for one server */

struct preempt_victim {
    const char *id;
    int32_t slot;
    bool claimed; /* goes for somebody else already */
    struct resources held;
    struct placement_extra extra;
};

struct preempt_plan {
    size_t count; /* 0: nobody can make room */
    size_t victims[PREEMPT_MAX];
    int32_t slot;
    int64_t cost; /* sum over victims of their parts of the host's VCPUs and memory, in permille */
};

/* `victims` are ordered by slot. The library is left as it was. */
void preempt_choose(struct placement *p, const struct placement_request *r, const struct preempt_victim *victims,
                    size_t count, struct preempt_plan *ret);
