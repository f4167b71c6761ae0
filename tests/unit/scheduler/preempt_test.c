/* Who goes for a server without room: the plan is the brute-force oracle's, never more than needed, and leaves the
 * library as it was. */
#include "scheduler/preempt.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <string.h>

#define HOSTS   5
#define SPOT    30
#define REPEATS 400

static uint64_t state = 88172645463325252ULL;
static int64_t below(int64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int64_t)(state % (uint64_t)n);
}

/* Two cells: of the first processors 2-5 are for servers of their own and there are four huge pages, of the second 8-9.
 */
static const char topology[] = "{\"cells\":[{\"id\":0,\"memory_mib\":32,\"dedicated\":\"2-5\",\"shared\":\"0-1\","
                               "\"cores\":[\"0\",\"1\",\"2\",\"3\","
                               "\"4\",\"5\"],\"pages\":[{\"kib\":2048,\"total\":4}]},{\"id\":1,\"memory_mib\":32,"
                               "\"dedicated\":\"8-9\",\"shared\":\"6-7\","
                               "\"cores\":[\"6\",\"7\",\"8\",\"9\"],\"pages\":[]}]}";

struct scene {
    struct numa_given given[SPOT];
    struct numa_request numa;
    struct numa_given room[4];
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

/* A server of so many processors of its own in one cell, its memory in huge pages or not. */
static void ask_cells(struct scene *s, struct placement_request *r, struct numa_request *numa, int vcpus, bool huge)
{
    *numa = (struct numa_request){.vcpus = vcpus, .cell_count = 1, .policy = NUMA_DEDICATED};
    numa->page_kib = huge ? 2048 : 0;
    numa->cells[0].memory_mib = 4;
    for (int v = 0; v < vcpus; v++) {
        cpuset_add(&numa->cells[0].vcpus, v);
        cpuset_add(&numa->dedicated, v);
    }
    *r = (struct placement_request){.need = {{vcpus, 4, 1}}, .project_id = "p"};
    r->extra.numa = numa;
    r->extra.count = 1;
    r->extra.item[0].class = placement_class_number(s->p, PLACEMENT_PCPU);
    r->extra.item[0].amount = vcpus;
}

/* As its allocation says it. */
static void add_pinned(struct scene *s, int32_t slot)
{
    struct numa_request numa;
    struct placement_request r;
    ask_cells(s, &r, &numa, 1 + (int)below(3), below(3) == 0);
    r.only_host = placement_host_id(s->p, slot);
    r.extra.given = &s->given[s->count];
    if (placement_choose(s->p, &r) == PLACEMENT_NO_SLOT) {
        return;
    }
    placement_take(s->p, slot, &r.need, &r.extra);
    struct preempt_victim *v = &s->victims[s->count];
    *v = (struct preempt_victim){.id = "v", .slot = slot, .given = &s->given[s->count++]};
    v->held = placement_held(&r.need, &r.extra);
    v->extra.count = 1;
    v->extra.item[0].class = r.extra.item[0].class;
    v->extra.item[0].amount = placement_held_extra(s->p, &r.extra, 0);
}

/* Hosts that are full of spot servers and others. */
static void make(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    s->p = placement_new(NULL);
    struct placement_class gpu = {"CUSTOM_GPU", {4, 0, 1000}, 0};
    for (int i = 0; i < HOSTS; i++) {
        bool has = below(2) == 0, has_cells = below(3) != 0, enabled = below(6) != 0;
        struct placement_host h = {.id = name_of(i),
                                   .zone = below(4) ? "a" : "b",
                                   .hypervisor = "fake",
                                   .architecture = "x86_64",
                                   .enabled = enabled,
                                   .alive = true,
                                   .inventory = {{16, 0, 1000}, {64, 0, 1000}, {100, 0, 1000}},
                                   .used = {{8 + below(4), 20 + below(20), 5}},
                                   .classes = has ? &gpu : NULL,
                                   .class_count = has,
                                   .topology = has_cells ? topology : NULL};
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
        for (int k = 0; k < 2 && has_cells && enabled; k++) {
            add_pinned(s, slot);
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
    } else if (below(2) == 0) {
        ask_cells(s, &s->request, &s->numa, 1 + (int)below(4), below(2) == 0);
        s->request.extra.given = s->room;
    }
}

static bool fits(struct scene *s, uint32_t set)
{
    int32_t slot = PLACEMENT_NO_SLOT;
    for (size_t i = 0; i < s->count; i++) {
        if (set >> i & 1) {
            slot = s->victims[i].slot;
            placement_hold(s->p, slot, &s->victims[i].held, &s->victims[i].extra, s->victims[i].given, -1);
        }
    }
    struct placement_request here = s->request;
    here.only_host = placement_host_id(s->p, slot);
    bool fit = placement_choose(s->p, &here) != PLACEMENT_NO_SLOT;
    for (size_t i = 0; i < s->count; i++) {
        if (set >> i & 1) {
            placement_hold(s->p, slot, &s->victims[i].held, &s->victims[i].extra, s->victims[i].given, 1);
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

TEST("the plan is the oracle's: the fewest, of those the cheapest; of cells and pages too")
{
    int planned = 0, several = 0, pinned = 0;
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
            pinned += s.request.extra.numa != NULL;
        }
        placement_free(&s.p);
    }
    CHECK(planned > REPEATS / 4 && several > 20 && pinned > 20);
}

TEST("several are planned for together: all get room or nobody goes, and the library is as it was")
{
    int planned = 0, none = 0;
    for (int i = 0; i < REPEATS; i++) {
        struct scene s;
        struct preempt_plan plans[3];
        struct placement_group_host members[4];
        struct resources before[HOSTS];
        make(&s);
        if (below(2) == 0) {
            s.request.policy = PLACEMENT_ANTI_AFFINITY;
        }
        bool claimed[SPOT];
        for (int h = 0; h < HOSTS; h++) {
            before[h] = *placement_host_used(s.p, h);
        }
        for (size_t v = 0; v < s.count; v++) {
            claimed[v] = s.victims[v].claimed;
        }
        bool can = preempt_choose_batch(s.p, &s.request, 3, s.victims, s.count, members, plans);
        for (int h = 0; h < HOSTS; h++) {
            CHECK(memcmp(&before[h], placement_host_used(s.p, h), sizeof(before[h])) == 0);
        }
        for (int k = 0; k < 3 && can; k++) {
            for (size_t v = 0; v < plans[k].count; v++) {
                CHECK(!claimed[plans[k].victims[v]] && s.victims[plans[k].victims[v]].claimed);
                CHECK_INT(s.victims[plans[k].victims[v]].slot, plans[k].slot);
                claimed[plans[k].victims[v]] = true; /* nobody goes twice */
            }
            for (int other = 0; other < k && s.request.policy != PLACEMENT_GROUP_NONE; other++) {
                CHECK(plans[k].slot != plans[other].slot);
            }
        }
        for (size_t v = 0; v < s.count; v++) {
            CHECK_INT(s.victims[v].claimed, claimed[v]);
        }
        for (int k = 0; k < 3 && can; k++) { /* once they are gone there is room for all */
            preempt_lend(s.p, s.victims, &plans[k], false);
        }
        for (int k = 0; k < 3 && can; k++) {
            struct placement_request one = s.request;
            one.only_host = placement_host_id(s.p, plans[k].slot);
            one.extra = placement_extra_at(&s.request, (size_t)k);
            CHECK_INT(placement_choose(s.p, &one), plans[k].slot);
            placement_take(s.p, plans[k].slot, &one.need, &one.extra);
        }
        planned += can;
        none += !can;
        placement_free(&s.p);
    }
    CHECK(planned > 20 && none > 20);
}

TEST("an affinity group that is made as a batch is planned for on one host that takes all of it")
{
    struct placement *p = placement_new(NULL);
    struct placement_host h = {.zone = "a",
                               .hypervisor = "fake",
                               .architecture = "x86_64",
                               .enabled = true,
                               .alive = true,
                               .inventory = {{12, 0, 1000}, {8000, 0, 1000}, {800, 0, 1000}}};
    /* The small host makes room for one at the least price, but never for two; the large one for both. */
    h.id = "small";
    h.used = (struct resources){{12, 80, 8}};
    placement_set_host(p, &h);
    h.id = "large";
    h.inventory[0].total = 16;
    h.inventory[1].total = 160;
    h.used = (struct resources){{16, 160, 16}};
    placement_set_host(p, &h);
    struct preempt_victim victims[] = {{.id = "a", .slot = 0, .held = {{4, 40, 4}}},
                                       {.id = "b", .slot = 1, .held = {{4, 40, 4}}},
                                       {.id = "c", .slot = 1, .held = {{2, 20, 2}}},
                                       {.id = "d", .slot = 1, .held = {{4, 40, 4}}}};
    struct placement_request r = {.need = {{4, 40, 4}}, .project_id = "p", .policy = PLACEMENT_AFFINITY};
    struct placement_group_host members[2];
    struct preempt_plan plans[2];
    CHECK(preempt_choose_batch(p, &r, 2, victims, 4, members, plans));
    CHECK_INT(plans[0].slot, 1);
    CHECK_INT(plans[1].slot, 1);
    CHECK_INT(plans[0].count + plans[1].count, 2);
    CHECK(!victims[0].claimed && victims[1].claimed && !victims[2].claimed && victims[3].claimed);
    CHECK_INT(placement_host_used(p, 1)->amount[RESOURCE_VCPU], 16);
    victims[1].claimed = victims[3].claimed = false;
    r.need = (struct resources){{6, 60, 6}};
    CHECK(!preempt_choose_batch(p, &r, 2, victims, 4, members, plans));
    for (int i = 0; i < 4; i++) {
        CHECK(!victims[i].claimed);
    }
    CHECK_INT(placement_host_used(p, 1)->amount[RESOURCE_VCPU], 16);
    placement_free(&p);
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
