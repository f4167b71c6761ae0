/* Generated loads: a pool is filled through the library to the level asked for, then every step places one server and
 * lets others end until the level holds again; a refusal ends one too. */
#include "bench/scheduler/sim.h"
#include "common/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS       512
#define GROUP_HOSTS  24
#define FLAVORS      64
#define SHAPES       10000 /* of the loads with many */
#define PINS         8     /* most processors of a flavor with cells */
#define CHANGE_EVERY 20    /* decisions */

const struct sim_load sim_loads[] = {
    {.name = "uniform", .doc = "12 sizes alike likely, 80 % full", .full_permille = 800},
    {.name = "heavy-tailed", .doc = "sizes with a heavy tail, 90 % full", .full_permille = 900, .heavy = true},
    {.name = "churn90", .doc = "12 sizes, churn at 90 % full", .full_permille = 900},
    {.name = "churn95", .doc = "12 sizes, churn at 95 % full", .full_permille = 950},
    {.name = "mixed",
     .doc = "churn at 90 %; 30 % of the requests with groups, traits, aggregates, hints, devices",
     .full_permille = 900,
     .special = true},
    {.name = "hosts",
     .doc = "churn at 90 % while hosts are disabled, enabled, joined and removed",
     .full_permille = 900,
     .hosts_change = true},
    {.name = "cells",
     .doc = "churn at 90 % on hosts of two NUMA cells; 30 % of the requests pinned to processors of one cell",
     .full_permille = 900,
     .cells = true},
    {.name = "shapes",
     .doc = "churn at 90 %; 10,000 shapes of requests, each with size, zone, rack and traits of its own",
     .full_permille = 900,
     .special = true,
     .shapes = true},
    {.name = "own",
     .doc = "likewise where each host has a property of its own, which one in eight shapes asks for",
     .full_permille = 900,
     .special = true,
     .shapes = true,
     .own = true},
};
const size_t sim_load_count = sizeof(sim_loads) / sizeof(sim_loads[0]);

struct sim_held {
    int32_t slot;
    int16_t flavor, group; /* group -1: none */
    int16_t cell;          /* -1: it is not pinned */
    int16_t pins[PINS];
};

struct sim_group {
    enum placement_group_policy policy;
    struct placement_group_host host[GROUP_HOSTS];
    size_t count;
};

struct sim_pool {
    const struct sim_load *load;
    struct placement *placement;
    struct resources flavors[SHAPES];
    int flavor_count;
    struct sim_held *held;
    int64_t held_count, held_capacity;
    struct sim_group *groups;
    int32_t gpu, pcpu;
    uint64_t random;
    int64_t capacity[RESOURCE_COUNT], used[RESOURCE_COUNT];
    int32_t named; /* hosts ever made */
    int64_t hosts_used, peak;
    int64_t most_used[RESOURCE_COUNT]; /* at a time */
    uint8_t *disabled;                 /* by slot */
    int32_t slots;
    struct sim_latency host_latency;
};

static uint32_t below(struct sim_pool *s, uint32_t n)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (uint32_t)((s->random >> 32) * n >> 32);
}

static void make_flavors(struct sim_pool *s)
{
    static const int64_t vcpus[] = {1, 2, 4, 8}, gib_each[] = {2, 4, 8};
    for (int i = 0; s->load->shapes && i < SHAPES; i++) {
        int64_t v = 1 + below(s, 8);
        s->flavors[s->flavor_count++] =
            (struct resources){{v, v * 2048 + (int64_t)below(s, 96) * 256, 10 + (int64_t)below(s, 80)}};
    }
    if (s->load->shapes) {
        return;
    }
    if (!s->load->heavy) {
        for (int i = 0; i < 12; i++) {
            int64_t v = vcpus[i / 3];
            s->flavors[s->flavor_count++] = (struct resources){{v, v * gib_each[i % 3] * 1024, 20 + 10 * v}};
        }
        return;
    }
    for (int i = 0; i < FLAVORS; i++) {
        /* Pareto, index 1.2: most have one or two processors, a few dozens. */
        double u = (below(s, 1000000) + 1) / 1000001.0;
        int64_t v = (int64_t)fmin(48, ceil(0.8 * pow(u, -1 / 1.2)));
        s->flavors[s->flavor_count++] =
            (struct resources){{v, v * (512 + (int64_t)below(s, 30) * 512), (int64_t)(10 + below(s, 40) * v)}};
    }
}

