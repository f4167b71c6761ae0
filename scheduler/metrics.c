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

void metrics_write(const char *path, const struct dispatch *d)
{
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
    if (file_replace(path, out.data, out.size, 0644, &e)) {
        log_warn("metrics not written", "error=\"%s\"", error_text(&e));
    }
    strbuf_done(&out);
}
