/* Samples: the increase since the last one is added to the total. A counter that went back (the domain was started
 * again), or that comes from another host, counts from 0. */
#include "db/store_sample.h"
#include <assert.h>

static const char *const counter_names[SAMPLE_COUNTER_COUNT] = {
    [SAMPLE_CPU_NS] = "cpu_ns",
    [SAMPLE_DISK_READ_BYTES] = "disk_read_bytes",
    [SAMPLE_DISK_WRITE_BYTES] = "disk_write_bytes",
    [SAMPLE_DISK_READ_OPS] = "disk_read_ops",
    [SAMPLE_DISK_WRITE_OPS] = "disk_write_ops",
    [SAMPLE_NET_IN_BYTES] = "net_in_bytes",
    [SAMPLE_NET_OUT_BYTES] = "net_out_bytes",
    [SAMPLE_MEMORY_RSS_KIB] = "memory_rss_kib",
};

const char *store_sample_counter_name(enum sample_counter counter)
{
    assert(counter < SAMPLE_COUNTER_COUNT);
    return counter_names[counter];
}

/* What the total becomes: unchanged when this was not sampled, all of it when the counter started again, else the
 * increase. */
#define TOTAL(name)                                                                                                    \
#name " = CASE WHEN excluded.last_" #name " < 0 THEN sample." #name " WHEN sample.last_" #name                     \
          " < 0 THEN excluded.last_" #name " WHEN sample.host_id = excluded.host_id AND excluded.last_" #name          \
          " >= sample.last_" #name " THEN sample." #name " + excluded.last_" #name " - sample.last_" #name             \
          " ELSE sample." #name " + excluded.last_" #name " END, "
#define LAST(name)                                                                                                     \
    "last_" #name " = CASE WHEN excluded.last_" #name " < 0 THEN sample.last_" #name " ELSE excluded.last_" #name      \
    " END, "
#define EACH_COUNTER(X)                                                                                                \
    X(cpu_ns)                                                                                                          \
    X(disk_read_bytes)                                                                                                 \
    X(disk_write_bytes)                                                                                                \
    X(disk_read_ops)                                                                                                   \
    X(disk_write_ops)                                                                                                  \
    X(net_in_bytes)                                                                                                    \
    X(net_out_bytes)
DB_STATEMENT(sample_add,
             "INSERT INTO sample (server_id, host_id, at_us, last_cpu_ns, last_disk_read_bytes, "
             "last_disk_write_bytes, last_disk_read_ops, last_disk_write_ops, last_net_in_bytes, "
             "last_net_out_bytes, cpu_ns, disk_read_bytes, disk_write_bytes, disk_read_ops, "
             "disk_write_ops, net_in_bytes, net_out_bytes, memory_rss_kib) VALUES ($1, $2, $3, $4, $5, "
             "$6, $7, $8, $9, $10, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (server_id) DO UPDATE "
             "SET  " EACH_COUNTER(TOTAL) EACH_COUNTER(
                 LAST) "memory_rss_kib = CASE WHEN excluded.memory_rss_kib < 0 THEN sample.memory_rss_kib ELSE "
                       "excluded.memory_rss_kib END, host_id = excluded.host_id, at_us = excluded.at_us "
                       "WHERE excluded.at_us > sample.at_us");
int store_sample_add(struct db_conn *c, const char *host_id, const struct sample *samples, size_t count,
                     struct error *e)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++) {
        const int64_t *v = samples[i].value;
        rc = db_exec(c, &sample_add, NULL, e,
                     DB_ARGS(db_text(samples[i].server_id), db_text(host_id), db_int(samples[i].at_us), db_int(v[0]),
                             db_int(v[1]), db_int(v[2]), db_int(v[3]), db_int(v[4]), db_int(v[5]), db_int(v[6]),
                             db_int(v[SAMPLE_MEMORY_RSS_KIB])));
    }
    return rc;
}

DB_STATEMENT(sample_totals, "SELECT cpu_ns, disk_read_bytes, disk_write_bytes, disk_read_ops, disk_write_ops, "
                            "net_in_bytes, net_out_bytes, memory_rss_kib, at_us "
                            "FROM sample WHERE server_id = $1");
int store_sample_totals(struct db_conn *c, const char *server_id, int64_t ret_total[SAMPLE_COUNTER_COUNT],
                        int64_t *ret_at_us, struct error *e)
{
    struct db_rows rows;
    int64_t total[SAMPLE_COUNTER_COUNT], at_us = 0;
    int rc = db_query(c, &sample_totals, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc)
        return rc;
    bool found = db_next(&rows);
    for (int i = 0; i < SAMPLE_COUNTER_COUNT; i++)
        total[i] = found ? db_get_int(&rows, i) : -1;
    if (found)
        at_us = db_get_int(&rows, SAMPLE_COUNTER_COUNT);
    rc = db_rows_done(&rows, e);
    if (rc)
        return rc;
    for (int i = 0; i < SAMPLE_COUNTER_COUNT; i++)
        ret_total[i] = total[i];
    *ret_at_us = at_us;
    return 0;
}
