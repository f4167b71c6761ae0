/* Traces: "vmId,tenantId,cores,ram,vmTypeId,starttime,endtime", days, gzip or plain. All servers of the same moment are
 * ordered by id, ends before starts; what began before day 0 begins at 0 with the age that it has. The pool grows by a
 * host whenever nothing fits; emptied hosts stay in it. */
#include "bench/scheduler/sim.h"
#include "common/memory.h"
#include "scheduler/placement/lifetime.h"
#include <errno.h>
#include <float.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define DAY_MINUTES 1440.0
#define HORIZON     (3 * 1440) /* minutes */
#define SWEEP_DAYS  (1.0 / 24) /* how often all hosts' foreseen use is worked out anew */

static bool parse_line(char *line, struct sim_server *ret)
{
    double field[7];
    char *rest = line;
    for (int i = 0; i < 7; i++) {
        char *text = strsep(&rest, ",\r\n");
        char *end = text;
        if (!text) {
            return false;
        }
        field[i] = *text ? strtod(text, &end) : DBL_MAX;
        if (*end) {
            return false;
        }
    }
    if (!(field[2] > 0 && field[2] < 1e9 && field[3] > 0 && field[3] < 1e9 && isfinite(field[5]))) {
        return false;
    }
    *ret = (struct sim_server){.id = (int64_t)field[0],
                               .project = (int64_t)field[1],
                               .vcpus = (int64_t)ceil(field[2]),
                               .memory = (int64_t)ceil(field[3]),
                               .kind = (int64_t)field[4],
                               .start = field[5],
                               .end = isfinite(field[6]) ? field[6] : DBL_MAX};
    return true;
}

static bool read_servers(gzFile f, const char *path, double days, struct sim_trace *t)
{
    size_t capacity = 0;
    char line[256];
    for (size_t number = 1; gzgets(f, line, sizeof(line)); number++) {
        struct sim_server s;
        if (!parse_line(line, &s)) {
            if (number == 1) {
                continue; /* the head */
            }
            fprintf(stderr, "%s:%zu: not seven numbers\n", path, number);
            return false;
        }
        if (s.start >= days || s.end <= 0 || s.end <= s.start) {
            continue;
        }
        if (t->server_count == capacity) {
            capacity = capacity ? capacity * 2 : 1024;
            t->servers = memory_resize(t->servers, capacity * sizeof(*t->servers));
        }
        t->servers[t->server_count++] = s;
    }
    int code;
    const char *message = gzerror(f, &code);
    if (code != Z_OK && code != Z_STREAM_END) {
        fprintf(stderr, "%s: %s\n", path, message);
        return false;
    }
    return true;
}

static const struct sim_trace *sorting;

/* Servers of the same moment have no order of their own: by id, or for an order above 0 any other way. */
static uint64_t rank_of(const struct sim_server *s)
{
    uint64_t rank = (uint64_t)s->id;
    for (int64_t i = 0; i < sorting->order && i < 64; i++) {
        rank = (rank ^ rank >> 29) * 0xbf58476d1ce4e5b9ULL + 1;
    }
    return rank;
}

static int by_time(const void *a, const void *b)
{
    const struct sim_event *x = a, *y = b;
    if (x->time != y->time) {
        return x->time < y->time ? -1 : 1;
    }
    if (x->starts != y->starts) {
        return x->starts ? 1 : -1;
    }
    uint64_t i = rank_of(&sorting->servers[x->server]), k = rank_of(&sorting->servers[y->server]);
    return (i > k) - (i < k);
}

bool sim_trace_read(const char *path, double days, int64_t order, struct sim_trace *ret)
{
    *ret = (struct sim_trace){.days = days, .order = order};
    gzFile f = gzopen(path, "rb");
    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    bool good = read_servers(f, path, days, ret);
    gzclose(f);
    if (good && ret->server_count == 0) {
        fprintf(stderr, "%s: no servers between day 0 and %g\n", path, days);
        good = false;
    }
    ret->events = memory_array(ret->server_count * 2 + 1, sizeof(*ret->events));
    for (size_t i = 0; i < ret->server_count; i++) {
        const struct sim_server *s = &ret->servers[i];
        ret->events[ret->event_count++] = (struct sim_event){fmax(s->start, 0), (int32_t)i, true};
        if (s->end < days) {
            ret->events[ret->event_count++] = (struct sim_event){s->end, (int32_t)i, false};
        }
    }
    sorting = ret;
    qsort(ret->events, ret->event_count, sizeof(*ret->events), by_time);
    return good;
}

void sim_trace_done(struct sim_trace *t)
{
    free(t->servers);
    free(t->events);
    *t = (struct sim_trace){0};
}

/* A replay: where each server is, and by host the chain of its servers. */
struct replay {
    const struct sim_trace *trace;
    struct placement *placement;
    struct lifetime *lifetime;
    bool true_ends, foresee;
    int64_t vcpus, memory;
    int32_t *host, *next, *before, *first; /* by server, by server, by server, by host */
    int32_t host_count;
    int64_t held, used_hosts, peak, demand[2];
    double host_days, bound_days, now, next_sweep;
    int64_t peak_bound;
};

