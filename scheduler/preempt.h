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
    struct placement_extra extra;   /* amounts of further classes */
    const struct numa_given *given; /* of the host's cells; NULL: nothing */
};

struct preempt_plan {
    size_t count; /* 0: nobody can make room */
    size_t victims[PREEMPT_MAX];
    int32_t slot;
    int64_t cost; /* sum over victims of their parts of the host's VCPUs and memory, in permille */
};

/* Plans for `count` equal servers together, each seeing the ones before as members of its group: where there is room
 * without anybody going, the plan has no victims. Of a hard affinity group without members all go to one host, the one
 * where the fewest go for all of them (with NUMA cells: for one after the other). True when all get room; the victims
 * are claimed then. `r` has room for the cells of `count` servers, `members` for r->member_count + count group hosts,
 * `plans` for `count`. The library is left as it was. */
bool preempt_choose_batch(struct placement *p, const struct placement_request *r, size_t count,
                          struct preempt_victim *victims, size_t victim_count, struct placement_group_host *members,
                          struct preempt_plan *plans);
/* Takes them off their host in the library, or puts them back as they were. */
void preempt_lend(struct placement *p, const struct preempt_victim *victims, const struct preempt_plan *plan,
                  bool back);
/* `victims` are ordered by slot. The library is left as it was. */
void preempt_choose(struct placement *p, const struct placement_request *r, const struct preempt_victim *victims,
                    size_t count, struct preempt_plan *ret);
