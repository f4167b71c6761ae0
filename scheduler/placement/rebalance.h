/* Which few servers should move? Pure, as placement.h: what is measured comes in, moves come out, and what may go where
 * is asked of the placement library, so that every rule of placement holds at every step of the plan. While a plan is
 * made its moves are taken in the library one after the other; afterwards it is as it was. One thread at a time. */
#pragma once
#include "scheduler/placement/placement.h"

struct rebalance_host {
    int32_t slot;
    int64_t cpu_milli, memory_mib;           /* what the machine has: thousandths of a processor, MiB */
    int64_t cpu_used_milli, memory_used_mib; /* measured, smoothed */
    int64_t servers;
    bool gives, takes; /* servers may leave it, come to it */
};
struct rebalance_server {
    int32_t host;                     /* index of rebalance_host */
    struct placement_request request; /* where else it may be: without itself as a member of its group */
    int64_t cpu_milli, memory_mib;    /* measured, smoothed */
    const char *group_id;             /* of one group one server moves per plan; NULL: none */
    bool movable;
};
struct rebalance_pool {
    struct rebalance_host *hosts;
    size_t host_count;
    struct rebalance_server *servers; /* those of one host stand together */
    size_t server_count;
};
struct rebalance_limits {
    int64_t hot_permille;    /* a host above is hot: by processor or memory, whichever is more in use */
    int64_t settle_permille; /* below hot: a host is cooled to this, and none is filled beyond */
    int64_t gain_permille;   /* least gain of a move away from a hot host */
    size_t moves;            /* at most */
};
struct rebalance_move {
    size_t server;                           /* index */
    int32_t from, to;                        /* indexes of hosts */
    int64_t before_permille, after_permille; /* load of `from`; after: 0 where the plan empties it */
    int64_t target_permille;                 /* load of `to` afterwards */
};

/* A host's load: the larger of the two shares in use. */
int64_t rebalance_load(const struct rebalance_host *h);
/* Moves that cool the hot hosts, the hottest first, each by as few and as small servers as do. Fills `ret` (room for
 * limits->moves), returns how many. */
size_t rebalance_relieve(struct placement *p, const struct rebalance_pool *pool, const struct rebalance_limits *limits,
                         struct rebalance_move *ret);
/* Moves that empty the most hosts, those with the least first; a host that cannot be emptied as a whole is left alone.
 * Nothing moves to an empty host, or twice. *ret_emptied: how many hosts are empty then that were not. */
size_t rebalance_consolidate(struct placement *p, const struct rebalance_pool *pool,
                             const struct rebalance_limits *limits, struct rebalance_move *ret, size_t *ret_emptied);
