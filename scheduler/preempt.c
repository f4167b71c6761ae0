/* Happy path: for each host with spot servers, whether the request fits once all of them are gone; then subsets of one,
 * two, ... until one suffices. Amounts are compared first; what is left is asked of the library, with the subset given
 * back, so that every filter holds. A host with so many different ones that this would take too long is looked at
 * greedily. Hosts that need more than the best found so far are left early. */
#include "scheduler/preempt.h"
#include <string.h>

#define STEPS_MAX 200000 /* subsets of one host that are looked at before the rest is taken greedily */

struct search {
    struct placement *p;
    struct placement_request here; /* confined to the host */
    const struct preempt_victim *victims;
    size_t free[256]; /* of the host, not claimed */
    size_t count;
    int64_t steps; /* subsets looked at */
    int32_t slot;
    struct resources capacity, lack; /* what the host misses; 0 or less: nothing */
    size_t chosen[PREEMPT_MAX];
    struct preempt_plan *best;
};

static void give(const struct search *s, const size_t *victims, size_t count, bool back)
{
    for (size_t i = 0; i < count; i++) {
        const struct preempt_victim *v = &s->victims[victims[i]];
        placement_hold(s->p, s->slot, &v->held, &v->extra, v->given, back ? 1 : -1);
    }
}

static bool fits_without(const struct search *s, const size_t *victims, size_t count)
{
    give(s, victims, count, false);
    bool fits = placement_choose(s->p, &s->here) != PLACEMENT_NO_SLOT;
    give(s, victims, count, true);
    return fits;
}

static bool covers(const struct search *s, const size_t *victims, size_t count)
{
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        int64_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            sum += s->victims[victims[i]].held.amount[r];
        }
        if (sum < s->lack.amount[r]) {
            return false;
        }
    }
    return true;
}

static int64_t cost_of(const struct search *s, const size_t *victims, size_t count)
{
    int64_t cost = 0;
    for (size_t i = 0; i < count; i++) {
        for (int r = RESOURCE_VCPU; r <= RESOURCE_MEMORY_MIB; r++) {
            int64_t whole = s->capacity.amount[r] > 0 ? s->capacity.amount[r] : 1;
            cost += s->victims[victims[i]].held.amount[r] * 1000 / whole;
        }
    }
    return cost;
}

/* Whether the subset is better than the best plan; then it is the best. */
static void judge(struct search *s, size_t count)
{
    struct preempt_plan *best = s->best;
    int64_t cost = cost_of(s, s->chosen, count);
    if (best->count > 0 && (count > best->count || (count == best->count && cost >= best->cost))) {
        return;
    }
    if (!covers(s, s->chosen, count) || !fits_without(s, s->chosen, count)) {
        return;
    }
    *best = (struct preempt_plan){.count = count, .slot = s->slot, .cost = cost};
    for (size_t i = 0; i < count; i++) {
        best->victims[i] = s->chosen[i];
    }
}

static bool same(const struct preempt_victim *a, const struct preempt_victim *b)
{
    return a->extra.count == 0 && b->extra.count == 0 && !a->given && !b->given &&
           memcmp(&a->held, &b->held, sizeof(a->held)) == 0;
}

/* Large ones first, so that equal ones are neighbours. */
static void sort(struct search *s)
{
    for (size_t i = 1; i < s->count; i++) {
        for (size_t k = i; k > 0; k--) {
            const struct preempt_victim *a = &s->victims[s->free[k - 1]], *b = &s->victims[s->free[k]];
            int order = a->extra.count == b->extra.count ? memcmp(&a->held, &b->held, sizeof(a->held))
                                                         : (a->extra.count < b->extra.count ? -1 : 1);
            if (order >= 0) {
                break;
            }
            size_t swap = s->free[k];
            s->free[k] = s->free[k - 1];
            s->free[k - 1] = swap;
        }
    }
}

/* The fewest that could cover what is missing of each resource. */
static size_t least_size(const struct search *s)
{
    size_t least = 1;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        int64_t most = 1;
        for (size_t i = 0; i < s->count; i++) {
            int64_t held = s->victims[s->free[i]].held.amount[r];
            most = held > most ? held : most;
        }
        if (s->lack.amount[r] > 0) {
            size_t size = (size_t)((s->lack.amount[r] + most - 1) / most);
            least = size > least ? size : least;
        }
    }
    return least;
}

