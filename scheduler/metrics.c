/* Metrics of the scheduler. A file that cannot be written is logged and tried again with the next round. */
#include "scheduler/metrics.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "db/store_placement.h"

static void line(struct strbuf *out, const char *name, const char *kind, uint64_t value)
{
    strbuf_appendf(out, "# TYPE virga_scheduler_%s %s\nvirga_scheduler_%s %llu\n", name, kind, name,
                   (unsigned long long)value);
}

static void by_resource(struct strbuf *out, const char *name, const struct resources *what)
{
    strbuf_appendf(out, "# TYPE virga_scheduler_%s gauge\n", name);
    for (int r = 0; r < RESOURCE_COUNT; r++)
        strbuf_appendf(out, "virga_scheduler_%s{resource=\"%s\"} %lld\n", name, resource_name((enum resource)r),
                       (long long)what->amount[r]);
}

/* For alerts: how full the pool is and when it is full, who is dead or asleep or hot. */
static void pool_lines(struct strbuf *out, const struct metrics_sources *s)
{
    const struct pool *pool = s->pool;
    by_resource(out, "pool_capacity", &pool->all.capacity);
    by_resource(out, "pool_used", &pool->all.used);
    by_resource(out, "pool_awake_capacity", &pool->awake.capacity);
    line(out, "pool_trend_known", "gauge", pool->trend[RESOURCE_VCPU].known);
    if (pool->full_us) { /* no line: not at the present trend, or nothing is known of one */
        int64_t left_us = pool->full_us - clock_now_us();
        line(out, "pool_full_in_seconds", "gauge", left_us > 0 ? (uint64_t)(left_us / CLOCK_SECOND_US) : 0);
    }
    line(out, "hosts_asleep", "gauge", (uint64_t)pool->asleep_count);
    line(out, "hosts_slept_total", "counter", pool->slept);
    line(out, "hosts_woken_total", "counter", pool->woken);
    line(out, "hosts_fenced_total", "counter", s->power->fenced);
    line(out, "power_failures_total", "counter", s->power->failed);
    line(out, "hosts_silent_storm", "gauge", s->power->storm);
    line(out, "hosts_hot", "gauge", (uint64_t)s->rebalance->hot);
    line(out, "rebalance_moves_total", "counter", s->rebalance->moves);
}

void metrics_write(const char *path, const struct metrics_sources *s)
{
    const struct dispatch *d = s->dispatch;
    static int64_t written_us;
    int64_t now = clock_mono_us();
    if (!path || (written_us && now - written_us < 5 * CLOCK_SECOND_US)) {
        return;
    }
    written_us = now;
    struct strbuf out;
    struct error e = {0};
    int64_t waiting = 0;
    if (store_placement_queue_depth(d->conn, &waiting, &e)) {
        log_warn("queue not measured", "error=%s", error_text(&e));
        error_clear(&e);
    }
    strbuf_init(&out, 0);
    line(&out, "leading", "gauge", d->leader);
    line(&out, "hosts", "gauge", (uint64_t)placement_host_count(d->feed.placement));
    line(&out, "waiting", "gauge", (uint64_t)waiting);
    line(&out, "placed_total", "counter", d->placed);
    line(&out, "refused_total", "counter", d->failed);
    line(&out, "conflicts_total", "counter", d->conflicts);
    line(&out, "batches_total", "counter", d->batches);
    line(&out, "placing_microseconds_total", "counter", (uint64_t)d->placing_us);
    if (d->leader)
        pool_lines(&out, s);
    if (file_replace(path, out.data, out.size, 0644, &e)) {
        log_warn("metrics not written", "error=\"%s\"", error_text(&e));
    }
    strbuf_done(&out);
}
