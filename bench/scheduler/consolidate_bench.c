/* A pool at a tenth of its use, consolidated: a trace is replayed on so many hosts that they are hardly used, with new
 * servers spread, as operators run pools. Then the rebalancer plans, and what it plans is carried out, round after
 * round; hosts that are empty are switched off. After that the trace goes on for `--hours`: new servers are packed on
 * the hosts that are on, one more is woken where none has room or too little is left, and every hour the rebalancer may
 * move some.
 *
 *     consolidate_bench --trace FILE.csv[.gz] --capacity CORES,RAM [--at DAY] [--use PERCENT] [--hours N] [--moves N]
 *
 * The trace says what servers hold, not what they use: all of it counts as used. */
#include "bench/scheduler/sim.h"
#include "common/memory.h"
#include "scheduler/placement/rebalance.h"
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define RESERVE_PERCENT 5 /* of the hosts that are on: kept free for what comes */

struct run {
    struct sim_trace trace;
    struct placement *p;
    int64_t vcpus, memory, moves_an_hour;
    int32_t host_count;
    int32_t *host_of; /* of each server of the trace; -1: none */
    bool *on;
    int64_t *servers;
    int64_t used[2], moved, woken, refused;
    struct rebalance_pool pool;
    size_t *server_at; /* number in the trace of each server of the pool */
    struct rebalance_move *moves;
};

static struct placement_request request_of(const struct run *r, int32_t server)
{
    const struct sim_server *s = &r->trace.servers[server];
    return (struct placement_request){.need = {{s->vcpus, s->memory, 0}}, .project_id = "p"};
}

static void begin_server(struct run *r, int32_t server, enum placement_goal goal)
{
    struct placement_request q = request_of(r, server);
    q.goal = goal;
    int32_t slot = placement_choose(r->p, &q);
    for (int32_t i = 0; slot == PLACEMENT_NO_SLOT && i < r->host_count; i++) {
        if (r->on[i])
            continue;
        r->on[i] = true;
        r->woken++;
        placement_set_alive(r->p, i, true);
        slot = placement_choose(r->p, &q);
    }
    r->host_of[server] = slot;
    if (slot == PLACEMENT_NO_SLOT) {
        r->refused++;
        return;
    }
    placement_take(r->p, slot, &q.need, NULL);
    r->servers[slot]++;
    r->used[0] += q.need.amount[0];
    r->used[1] += q.need.amount[1];
}

static void end_server(struct run *r, int32_t server)
{
    struct placement_request q = request_of(r, server);
    int32_t slot = r->host_of[server];
    r->host_of[server] = PLACEMENT_NO_SLOT;
    if (slot == PLACEMENT_NO_SLOT)
        return;
    placement_release(r->p, slot, &q.need, NULL);
    r->servers[slot]--;
    r->used[0] -= q.need.amount[0];
    r->used[1] -= q.need.amount[1];
}

static int64_t hosts_on(const struct run *r, bool in_use)
{
    int64_t count = 0;
    for (int32_t i = 0; i < r->host_count; i++)
        count += r->on[i] && (!in_use || r->servers[i] > 0);
    return count;
}

/* Of the resource that is used more. */
static double use(const struct run *r, int64_t hosts)
{
    double v = (double)r->used[0] / (double)(hosts * r->vcpus), m = (double)r->used[1] / (double)(hosts * r->memory);
    return hosts ? 100 * (v > m ? v : m) : 0;
}

static void fill_pool(struct run *r)
{
    size_t *at = memory_array((size_t)r->host_count + 1, sizeof(*at));
    for (int32_t i = 0; i < r->host_count; i++) {
        const struct resources *used = placement_host_used(r->p, i);
        r->pool.hosts[i] = (struct rebalance_host){.slot = i,
                                                   .cpu_milli = r->vcpus,
                                                   .memory_mib = r->memory,
                                                   .cpu_used_milli = used->amount[RESOURCE_VCPU],
                                                   .memory_used_mib = used->amount[RESOURCE_MEMORY_MIB],
                                                   .servers = r->servers[i],
                                                   .gives = r->on[i],
                                                   .takes = r->on[i]};
        at[i + 1] = at[i] + (size_t)r->servers[i];
    }
    r->pool.server_count = at[r->host_count];
    for (size_t i = 0; i < r->trace.server_count; i++) {
        int32_t host = r->host_of[i];
        if (host == PLACEMENT_NO_SLOT)
            continue;
        size_t k = at[host]++;
        r->server_at[k] = i;
        r->pool.servers[k] = (struct rebalance_server){.host = host,
                                                       .request = request_of(r, (int32_t)i),
                                                       .cpu_milli = r->trace.servers[i].vcpus,
                                                       .memory_mib = r->trace.servers[i].memory,
                                                       .movable = true};
    }
    free(at);
}

