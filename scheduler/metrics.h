/* The scheduler's figures as Prometheus text in a file. */
#pragma once
#include "scheduler/dispatch.h"
#include "scheduler/flows/pool.h"
#include "scheduler/flows/power.h"
#include "scheduler/flows/rebalance_flow.h"

struct metrics_sources {
    const struct dispatch *dispatch;
    const struct power *power;
    const struct pool *pool;
    const struct rebalance_state *rebalance;
};

/* Rewrites `path` (NULL: nothing) at most every 5 seconds. */
void metrics_write(const char *path, const struct metrics_sources *s);
