/* Placement against a brute-force oracle: random hosts, random requests of every kind (zones, traits, aggregates,
 * tenants, resource classes, NUMA cells, groups, hints, batches) under every policy, random changes. The choice is the
 * same, no host is ever over its capacity, and choosing, taking and releasing allocate nothing (but a host's first
 * server with cells). */
#include "scheduler/placement/placement.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS  2000
#define HELD   6000
#define GROUPS 12
#define BATCH  6
enum { VCPU, MEMORY, DISK, GPU, PCPU, AMOUNTS };

static const char *const zones[] = {"a", "b", "c"};
static const char *const traits[] = {"T1", "T2", "T3"};
static const char *const owners[] = {"p1", NULL};
static const char *const properties[] = {"k=1", "k=2"};
/* Two shapes of cells. */
static const char *const topologies[] = {
    "{\"cells\":[{\"id\":0,\"memory_mib\":32768,\"dedicated\":\"2-7\",\"shared\":\"0-1\",\"cores\":[\"0,4\",\"1,5\","
    "\"2,6\",\"3,7\"],\"pages\":[{\"kib\":2048,\"total\":4096}]}]}",
    "{\"cells\":[{\"id\":0,\"memory_mib\":16384,\"dedicated\":\"1-3\",\"shared\":\"0\",\"cores\":[\"0\",\"1\",\"2\","
    "\"3\"],\"pages\":[]},{\"id\":1,\"memory_mib\":16384,\"dedicated\":\"4-7\",\"shared\":\"\",\"cores\":[\"4\",\"5\","
    "\"6\",\"7\"],\"pages\":[{\"kib\":1048576,\"total\":6}]}]}",
};

struct model {
    bool enabled, alive, owned;
    int zone, property, servers, stay;
    unsigned traits;
    int64_t size[AMOUNTS], used[AMOUNTS];
    const char *topology; /* NULL: no cells */
    struct numa_topology cells;
    struct numa_use *use;
};
struct group {
    enum placement_group_policy policy;
    int max, members;
    int count[HOSTS];
};
struct wish {
    int64_t need[AMOUNTS], least[AMOUNTS]; /* least: what is left of it when cells give the rest */
    int zone, property, project, avoid, only;
    unsigned required, forbidden;
    enum placement_goal goal;
    struct group *group;
    bool has_cells;
    struct numa_request numa;
};

static const struct placement_weights weights = {
    .memory = 2, .vcpu = 1, .disk = -3, .servers = 5, .soft_affinity = 4, .soft_anti_affinity = 3};
static int hosts;  /* how many there are */
static bool alike; /* all of one kind */
static struct model models[HOSTS];
static struct group groups[GROUPS], alone; /* alone: of servers without a group */

/* The linker gives every call of the allocator in this program's own code to these (--wrap in tests/unit). */
static uint64_t allocations;
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    allocations++;
    return __real_strdup(text);
}