/* Two cells of sixteen dedicated processors, two threads a core; their shared ones are the inventory's. */
static const char cells_text[] =
    "{\"cells\":[{\"id\":0,\"memory_mib\":262144,\"dedicated\":\"2-17\",\"shared\":\"0-1\",\"cores\":[\"0-1\",\"2-3\","
    "\"4-5\",\"6-7\",\"8-9\",\"10-11\",\"12-13\",\"14-15\",\"16-17\"]},{\"id\":1,\"memory_mib\":262144,\"dedicated\":"
    "\"20-35\",\"shared\":\"18-19\",\"cores\":[\"18-19\",\"20-21\",\"22-23\",\"24-25\",\"26-27\",\"28-29\",\"30-31\","
    "\"32-33\",\"34-35\"]}]}";

/* Everything about the host but what it holds follows from its number. */
static void describe(const struct sim_pool *s, int32_t number, struct placement_host *ret, char id[40])
{
    static const int64_t sizes[4][3] = {
        {64, 288 * 1024, 4000}, {96, 448 * 1024, 4000}, {128, 640 * 1024, 8000}, {48, 256 * 1024, 4000}};
    static const char *const zones[] = {"zone-a", "zone-b", "zone-c"};
    static const char *const traits[] = {"CUSTOM_SSD", "HW_CPU_X86_AVX512F", "CUSTOM_GPU_HOST"};
    static const char *const racks[] = {"rack=1", "rack=2", "rack=3", "rack=4", "rack=5", "rack=6", "rack=7", "rack=8"};
    static const char *const owners[] = {"project-7", NULL};
    static const struct placement_class gpu[] = {{"CUSTOM_GPU", {4, 0, 1000}, 0}};
    static const char *has[3], *own[2];
    static char name[32];
    uint32_t dice = (uint32_t)number * 2654435761U >> 8;
    snprintf(id, 40, "%08x-0000-4000-8000-%012x", (unsigned)number, (unsigned)number);
    *ret = (struct placement_host){
        .id = id, .zone = "nova", .hypervisor = "qemu", .architecture = "x86_64", .enabled = true, .alive = true};
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        ret->inventory[r] = (struct resource_inventory){.total = sizes[dice % 4][r], .ratio_permille = 1000};
    }
    ret->topology = s->load->cells ? cells_text : NULL;
    if (!s->load->special) {
        return;
    }
    /* Traits come with the hardware; a few hosts have devices. */
    size_t count = 0;
    ret->zone = zones[dice / 4 % 3];
    if (dice % 4 < 2) {
        has[count++] = traits[0];
    }
    if (dice % 4 > 0) {
        has[count++] = traits[1];
    }
    if (dice / 12 % 25 == 0) {
        has[count++] = traits[2];
        ret->classes = gpu;
        ret->class_count = 1;
    }
    ret->traits = has;
    ret->trait_count = count;
    ret->aggregates = &racks[dice / 300 % 8];
    ret->aggregate_count = 1;
    if (s->load->own) {
        snprintf(name, sizeof(name), "host=%d", (int)number);
        own[0] = racks[dice / 300 % 8];
        own[1] = name;
        ret->aggregates = own;
        ret->aggregate_count = 2;
    }
    ret->tenants = dice / 2400 % 50 == 0 ? owners : NULL;
}

static int32_t join(struct sim_pool *s)
{
    char id[40];
    struct placement_host h;
    describe(s, s->named++, &h, id);
    int32_t slot = placement_set_host(s->placement, &h);
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        s->capacity[r] += h.inventory[r].total;
    }
    s->slots = slot >= s->slots ? slot + 1 : s->slots;
    s->disabled[slot] = 0;
    return slot;
}

static double fullness(const struct sim_pool *s)
{
    double most = 0;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        most = fmax(most, (double)s->used[r] / (double)s->capacity[r]);
    }
    return most;
}

/* A server has come to the slot, or left it. */
static void count_used(struct sim_pool *s, int32_t slot, int change)
{
    int64_t servers = placement_host_servers(s->placement, slot);
    s->hosts_used += change > 0 ? servers == 1 : -(servers == 0);
    s->peak = s->hosts_used > s->peak ? s->hosts_used : s->peak;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        s->most_used[r] = s->used[r] > s->most_used[r] ? s->used[r] : s->most_used[r];
    }
}

