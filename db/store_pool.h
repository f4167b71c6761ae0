/* The pool as a whole: how full it is, how full it was, and which of its hosts are asleep. */
#pragma once
#include "common/model/resources.h"
#include "db/db.h"

struct pool_sums {
    int64_t hosts;
    struct resources capacity, used;
};
/* Over enabled hosts that were heard within STORE_HOST_ALIVE_US, or are asleep when `asleep`. */
int store_pool_sums(struct db_conn *c, int64_t now_us, bool asleep, struct pool_sums *ret, struct error *e);

/* Notes the hour of `now_us`: the most that was used, and the capacity as it is; hours before `keep_us` go. */
int store_pool_note(struct db_conn *c, const struct pool_sums *sums, int64_t now_us, int64_t keep_us, struct error *e);
struct pool_hour {
    int64_t hour_us;
    struct pool_sums sums;
};
/* Hours from then on, in order, in the arena. */
int store_pool_past(struct db_conn *c, int64_t from_us, struct arena *a, struct pool_hour **ret, size_t *ret_count,
                    struct error *e);

/* Hosts that may be put to sleep: enabled, heard, empty, not being drained, with a script; the smallest first. */
struct pool_host {
    const char *host_id, *name;
    struct resources capacity;
    int64_t asleep_us, seen_us;
};
int store_pool_idle(struct db_conn *c, int64_t now_us, struct arena *a, struct pool_host **ret, size_t *ret_count,
                    struct error *e);
/* Hosts that are asleep; the largest first. */
int store_pool_asleep(struct db_conn *c, struct arena *a, struct pool_host **ret, size_t *ret_count, struct error *e);
/* The host is asleep from now on, and no server comes to it any more: ERR_PRECONDITION when one has. Counts
 * allocation_revision and feed. */
int store_pool_sleep(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e);
/* It is awake. Counts the feed, wakes "placement". */
int store_pool_wake(struct db_conn *c, const char *host_id, struct error *e);
