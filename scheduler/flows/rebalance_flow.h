/* Rebalancing: plans that were asked for are made from what is measured, shown, and carried out when told so; where the
 * configuration says so, plans are also made and carried out by themselves, within limits. */
#pragma once
#include "scheduler/dispatch.h"
#include "scheduler/placement/rebalance.h"

struct rebalance_settings {
    const char *automatic; /* "off", "relieve", "consolidate" */
    struct rebalance_limits limits;
    int64_t parallel;  /* migrations at a time, of one plan */
    int64_t an_hour;   /* of automatic plans; manual ones have no such limit */
    int64_t period_us; /* between automatic plans */
    int64_t rest_us;   /* a server that a plan moved is left alone for so long by automatic ones */
};
struct rebalance_state {
    int64_t planned_us; /* last automatic look */
    uint64_t moves, plans;
    int64_t hot; /* hosts above the mark at the last look */
};
/* One turn. 0 also when this scheduler does not lead. ERR_CONFLICT: the lease is lost. */
int rebalance_flow_run(struct rebalance_state *state, struct dispatch *d, const struct rebalance_settings *settings,
                       struct error *e);

/* ---- rebalance_read.c ---- */
struct rebalance_names {
    const char **hosts, **servers; /* ids by index */
    int64_t barred;                /* servers that could move but for their host or their making */
    const char *bar;               /* why the first of them */
};
/* The pool as it is measured now, in the arena. Servers are read of the hosts that a plan with that goal may take them
 * from. `automatic`: servers that were moved within `rest_us` stay. */
int rebalance_read(struct dispatch *d, const struct rebalance_settings *settings, bool consolidates, bool automatic,
                   int64_t now_us, struct arena *a, struct rebalance_pool *ret, struct rebalance_names *ret_names,
                   struct error *e);
