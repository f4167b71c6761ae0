/* How many more fit. Hosts do not matter to each other as long as no group does: of each host that passes, amounts are
 * divided; where cells or a filter of the caller's own have a say, servers are taken one by one until the next does not
 * fit, and given back. Hosts of which no cell is held are counted once for all that are alike. */
#include "common/memory.h"
#include "scheduler/placement/placement_internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ALIKE 256 /* hosts remembered, by a hash */

struct counting {
    struct placement *p;
    const struct placement_request *r;
    struct placement_explanation *x; /* NULL: not wanted */
    struct asked asked;
    double nearest;
    struct numa_given *given; /* of the servers taken on one host */
    size_t given_room;
    struct alike {
        int32_t cells, kind, values[TREE_DIMENSIONS_MAX];
        int64_t count; /* 1 more than it is; 0: nothing is remembered */
        double share;  /* of what is lacking then */
        struct placement_explanation x;
    } * alike;
};

static void begin(struct counting *c, struct placement *p, const struct placement_request *r,
                  struct placement_explanation *x)
{
    assert(r->policy == PLACEMENT_GROUP_NONE);
    *c = (struct counting){.p = p, .r = r, .x = x};
    placement_asked_begin(p, r, &c->asked);
    c->alike = r->extra.numa ? memory_array(ALIKE, sizeof(*c->alike)) : NULL;
}

static void done(struct counting *c)
{
    free(c->given);
    free(c->alike);
}

static int64_t divide(const struct counting *c, int32_t slot, const int32_t *values)
{
    const struct placement_request *r = c->r;
    const struct kind_key *key = c->p->kinds[c->p->slots[slot].kind]->key;
    int64_t most = INT32_MAX;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        int64_t need = r->need.amount[i];
        most = need > 0 && values[i] / need < most ? values[i] / need : most;
    }
    for (size_t i = 0; i < r->extra.count; i++) {
        int64_t need = r->extra.item[i].amount;
        int32_t have = values[placement_class_dimension(key, r->extra.item[i].class)];
        most = need > 0 && have / need < most ? have / need : most;
    }
    return most;
}

static bool suffices(const struct counting *c, int32_t slot)
{
    const struct placement_request *r = c->r;
    struct query q;
    const char *detail;
    int32_t values[TREE_DIMENSIONS_MAX];
    placement_values(c->p, &c->p->slots[slot], values);
    return placement_query_begin(c->p, r, &q) && placement_query_kind(c->p, r, c->p->slots[slot].kind, &q) &&
           placement_score(&q, slot, values) != SCORE_NONE && !placement_own_refusal(c->p, r, slot, &detail) &&
           (!r->extra.numa || placement_numa_fits(c->p, slot, r->extra.numa));
}

static struct placement_extra extra_at(const struct counting *c, size_t index)
{
    struct placement_extra extra = c->r->extra;
    extra.given = extra.numa ? c->given + index : NULL;
    return extra;
}

static void explain(struct counting *c, int32_t slot, int64_t taken)
{
    if (c->x) {
        placement_explain_slot(c->p, slot, c->r, &c->asked, taken, c->x, &c->nearest);
    }
}

/* Takes one after the other, explains why no more, and gives all back. The host's tree is not told meanwhile. */
static int64_t fill(struct counting *c, int32_t slot)
{
    size_t count = 0;
    int32_t stay = c->p->slots[slot].stay;
    c->p->slots[slot].planted = false;
    while (count < INT32_MAX && suffices(c, slot)) {
        if (c->r->extra.numa && count == c->given_room) {
            c->given_room = c->given_room ? c->given_room * 2 : 16;
            c->given = memory_resize(c->given, c->given_room * sizeof(*c->given));
        }
        struct placement_extra extra = extra_at(c, count++);
        placement_take(c->p, slot, &c->r->need, &extra);
    }
    explain(c, slot, 0);
    for (size_t i = count; i > 0; i--) {
        struct placement_extra extra = extra_at(c, i - 1);
        placement_release(c->p, slot, &c->r->need, &extra);
    }
    c->p->slots[slot].stay = stay;
    c->p->slots[slot].planted = true;
    return (int64_t)count;
}