/* ---- the oracle: all hosts, all rules, in some fifty lines ---- */
static bool passes(const struct model *m, const struct wish *w, int slot)
{
    struct numa_limits limits = {1000, 1000, m->size[MEMORY] - m->used[MEMORY]};
    const struct group *g = w->group;
    for (int r = 0; r < AMOUNTS; r++)
        if (w->least[r] > 0 && m->size[r] - m->used[r] < w->least[r])
            return false;
    return m->enabled && m->alive && slot != w->avoid && (w->only < 0 || w->only == slot) &&
           (w->zone < 0 || w->zone == m->zone) && (w->property < 0 || w->property == m->property) &&
           (!m->owned || w->project == 1) && !(w->required & ~m->traits) && !(w->forbidden & m->traits) &&
           (g->policy != PLACEMENT_AFFINITY || g->members == 0 || g->count[slot] > 0) &&
           (g->policy != PLACEMENT_ANTI_AFFINITY || g->count[slot] < g->max) &&
           (!w->has_cells || (m->topology && numa_fit(&m->cells, m->use, &limits, &w->numa, NULL, NULL)));
}
static int64_t score(const struct model *m, const struct wish *w, int slot, const int64_t scarce[3])
{
    int64_t one = 1LL << 32, left[3], fit = m->servers > 0 ? 0 : -16 * one;
    for (int r = 0; r < 3; r++) { /* sizes count by their first eleven bits */
        int bits = m->size[r] > 2047 ? 53 - __builtin_clzll((uint64_t)m->size[r]) : 0;
        left[r] = m->size[r] ? (m->size[r] - m->used[r] - w->least[r]) * (one / (m->size[r] >> bits << bits)) : 0;
        fit -= (left[r] * scarce[r] / 4096 >> 16) * (left[r] * scarce[r] / 4096 >> 16);
    }
    bool near = w->group->policy == PLACEMENT_SOFT_AFFINITY, apart = w->group->policy == PLACEMENT_SOFT_ANTI_AFFINITY;
    const int64_t by_goal[PLACEMENT_GOAL_COUNT] = {
        [PLACEMENT_GOAL_WEIGHTS] = 2 * left[1] + left[0] - 3 * left[2] - one / 1024 * 5 * m->servers,
        [PLACEMENT_GOAL_FIRST_FIT] = -slot,
        [PLACEMENT_GOAL_BEST_FIT] = -left[0] - left[1],
        [PLACEMENT_GOAL_PACK] = fit,
        [PLACEMENT_GOAL_SPREAD] = left[0] + left[1] + 2 * (left[0] < left[1] ? left[0] : left[1]),
        [PLACEMENT_GOAL_LIFETIME] = fit + one / PLACEMENT_STAY_WHOLE / 8 * m->stay};
    return by_goal[w->goal] + (near * 4 - apart * 3) * w->group->count[slot] * one;
}
static int32_t oracle(const struct wish *w)
{
    double size[2] = {0}, used[2] = {0};
    int64_t share[2], scarce[3] = {0}; /* scarce: part of the larger share in use, squared, in 4096ths */
    int32_t best = PLACEMENT_NO_SLOT;
    for (int i = 0; i < 2 * hosts; i++) {
        size[i % 2] += (double)models[i / 2].size[i % 2];
        used[i % 2] += (double)models[i / 2].used[i % 2];
    }
    for (int r = 0; r < 2; r++)
        share[r] = (int64_t)(used[r] / size[r] * 4096);
    for (int r = 0; r < 2; r++) {
        int64_t most = share[share[1] > share[0]], part = most ? share[r] * 4096 / most : 4096;
        scarce[r] = part * part / 4096;
    }
    for (int i = 0; i < hosts; i++)
        if (passes(&models[i], w, i) &&
            (best < 0 || score(&models[i], w, i, scarce) > score(&models[best], w, best, scarce)))
            best = i;
    return best;
}
/* ---- its end ---- */

static unsigned seed;
static int below(int n)
{
    return (int)((unsigned)rand_r(&seed) % (unsigned)n);
}

static struct held {
    int32_t slot;
    struct resources need;
    struct placement_extra extra;
    struct numa_request numa;
    struct numa_given given;
    struct group *group;
    int64_t gpus;
} held[HELD + BATCH];
static int held_count;

/* Its pointers, wherever it lies now. */
static const struct placement_extra *extra_of(struct held *h)
{
    h->extra.numa = h->extra.numa ? &h->numa : NULL;
    h->extra.given = &h->given;
    return &h->extra;
}

static char *name_of(int i, char text[40])
{
    snprintf(text, 40, "host-%d", i);
    return text;
}

static void print_given(int slot, struct strbuf *ret)
{
    for (int k = 0; k < held_count; k++) {
        if (held[k].slot == slot && held[k].extra.numa) {
            strbuf_append_char(ret, ret->size ? ',' : '[');
            numa_given_print(&held[k].given, ret);
        }
    }
    if (ret->size) {
        strbuf_append_char(ret, ']');
    }
}