/* Beyond the steps: all of them, less each that is not needed. */
static void choose_greedily(struct search *s)
{
    size_t kept = s->count;
    size_t *all = s->free;
    for (size_t i = s->count; i > 0; i--) {
        size_t last = all[i - 1];
        memmove(&all[i - 1], &all[i], (kept - i) * sizeof(*all));
        if (kept > 1 && covers(s, all, kept - 1) && fits_without(s, all, kept - 1)) {
            kept--;
        } else {
            memmove(&all[i], &all[i - 1], (kept - i) * sizeof(*all));
            all[i - 1] = last;
        }
    }
    if (kept <= PREEMPT_MAX) {
        memcpy(s->chosen, all, kept * sizeof(*all));
        judge(s, kept);
    }
}

/* All subsets of `size`, of which `have` are chosen, from the host's `first` victim on. */
static void choose_rest(struct search *s, size_t size, size_t have, size_t first)
{
    if (have == size) {
        judge(s, size);
        return;
    }
    for (size_t i = first; i + (size - have) <= s->count && s->steps < STEPS_MAX; i++) {
        if (i > first && same(&s->victims[s->free[i]], &s->victims[s->free[i - 1]])) {
            continue; /* as good as the one before */
        }
        s->steps++;
        s->chosen[have] = s->free[i];
        choose_rest(s, size, have + 1, i + 1);
    }
}

static void search_host(struct search *s)
{
    const struct resources *used = placement_host_used(s->p, s->slot);
    s->here.only_host = placement_host_id(s->p, s->slot);
    s->capacity = placement_host_capacity(s->p, s->slot);
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        int64_t free = s->capacity.amount[r] - used->amount[r];
        s->lack.amount[r] = s->here.extra.numa ? 0 : s->here.need.amount[r] - free; /* of cells: as the library says */
    }
    if (!covers(s, s->free, s->count) || !fits_without(s, s->free, s->count)) {
        return;
    }
    sort(s);
    s->steps = 0;
    for (size_t size = least_size(s); size <= s->count && size <= PREEMPT_MAX; size++) {
        if (s->best->count > 0 && size > s->best->count) {
            return;
        }
        size_t before = s->best->count;
        int32_t slot = s->best->slot;
        choose_rest(s, size, 0, 0);
        if (s->best->count > 0 && (before == 0 || s->best->slot != slot)) {
            return; /* this host does it with so many */
        }
    }
    if (s->steps >= STEPS_MAX) {
        choose_greedily(s);
    }
}

void preempt_choose(struct placement *p, const struct placement_request *r, const struct preempt_victim *victims,
                    size_t count, struct preempt_plan *ret)
{
    struct search s = {.p = p, .here = *r, .victims = victims, .best = ret};
    *ret = (struct preempt_plan){.slot = PLACEMENT_NO_SLOT};
    for (size_t i = 0; i < count;) {
        s.slot = victims[i].slot;
        s.count = 0;
        for (; i < count && victims[i].slot == s.slot; i++) {
            if (!victims[i].claimed && s.count < sizeof(s.free) / sizeof(s.free[0])) {
                s.free[s.count++] = i;
            }
        }
        const char *id = placement_host_id(p, s.slot);
        if (s.count > 0 && (!r->only_host || strcmp(id, r->only_host) == 0)) {
            search_host(&s);
        }
    }
}

void preempt_lend(struct placement *p, const struct preempt_victim *victims, const struct preempt_plan *plan, bool back)
{
    struct search s = {.p = p, .victims = victims, .slot = plan->slot};
    give(&s, plan->victims, plan->count, back);
}

static void claim(struct preempt_victim *victims, const struct preempt_plan *plan, bool claimed)
{
    for (size_t i = 0; i < plan->count; i++) {
        victims[plan->victims[i]].claimed = claimed;
    }
}

/* Room for one more: what is free, or what victims hold, who are lent then. */
static bool choose_one(struct placement *p, const struct placement_request *r, struct preempt_victim *victims,
                       size_t victim_count, struct preempt_plan *ret)
{
    *ret = (struct preempt_plan){.slot = placement_choose(p, r)};
    if (ret->slot != PLACEMENT_NO_SLOT) {
        return true;
    }
    preempt_choose(p, r, victims, victim_count, ret);
    claim(victims, ret, true);
    preempt_lend(p, victims, ret, false);
    return ret->count > 0;
}

