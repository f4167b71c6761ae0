/* Placement against a brute-force oracle: random hosts, random requests, random changes. The choice is the same, no
 * host is ever over its capacity, and choosing, taking and releasing allocate nothing. */
#include "scheduler/placement/placement.h"
#include "tests/unit/check.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS 2000
#define HELD  6000

static const char *const zones[] = {"a", "b", "c"};
static const char *const traits[] = {"T1", "T2", "T3"};
static const char *const owners[] = {"p1", NULL};
static const char *const properties[] = {"k=1", "k=2"};

struct model {
    bool present, enabled, alive, owned;
    int zone, property;
    unsigned traits;
    int64_t size[4], used[4]; /* VCPU, memory, disk, GPU */
    int servers, stay;
};
struct wish {
    int64_t need[4];
    int zone, property, project;
    unsigned required, forbidden;
    enum placement_goal goal;
    int avoid;
};

static int hosts;  /* how many there are */
static bool alike; /* all of one kind */

/* The oracle. */
static int64_t whole(int64_t amount)
{
    int64_t low = 1;
    while (low * 2048 <= amount) {
        low *= 2;
    }
    return amount / low * low;
}

static int64_t free_of(const struct model *m, int r)
{
    return m->used[r] >= m->size[r] ? 0 : m->size[r] - m->used[r];
}

static bool oracle_passes(const struct model *m, const struct wish *w)
{
    for (int r = 0; r < 4; r++) {
        if (w->need[r] > 0 && free_of(m, r) < w->need[r]) {
            return false;
        }
    }
    return m->present && m->enabled && m->alive && (w->zone < 0 || w->zone == m->zone) &&
           (w->property < 0 || w->property == m->property) && (!m->owned || w->project == 1) &&
           (m->traits & w->required) == w->required && (m->traits & w->forbidden) == 0;
}

static int64_t pool_size[2], pool_used[2];

/* In 4096ths: used share against that of the scarcer, squared. */
static int64_t scarcity(int r)
{
    int64_t used[2];
    for (int k = 0; k < 2; k++) {
        used[k] = pool_used[k] <= 0 ? 0 : (int64_t)((double)pool_used[k] / (double)pool_size[k] * 4096);
    }
    int64_t most = used[0] > used[1] ? used[0] : used[1], ratio = most ? used[r] * 4096 / most : 4096;
    return ratio * ratio / 4096;
}

static int64_t oracle_score(const struct model *m, const struct wish *w, int slot)
{
    int64_t one = 1LL << 32, left[3];
    for (int r = 0; r < 3; r++) {
        left[r] = (free_of(m, r) - w->need[r]) * (m->size[r] > 0 ? one / whole(m->size[r]) : 0);
    }
    int64_t most = left[0] > left[1] ? left[0] : left[1], least = left[0] + left[1] - most;
    int64_t pack = m->servers > 0 ? 0 : -16 * one;
    for (int r = 0; r < 2; r++) {
        int64_t rest = left[r] * scarcity(r) / 4096;
        pack -= (rest >> 16) * (rest >> 16);
    }
    switch (w->goal) {
    case PLACEMENT_GOAL_FIRST_FIT:
        return -slot;
    case PLACEMENT_GOAL_BEST_FIT:
        return -left[0] - left[1];
    case PLACEMENT_GOAL_PACK:
        return pack;
    case PLACEMENT_GOAL_SPREAD:
        return 3 * least + most;
    case PLACEMENT_GOAL_LIFETIME:
        return pack + one / PLACEMENT_STAY_WHOLE / 8 * m->stay;
    default:
        return 2 * left[1] + left[0] - 3 * left[2] - (one / 1024) * 5 * m->servers;
    }
}

static int32_t oracle_choose(const struct model *models, const struct wish *w)
{
    int32_t best = PLACEMENT_NO_SLOT;
    int64_t best_score = 0;
    for (int r = 0; r < 2; r++) {
        pool_size[r] = pool_used[r] = 0;
        for (int32_t i = 0; i < hosts; i++) {
            pool_size[r] += models[i].size[r];
            pool_used[r] += models[i].used[r];
        }
    }
    for (int32_t i = 0; i < hosts; i++) {
        int64_t score = oracle_score(&models[i], w, i);
        if (i != w->avoid && (best < 0 || score > best_score) && oracle_passes(&models[i], w)) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

static unsigned seed;
static int below(int n)
{
    return (int)((unsigned)rand_r(&seed) % (unsigned)n);
}

static char *name_of(int i, char text[40])
{
    snprintf(text, 40, "host-%d", i);
    return text;
}

static void tell(struct placement *p, const struct model *m, int i)
{
    char id[40];
    const char *has[3];
    size_t count = 0;
    struct placement_class gpu = {"CUSTOM_GPU", {m->size[3], 0, 1000}, m->used[3]};
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
                               .used = {{m->used[0], m->used[1], m->used[2]}},
                               .server_count = m->servers,
                               .traits = has,
                               .trait_count = count,
                               .tenants = m->owned ? owners : NULL,
                               .aggregates = &properties[m->property],
                               .aggregate_count = 1,
                               .classes = &gpu,
                               .class_count = m->size[3] > 0};
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        h.inventory[r] = (struct resource_inventory){.total = m->size[r], .ratio_permille = 1000};
    }
    CHECK_INT(placement_set_host(p, &h), i);
    placement_set_stay(p, i, m->stay);
}