static void tell(struct placement *p, const struct model *m, int i)
{
    char id[40];
    const char *has[3];
    size_t count = 0;
    struct strbuf given;
    strbuf_init(&given, 0);
    print_given(i, &given);
    struct placement_class gpu = {"CUSTOM_GPU", {m->size[GPU], 0, 1000}, m->used[GPU]};
    for (unsigned t = 0; t < 3; t++) {
        if (m->traits >> t & 1) {
            has[count++] = traits[t];
        }
    }
    struct placement_host h = {.id = name_of(i, id),
                               .zone = zones[m->zone],
                               .hypervisor = "qemu",
                               .architecture = "x86_64",
                               .enabled = m->enabled,
                               .alive = m->alive,
                               .used = {{m->used[VCPU], m->used[MEMORY], m->used[DISK]}},
                               .server_count = m->servers,
                               .traits = has,
                               .trait_count = count,
                               .tenants = m->owned ? owners : NULL,
                               .aggregates = &properties[m->property],
                               .aggregate_count = 1,
                               .classes = &gpu,
                               .class_count = m->size[GPU] > 0,
                               .topology = m->topology,
                               .given = given.size ? given.data : NULL};
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        h.inventory[r] = (struct resource_inventory){.total = m->size[r], .ratio_permille = 1000};
    }
    CHECK_INT(placement_set_host(p, &h), i);
    placement_set_stay(p, i, m->stay);
    strbuf_done(&given);
}

static void invent_cells(struct model *m)
{
    struct error e = {0};
    free(m->use);
    m->use = NULL;
    m->topology = below(3) == 0 ? topologies[below(2)] : NULL;
    m->size[PCPU] = 0;
    if (m->topology) {
        CHECK_OK(numa_topology_read(m->topology, &m->cells, &e), &e);
        m->use = calloc(1, numa_use_size(&m->cells));
        for (int i = 0; i < m->cells.cell_count; i++) {
            m->size[PCPU] += cpuset_count(&m->cells.cells[i].dedicated);
        }
    }
}

static void invent_host(struct model *m)
{
    static const int64_t cpus[] = {32, 64, 96}, memories[] = {65536, 131072, 200000};
    m->enabled = below(10) > 0;
    m->alive = below(10) > 0;
    if (alike) {
        memcpy(m->size, (int64_t[AMOUNTS]){64, 131072, 1000}, sizeof(m->size));
        return;
    }
    if (m->servers == 0) {
        memcpy(m->size,
               (int64_t[AMOUNTS]){cpus[below(3)], memories[below(3)] + below(2) * below(900), 100 + below(3) * 900,
                                  below(5) == 0 ? 4 : 0},
               sizeof(m->size));
        invent_cells(m);
    }
    m->owned = below(8) == 0;
    m->zone = below(3);
    m->property = below(2);
    m->traits = (unsigned)below(8);
}

static void change_host(struct placement *p, int i)
{
    char id[40];
    if (models[i].servers == 0 && below(2)) {
        placement_remove_host(p, name_of(i, id));
        models[i].stay = 0;
    }
    invent_host(&models[i]);
    tell(p, &models[i], i);
}

static void wish_cells(struct wish *w)
{
    static const int64_t pages[] = {0, NUMA_PAGE_SMALL, NUMA_PAGE_LARGE, NUMA_PAGE_ANY, 2048, 1048576};
    int each = 1 + below(3), cells = 1 + below(2);
    w->has_cells = true;
    w->need[VCPU] = each * cells;
    w->need[MEMORY] = 1024 * cells;
    w->numa = (struct numa_request){.vcpus = each * cells,
                                    .cell_count = cells,
                                    .page_kib = pages[below(6)],
                                    .threads = (enum numa_threads)below(3),
                                    .policy = below(3) ? NUMA_DEDICATED : NUMA_SHARED};
    for (int v = 0; v < each * cells; v++) {
        cpuset_add(&w->numa.cells[v / each].vcpus, v);
        if (w->numa.policy == NUMA_DEDICATED) {
            cpuset_add(&w->numa.dedicated, v);
        }
    }
    for (int c = 0; c < cells; c++) {
        w->numa.cells[c].memory_mib = 1024;
    }
    w->need[PCPU] = w->numa.policy == NUMA_DEDICATED ? each * cells : 0;
}

