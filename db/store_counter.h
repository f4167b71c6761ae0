/* Counters: batches of cumulative samples as hosts send them, the last sample of each stream (a server on a host), and
 * what servers used by the hour. */
#pragma once
#include "common/model/ip.h"
#include "db/db.h"

enum counter_kind {
    COUNTER_CPU_NS,
    COUNTER_DISK_READ_BYTES,
    COUNTER_DISK_WRITE_BYTES,
    COUNTER_DISK_READ_OPS,
    COUNTER_DISK_WRITE_OPS,
    COUNTER_NET_IN_BYTES,
    COUNTER_NET_OUT_BYTES,
    COUNTER_COUNT
};
const char *store_counter_name(enum counter_kind kind);     /* "cpu_ns" ... as in docs/agent-protocol.md */
const char *store_counter_resource(enum counter_kind kind); /* "cpu_seconds" ...: meter_resource.name */

#define COUNTER_NICS_MAX 64
/* What one nic has received and sent, cumulative. */
struct counter_nic {
    char mac[IP_MAC_SIZE];
    char network_id[40]; /* "": not known */
    int64_t in_bytes, out_bytes;
};
struct counter_sample {
    char server_id[40];
    int64_t at_us;
    int64_t value[COUNTER_COUNT]; /* cumulative; below 0: not sampled */
    /* The server's traffic by nic, at most COUNTER_NICS_MAX; none: `value` alone tells it. */
    const struct counter_nic *nics;
    size_t nic_count;
};
/* Accepts a batch of a host; a repeat changes nothing. Samples of servers whose id is longer than 39 bytes are dropped.
 */
int store_counter_accept(struct db_conn *c, const char *host_id, const struct counter_sample *samples, size_t count,
                         int64_t now_us, struct error *e);

struct counter_batch {
    const char *host_id;
    int64_t newest_us;
    struct counter_sample *samples;
    size_t count;
};
/* Batches that wait, by host and time, at most `limit`; in the arena. ERR_CORRUPT. */
int store_counter_batches(struct db_conn *c, int64_t limit, struct arena *a, struct counter_batch **ret,
                          size_t *ret_count, struct error *e);
int store_counter_drop(struct db_conn *c, const struct counter_batch *batch, struct error *e);

struct counter_stream {
    int64_t subject_no, host_no, at_us, value[COUNTER_COUNT];
    struct counter_nic *nics; /* from the heap: whoever read it frees it; without networks */
    size_t nic_count;
};
int store_counter_stream(struct db_conn *c, int64_t subject_no, int64_t host_no, struct counter_stream *ret,
                         bool *ret_found, struct error *e);
int store_counter_stream_put(struct db_conn *c, const struct counter_stream *s, struct error *e);

struct counter_hour {
    int64_t project_no, hour_us, generation, subject_no, shape_no, host_no, used[COUNTER_COUNT];
};
/* Adds to the hour. */
int store_counter_add(struct db_conn *c, const struct counter_hour *h, struct error *e);
typedef int (*counter_hour_fn)(void *arg, const struct counter_hour *h, struct error *e);
/* A project's hours that begin in [from_us, to_us), known at `generation` or before. */
int store_counter_each(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t generation,
                       counter_hour_fn fn, void *arg, struct error *e);
/* Whether hours in the period became known after `generation`. */
int store_counter_changed(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t generation,
                          bool *ret, struct error *e);