static void invent_host(struct model *m)
{
    static const int64_t cpus[] = {32, 64, 96}, memories[] = {65536, 131072, 200000};
    if (m->servers == 0) {
        memcpy(m->size,
               (int64_t[]){cpus[below(3)], memories[below(3)] + below(2) * below(900), 100 + below(3) * 900,
                           below(5) == 0 ? 4 : 0},
               sizeof(m->size));
    }
    m->present = true;
    m->enabled = below(10) > 0;
    m->alive = below(10) > 0;
    if (alike) {
        memcpy(m->size, (int64_t[]){64, 131072, 1000, 0}, sizeof(m->size));
        return;
    }
    m->owned = below(8) == 0;
    m->zone = below(3);
    m->property = below(2);
    m->traits = (unsigned)below(8);
}

static struct wish invent_wish(int extras)
{
    struct wish w = {.need = {1 + below(8), 512 << below(6), below(3) * 10, extras && below(10) == 0},
                     .zone = extras && below(4) == 0 ? below(3) : -1,
                     .property = extras && below(4) == 0 ? below(2) : -1,
                     .project = below(2),
                     .required = extras && below(4) == 0 ? (unsigned)below(8) : 0,
                     .forbidden = extras && below(4) == 0 ? (unsigned)below(8) : 0,
                     .goal = (enum placement_goal)(1 + below(PLACEMENT_GOAL_COUNT - 1)),

                     .avoid = below(5) == 0 ? below(hosts) : -1};
    if (below(3) == 0) {
        /* One that was asked before, when other hosts were better. */
        static const struct wish usual = {.need = {2, 4096, 10}, .zone = -1, .property = -1, .avoid = -1};
        w = usual;
        w.goal = (enum placement_goal)(1 + below(PLACEMENT_GOAL_COUNT - 1));
        w.avoid = below(4) == 0 ? below(hosts) : -1;
    }
    if (below(50) == 0) {
        w.need[below(3)] = 0;
    }
    return w;
}

static void make_request(struct placement *p, const struct wish *w, struct placement_request *r, char avoid[40])
{
    size_t required = 0, forbidden = 0;
    *r = (struct placement_request){.need = {{w->need[0], w->need[1], w->need[2]}},
                                    .project_id = w->project ? "p1" : "p0",
                                    .zone = w->zone < 0 ? NULL : zones[w->zone],
                                    .goal = w->goal};
    if (w->property >= 0) {
        r->properties[0] = properties[w->property];
    }
    for (unsigned t = 0; t < 3; t++) {
        if (w->required >> t & 1) {
            r->required[required++] = traits[t];
        }
        if (w->forbidden >> t & 1) {
            r->forbidden[forbidden++] = traits[t];
        }
    }
    if (w->need[3] > 0) {
        r->extra.count = 1;
        r->extra.item[0].class = placement_class_number(p, "CUSTOM_GPU");
        r->extra.item[0].amount = w->need[3];
    }
    if (w->avoid >= 0) {
        r->avoid_hosts[0] = name_of(w->avoid, avoid);
    }
}

static struct held {
    int32_t slot;
    struct resources need;
    struct placement_extra extra;
} held[HELD];

static void account(struct model *m, const struct held *h, int sign)
{
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        m->used[r] += sign * h->need.amount[r];
    }
    m->used[3] += h->extra.count ? sign * h->extra.item[0].amount : 0;
    m->servers += sign;
    if (m->servers == 0) {
        m->stay = 0;
    }
}

static void run(unsigned with_seed, int with_hosts, int steps, int extras)
{
    static struct model models[HOSTS];
    const struct placement_weights weights = {.memory = 2, .vcpu = 1, .disk = -3, .servers = 5};
    struct placement *p = placement_new(&weights);
    int count = 0;
    seed = with_seed;
    hosts = with_hosts;
    memset(models, 0, sizeof(models));
    for (int i = 0; i < hosts; i++) {
        invent_host(&models[i]);
        tell(p, &models[i], i);
    }
    for (int step = 0; step < steps; step++) {
        if (below(20) == 0) {
            int i = below(hosts);
            invent_host(&models[i]);
            tell(p, &models[i], i);
        }
        struct wish w = invent_wish(extras);
        struct placement_request r;
        char avoid[40];
        make_request(p, &w, &r, avoid);
        size_t before = mallinfo2().uordblks;
        int32_t slot = placement_choose(p, &r);
        CHECK_INT(slot, oracle_choose(models, &w));
        if (slot != PLACEMENT_NO_SLOT && count < HELD) {
            held[count] = (struct held){slot, r.need, r.extra};
            placement_take(p, slot, &r.need, &r.extra);
            account(&models[slot], &held[count++], 1);
            models[slot].stay = below(PLACEMENT_STAY_WHOLE);
            placement_set_stay(p, slot, models[slot].stay);
            for (int k = 0; k < 4; k++) {
                CHECK(models[slot].used[k] <= models[slot].size[k]);
            }
        }
        while (count > 0 && (below(3) == 0 || count == HELD)) {
            int i = below(count);
            placement_release(p, held[i].slot, &held[i].need, &held[i].extra);
            account(&models[held[i].slot], &held[i], -1);
            held[i] = held[--count];
        }
        CHECK_INT(mallinfo2().uordblks, before);
    }
    placement_free(&p);
}

TEST("choices are the oracle's for plain requests under every goal")
{
    alike = false;
    run(1, 300, 6000, 0);
    run(2, 40, 6000, 0);
}

TEST("choices are the oracle's with zones, traits, properties, tenants and further classes")
{
    alike = false;
    run(3, 300, 6000, 1);
    run(4, 300, 6000, 1);
}

TEST("choices are the oracle's in one large kind, where trees are high")
{
    alike = true;
    run(5, HOSTS, 5000, 0);
    run(6, 700, 8000, 0);
}