static struct wish invent_wish(int extras)
{
    /* One that was asked before, when other hosts were better, or a new one. */
    struct wish w = {.need = {2, 4096, 10}, .zone = -1, .property = -1, .avoid = -1, .only = -1};
    if (below(3) > 0) {
        w = (struct wish){.need = {1 + below(8), 512 << below(6), below(3) * 10, extras && below(10) == 0},
                          .zone = extras && below(4) == 0 ? below(3) : -1,
                          .property = extras && below(4) == 0 ? below(2) : -1,
                          .project = below(2),
                          .required = extras && below(4) == 0 ? (unsigned)below(8) : 0,
                          .forbidden = extras && below(4) == 0 ? (unsigned)below(8) : 0,
                          .avoid = -1,
                          .only = extras && below(20) == 0 ? below(hosts) : -1};
        w.need[below(3)] *= below(50) > 0;
    }
    if (extras && below(6) == 0) {
        wish_cells(&w);
    }
    w.avoid = below(5) == 0 ? below(hosts) : -1;
    w.group = below(4) == 0 ? &groups[below(GROUPS)] : &alone;
    w.goal = (enum placement_goal)(1 + below(PLACEMENT_GOAL_COUNT - 1));
    memcpy(w.least, w.need, sizeof(w.least));
    if (w.has_cells) {
        w.least[VCPU] -= w.need[PCPU];
        bool elsewhere = numa_request_is_huge(&w.numa) || w.numa.page_kib == NUMA_PAGE_ANY;
        w.least[MEMORY] = elsewhere ? 0 : w.need[MEMORY];
    }
    return w;
}

static size_t list_members(const struct group *g, struct placement_group_host *ret)
{
    size_t count = 0;
    for (int i = 0; g->policy != PLACEMENT_GROUP_NONE && i < hosts; i++) {
        if (g->count[i] > 0) {
            ret[count++] = (struct placement_group_host){i, g->count[i]};
        }
    }
    return count;
}

static void ask_class(struct placement *p, const char *name, int64_t amount, struct placement_extra *extra)
{
    if (amount > 0) {
        extra->item[extra->count].class = placement_class_number(p, name);
        extra->item[extra->count++].amount = amount;
    }
}

/* Names and members last until the next request. */
static struct placement_request make_request(struct placement *p, const struct wish *w)
{
    static char avoid[40], only[40];
    static struct placement_group_host members[HOSTS];
    size_t required = 0, forbidden = 0;
    struct placement_request r = {.need = {{w->need[0], w->need[1], w->need[2]}},
                                  .project_id = w->project ? "p1" : "p0",
                                  .zone = w->zone < 0 ? NULL : zones[w->zone],
                                  .only_host = w->only < 0 ? NULL : name_of(w->only, only),
                                  .members = members,
                                  .member_count = list_members(w->group, members),
                                  .policy = w->group->policy,
                                  .max_per_host = w->group->max,
                                  .goal = w->goal};
    r.properties[0] = w->property >= 0 ? properties[w->property] : NULL;
    r.avoid_hosts[0] = w->avoid >= 0 ? name_of(w->avoid, avoid) : NULL;
    for (unsigned t = 0; t < 3; t++) {
        if (w->required >> t & 1) {
            r.required[required++] = traits[t];
        }
        if (w->forbidden >> t & 1) {
            r.forbidden[forbidden++] = traits[t];
        }
    }
    ask_class(p, "CUSTOM_GPU", w->need[GPU], &r.extra);
    ask_class(p, PLACEMENT_PCPU, w->need[PCPU], &r.extra);
    r.extra.numa = w->has_cells ? &w->numa : NULL;
    return r;
}