static int32_t add_host(const struct replay *r, struct placement *p, int32_t number)
{
    char id[40];
    snprintf(id, sizeof(id), "host-%d", number);
    struct placement_host h = {.id = id,
                               .zone = "nova",
                               .hypervisor = "qemu",
                               .architecture = "x86_64",
                               .enabled = true,
                               .alive = true,
                               .inventory = {{.total = r->vcpus, .ratio_permille = 1000},
                                             {.total = r->memory, .ratio_permille = 1000},
                                             {.total = 0, .ratio_permille = 1000}}};
    return placement_set_host(p, &h);
}

static int32_t open_host(struct replay *r)
{
    int32_t slot = add_host(r, r->placement, r->host_count++);
    r->first[slot] = -1;
    return slot;
}

/* Which part of a whole host over the whole horizon the server will hold. */
static double stay_of(const struct replay *r, int32_t server)
{
    const struct sim_server *s = &r->trace->servers[server];
    double share = fmax((double)s->vcpus / (double)r->vcpus, (double)s->memory / (double)r->memory);
    double rest;
    if (r->true_ends) {
        rest = fmin((s->end - r->now) * DAY_MINUTES, HORIZON);
    } else {
        rest = (double)lifetime_expect(r->lifetime, (uint64_t)s->project, lifetime_shape(s->vcpus, s->memory, s->kind),
                                       (int64_t)((r->now - s->start) * DAY_MINUTES));
    }
    return share * rest / HORIZON;
}

static void work_out_stay(struct replay *r, int32_t slot)
{
    double stay = 0;
    for (int32_t i = r->first[slot]; i >= 0; i = r->next[i]) {
        stay += stay_of(r, i);
    }
    placement_set_stay(r->placement, slot, (int32_t)(stay * PLACEMENT_STAY_WHOLE));
}

static int64_t bound(const struct replay *r)
{
    int64_t by_vcpus = (r->demand[0] + r->vcpus - 1) / r->vcpus, by_memory = (r->demand[1] + r->memory - 1) / r->memory;
    return by_vcpus > by_memory ? by_vcpus : by_memory;
}

static void pass_time(struct replay *r, double to)
{
    while (r->foresee && r->next_sweep <= to) {
        r->host_days += (double)r->used_hosts * (r->next_sweep - r->now);
        r->bound_days += (double)bound(r) * (r->next_sweep - r->now);
        r->now = r->next_sweep;
        r->next_sweep += SWEEP_DAYS;
        for (int32_t i = 0; i < r->host_count; i++) {
            work_out_stay(r, i);
        }
    }
    r->host_days += (double)r->used_hosts * (to - r->now);
    r->bound_days += (double)bound(r) * (to - r->now);
    r->now = to;
}

static struct resources need_of(const struct sim_server *s)
{
    return (struct resources){{s->vcpus, s->memory, 0}};
}

static void begin(struct replay *r, int32_t server, struct sim_latency *latency, struct sim_result *ret)
{
    const struct sim_server *s = &r->trace->servers[server];
    struct placement_request request = {.need = need_of(s)};
    int64_t start = sim_now_ns();
    int32_t slot = placement_choose(r->placement, &request);
    if (slot == PLACEMENT_NO_SLOT && s->vcpus <= r->vcpus && s->memory <= r->memory) {
        int64_t pause = sim_now_ns();
        slot = open_host(r);
        start += sim_now_ns() - pause;
    }
    if (slot != PLACEMENT_NO_SLOT) {
        placement_take(r->placement, slot, &request.need, NULL);
    }
    sim_latency_add(latency, sim_now_ns() - start);
    ret->decisions++;
    r->host[server] = slot;
    if (slot == PLACEMENT_NO_SLOT) {
        ret->refused++;
        return;
    }
    r->used_hosts += r->first[slot] < 0;
    r->next[server] = r->first[slot];
    r->before[server] = -1;
    if (r->first[slot] >= 0) {
        r->before[r->first[slot]] = server;
    }
    r->first[slot] = server;
    r->held++;
    r->demand[0] += s->vcpus;
    r->demand[1] += s->memory;
    r->peak = r->used_hosts > r->peak ? r->used_hosts : r->peak;
    r->peak_bound = bound(r) > r->peak_bound ? bound(r) : r->peak_bound;
}

static void end(struct replay *r, int32_t server)
{
    const struct sim_server *s = &r->trace->servers[server];
    struct resources need = need_of(s);
    int32_t slot = r->host[server], next = r->next[server], before = r->before[server];
    if (slot == PLACEMENT_NO_SLOT) {
        return;
    }
    placement_release(r->placement, slot, &need, NULL);
    *(before >= 0 ? &r->next[before] : &r->first[slot]) = next;
    if (next >= 0) {
        r->before[next] = before;
    }
    r->used_hosts -= r->first[slot] < 0;
    r->held--;
    r->demand[0] -= s->vcpus;
    r->demand[1] -= s->memory;
    lifetime_learn(r->lifetime, (uint64_t)s->project, lifetime_shape(s->vcpus, s->memory, s->kind),
                   (int64_t)((s->end - s->start) * DAY_MINUTES));
}

