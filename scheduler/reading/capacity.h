/* How many more servers fit, by the filters of placement itself: the hosts are read into a library of the caller's own,
 * and what a create would ask for is read as the scheduler reads it. The pool that the scheduler has in memory is not
 * disturbed, and no scheduler need run. */
#pragma once
#include "common/arena.h"
#include "db/store_placement.h"
#include "scheduler/placement/placement.h"

struct capacity;

/* One more empty host like those. */
struct capacity_more {
    const char *like;       /* name of one of them */
    struct resources total; /* as the host reports */
    int64_t hosts, adds;
};
struct capacity_answer {
    const char *refusal;            /* a wish that cannot be, as a sentence; NULL: it can */
    int64_t fits;                   /* on the hosts that are up, enabled and awake */
    struct placement_explanation x; /* who refuses once all of them are placed */
    /* For each kind of host that is known, also of those that are down; kinds of one size that add equally much are
     * one.
     */
    struct capacity_more *more;
    size_t more_count;
};

/* Reads all hosts. Text and answers live in the arena. */
int capacity_open(struct db_conn *c, int64_t now_us, struct arena *a, struct capacity **ret, struct error *e);
void capacity_free(struct capacity **c);
/* `wish` is a server that waits, without a group and without an id. */
int capacity_count(struct capacity *k, struct db_conn *c, const struct placement_waiting_row *wish,
                   struct capacity_answer *ret, struct error *e);