/* The request of a flavor whose processors are its own, in one cell. */
static void ask_cells(const struct sim_pool *s, const struct resources *need, struct numa_request *ret,
                      struct placement_extra *extra)
{
    int vcpus = (int)need->amount[RESOURCE_VCPU];
    memset(ret, 0, sizeof(*ret));
    ret->vcpus = vcpus;
    ret->cell_count = 1;
    ret->policy = NUMA_DEDICATED;
    ret->cells[0].memory_mib = need->amount[RESOURCE_MEMORY_MIB];
    cpuset_fill(&ret->cells[0].vcpus, vcpus);
    ret->dedicated = ret->cells[0].vcpus;
    extra->numa = ret;
    extra->count = 1;
    extra->item[0].class = s->pcpu;
    extra->item[0].amount = vcpus;
}

static void keep_pins(struct sim_held *h, const struct numa_given *g)
{
    h->cell = (int16_t)g->host[0];
    for (int v = 0; v < g->vcpus; v++) {
        h->pins[v] = g->pin[v];
    }
}

static void recall_pins(const struct sim_pool *s, const struct sim_held *h, struct numa_given *ret)
{
    const struct resources *need = &s->flavors[h->flavor];
    memset(ret, 0, sizeof(*ret));
    ret->cell_count = 1;
    ret->host[0] = h->cell;
    ret->memory_mib[0] = need->amount[RESOURCE_MEMORY_MIB];
    for (int v = 0; v < need->amount[RESOURCE_VCPU]; v++) {
        cpuset_add(&ret->held, h->pins[v]);
    }
}

/* What 30 % of the requests of the mixed load ask for beside amounts. */
static void make_special(struct sim_pool *s, struct placement_request *r, int16_t *ret_group)
{
    static const char *const racks[] = {"rack=1", "rack=2", "rack=3", "rack=4", "rack=5", "rack=6", "rack=7", "rack=8"};
    switch (below(s, 8)) {
    case 0:
    case 1:
    case 2: {
        *ret_group = (int16_t)below(s, GROUPS);
        struct sim_group *g = &s->groups[*ret_group];
        r->policy = g->policy;
        r->max_per_host = 1;
        r->members = g->host;
        r->member_count = g->count;
        break;
    }
    case 3:
        r->required[0] = "CUSTOM_SSD";
        r->required[1] = "HW_CPU_X86_AVX512F";
        break;
    case 4:
        r->properties[0] = racks[below(s, 8)];
        break;
    case 5:
        r->zone = "zone-b";
        r->forbidden[0] = "CUSTOM_GPU_HOST";
        break;
    case 6:
        r->required[0] = "CUSTOM_GPU_HOST";
        r->project_id = "project-7";
        break;
    default:
        for (int i = 0; i < 4 && s->held_count > 0; i++) {
            r->avoid_hosts[i] = placement_host_id(s->placement, s->held[below(s, (uint32_t)s->held_count)].slot);
        }
    }
}

/* What a shape asks for follows from its number. */
static void make_shape(const struct sim_pool *s, int shape, struct placement_request *r)
{
    static const char *const zones[] = {NULL, "zone-a", "zone-b", "zone-c"};
    static const char *const racks[] = {"rack=1", "rack=2", "rack=3", "rack=4", "rack=5", "rack=6", "rack=7", "rack=8"};
    static char name[32], project[32];
    uint32_t dice = (uint32_t)shape * 2654435761U >> 8;
    snprintf(project, sizeof(project), "project-%d", shape % 100);
    r->project_id = project;
    r->zone = zones[dice % 4];
    r->properties[0] = dice / 4 % 16 < 8 ? racks[dice / 4 % 8] : NULL;
    r->required[0] = dice / 64 % 2 ? "CUSTOM_SSD" : NULL;
    r->forbidden[0] = dice / 128 % 2 ? "CUSTOM_GPU_HOST" : NULL;
    if (s->load->own && dice / 256 % 8 == 0) {
        snprintf(name, sizeof(name), "host=%d", (int)(dice / 2048 % (uint32_t)s->named));
        r->properties[0] = name;
        r->zone = r->required[0] = r->forbidden[0] = NULL;
    }
}

static void group_change(struct sim_group *g, int32_t slot, int change)
{
    size_t i = 0;
    while (i < g->count && g->host[i].slot != slot) {
        i++;
    }
    if (i == g->count) {
        g->host[g->count++] = (struct placement_group_host){.slot = slot};
    }
    g->host[i].count += change;
    if (g->host[i].count == 0) {
        g->host[i] = g->host[--g->count];
    }
}

