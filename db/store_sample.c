/* Samples: the increase since the last one is added to the total. A counter that went back (the domain was started again), or that comes from another
 * host, counts from 0. */
#include "db/store_sample.h"
#include <assert.h>
#include <string.h>

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

DB_STATEMENT(sample_add,
             "INSERT INTO sample (server_id, counter, host_id, last, total, at_us) VALUES ($1, $2, $3, $4, $4, $5) "
             "ON CONFLICT (server_id, counter) DO UPDATE SET total = sample.total + CASE WHEN sample.host_id = "
             "excluded.host_id AND excluded.last >= sample.last THEN excluded.last - sample.last ELSE excluded.last END, "
             "last = excluded.last, host_id = excluded.host_id, at_us = excluded.at_us "
             "WHERE excluded.at_us > sample.at_us");
DB_STATEMENT(sample_set,
             "INSERT INTO sample (server_id, counter, host_id, last, total, at_us) VALUES ($1, $2, $3, $4, $4, $5) "
             "ON CONFLICT (server_id, counter) DO UPDATE SET total = excluded.last, last = excluded.last, "
             "host_id = excluded.host_id, at_us = excluded.at_us WHERE excluded.at_us > sample.at_us");
static int add_one(struct db_conn *c, const char *host_id, const struct sample *sample, struct error *e)
{
    int rc = 0;
    for (int i = 0; !rc && i < SAMPLE_COUNTER_COUNT; i++) {
        if (sample->value[i] < 0)
            continue;
        rc = db_exec(c, i == SAMPLE_MEMORY_RSS_KIB ? &sample_set : &sample_add, NULL, e,
                     DB_ARGS(db_text(sample->server_id), db_text(counter_names[i]), db_text(host_id),
                             db_int(sample->value[i]), db_int(sample->at_us)));
    }
    return rc;
}

int store_sample_add(struct db_conn *c, const char *host_id, const struct sample *samples, size_t count, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++)
        rc = add_one(c, host_id, &samples[i], e);
    return rc;
}

DB_STATEMENT(sample_totals, "SELECT counter, total, at_us FROM sample WHERE server_id = $1");
int store_sample_totals(struct db_conn *c, const char *server_id, int64_t ret_total[SAMPLE_COUNTER_COUNT],
                        int64_t *ret_at_us, struct error *e)
{
    struct db_rows rows;
    int64_t newest = 0;
    int rc = db_query(c, &sample_totals, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc)
        return rc;
    for (int i = 0; i < SAMPLE_COUNTER_COUNT; i++)
        ret_total[i] = -1;
    while (db_next(&rows)) {
        for (int i = 0; i < SAMPLE_COUNTER_COUNT; i++)
            if (strcmp(counter_names[i], db_get_text(&rows, 0)) == 0)
                ret_total[i] = db_get_int(&rows, 1);
        if (db_get_int(&rows, 2) > newest)
            newest = db_get_int(&rows, 2);
    }
    rc = db_rows_done(&rows, e);
    if (!rc)
        *ret_at_us = newest;
    return rc;
}
