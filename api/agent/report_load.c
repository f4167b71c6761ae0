/* What a host's servers use, from the samples of its reports: smoothed, in one row per host, for the rebalancer. */
#include "api/agent/report_load.h"
#include "common/model/load.h"
#include "common/uuid.h"
#include "db/store_host_load.h"
#include <stdio.h>
#include <string.h>

#define GONE_US ((int64_t)60 * 1000000) /* a server that was not sampled for so long is not there any more */

/* Samples come in the same order again and again. */
static struct host_load *find(struct host_load *loads, size_t count, const char *server_id, size_t hint)
{
    if (hint < count && strcmp(loads[hint].server_id, server_id) == 0)
        return &loads[hint];
    for (size_t i = 0; i < count; i++)
        if (strcmp(loads[i].server_id, server_id) == 0)
            return &loads[i];
    return NULL;
}

static void take(struct host_load *load, int64_t at_us, int64_t cpu_ns, int64_t rss_kib)
{
    int64_t span_us = at_us - load->at_us;
    if (load->at_us != 0 && span_us <= 0)
        return;
    if (load->at_us != 0 && cpu_ns >= load->cpu_ns)
        load->cpu_milli = load_smooth(load->cpu_milli, load_cpu_milli(cpu_ns - load->cpu_ns, span_us), span_us);
    if (rss_kib >= 0)
        load->memory_mib = load_smooth(load->memory_mib, rss_kib / 1024, span_us);
    load->at_us = at_us;
    load->cpu_ns = cpu_ns;
}

static size_t drop_gone(struct host_load *loads, size_t count)
{
    int64_t newest = 0;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        newest = loads[i].at_us > newest ? loads[i].at_us : newest;
    for (size_t i = 0; i < count; i++)
        if (loads[i].at_us >= newest - GONE_US)
            loads[kept++] = loads[i];
    return kept;
}

int report_load_take(struct db_conn *c, const char *host_id, const struct json_list *samples, int64_t now_us,
                     struct arena *a, struct error *e)
{
    const struct report_sample *from = samples->items;
    struct host_load *old = NULL;
    size_t count = 0;
    int rc = store_host_load_get(c, host_id, a, &old, &count, e);
    if (rc)
        return rc;
    struct host_load *loads = arena_array(a, count + samples->count + 1, sizeof(*loads));
    if (count > 0)
        memcpy(loads, old, count * sizeof(*loads));
    for (size_t i = 0; i < samples->count; i++) {
        int64_t cpu_ns = -1, rss_kib = -1;
        json_in_int(from[i].values[COUNTER_CPU_NS], &cpu_ns);
        json_in_int(from[i].memory_rss_kib, &rss_kib);
        if (!uuid_valid(from[i].server_id) || cpu_ns < 0)
            continue;
        struct host_load *load = find(loads, count, from[i].server_id, i);
        if (!load) {
            load = &loads[count++];
            *load = (struct host_load){.cpu_milli = -1, .memory_mib = -1};
            snprintf(load->server_id, sizeof(load->server_id), "%s", from[i].server_id);
        }
        take(load, from[i].at_us, cpu_ns, rss_kib);
    }
    return store_host_load_put(c, host_id, loads, drop_gone(loads, count), now_us, e);
}
