/* What the servers of hosts use, as measured and smoothed. */
#pragma once
#include "db/db.h"

struct host_load {
    char server_id[40];
    int64_t at_us, cpu_ns; /* of the last sample, by the host's clock */
    int64_t cpu_milli;     /* thousandths of a processor, smoothed; -1: known with the next sample */
    int64_t memory_mib;    /* -1: not measured */
};
/* Of one host, in the arena; none when nothing was measured. */
int store_host_load_get(struct db_conn *c, const char *host_id, struct arena *a, struct host_load **ret,
                        size_t *ret_count, struct error *e);
int store_host_load_put(struct db_conn *c, const char *host_id, const struct host_load *loads, size_t count,
                        int64_t now_us, struct error *e);
/* The server is on another host now: what was measured of it goes with it. */
int store_host_load_move(struct db_conn *c, const char *server_id, const char *from, const char *to, int64_t now_us,
                         struct error *e);
/* All hosts with what was measured since then; borrowed. */
typedef int (*store_host_load_fn)(void *arg, const char *host_id, const struct host_load *loads, size_t count,
                                  struct error *e);
int store_host_load_each(struct db_conn *c, int64_t since_us, store_host_load_fn each, void *arg, struct error *e);
