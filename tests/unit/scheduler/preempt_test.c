/* Who goes for a server without room: the plan is the brute-force oracle's, never more than needed, and leaves the
 * library as it was. */
#include "scheduler/preempt.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <string.h>

#define HOSTS   5
#define SPOT    24
#define REPEATS 400

static uint64_t state = 88172645463325252ULL;
static int64_t below(int64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int64_t)(state % (uint64_t)n);
}

struct scene {
    struct placement *p;
    struct preempt_victim victims[SPOT];
    size_t count;
    struct placement_request request;
};

static const char *name_of(int host)
{
    static char names[HOSTS][16];
    snprintf(names[host], sizeof(names[host]), "host-%d", host);
    return names[host];
}

static void add_victim(struct scene *s, int32_t slot, int64_t vcpus, int64_t memory, int64_t gpus)
{
    struct preempt_victim *v = &s->victims[s->count++];
    *v = (struct preempt_victim){.id = "v", .slot = slot, .held = {{vcpus, memory, 1}}};
    v->claimed = below(8) == 0;
    if (gpus > 0) {
        v->extra.count = 1;
        v->extra.item[0].class = placement_class_number(s->p, "CUSTOM_GPU");
        v->extra.item[0].amount = gpus;
    }
    placement_take(s->p, slot, &v->held, &v->extra);
}

/* Hosts that are full of spot servers and others. */
static void make(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    s->p = placement_new(NULL);
    struct placement_class gpu = {"CUSTOM_GPU", {4, 0, 1000}, 0};
    for (int i = 0; i < HOSTS; i++) {
        bool has = below(2) == 0;
        struct placement_host h = {.id = name_of(i),
                                   .zone = below(4) ? "a" : "b",
                                   .hypervisor = "fake",
                                   .architecture = "x86_64",
                                   .enabled = below(6) != 0,
                                   .alive = true,
                                   .inventory = {{16, 0, 1000}, {64, 0, 1000}, {100, 0, 1000}},
                                   .used = {{8 + below(4), 20 + below(20), 5}},
                                   .classes = has ? &gpu : NULL,
                                   .class_count = has};
        int32_t slot = placement_set_host(s->p, &h);
        const struct resources *used = placement_host_used(s->p, slot);
        int64_t gpus = has ? 4 : 0;
        for (int k = 0; k < 4; k++) {
            int64_t vcpus = 1 + below(3), memory = 2 + below(12), devices = gpus > 0 ? below(2) : 0;
            if (used->amount[0] + vcpus <= 16 && used->amount[1] + memory <= 64) {
                add_victim(s, slot, vcpus, memory, devices);
                gpus -= devices;
            }
        }
    }
    s->request = (struct placement_request){.need = {{1 + below(8), 4 + below(30), 1}}, .project_id = "p"};
    if (below(3) == 0) {
        s->request.zone = "a";
    }
    if (below(3) == 0) {
        s->request.extra.count = 1;
        s->request.extra.item[0].class = placement_class_number(s->p, "CUSTOM_GPU");
        s->request.extra.item[0].amount = 1 + below(4);
    }
}

static bool fits(struct scene *s, uint32_t set)
{
    int32_t slot = PLACEMENT_NO_SLOT;
    for (size_t i = 0; i < s->count; i++) {
        if (set >> i & 1) {
            slot = s->victims[i].slot;
            placement_release(s->p, slot, &s->victims[i].held, &s->victims[i].extra);
        }
    }
    struct placement_request here = s->request;
    here.only_host = placement_host_id(s->p, slot);
    bool fit = placement_choose(s->p, &here) != PLACEMENT_NO_SLOT;
    for (size_t i = 0; i < s->count; i++) {
        if (set >> i & 1) {
            placement_take(s->p, slot, &s->victims[i].held, &s->victims[i].extra);
        }
    }
    return fit;
}

/* All subsets of each host. */
static void oracle(struct scene *s, size_t *ret_count, int64_t *ret_cost)
{
    *ret_count = 0;
    for (size_t first = 0, last; first < s->count; first = last) {
        last = first;
        while (last < s->count && s->victims[last].slot == s->victims[first].slot) {
            last++;
        }
        for (uint32_t set = 1; set < 1U << (last - first); set++) {
            size_t count = 0;
            int64_t cost = 0;
            bool claimed = false;
            for (size_t i = 0; i < last - first; i++) {
                if (set >> i & 1) {
                    const struct preempt_victim *v = &s->victims[first + i];
                    claimed = claimed || v->claimed;
                    count++;
                    cost += v->held.amount[0] * 1000 / 16 + v->held.amount[1] * 1000 / 64;
                }
            }
            bool better = *ret_count == 0 || count < *ret_count || (count == *ret_count && cost < *ret_cost);
            if (!claimed && better && fits(s, set << first)) {
                *ret_count = count;
                *ret_cost = cost;
            }
        }
    }
}

TEST("the plan is the oracle's: the fewest, of those the cheapest")
{
    int planned = 0, several = 0;
    for (int i = 0; i < REPEATS; i++) {
        struct scene s;
        struct preempt_plan plan;
        size_t count;
        int64_t cost = 0;
        make(&s);
        oracle(&s, &count, &cost);
        preempt_choose(s.p, &s.request, s.victims, s.count, &plan);
        CHECK_INT((int64_t)plan.count, (int64_t)count);
        if (count > 0) {
            uint32_t set = 0;
            CHECK_INT(plan.cost, cost);
            for (size_t k = 0; k < plan.count; k++) {
                CHECK_INT(s.victims[plan.victims[k]].slot, plan.slot);
                set |= 1U << plan.victims[k];
            }
            CHECK(fits(&s, set));
            planned++;
            several += plan.count > 1;
        }
        placement_free(&s.p);
    }
    CHECK(planned > REPEATS / 4 && several > 20);
}

TEST("sixty like servers on a host are no explosion")
{
    struct scene s = {.p = placement_new(NULL)};
    static struct preempt_victim many[60];
    struct preempt_plan plan;
    struct placement_host h = {.id = "one",
                               .zone = "a",
                               .hypervisor = "fake",
                               .architecture = "x86_64",
                               .enabled = true,
                               .alive = true,
                               .inventory = {{60, 0, 1000}, {600, 0, 1000}, {600, 0, 1000}}};
    int32_t slot = placement_set_host(s.p, &h);
    for (int i = 0; i < 60; i++) {
        many[i] = (struct preempt_victim){.id = "v", .slot = slot, .held = {{1, i % 2 ? 4 : 12, 1}}};
        placement_take(s.p, slot, &many[i].held, &many[i].extra);
    }
    struct placement_request r = {.need = {{10, 100, 1}}, .project_id = "p"};
    preempt_choose(s.p, &r, many, 60, &plan);
    CHECK_INT((int64_t)plan.count, 10);
    r.need.amount[0] = 20; /* more than may go at once */
    preempt_choose(s.p, &r, many, 60, &plan);
    CHECK_INT((int64_t)plan.count, 0);
    placement_free(&s.p);
}