static void account(struct held *h, int sign)
{
    struct model *m = &models[h->slot];
    struct resources holds = placement_held(&h->need, extra_of(h));
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        m->used[r] += sign * holds.amount[r];
    }
    if (h->extra.numa) {
        CHECK(sign < 0 || !cpuset_meets(&m->use->held, &h->given.held)); /* nobody else has them */
        numa_use_change(&m->cells, m->use, &h->given, sign);
        m->used[PCPU] = cpuset_count(&m->use->held);
    }
    m->used[GPU] += sign * h->gpus;
    h->group->count[h->slot] += sign;
    h->group->members += sign;
    m->servers += sign;
    m->stay = m->servers == 0 ? 0 : m->stay;
    for (int r = 0; r < AMOUNTS; r++) {
        CHECK(sign < 0 || m->used[r] <= m->size[r]);
    }
}

static struct held *hold(const struct wish *w, const struct placement_request *r, int32_t slot)
{
    struct held *h = &held[held_count++];
    *h = (struct held){
        .slot = slot, .need = r->need, .extra = r->extra, .numa = w->numa, .group = w->group, .gpus = w->need[GPU]};
    extra_of(h);
    return h;
}

static void place_one(struct placement *p, const struct wish *w)
{
    struct placement_request r = make_request(p, w);
    uint64_t before = allocations;
    int32_t slot = placement_choose(p, &r);
    CHECK_INT(allocations - before, 0);
    CHECK_INT(slot, oracle(w));
    if (slot == PLACEMENT_NO_SLOT) {
        return;
    }
    struct held *h = hold(w, &r, slot);
    before = allocations;
    placement_take(p, slot, &r.need, &h->extra);
    CHECK(w->has_cells || allocations == before);
    account(h, 1);
    models[slot].stay = below(PLACEMENT_STAY_WHOLE);
    before = allocations;
    placement_set_stay(p, slot, models[slot].stay);
    CHECK_INT(allocations - before, 0);
}

/* As one after the other, each seeing the others in its group; none when fewer than the least fit. */
static void place_batch(struct placement *p, const struct wish *w)
{
    static struct placement_group_host members[HOSTS + BATCH];
    struct numa_given given[BATCH];
    int32_t slots[BATCH];
    size_t most = 2 + (size_t)below(BATCH - 1), least = 1 + (size_t)below((int)most), count = 0;
    struct placement_request r = make_request(p, w);
    r.extra.given = given;
    uint64_t before = allocations;
    size_t got = placement_choose_batch(p, &r, least, most, members, slots);
    CHECK(w->has_cells || allocations == before);
    for (int32_t slot; count < most && (slot = oracle(w)) != PLACEMENT_NO_SLOT; count++) {
        CHECK(got == 0 || slots[count] == slot);
        struct held *h = hold(w, &r, slot);
        if (got > 0) {
            h->given = given[count];
        } else if (w->has_cells) {
            struct model *m = &models[slot];
            struct numa_limits limits = {1000, 1000, m->size[MEMORY] - m->used[MEMORY]};
            CHECK(numa_fit(&m->cells, m->use, &limits, &w->numa, &h->given, NULL));
        }
        account(h, 1);
    }
    CHECK_INT(got, count >= least ? count : 0);
    while (got == 0 && count-- > 0) {
        account(&held[--held_count], -1);
    }
}

static void let_go(struct placement *p, int i)
{
    const struct placement_extra *extra = extra_of(&held[i]);
    uint64_t before = allocations;
    placement_release(p, held[i].slot, &held[i].need, extra);
    CHECK_INT(allocations - before, 0);
    account(&held[i], -1);
    held[i] = held[--held_count];
}

/* A batch of a hard affinity group without members goes to one host that takes most: another test's. */
static bool batches(const struct wish *w)
{
    return w->group->policy != PLACEMENT_AFFINITY || w->group->members > 0;
}

/* More changes than are remembered, all of one host. */
static void forget(struct placement *p)
{
    int i = below(hosts);
    for (int k = 0; k < 9000; k++) {
        placement_set_stay(p, i, models[i].stay = (k + 1) % PLACEMENT_STAY_WHOLE);
    }
}

