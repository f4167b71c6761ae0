/* Samples: hypervisors' cumulative counters, kept as totals that never go back. */
#pragma once
#include "db/db.h"

enum sample_counter {
    SAMPLE_CPU_NS,
    SAMPLE_DISK_READ_BYTES,
    SAMPLE_DISK_WRITE_BYTES,
    SAMPLE_DISK_READ_OPS,
    SAMPLE_DISK_WRITE_OPS,
    SAMPLE_NET_IN_BYTES,
    SAMPLE_NET_OUT_BYTES,
    SAMPLE_MEMORY_RSS_KIB, /* a gauge: its total is its last value */
    SAMPLE_COUNTER_COUNT
};
const char *store_sample_counter_name(enum sample_counter counter); /* "cpu_ns" ... as in docs/agent-protocol.md */

struct sample {
    const char *server_id;
    int64_t at_us;
    int64_t value[SAMPLE_COUNTER_COUNT]; /* below 0: not sampled */
};
/* Takes samples of a host. A sample that is not newer than the server's last one changes nothing. */
int store_sample_add(struct db_conn *c, const char *host_id, const struct sample *samples, size_t count,
                     struct error *e);
/* The totals of a server, -1 where nothing was ever sampled; *ret_at_us is the newest sample's time or 0. */
int store_sample_totals(struct db_conn *c, const char *server_id, int64_t ret_total[SAMPLE_COUNTER_COUNT],
                        int64_t *ret_at_us, struct error *e);
