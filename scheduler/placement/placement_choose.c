/* Choosing. A request that was asked before knows its best hosts. Else the kinds that pass are searched from the most
 * promising one on, each only while it can still be better; hints and hard groups leave slots out by a bitset; the few
 * hosts of an affinity group are scored one by one. */
#include "scheduler/placement/placement_internal.h"
#include <assert.h>
#include <string.h>

static const struct found nothing = {.score = SCORE_NONE, .slot = INT32_MAX};

static bool names_host(const char *const *ids, const char *id)
{
    for (int i = 0; i < PLACEMENT_NAMES_MAX && ids[i]; i++) {
        if (strcmp(ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static int32_t members_at(const struct placement_request *r, int32_t slot)
{
    for (size_t i = 0; i < r->member_count; i++) {
        if (r->members[i].slot == slot) {
            return r->members[i].count;
        }
    }
    return 0;
}

static int32_t most_per_host(const struct placement_request *r)
{
    return r->max_per_host > 0 ? r->max_per_host : 1;
}

const char *placement_own_refusal(const struct placement *p, const struct placement_request *r, int32_t slot,
                                  const char **ret_detail)
{
    const char *id = p->slots[slot].id;
    *ret_detail = NULL;
    if (names_host(r->avoid_hosts, id)) {
        *ret_detail = r->avoid_servers;
        return "excluded by different_host";
    }
    if (r->only_host && strcmp(id, r->only_host) != 0) {
        *ret_detail = r->only_host;
        return "not the host asked for";
    }
    if (r->same_hosts[0] && !names_host(r->same_hosts, id)) {
        *ret_detail = r->same_servers;
        return "without the servers of same_host";
    }
    if (r->policy == PLACEMENT_AFFINITY && r->member_count > 0 && members_at(r, slot) == 0) {
        *ret_detail = r->group;
        return "outside the affinity group";
    }
    if (r->policy == PLACEMENT_ANTI_AFFINITY && members_at(r, slot) >= most_per_host(r)) {
        *ret_detail = r->group;
        return "taken by the anti-affinity group";
    }
    return r->refuse ? r->refuse(r->refuse_arg, slot, ret_detail) : NULL;
}

/* A whole share counts 1000 permille in the weighers. */
static int64_t own_score(const struct placement *p, const struct placement_request *r, int32_t members)
{
    if (r->policy == PLACEMENT_SOFT_AFFINITY) {
        return ((int64_t)members * p->weights.soft_affinity) << 32;
    }
    if (r->policy == PLACEMENT_SOFT_ANTI_AFFINITY) {
        return -(((int64_t)members * p->weights.soft_anti_affinity) << 32);
    }
    return 0;
}

/* One host by itself. */
static void try_slot(const struct placement *p, const struct placement_request *r, const struct class *k, int32_t slot,
                     int32_t members, struct found *best)
{
    if (slot < 0 || slot >= p->slot_count || !p->slots[slot].planted) {
        return;
    }
    const struct slot *s = &p->slots[slot];
    struct query q;
    const char *detail;
    int32_t values[TREE_DIMENSIONS_MAX];
    if (!placement_class_passes(k, s->kind) || !placement_query_begin(p, r, &q) ||
        !placement_query_kind(p, r, s->kind, &q)) {
        return;
    }
    placement_values(p, s, values);
    int64_t score = placement_score(&q, slot, values);
    if (score == SCORE_NONE || placement_own_refusal(p, r, slot, &detail) ||
        (r->extra.numa && !placement_numa_fits(p, slot, r->extra.numa))) {
        return;
    }
    score += own_score(p, r, members);
    if (score > best->score || (score == best->score && slot < best->slot)) {
        *best = (struct found){.score = score, .slot = slot};
    }
}

static int64_t bound_kind(const struct placement *p, const struct placement_request *r, int32_t number, struct query *q)
{
    const struct kind_front *f = &p->fronts[number];
    if (f->hosts == 0 || !placement_query_kind(p, r, number, q)) {
        return SCORE_NONE;
    }
    if (r->extra.count == 0) {
        return placement_bound(q, f->least, f->low, f->high);
    }
    const struct tree_summary *all = &p->kinds[number]->tree.all;
    return placement_bound(q, all->least, all->low, all->high);
}

static bool is_excluded(const uint64_t *excluded, int32_t slot)
{
    return excluded && (excluded[slot / 64] >> (slot % 64) & 1);
}

/* The heap of what is still to be looked at, the most promising first: kinds by their number, blocks of kinds behind
 * them, large blocks behind those. */
#define MANY_KINDS  128  /* from here on blocks are looked at first */
#define TOO_MANY    1024 /* and large blocks before */
#define BLOCK_FIRST (1 << 28)
#define LARGE_FIRST (1 << 29)

/* `least` is the lowest slot there: of hosts as good as the last of a full list only lower ones come in. */
static int32_t heap_add(struct placement *p, int32_t count, struct found bound, int32_t least,
                        const struct shortlist *list)
{
    int32_t i = count;
    if (bound.score == SCORE_NONE || !placement_better(bound.score, least, &list->bar)) {
        return count;
    }
    for (; i > 0 && p->bounds[(i - 1) / 2].score < bound.score; i = (i - 1) / 2) {
        p->bounds[i] = p->bounds[(i - 1) / 2];
    }
    p->bounds[i] = bound;
    return count + 1;
}

static int32_t add_kinds(struct placement *p, const struct placement_request *r, const struct class *k, int32_t word,
                         struct query *q, const struct shortlist *list, int32_t count)
{
    for (uint64_t bits = k->passing[word]; bits; bits &= bits - 1) {
        struct found bound = {.slot = word * 64 + __builtin_ctzll(bits)};
        bound.score = bound_kind(p, r, bound.slot, q);
        count = heap_add(p, count, bound, p->fronts[bound.slot].least, list);
    }
    return count;
}

static int32_t add_block(struct placement *p, int level, int32_t block, int32_t place, struct query *q,
                         const struct shortlist *list, int32_t count)
{
    const struct kind_front *f = placement_block_front(p, level, block);
    if (f->hosts == 0) {
        return count;
    }
    placement_query_block(f, q);
    struct found bound = {.score = placement_bound(q, f->least, f->low, f->high), .slot = place};
    return heap_add(p, count, bound, f->least, list);
}

/* The blocks first..last-1 in which a kind passes. */
static int32_t add_blocks(struct placement *p, const struct class *k, int32_t first, int32_t last, struct query *q,
                          const struct shortlist *list, int32_t count)
{
    for (int32_t word = first; word < last && word * 64 < p->kind_count; word++) {
        if (k->passing[word] != 0) {
            count = add_block(p, BLOCK_OF_KINDS, word, BLOCK_FIRST + word, q, list, count);
        }
    }
    return count;
}

static bool any_passes(const struct placement *p, const struct class *k, int32_t first, int32_t last)
{
    uint64_t any = 0;
    for (int32_t word = first; word < last && word * 64 < p->kind_count; word++) {
        any |= k->passing[word];
    }
    return any != 0;
}

/* What the search begins with. Returns how many. */
static int32_t heap_begin(struct placement *p, const struct placement_request *r, const struct class *k,
                          struct query *q, const struct shortlist *list)
{
    int32_t count = 0, words = (p->kind_count + 63) / 64, each = BLOCK_LARGE_KINDS / BLOCK_KINDS;
    if (p->kind_count > TOO_MANY) {
        for (int32_t i = 0; i * each < words; i++) {
            if (any_passes(p, k, i * each, (i + 1) * each)) {
                count = add_block(p, BLOCK_LARGE, i, LARGE_FIRST + i, q, list, count);
            }
        }
        return count;
    }
    if (p->kind_count > MANY_KINDS) {
        return add_blocks(p, k, 0, words, q, list, 0);
    }
    for (int32_t word = 0; word < words; word++) {
        count = add_kinds(p, r, k, word, q, list, count);
    }
    return count;
}

/* Takes the first one out of the heap of `count`. */
static struct found heap_next(struct placement *p, int32_t count)
{
    struct found first = p->bounds[0], last = p->bounds[count - 1];
    int32_t i = 0, child = 1;
    for (; child < count - 1; i = child, child = 2 * i + 1) {
        child += child + 1 < count - 1 && p->bounds[child + 1].score > p->bounds[child].score;
        if (p->bounds[child].score <= last.score) {
            break;
        }
        p->bounds[i] = p->bounds[child];
    }
    p->bounds[i] = last;
    return first;
}

/* The best hosts of all kinds that pass, up to `most`. */
static void search_kinds(struct placement *p, const struct placement_request *r, const struct class *k, int32_t most,
                         struct query *q, struct shortlist *list)
{
    int32_t each = BLOCK_LARGE_KINDS / BLOCK_KINDS;
    placement_shortlist_init(list, most);
    int32_t count = heap_begin(p, r, k, q, list);
    while (count > 0) {
        struct found bound = heap_next(p, count--);
        if (bound.score < list->bar.score) {
            return;
        }
        if (bound.slot < BLOCK_FIRST) {
            placement_query_kind(p, r, bound.slot, q);
            placement_search(&p->kinds[bound.slot]->tree, q, list);
            continue;
        }
        bool large = bound.slot >= LARGE_FIRST;
        int32_t block = bound.slot - (large ? LARGE_FIRST : BLOCK_FIRST);
        int32_t least = p->blocks[large ? BLOCK_LARGE : BLOCK_OF_KINDS][block].front.least;
        if (!placement_better(bound.score, least, &list->bar)) {
            continue;
        }
        count = large ? add_blocks(p, k, block * each, (block + 1) * each, q, list, count)
                      : add_kinds(p, r, k, block, q, list, count);
    }
}

/* The best host of the list that is not left out. Returns false when the list says nothing about it. */
static bool recall_best(const struct recall *m, const uint64_t *excluded, struct found *best)
{
    for (int32_t i = 0; i < m->list.count; i++) {
        if (!is_excluded(excluded, m->list.slot[i])) {
            *best = (struct found){m->list.score[i], m->list.slot[i]};
            return true;
        }
    }
    return m->floor.score == SCORE_NONE;
}

static void search_all(struct placement *p, const struct placement_request *r, const struct class *k,
                       const uint64_t *excluded, struct found *best)
{
    struct query q;
    struct shortlist list;
    if (!placement_query_begin(p, r, &q)) {
        return;
    }
    struct recall *m = q.numa || q.refuse ? NULL : placement_recall_get(p, r, k, &q);
    if (m && (m->era == 0 || (m->list.count == 0 && m->floor.score != SCORE_NONE))) {
        search_kinds(p, r, k, m->wanted, &q, &list);
        placement_recall_set(p, m, &list);
    }
    if (m && recall_best(m, excluded, best)) {
        return;
    }
    q.excluded = excluded;
    search_kinds(p, r, k, 1, &q, &list);
    if (list.count > 0) {
        *best = (struct found){list.score[0], list.slot[0]};
    }
}

static bool keeps_out(const struct placement_request *r, const struct placement_group_host *m)
{
    switch (r->policy) {
    case PLACEMENT_ANTI_AFFINITY:
        return m->count >= most_per_host(r);
    case PLACEMENT_SOFT_AFFINITY:
    case PLACEMENT_SOFT_ANTI_AFFINITY:
        return true; /* scored one by one */
    default:
        return false;
    }
}

/* Sets or clears the bits of all slots to leave out. Returns whether there are any. */
static bool mark_excluded(struct placement *p, const struct placement_request *r, bool set)
{
    bool any = false;
    for (int i = 0; i < PLACEMENT_NAMES_MAX && r->avoid_hosts[i]; i++) {
        int32_t slot = placement_slot(p, r->avoid_hosts[i]);
        if (slot != PLACEMENT_NO_SLOT) {
            uint64_t bit = 1ULL << (slot % 64);
            p->excluded[slot / 64] = set ? p->excluded[slot / 64] | bit : p->excluded[slot / 64] & ~bit;
            any = true;
        }
    }
    for (size_t i = 0; i < r->member_count; i++) {
        int32_t slot = r->members[i].slot;
        if (slot >= 0 && slot < p->slot_count && keeps_out(r, &r->members[i])) {
            uint64_t bit = 1ULL << (slot % 64);
            p->excluded[slot / 64] = set ? p->excluded[slot / 64] | bit : p->excluded[slot / 64] & ~bit;
            any = true;
        }
    }
    return any;
}

int32_t placement_choose(struct placement *p, const struct placement_request *r)
{
    struct constraints c;
    struct found best = nothing;
    struct placement_request own;
    placement_resolve(p, r, &c);
    if (p->host_count == 0) {
        return PLACEMENT_NO_SLOT;
    }
    const struct class *k = placement_class_get(p, &c);
    if (p->pools > 0 && r->goal == PLACEMENT_GOAL_DEFAULT) {
        own = *r;
        own.goal = k->goal;
        r = &own;
    }
    if (r->only_host) {
        try_slot(p, r, k, placement_slot(p, r->only_host), 0, &best);
    } else if (r->same_hosts[0]) {
        for (int i = 0; i < PLACEMENT_NAMES_MAX && r->same_hosts[i]; i++) {
            int32_t slot = placement_slot(p, r->same_hosts[i]);
            try_slot(p, r, k, slot, members_at(r, slot), &best);
        }
    } else if (r->policy == PLACEMENT_AFFINITY && r->member_count > 0) {
        for (size_t i = 0; i < r->member_count; i++) {
            try_slot(p, r, k, r->members[i].slot, 0, &best);
        }
    } else {
        bool any = mark_excluded(p, r, true);
        search_all(p, r, k, any ? p->excluded : NULL, &best);
        if (any) {
            mark_excluded(p, r, false);
        }
        bool soft = r->policy == PLACEMENT_SOFT_AFFINITY || r->policy == PLACEMENT_SOFT_ANTI_AFFINITY;
        for (size_t i = 0; soft && i < r->member_count; i++) {
            try_slot(p, r, k, r->members[i].slot, r->members[i].count, &best);
        }
    }
    return best.score == SCORE_NONE ? PLACEMENT_NO_SLOT : best.slot;
}

void placement_add_member(struct placement_group_host *members, size_t *count, int32_t slot)
{
    for (size_t i = 0; i < *count; i++) {
        if (members[i].slot == slot) {
            members[i].count++;
            return;
        }
    }
    members[(*count)++] = (struct placement_group_host){.slot = slot, .count = 1};
}

/* The best host for `count` equal servers on one host. */
static int32_t choose_for(struct placement *p, const struct placement_request *r, size_t count)
{
    struct placement_request all = *r;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        all.need.amount[i] *= (int64_t)count;
    }
    for (size_t i = 0; i < all.extra.count; i++) {
        all.extra.item[i].amount *= (int64_t)count;
    }
    return placement_choose(p, &all);
}

/* For a hard affinity group without members the first server decides for all: the best of the hosts that take most. */
static size_t choose_together(struct placement *p, const struct placement_request *r, size_t least, size_t most,
                              int32_t *ret_slots)
{
    size_t low = least > 0 ? least : 1, high = most, middle = most, count = 0;
    while (low <= high) {
        int32_t slot = choose_for(p, r, middle);
        if (slot == PLACEMENT_NO_SLOT) {
            high = middle - 1;
        } else {
            ret_slots[0] = slot;
            count = middle;
            low = middle + 1;
        }
        middle = low + (high - low) / 2;
    }
    for (size_t i = 0; i < count; i++) {
        ret_slots[i] = ret_slots[0];
        placement_take(p, ret_slots[0], &r->need, &r->extra);
    }
    return count;
}

size_t placement_choose_batch(struct placement *p, const struct placement_request *r, size_t least, size_t most,
                              struct placement_group_host *members, int32_t *ret_slots)
{
    struct placement_request one = *r;
    size_t count = 0;
    if (r->member_count > 0) {
        memcpy(members, r->members, r->member_count * sizeof(*members));
    }
    one.members = members;
    if (r->policy == PLACEMENT_AFFINITY && r->member_count == 0 && !r->only_host && !r->same_hosts[0] &&
        !r->extra.numa) {
        count = choose_together(p, r, least, most, ret_slots);
        if (count > 0) {
            members[0] = (struct placement_group_host){.slot = ret_slots[0], .count = (int32_t)count};
        }
        return count;
    }
    while (count < most) {
        int32_t slot = placement_choose(p, &one);
        if (slot == PLACEMENT_NO_SLOT) {
            break;
        }
        placement_take(p, slot, &r->need, &one.extra);
        ret_slots[count++] = slot;
        one.extra.given += one.extra.numa != NULL;
        if (r->policy != PLACEMENT_GROUP_NONE) {
            placement_add_member(members, &one.member_count, slot);
        }
    }
    if (count >= least) {
        return count;
    }
    while (count > 0) {
        one.extra.given -= one.extra.numa != NULL;
        placement_release(p, ret_slots[--count], &r->need, &one.extra);
    }
    return 0;
}