/* How many more fit, and who refuses then, is what placing until it is refused gives. */
static void count_more(struct placement *p, const struct wish *w)
{
    static int32_t slots[1 << 17];
    struct placement_request r = make_request(p, w);
    struct placement_explanation x, y;
    struct numa_given *given = NULL;
    int64_t told = placement_count(p, &r, &x), count = 0, alone_count = 0;
    CHECK(told <= 1 << 17);
    for (int i = 0; i < hosts; i++) {
        alone_count += placement_count_at(p, &r, i);
    }
    CHECK_INT(alone_count, told);
    given = calloc((size_t)told + 1, sizeof(*given));
    for (int32_t slot; count < told && (slot = placement_choose(p, &r)) != PLACEMENT_NO_SLOT; count++) {
        struct placement_extra extra = r.extra;
        extra.given = given + count;
        slots[count] = slot;
        placement_take(p, slot, &r.need, &extra);
    }
    CHECK_INT(count, told);
    CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
    placement_explain(p, &r, &y);
    CHECK_INT(x.hosts, y.hosts);
    CHECK_INT(x.count, y.count);
    for (size_t i = 0; i < x.count; i++) {
        CHECK_TEXT(x.removed[i].reason, y.removed[i].reason);
        CHECK_INT(x.removed[i].hosts, y.removed[i].hosts);
    }
    CHECK_INT(x.short_count, y.short_count);
    CHECK_INT(x.short_hosts, y.short_hosts);
    while (count-- > 0) {
        struct placement_extra extra = r.extra;
        extra.given = given + count;
        placement_release(p, slots[count], &r.need, &extra);
        placement_set_stay(p, slots[count], models[slots[count]].stay);
    }
    free(given);
}

static void run(unsigned with_seed, int with_hosts, int steps, int extras)
{
    struct placement *p = placement_new(&weights);
    seed = with_seed;
    hosts = with_hosts;
    held_count = 0;
    memset(models, 0, sizeof(models));
    memset(groups, 0, sizeof(groups));
    memset(&alone, 0, sizeof(alone));
    for (int g = 0; g < GROUPS; g++) {
        groups[g].policy = (enum placement_group_policy)(1 + g % 4);
        groups[g].max = 1 + below(2);
    }
    allocations = 0;
    for (int i = 0; i < hosts; i++) {
        invent_host(&models[i]);
        tell(p, &models[i], i);
    }
    CHECK(allocations > 0); /* they are counted */
    for (int step = 0; step < steps; step++) {
        if (below(20) == 0) {
            change_host(p, below(hosts));
        }
        struct wish w = invent_wish(extras);
        if (below(10) == 0 && batches(&w)) {
            place_batch(p, &w);
        } else {
            place_one(p, &w);
        }
        if (w.group == &alone && hosts <= 300 && below(40) == 0) {
            count_more(p, &w);
        }
        while (held_count > 0 && (below(3) == 0 || held_count >= HELD)) {
            let_go(p, below(held_count));
        }
        if (step % 1500 == 700) {
            forget(p);
        } else if (step % 1500 == 1400) {
            for (int most = held_count / 3; held_count > most;) {
                let_go(p, below(held_count));
            }
        }
    }
    placement_free(&p);
    for (int i = 0; i < hosts; i++) {
        free(models[i].use);
    }
}

TEST("choices are the oracle's for plain requests under every goal")
{
    alike = false;
    run(1, 300, 6000, 0);
    run(2, 40, 6000, 0);
    run(8, 120, 12000, 0);
}

TEST("choices are the oracle's with zones, traits, properties, tenants, further classes, cells, groups and hints")
{
    alike = false;
    run(3, 300, 6000, 1);
    run(4, 120, 12000, 1);
    run(7, 30, 6000, 1);
}

TEST("choices are the oracle's among thousands of kinds")
{
    alike = false;
    run(9, HOSTS, 1200, 0);
    run(10, HOSTS, 1200, 1);
}

TEST("choices are the oracle's in one large kind, where trees are high")
{
    alike = true;
    run(5, HOSTS, 5000, 0);
    run(6, 700, 8000, 0);
}
