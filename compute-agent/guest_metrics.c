/* One family of metrics per row of a table, one line per guest in it. */
#include "compute-agent/guest_metrics.h"
#include "common/file.h"
#include <inttypes.h>
#include <unistd.h>

struct metric {
    const char *name, *type, *help;
    enum hypervisor_figure figure;
    int64_t factor, divisor;
};
static const struct metric metrics[] = {
    {"cpu_steal_seconds_total", "counter", "Time in which a processor of the guest was ready to run and had to wait.",
     HYPERVISOR_STEAL_NS, 1, 1000000000},
    {"memory_maximum_bytes", "gauge", "Memory that the guest can have.", HYPERVISOR_MEMORY_MAX_KIB, 1024, 1},
    {"memory_balloon_bytes", "gauge", "Memory that the balloon leaves the guest.", HYPERVISOR_BALLOON_KIB, 1024, 1},
    {"memory_available_bytes", "gauge", "Memory that the guest's kernel manages.", HYPERVISOR_AVAILABLE_KIB, 1024, 1},
    {"memory_unused_bytes", "gauge", "Memory that the guest has no use for.", HYPERVISOR_UNUSED_KIB, 1024, 1},
    {"memory_usable_bytes", "gauge", "Memory that the balloon could take without the guest swapping.",
     HYPERVISOR_USABLE_KIB, 1024, 1},
    {"memory_swap_in_bytes_total", "counter", "Memory that the guest swapped in.", HYPERVISOR_SWAP_IN_KIB, 1024, 1},
    {"memory_swap_out_bytes_total", "counter", "Memory that the guest swapped out.", HYPERVISOR_SWAP_OUT_KIB, 1024, 1},
    {"memory_major_faults_total", "counter", "Page faults for which the guest read a disk.", HYPERVISOR_MAJOR_FAULTS, 1,
     1},
};

static void print_value(const struct metric *m, const struct hypervisor_sample *s, struct strbuf *to)
{
    int64_t value = s->figures[m->figure];
    strbuf_appendf(to, "virga_guest_%s{server=\"%s\"} %" PRId64, m->name, s->server_id, value / m->divisor * m->factor);
    if (m->divisor > 1) {
        strbuf_appendf(to, ".%09" PRId64, value % m->divisor);
    }
    strbuf_appendf(to, "\n");
}

void guest_metrics_print(const struct hypervisor_sample *samples, size_t count, struct strbuf *to)
{
    for (size_t m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++) {
        strbuf_appendf(to, "# HELP virga_guest_%s %s\n# TYPE virga_guest_%s %s\n", metrics[m].name, metrics[m].help,
                       metrics[m].name, metrics[m].type);
        for (size_t i = 0; i < count; i++) {
            if (samples[i].figures[metrics[m].figure] != HYPERVISOR_UNTOLD) {
                print_value(&metrics[m], &samples[i], to);
            }
        }
    }
}

int guest_metrics_write(const char *folder, const char *host_id, const struct hypervisor_sample *samples, size_t count,
                        struct error *e)
{
    struct strbuf text, path;
    strbuf_init(&text, 0);
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/virga-%s.prom", folder, host_id);
    guest_metrics_print(samples, count, &text);
    int rc = file_show(path.data, text.data, text.size, 0644, e);
    strbuf_done(&path);
    strbuf_done(&text);
    return rc;
}

void guest_metrics_remove(const char *folder, const char *host_id)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/virga-%s.prom", folder, host_id);
    unlink(path.data);
    strbuf_done(&path);
}