static int by_amount(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void median_need(const struct sim_trace *t, int64_t ret[2])
{
    int64_t *amounts = memory_array(t->server_count, sizeof(*amounts));
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < t->server_count; i++) {
            amounts[i] = k == 0 ? t->servers[i].vcpus : t->servers[i].memory;
        }
        qsort(amounts, t->server_count, sizeof(*amounts), by_amount);
        ret[k] = amounts[t->server_count / 2];
    }
    free(amounts);
}

/* At this moment, over the hosts in use. */
static void measure_stranded(const struct replay *r, const int64_t median[2], struct sim_result *ret)
{
    int64_t stranded[2] = {0, 0};
    for (int32_t i = 0; i < r->host_count; i++) {
        const struct resources *used = placement_host_used(r->placement, i);
        int64_t vcpus = r->vcpus - used->amount[RESOURCE_VCPU], memory = r->memory - used->amount[RESOURCE_MEMORY_MIB];
        if (r->first[i] >= 0 && (vcpus < median[0] || memory < median[1])) {
            stranded[0] += vcpus;
            stranded[1] += memory;
        }
    }
    ret->stranded[0] = (double)stranded[0] / (double)(r->used_hosts * r->vcpus);
    ret->stranded[1] = (double)stranded[1] / (double)(r->used_hosts * r->memory);
}

static void replay_init(struct replay *r, enum placement_goal goal)
{
    size_t count = r->trace->server_count;
    r->placement = placement_new(NULL);
    placement_set_goal(r->placement, goal);
    r->foresee = goal == PLACEMENT_GOAL_LIFETIME;
    r->lifetime = lifetime_new(HORIZON);
    r->host = memory_array(count, sizeof(int32_t));
    r->next = memory_array(count, sizeof(int32_t));
    r->before = memory_array(count, sizeof(int32_t));
    r->first = memory_array(count, sizeof(int32_t));
    r->next_sweep = SWEEP_DAYS;
}

static int64_t heap(void)
{
    struct mallinfo2 m = mallinfo2();
    return (int64_t)(m.uordblks + m.hblkhd);
}

/* Frees the library, and so tells what it took; a pool of as many empty hosts tells which part of it is the hosts'. */
static void measure_memory(struct replay *r, struct sim_result *ret)
{
    int64_t before = heap();
    placement_free(&r->placement);
    int64_t all = before - heap();
    before = heap();
    struct placement *empty = placement_new(NULL);
    for (int32_t i = 0; i < r->host_count; i++) {
        add_host(r, empty, i);
    }
    int64_t hosts = heap() - before;
    placement_free(&empty);
    ret->host_bytes = r->host_count > 0 ? (double)hosts / r->host_count : 0;
    ret->server_bytes = r->held > 0 ? fmax((double)(all - hosts) / (double)r->held, 0) : 0;
}

static void replay_done(struct replay *r)
{
    lifetime_free(&r->lifetime);
    free(r->host);
    free(r->next);
    free(r->before);
    free(r->first);
}

void sim_trace_run(const struct sim_trace *t, int64_t vcpus, int64_t memory, enum placement_goal goal, bool true_ends,
                   struct sim_result *ret)
{
    struct replay r = {.trace = t, .vcpus = vcpus, .memory = memory, .true_ends = true_ends};
    struct sim_latency latency;
    int64_t median[2], spent = 0, peak = -1;
    sim_result_init(ret, "trace", goal);
    snprintf(ret->goal, sizeof(ret->goal), "%s%s", placement_goal_name(goal), true_ends ? " with true ends" : "");
    sim_latency_init(&latency, (int64_t)t->server_count);
    replay_init(&r, goal);
    median_need(t, median);
    for (size_t i = 0; i < t->event_count; i++) {
        const struct sim_event *e = &t->events[i];
        pass_time(&r, e->time);
        int64_t start = sim_now_ns();
        if (e->starts) {
            begin(&r, e->server, &latency, ret);
        } else {
            end(&r, e->server);
        }
        spent += sim_now_ns() - start;
        if (r.foresee && r.host[e->server] != PLACEMENT_NO_SLOT) {
            work_out_stay(&r, r.host[e->server]);
        }
        if (r.peak > peak) {
            peak = r.peak;
            measure_stranded(&r, median, ret);
        }
    }
    pass_time(&r, t->days);
    ret->per_second = (double)ret->decisions * 1e9 / (double)spent;
    sim_result_latency(ret, &latency);
    ret->hosts = r.host_count;
    ret->servers = r.held;
    ret->peak = r.peak;
    ret->peak_bound = r.peak_bound;
    ret->host_days = r.host_days;
    ret->host_days_bound = r.bound_days;
    sim_latency_done(&latency);
    measure_memory(&r, ret);
    replay_done(&r);
}