/* Plans, moves, and switches empty hosts off but for the reserve; returns how many moved. */
static size_t consolidate(struct run *r, size_t moves, double *ret_ms)
{
    struct rebalance_limits limits = {.hot_permille = 1000, .settle_permille = 1000, .moves = moves};
    size_t emptied = 0;
    fill_pool(r);
    int64_t start = sim_now_ns();
    size_t count = rebalance_consolidate(r->p, &r->pool, &limits, r->moves, &emptied);
    *ret_ms = (double)(sim_now_ns() - start) / 1e6;
    for (size_t i = 0; i < count; i++) {
        const struct rebalance_move *m = &r->moves[i];
        const struct rebalance_server *s = &r->pool.servers[m->server];
        placement_release(r->p, m->from, &s->request.need, NULL);
        placement_take(r->p, m->to, &s->request.need, NULL);
        r->servers[m->from]--;
        r->servers[m->to]++;
        r->host_of[r->server_at[m->server]] = m->to;
    }
    r->moved += (int64_t)count;
    int64_t spare = hosts_on(r, true) * RESERVE_PERCENT / 100 + 1;
    for (int32_t i = 0; i < r->host_count; i++) {
        if (!r->on[i] || r->servers[i] > 0)
            continue;
        if (spare-- > 0)
            continue;
        r->on[i] = false;
        placement_set_alive(r->p, i, false);
    }
    return count;
}

static void make_hosts(struct run *r, double day, double percent)
{
    int64_t vcpus = 0, memory = 0;
    for (size_t i = 0; i < r->trace.server_count; i++) {
        const struct sim_server *s = &r->trace.servers[i];
        if (s->start <= day && s->end > day) {
            vcpus += s->vcpus;
            memory += s->memory;
        }
    }
    double v = (double)vcpus / (double)r->vcpus, m = (double)memory / (double)r->memory;
    r->host_count = (int32_t)((v > m ? v : m) * 100 / percent) + 1;
    for (int32_t i = 0; i < r->host_count; i++) {
        char id[40];
        snprintf(id, sizeof(id), "host-%d", i);
        struct placement_host h = {.id = id,
                                   .zone = "z",
                                   .hypervisor = "q",
                                   .architecture = "x",
                                   .enabled = true,
                                   .alive = true,
                                   .inventory = {{.total = r->vcpus, .ratio_permille = 1000},
                                                 {.total = r->memory, .ratio_permille = 1000},
                                                 {.total = 1, .ratio_permille = 1000}}};
        placement_set_host(r->p, &h);
        r->on[i] = true;
    }
}

static size_t replay(struct run *r, size_t from, double until, enum placement_goal goal)
{
    size_t i = from;
    for (; i < r->trace.event_count && r->trace.events[i].time <= until; i++) {
        const struct sim_event *e = &r->trace.events[i];
        if (e->starts)
            begin_server(r, e->server, goal);
        else
            end_server(r, e->server);
    }
    return i;
}

static void go_on(struct run *r, size_t at, double day, long hours)
{
    double sum = 0, least = 100, ms = 0, slowest = 0, spread_sum = 0;
    int64_t before = r->moved;
    r->woken = 0;
    for (long hour = 1; hour <= hours; hour++) {
        at = replay(r, at, day + (double)hour / 24, PLACEMENT_GOAL_PACK);
        consolidate(r, (size_t)r->moves_an_hour, &ms);
        double now = use(r, hosts_on(r, false));
        sum += now;
        least = now < least ? now : least;
        slowest = ms > slowest ? ms : slowest;
        spread_sum += use(r, r->host_count);
    }
    printf("%ld hours later: use of the hosts that are on %.1f %% on average, %.1f %% at least (of all hosts %.1f %%); "
           "%.1f moves an hour, %lld hosts woken, %lld servers without room, slowest plan %.0f ms\n",
           hours, sum / (double)hours, least, spread_sum / (double)hours, (double)(r->moved - before) / (double)hours,
           (long long)r->woken, (long long)r->refused, slowest);
}

