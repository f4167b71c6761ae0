/* Measuring and printing of the simulator. */
#include "bench/scheduler/sim.h"
#include "common/json_out.h"
#include "common/memory.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void sim_latency_init(struct sim_latency *l, int64_t capacity)
{
    l->ns = memory_array((size_t)capacity, sizeof(*l->ns));
    l->count = 0;
    l->capacity = capacity;
}

void sim_latency_done(struct sim_latency *l)
{
    free(l->ns);
    l->ns = NULL;
}

void sim_latency_add(struct sim_latency *l, int64_t ns)
{
    if (l->count < l->capacity) {
        l->ns[l->count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

double sim_latency_at(struct sim_latency *l, double share)
{
    if (l->count == 0) {
        return -1;
    }
    qsort(l->ns, (size_t)l->count, sizeof(*l->ns), by_size);
    int64_t at = (int64_t)(share * (double)l->count);
    return l->ns[at < l->count ? at : l->count - 1] / 1000.0;
}

int64_t sim_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int64_t sim_resident(void)
{
    long long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%lld %lld", &size, &resident) != 2) {
            resident = 0;
        }
        fclose(f);
    }
    return resident * sysconf(_SC_PAGESIZE);
}

void sim_result_init(struct sim_result *r, const char *what, enum placement_goal goal)
{
    *r = (struct sim_result){.host_bytes = -1,
                             .server_bytes = -1,
                             .full = -1,
                             .stranded = {-1, -1, -1},
                             .peak = -1,
                             .host_days = -1,
                             .host_days_bound = -1,
                             .set_host_p99 = -1,
                             .choose_p99 = -1};
    snprintf(r->what, sizeof(r->what), "%s", what);
    snprintf(r->goal, sizeof(r->goal), "%s", placement_goal_name(goal));
}

void sim_result_latency(struct sim_result *r, struct sim_latency *l)
{
    r->p50 = sim_latency_at(l, 0.5);
    r->p99 = sim_latency_at(l, 0.99);
    r->p999 = sim_latency_at(l, 0.999);
    r->most = sim_latency_at(l, 1);
}

static void print_json(const struct sim_result *r, size_t count)
{
    struct strbuf text;
    struct json_out o;
    strbuf_init(&text, 0);
    json_out_init(&o, &text);
    json_out_array(&o, NULL);
    for (size_t i = 0; i < count; i++, r++) {
        const struct {
            const char *name;
            double value;
        } numbers[] = {{"decisions_per_second", r->per_second},
                       {"p50_us", r->p50},
                       {"p99_us", r->p99},
                       {"p999_us", r->p999},
                       {"max_us", r->most},
                       {"choose_p99_us", r->choose_p99},
                       {"bytes_per_host", r->host_bytes},
                       {"bytes_per_server", r->server_bytes},
                       {"full", r->full},
                       {"stranded_vcpus", r->stranded[0]},
                       {"stranded_memory", r->stranded[1]},
                       {"stranded_disk", r->stranded[2]},
                       {"host_days", r->host_days},
                       {"host_days_bound", r->host_days_bound},
                       {"set_host_p99_us", r->set_host_p99}};
        json_out_object(&o, NULL);
        json_out_text(&o, "what", r->what);
        json_out_text(&o, "policy", r->goal);
        json_out_int(&o, "hosts", r->hosts);
        json_out_int(&o, "servers", r->servers);
        json_out_int(&o, "decisions", r->decisions);
        json_out_int(&o, "refused", r->refused);
        json_out_int(&o, "peak", r->peak);
        json_out_int(&o, "peak_bound", r->peak_bound);
        for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++) {
            json_out_number(&o, numbers[k].name, numbers[k].value);
        }
        json_out_object_end(&o);
    }
    json_out_array_end(&o);
    if (json_out_error(&o) == 0) {
        printf("%.*s\n", (int)text.size, text.data);
    }
    strbuf_done(&text);
}

static void print_text(const struct sim_result *r)
{
    printf("%s, policy %s: %lld hosts, %lld servers at the end, %lld decisions, %lld refused\n", r->what, r->goal,
           (long long)r->hosts, (long long)r->servers, (long long)r->decisions, (long long)r->refused);
    printf("  %.0f decisions/s; per decision p50 %.2f, p99 %.2f, p99.9 %.2f, max %.0f us\n", r->per_second, r->p50,
           r->p99, r->p999, r->most);
    if (r->host_bytes >= 0) {
        printf("  %.0f bytes a host, %.1f bytes a server", r->host_bytes, r->server_bytes);
        if (r->full >= 0)
            printf("; the scarcer resource is %.1f %% in use", r->full * 100);
        printf("\n");
    }
    if (r->set_host_p99 >= 0) {
        printf("  a host changes: the library knows after %.2f us (p99)\n", r->set_host_p99);
    }
    if (r->peak >= 0) {
        printf("  hosts at peak %lld, lower bound %lld: %.4f", (long long)r->peak, (long long)r->peak_bound,
               (double)r->peak / (double)r->peak_bound);
    }
    if (r->host_days >= 0) {
        printf("; host-days %.1f, lower bound %.1f: %.4f", r->host_days, r->host_days_bound,
               r->host_days / r->host_days_bound);
    }
    printf(r->peak >= 0 ? "\n" : "");
    if (r->stranded[0] >= 0) {
        printf("  stranded: VCPU %.2f %%, memory %.2f %%", r->stranded[0] * 100, r->stranded[1] * 100);
        printf(r->stranded[2] >= 0 ? ", disk %.2f %%\n" : "\n", r->stranded[2] * 100);
    }
}

void sim_results_print(const struct sim_result *r, size_t count, bool json)
{
    if (json) {
        print_json(r, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        print_text(&r[i]);
    }
}
