/* The pool as a whole: notes how full it is, puts hosts to sleep that nobody needs (by their scripts, flows/power.h)
 * and wakes them before their room is needed, or when a server waits that only they can take. */
#pragma once
#include "common/model/trend.h"
#include "db/store_pool.h"
#include "scheduler/dispatch.h"

struct pool_settings {
    bool sleep;              /* empty hosts are put to sleep */
    int64_t sleep_after_us;  /* empty for so long */
    int64_t reserve_percent; /* of what is used, always awake beside it; and what an hour brings */
};
struct pool_idle {
    char host_id[40];
    int64_t since_us;
};
struct pool {
    struct pool_idle *idle; /* hosts that are empty, and since when */
    size_t idle_count;
    int64_t looked_us, noted_us;
    /* At the last look. */
    struct pool_sums awake, all;
    struct trend trend[RESOURCE_COUNT];
    int64_t full_us; /* when the pool is full at the present trend; 0: never, or it is not known */
    int64_t asleep_count;
    uint64_t slept, woken;
};
/* One turn. 0 also when this scheduler does not lead. ERR_CONFLICT: the lease is lost. */
int pool_run(struct pool *pool, struct dispatch *d, const struct pool_settings *settings, struct error *e);
void pool_done(struct pool *pool);