static void let_end(struct sim_pool *s, int64_t i)
{
    struct sim_held *h = &s->held[i];
    const struct resources *need = &s->flavors[h->flavor];
    struct numa_request asked;
    struct numa_given given;
    struct placement_extra extra = {.given = &given};
    if (h->cell >= 0) {
        ask_cells(s, need, &asked, &extra);
        recall_pins(s, h, &given);
    }
    placement_release(s->placement, h->slot, need, &extra);
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        s->used[r] -= need->amount[r];
    }
    count_used(s, h->slot, -1);
    if (h->group >= 0) {
        group_change(&s->groups[h->group], h->slot, -1);
    }
    *h = s->held[--s->held_count];
}

/* One decision, timed: the choice, and the choice with taking the room. */
static void place_one(struct sim_pool *s, bool plain, struct sim_latency *choices, struct sim_latency *whole,
                      struct sim_result *ret)
{
    struct placement_request r = {.project_id = "project-1"};
    int16_t flavor = (int16_t)below(s, (uint32_t)s->flavor_count), group = -1;
    r.need = s->flavors[flavor];
    if (s->load->shapes) {
        make_shape(s, flavor, &r);
    } else if (!plain && s->load->special && below(s, 10) < 3) {
        make_special(s, &r, &group);
    }
    struct numa_request asked;
    struct numa_given given;
    if (s->load->cells && below(s, 10) < 3) {
        ask_cells(s, &r.need, &asked, &r.extra);
        r.extra.given = &given;
    }
    int64_t start = sim_now_ns();
    int32_t slot = placement_choose(s->placement, &r);
    int64_t chosen = sim_now_ns();
    if (slot != PLACEMENT_NO_SLOT) {
        placement_take(s->placement, slot, &r.need, &r.extra);
    }
    int64_t end = sim_now_ns();
    if (whole) {
        sim_latency_add(choices, chosen - start);
        sim_latency_add(whole, end - start);
    }
    ret->decisions++;
    if (slot == PLACEMENT_NO_SLOT) {
        ret->refused++;
        return;
    }
    for (int k = 0; k < RESOURCE_COUNT; k++) {
        s->used[k] += r.need.amount[k];
    }
    count_used(s, slot, 1);
    if (group >= 0 && s->groups[group].count < GROUP_HOSTS) {
        group_change(&s->groups[group], slot, 1);
    } else {
        group = -1;
    }
    if (s->held_count == s->held_capacity) {
        s->held_capacity += s->held_capacity / 2 + 1024;
        s->held = memory_resize(s->held, (size_t)s->held_capacity * sizeof(*s->held));
    }
    struct sim_held *held = &s->held[s->held_count++];
    *held = (struct sim_held){.slot = slot, .flavor = flavor, .group = group, .cell = -1};
    if (r.extra.numa) {
        keep_pins(held, &given);
    }
}

/* A host is disabled or enabled; now and then one joins, or one that is empty leaves. */
static void change_hosts(struct sim_pool *s)
{
    char id[40];
    struct placement_host h;
    int64_t start;
    int32_t slot = (int32_t)below(s, (uint32_t)s->slots);
    const char *name = placement_host_id(s->placement, slot);
    int32_t number = (int32_t)strtol(name, NULL, 16);
    describe(s, number, &h, id);
    h.used = *placement_host_used(s->placement, slot);
    h.server_count = placement_host_servers(s->placement, slot);
    h.enabled = s->disabled[slot];
    if (h.server_count == 0 && below(s, 2)) {
        start = sim_now_ns();
        placement_remove_host(s->placement, id);
        for (int r = 0; r < RESOURCE_COUNT; r++) {
            s->capacity[r] -= h.inventory[r].total;
        }
        join(s);
    } else {
        start = sim_now_ns();
        placement_set_host(s->placement, &h);
        s->disabled[slot] = !h.enabled;
    }
    sim_latency_add(&s->host_latency, sim_now_ns() - start);
}

static void measure_stranded(const struct sim_pool *s, struct sim_result *ret)
{
    struct resources median = {{4, 16 * 1024, 60}};
    int64_t stranded[RESOURCE_COUNT] = {0};
    for (int32_t i = 0; i < s->slots; i++) {
        const struct resources *used = placement_host_used(s->placement, i);
        struct resources capacity = placement_host_capacity(s->placement, i);
        if (!resources_fit(&median, &capacity, used)) {
            for (int r = 0; r < RESOURCE_COUNT; r++) {
                stranded[r] += capacity.amount[r] - used->amount[r];
            }
        }
    }
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        ret->stranded[r] = (double)stranded[r] / (double)s->capacity[r];
    }
}