/* What the command line says. */
struct options {
    const char *path;
    double day, percent;
    long hours, vcpus, memory, moves_an_hour;
};

static bool read_options(int argc, char **argv, struct options *ret)
{
    static const struct option names[] = {{"trace", 1, NULL, 't'}, {"capacity", 1, NULL, 'c'}, {"at", 1, NULL, 'a'},
                                          {"use", 1, NULL, 'u'},   {"hours", 1, NULL, 'h'},    {"moves", 1, NULL, 'm'},
                                          {NULL, 0, NULL, 0}};
    *ret = (struct options){.day = 3, .percent = 12, .hours = 72, .moves_an_hour = 200};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 't':
            ret->path = optarg;
            break;
        case 'c':
            sscanf(optarg, "%ld,%ld", &ret->vcpus, &ret->memory);
            break;
        case 'a':
            ret->day = strtod(optarg, NULL);
            break;
        case 'u':
            ret->percent = strtod(optarg, NULL);
            break;
        case 'h':
            ret->hours = strtol(optarg, NULL, 10);
            break;
        case 'm':
            ret->moves_an_hour = strtol(optarg, NULL, 10);
            break;
        default:
            return false;
        }
    }
    return ret->path && ret->vcpus > 0 && ret->memory > 0 && ret->percent > 0 && ret->day > 0;
}

static void run_init(struct run *r, const struct options *o)
{
    size_t room = r->trace.server_count + 1;
    r->vcpus = o->vcpus;
    r->memory = o->memory;
    r->moves_an_hour = o->moves_an_hour;
    r->p = placement_new(NULL);
    r->host_of = memory_array(room, sizeof(*r->host_of));
    r->on = memory_array(room * 20, sizeof(*r->on));
    r->servers = memory_array(room * 20, sizeof(*r->servers));
    r->server_at = memory_array(room, sizeof(*r->server_at));
    r->moves = memory_array(room, sizeof(*r->moves));
    make_hosts(r, o->day, o->percent);
    r->pool.hosts = memory_array((size_t)r->host_count, sizeof(*r->pool.hosts));
    r->pool.host_count = (size_t)r->host_count;
    r->pool.servers = memory_array(room, sizeof(*r->pool.servers));
    for (size_t i = 0; i < room; i++)
        r->host_of[i] = PLACEMENT_NO_SLOT;
}

/* Plan after plan until nothing moves. Returns the use of the hosts that are on then, in percent. */
static double consolidate_all(struct run *r)
{
    double total_ms = 0, ms = 0;
    size_t rounds = 0;
    while (consolidate(r, r->trace.server_count, &ms) > 0 && rounds < 20) {
        rounds++;
        total_ms += ms;
    }
    int64_t in_use = hosts_on(r, true), on = hosts_on(r, false);
    printf(
        "consolidated: %lld moves in %zu plans (%.0f ms), %lld hosts in use at %.1f %%, %lld on (a reserve of %d %%) "
        "at %.1f %%, %lld switched off\n",
        (long long)r->moved, rounds, total_ms, (long long)in_use, use(r, in_use), (long long)on, RESERVE_PERCENT,
        use(r, on), (long long)(r->host_count - on));
    return use(r, on);
}

int main(int argc, char **argv)
{
    struct run r = {0};
    struct options o;
    if (!read_options(argc, argv, &o) || !sim_trace_read(o.path, o.day + (double)o.hours / 24 + 1, 0, &r.trace))
        return 2;
    run_init(&r, &o);
    size_t at = replay(&r, 0, o.day, PLACEMENT_GOAL_SPREAD);
    int64_t running = 0;
    for (int32_t i = 0; i < r.host_count; i++)
        running += r.servers[i];
    printf("day %.0f, servers spread: %lld servers on %lld of %d hosts, use %.1f %%\n", o.day, (long long)running,
           (long long)hosts_on(&r, true), r.host_count, use(&r, r.host_count));
    double reached = consolidate_all(&r);
    if (o.hours > 0)
        go_on(&r, at, o.day, o.hours);
    return reached >= 60 ? 0 : 1;
}