/* One after the other, as long as there is room; true when all got it. Else, and when `keep` is not set, everything is
 * as before; the claims stay when it is. */
static bool choose_in_turn(struct placement *p, const struct placement_request *r, size_t count,
                           struct preempt_victim *victims, size_t victim_count, struct placement_group_host *members,
                           struct preempt_plan *plans, bool keep)
{
    struct placement_request one = *r;
    size_t done = 0;
    if (r->member_count > 0) {
        memcpy(members, r->members, r->member_count * sizeof(*members));
    }
    one.members = members;
    while (done < count && choose_one(p, &one, victims, victim_count, &plans[done])) {
        one.extra = placement_extra_at(r, done);
        placement_take(p, plans[done].slot, &r->need, &one.extra);
        if (r->policy != PLACEMENT_GROUP_NONE) {
            placement_add_member(members, &one.member_count, plans[done].slot);
        }
        done++;
    }
    for (size_t i = done; i > 0; i--) { /* backwards, so that everybody's cells are free for him */
        struct placement_extra extra = placement_extra_at(r, i - 1);
        placement_release(p, plans[i - 1].slot, &r->need, &extra);
        preempt_lend(p, victims, &plans[i - 1], true);
        if (done < count || !keep) {
            claim(victims, &plans[i - 1], false);
        }
    }
    return done == count;
}

/* What all of them need of one host. */
static bool choose_at_once(struct placement *p, const struct placement_request *r, size_t count,
                           struct preempt_victim *victims, size_t victim_count, struct preempt_plan *plans)
{
    struct placement_request all = *r;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        all.need.amount[i] *= (int64_t)count;
    }
    for (size_t i = 0; i < all.extra.count; i++) {
        all.extra.item[i].amount *= (int64_t)count;
    }
    if (!choose_one(p, &all, victims, victim_count, &plans[0])) {
        return false;
    }
    preempt_lend(p, victims, &plans[0], true);
    for (size_t i = 1; i < count; i++) {
        plans[i] = (struct preempt_plan){.slot = plans[0].slot};
    }
    return true;
}

/* A hard affinity group without members: all of it on one host, the one where the fewest go. Cells are given one by
 * one, so that hosts are tried one by one for them, and for more victims than one plan holds. */
static bool choose_together(struct placement *p, const struct placement_request *r, size_t count,
                            struct preempt_victim *victims, size_t victim_count, struct placement_group_host *members,
                            struct preempt_plan *plans)
{
    struct placement_request here = *r;
    size_t least = 0;
    int64_t cheapest = 0;
    int32_t best = PLACEMENT_NO_SLOT;
    if (!r->extra.numa && choose_at_once(p, r, count, victims, victim_count, plans)) {
        return true;
    }
    for (size_t i = 0; i < victim_count; i++) {
        size_t gone = 0;
        int64_t cost = 0;
        here.only_host = placement_host_id(p, victims[i].slot);
        if ((i > 0 && victims[i].slot == victims[i - 1].slot) ||
            !choose_in_turn(p, &here, count, victims, victim_count, members, plans, false)) {
            continue;
        }
        for (size_t k = 0; k < count; k++) {
            gone += plans[k].count;
            cost += plans[k].cost;
        }
        if (best == PLACEMENT_NO_SLOT || gone < least || (gone == least && cost < cheapest)) {
            best = victims[i].slot;
            least = gone;
            cheapest = cost;
        }
    }
    here.only_host = best != PLACEMENT_NO_SLOT ? placement_host_id(p, best) : NULL;
    return here.only_host && choose_in_turn(p, &here, count, victims, victim_count, members, plans, true);
}

bool preempt_choose_batch(struct placement *p, const struct placement_request *r, size_t count,
                          struct preempt_victim *victims, size_t victim_count, struct placement_group_host *members,
                          struct preempt_plan *plans)
{
    bool together =
        r->policy == PLACEMENT_AFFINITY && r->member_count == 0 && count > 1 && !r->only_host && !r->same_hosts[0];
    return together ? choose_together(p, r, count, victims, victim_count, members, plans)
                    : choose_in_turn(p, r, count, victims, victim_count, members, plans, true);
}