static int larger(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* So many of the largest hosts hold the most that was in use of any resource. */
static int64_t lower_bound(const struct sim_pool *s)
{
    int64_t *sizes = memory_array((size_t)s->slots, sizeof(*sizes)), most = 0;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        int64_t count = 0, sum = 0;
        for (int32_t i = 0; i < s->slots; i++) {
            sizes[i] = placement_host_capacity(s->placement, i).amount[r];
        }
        qsort(sizes, (size_t)s->slots, sizeof(*sizes), larger);
        while (sum < s->most_used[r] && count < s->slots) {
            sum += sizes[count++];
        }
        most = count > most ? count : most;
    }
    free(sizes);
    return most;
}

static void pool_init(struct sim_pool *s, int32_t hosts, enum placement_goal goal, struct sim_result *ret)
{
    static const enum placement_group_policy policies[] = {PLACEMENT_ANTI_AFFINITY, PLACEMENT_ANTI_AFFINITY,
                                                           PLACEMENT_SOFT_ANTI_AFFINITY, PLACEMENT_SOFT_AFFINITY,
                                                           PLACEMENT_AFFINITY};
    s->random = 88172645463325252ULL;
    make_flavors(s);
    s->held_capacity = (int64_t)hosts * 20;
    s->held = memory_array((size_t)s->held_capacity, sizeof(*s->held));
    memset(s->held, 1, (size_t)s->held_capacity * sizeof(*s->held));
    s->groups = memory_array(GROUPS, sizeof(*s->groups));
    for (int i = 0; i < GROUPS; i++) {
        s->groups[i].policy = policies[i % 5];
    }
    s->disabled = memory_array((size_t)hosts + 1, 1);
    memset(s->disabled, 1, (size_t)hosts + 1);
    int64_t before = sim_resident();
    s->placement = placement_new(NULL);
    placement_set_goal(s->placement, goal);
    s->pcpu = placement_class_number(s->placement, PLACEMENT_PCPU);
    for (int32_t i = 0; i < hosts; i++) {
        join(s);
    }
    ret->host_bytes = (double)(sim_resident() - before) / hosts;
}

static void pool_done(struct sim_pool *s)
{
    placement_free(&s->placement);
    sim_latency_done(&s->host_latency);
    free(s->held);
    free(s->groups);
    free(s->disabled);
}

static void fill(struct sim_pool *s, int32_t hosts, struct sim_result *ret)
{
    struct sim_result unused = {0};
    int64_t before = sim_resident();
    while (fullness(s) < s->load->full_permille / 1000.0 && unused.refused < 1000) {
        place_one(s, true, NULL, NULL, &unused);
    }
    int64_t grown = sim_resident() - before;
    /* Servers are not kept one by one: what grew is what the hosts' trees need more once they differ. */
    ret->server_bytes = (double)grown / (double)s->held_count;
    ret->host_bytes += (double)grown / hosts;
}

void sim_load_run(const struct sim_load *load, int32_t hosts, int64_t decisions, enum placement_goal goal,
                  struct sim_result *ret)
{
    struct sim_pool s = {.load = load};
    struct sim_latency choices, whole;
    sim_result_init(ret, load->name, goal);
    sim_latency_init(&choices, decisions);
    sim_latency_init(&whole, decisions);
    sim_latency_init(&s.host_latency, decisions);
    pool_init(&s, hosts, goal, ret);
    fill(&s, hosts, ret);
    int64_t start = sim_now_ns();
    for (int64_t i = 0; i < decisions; i++) {
        int64_t before = ret->refused;
        place_one(&s, false, &choices, &whole, ret);
        bool refused = ret->refused > before;
        while (s.held_count > 0 && (refused || fullness(&s) > load->full_permille / 1000.0)) {
            refused = false;
            let_end(&s, below(&s, (uint32_t)s.held_count));
        }
        if (load->hosts_change && i % CHANGE_EVERY == 0) {
            change_hosts(&s);
        }
    }
    ret->per_second = (double)decisions * 1e9 / (double)(sim_now_ns() - start);
    sim_result_latency(ret, &whole);
    ret->choose_p99 = sim_latency_at(&choices, 0.99);
    ret->set_host_p99 = load->hosts_change ? sim_latency_at(&s.host_latency, 0.99) : -1;
    ret->hosts = placement_host_count(s.placement);
    ret->servers = s.held_count;
    ret->full = fullness(&s);
    ret->peak = s.peak;
    ret->peak_bound = lower_bound(&s);
    measure_stranded(&s, ret);
    sim_latency_done(&choices);
    sim_latency_done(&whole);
    pool_done(&s);
}