/* The entry of hosts like this one; NULL: something of its cells is held. */
static struct alike *find_alike(struct counting *c, int32_t slot, const int32_t *values)
{
    const struct slot *s = &c->p->slots[slot];
    size_t dimensions = (size_t)c->p->kinds[s->kind]->tree.dimensions;
    if (!c->alike || s->cells >= 0 || c->r->refuse) {
        return NULL;
    }
    uint32_t hash = (uint32_t)s->kind * 31 + (uint32_t)s->cells;
    for (size_t i = 0; i < dimensions; i++) {
        hash = hash * 16777619U ^ (uint32_t)values[i];
    }
    struct alike *a = &c->alike[hash % ALIKE];
    if (a->cells != s->cells || a->kind != s->kind || memcmp(a->values, values, dimensions * sizeof(*values)) != 0) {
        *a = (struct alike){.cells = s->cells, .kind = s->kind};
        memcpy(a->values, values, dimensions * sizeof(*values));
    }
    return a;
}

static int64_t count_slot(struct counting *c, int32_t slot)
{
    struct placement *p = c->p;
    const char *detail;
    int32_t values[TREE_DIMENSIONS_MAX];
    if (!p->slots[slot].planted ||
        !placement_kind_passes(p, p->kinds[p->slots[slot].kind]->key, &c->asked.constraints) ||
        placement_own_refusal(p, c->r, slot, &detail)) {
        explain(c, slot, 0);
        return 0;
    }
    placement_values(p, &p->slots[slot], values);
    if (!c->r->extra.numa && !c->r->refuse) {
        int64_t count = divide(c, slot, values);
        explain(c, slot, count);
        return count;
    }
    struct alike *alike = find_alike(c, slot, values);
    if (!alike) {
        return fill(c, slot);
    }
    if (alike->count == 0) {
        struct counting one = *c;
        one.x = &alike->x;
        one.nearest = 0;
        alike->count = 1 + fill(&one, slot);
        alike->share = one.nearest;
        c->given = one.given;
        c->given_room = one.given_room;
    }
    if (c->x) {
        placement_explain_add(&alike->x, alike->share, c->x, &c->nearest);
    }
    return alike->count - 1;
}

int64_t placement_count_at(struct placement *p, const struct placement_request *r, int32_t slot)
{
    struct counting c;
    begin(&c, p, r, NULL);
    int64_t count = count_slot(&c, slot);
    done(&c);
    return count;
}

int64_t placement_count(struct placement *p, const struct placement_request *r, struct placement_explanation *ret)
{
    struct counting c;
    int64_t sum = 0;
    begin(&c, p, r, ret);
    if (ret) {
        *ret = (struct placement_explanation){.hosts = p->host_count};
    }
    for (int32_t i = 0; i < p->slot_count; i++) {
        sum += p->slots[i].present ? count_slot(&c, i) : 0;
    }
    done(&c);
    return sum;
}

/* A host, by what it has in common with others. */
struct like {
    int32_t kind, cells, capacity[RESOURCE_COUNT];
    int64_t classes[PLACEMENT_CLASSES_MAX];
    int32_t slot;
};

static int order_likes(const void *a, const void *b)
{
    const struct like *x = a, *y = b;
    int order = memcmp(x, y, offsetof(struct like, slot));
    return order ? order : (x->slot > y->slot) - (x->slot < y->slot);
}

void placement_each_like(const struct placement *p, placement_like_fn fn, void *arg)
{
    struct like *likes = memory_array((size_t)p->host_count + 1, sizeof(*likes));
    size_t count = 0, last;
    for (int32_t i = 0; i < p->slot_count; i++) {
        const struct slot *s = &p->slots[i];
        if (!s->present) {
            continue;
        }
        struct like *l = &likes[count++];
        *l = (struct like){.kind = s->kind, .cells = placement_numa_kind(p, i), .slot = i};
        memcpy(l->capacity, s->capacity, sizeof(l->capacity));
        for (int32_t k = 0; k < p->kinds[s->kind]->key->class_count; k++) {
            l->classes[k] = s->extra[k].capacity;
        }
    }
    qsort(likes, count, sizeof(*likes), order_likes);
    for (size_t first = 0; first < count; first = last) {
        for (last = first + 1; last < count; last++) {
            if (memcmp(&likes[first], &likes[last], offsetof(struct like, slot)) != 0) {
                break;
            }
        }
        fn(arg, likes[first].slot, (int64_t)(last - first));
    }
    free(likes);
}
