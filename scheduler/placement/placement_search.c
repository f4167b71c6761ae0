/* The exact search. A bound of a node is the score of a host that had, in each dimension, the better end of what the
 * node's hosts have; every goal is monotone in each dimension over the amounts that suffice, so no host below is
 * better than its bound. The same function scores a host, whose two ends are equal: bounds and scores cannot drift.
 *
 * Depth first, the best bound first; what cannot beat the best found so far is left out. */
#include "scheduler/placement/placement_internal.h"
#include <math.h>
#include <string.h>

#define SCARCITY_ONE 4096
#define STAY_PART    8  /* what stays counts this much less than the fit */
#define OPENING      16 /* more than any fit is worth */
#define PACK_UNIT    (1 << 16)
/* Worth is kept in steps of 2^14, rounded down; what is beyond the range of a dimension says nothing. */
#define WORTH_SHIFT 14

static const char *const goal_names[PLACEMENT_GOAL_COUNT] = {
    [PLACEMENT_GOAL_DEFAULT] = "default",     [PLACEMENT_GOAL_WEIGHTS] = "weights",
    [PLACEMENT_GOAL_FIRST_FIT] = "first-fit", [PLACEMENT_GOAL_BEST_FIT] = "best-fit",
    [PLACEMENT_GOAL_PACK] = "pack",           [PLACEMENT_GOAL_SPREAD] = "spread",
    [PLACEMENT_GOAL_LIFETIME] = "lifetime",
};

enum placement_goal placement_goal_parse(const char *name)
{
    for (int g = PLACEMENT_GOAL_DEFAULT + 1; g < PLACEMENT_GOAL_COUNT; g++) {
        if (strcmp(goal_names[g], name) == 0) {
            return (enum placement_goal)g;
        }
    }
    return PLACEMENT_GOAL_DEFAULT;
}

const char *placement_goal_name(enum placement_goal goal)
{
    return goal_names[goal];
}

static bool ask(struct query *q, int32_t dimension, int64_t amount)
{
    if (dimension < 0 || amount >= INT32_MAX) {
        return false;
    }
    if (amount > 0 && q->need[dimension] != INT32_MIN) {
        amount += q->need[dimension];
    }
    if (amount > 0) {
        q->need[dimension] = (int32_t)(amount < INT32_MAX ? amount : INT32_MAX);
    }
    return true;
}

static int64_t share_used(const struct placement *p, enum resource r)
{
    int64_t used = p->used.amount[r], capacity = p->capacity.amount[r];
    return used <= 0 || capacity <= 0 ? 0 : (int64_t)((double)used / (double)capacity * SCARCITY_ONE);
}

/* How much of each the pool uses against the scarcer of both, squared; coarse enough that
 * repeated requests stay equal for a while. */
static void weigh_scarcity(const struct placement *p, struct query *q)
{
    int64_t vcpu = share_used(p, RESOURCE_VCPU), memory = share_used(p, RESOURCE_MEMORY_MIB);
    int64_t most = vcpu > memory ? vcpu : memory;
    bool packs = q->goal == PLACEMENT_GOAL_PACK || q->goal == PLACEMENT_GOAL_LIFETIME;
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        int64_t ratio = most == 0 || !packs ? SCARCITY_ONE : (r == RESOURCE_VCPU ? vcpu : memory) * SCARCITY_ONE / most;
        q->scarcity[r] = ratio * ratio / SCARCITY_ONE;
    }
}

/* Weighers of VCPU and memory alone, both positive, make a host's worth the length of what is free along one diagonal:
 * with W left along it, w1 x + w2 y >= W, the sum x + y is W / max(w1, w2) at least, and (a x)^2 + (b y)^2 is
 * W^2 / ((w1 / a)^2 + (w2 / b)^2) at least. */
static void weigh_worth(const struct placement_weights *w, struct query *q)
{
    double vcpu = (double)q->scarcity[RESOURCE_VCPU] / SCARCITY_ONE / PACK_UNIT;
    double memory = (double)q->scarcity[RESOURCE_MEMORY_MIB] / SCARCITY_ONE / PACK_UNIT;
    q->worth_most = 0;
    q->worth_factor = 0;
    if (w->vcpu <= 0 || w->memory <= 0 || w->disk != 0 || w->servers != 0) {
        return;
    }
    q->worth_most = w->vcpu > w->memory ? w->vcpu : w->memory;
    if (vcpu > 0 && memory > 0) {
        q->worth_factor = 1 / sqrt(w->vcpu / vcpu * (w->vcpu / vcpu) + w->memory / memory * (w->memory / memory));
    }
}

bool placement_query_begin(const struct placement *p, const struct placement_request *r, struct query *ret)
{
    const struct placement_weights *w = &p->weights;
    bool can = true;
    ret->goal = r->goal != PLACEMENT_GOAL_DEFAULT ? r->goal : p->goal;
    ret->excluded = NULL;
    ret->numa = r->extra.numa;
    ret->refuse = r->refuse;
    ret->refuse_arg = r->refuse_arg;
    ret->placement = p;
    struct resources least = r->extra.numa ? placement_numa_least(&r->need, r->extra.numa) : r->need;
    ret->fixed_count = 0;
    for (int32_t d = 0; d < TREE_DIMENSIONS_MAX; d++) {
        ret->need[d] = INT32_MIN;
    }
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        can = ask(ret, i, least.amount[i]) && can;
        if (ret->need[i] != INT32_MIN) {
            ret->asked[ret->fixed_count++] = i;
        }
    }
    ret->weight[RESOURCE_VCPU] = w->vcpu;
    ret->weight[RESOURCE_MEMORY_MIB] = w->memory;
    ret->weight[RESOURCE_DISK_GIB] = w->disk;
    ret->weight_servers = w->servers;
    weigh_scarcity(p, ret);
    weigh_worth(w, ret);
    return can;
}

static void ask_worth(struct query *q)
{
    q->asked_count = q->fixed_count;
    if (q->worth_most > 0) {
        int64_t worth = q->need_worth >> WORTH_SHIFT;
        q->need[TREE_WORTH] = worth < INT32_MAX ? (int32_t)worth : INT32_MAX;
        q->asked[q->asked_count++] = TREE_WORTH;
    }
}

/* No host that has enough of it needs more than the whole. */
static int64_t share_of(int64_t need, int64_t unit)
{
    int64_t share;
    return __builtin_mul_overflow(need, unit, &share) || share > SHARE_MOST ? SHARE_MOST : share;
}

void placement_query_block(const struct kind_front *front, struct query *q)
{
    q->need_worth = q->need_worth_high = 0;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        int64_t need = q->need[i] > 0 ? q->need[i] : 0;
        int64_t least = share_of(need, front->unit[i]), most = share_of(need, front->unit_high[i]);
        q->unit[i] = front->unit[i];
        q->unit_high[i] = front->left_high[i];
        q->need_worth += q->weight[i] * (q->weight[i] > 0 ? least : most);
        q->need_worth_high += q->weight[i] * (q->weight[i] > 0 ? most : least);
    }
    ask_worth(q);
}

bool placement_query_kind(const struct placement *p, const struct placement_request *r, int32_t kind, struct query *q)
{
    bool can = true;
    q->need_worth = 0;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        q->unit[i] = q->unit_high[i] = p->fronts[kind].unit[i];
        q->need_worth += q->weight[i] * q->unit[i] * (q->need[i] > 0 ? q->need[i] : 0);
    }
    q->need_worth_high = q->need_worth;
    ask_worth(q);
    for (size_t i = 0; i < r->extra.count; i++) {
        int32_t d = placement_class_dimension(p->kinds[kind]->key, r->extra.item[i].class);
        if (d >= 0) {
            q->need[d] = INT32_MIN;
        }
    }
    for (size_t i = 0; i < r->extra.count; i++) {
        int32_t d = placement_class_dimension(p->kinds[kind]->key, r->extra.item[i].class);
        bool first = d >= 0 && q->need[d] == INT32_MIN;
        can = ask(q, d, r->extra.item[i].amount) && can;
        if (first && q->need[d] != INT32_MIN) {
            q->asked[q->asked_count++] = d;
        }
    }
    return can;
}

/* What is left of a resource once the request is placed, as a share: at least, and at most. */
static inline int64_t left_share(const struct query *q, int r, int32_t amount)
{
    int64_t need = q->need[r] > 0 ? q->need[r] : 0;
    return (amount - need) * q->unit[r];
}

static inline int64_t left_share_high(const struct query *q, int r, int32_t amount)
{
    int64_t need = q->need[r] > 0 ? q->need[r] : 0;
    return (amount - need) * q->unit_high[r];
}

/* The least that suffices, given that the hosts have between low and high. */
static inline int32_t at_least(const struct query *q, int r, int32_t low)
{
    return low > q->need[r] ? low : q->need[r];
}

int32_t placement_worth(const struct placement *p, int32_t kind, const int32_t *values)
{
    const int64_t *unit = p->fronts[kind].unit;
    const struct placement_weights *w = &p->weights;
    int64_t worth = w->vcpu * unit[RESOURCE_VCPU] * values[TREE_VCPU] +
                    w->memory * unit[RESOURCE_MEMORY_MIB] * values[TREE_MEMORY] +
                    w->disk * unit[RESOURCE_DISK_GIB] * values[TREE_DISK] -
                    w->servers * (SHARE_ONE / 1024) * values[TREE_SERVERS];
    worth >>= WORTH_SHIFT;
    return worth > INT32_MAX ? INT32_MAX : worth < INT32_MIN ? INT32_MIN : (int32_t)worth;
}

static int64_t worth_bound(const struct query *q, int32_t worth)
{
    return worth == INT32_MAX ? INT64_MAX : ((int64_t)worth + 1) * (1 << WORTH_SHIFT) - q->need_worth;
}

static int64_t reach_weights(const struct query *q, const int32_t *low, const int32_t *high, size_t stride)
{
    int64_t score = 0, bound = worth_bound(q, high[TREE_WORTH * stride]);
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        size_t at = (size_t)r * stride;
        if (q->weight[r] != 0) {
            score += q->weight[r] *
                     (q->weight[r] > 0 ? left_share_high(q, r, high[at]) : left_share(q, r, at_least(q, r, low[at])));
        }
    }
    if (q->weight_servers != 0) {
        score -= q->weight_servers * SHARE_ONE / 1024 *
                 (q->weight_servers > 0 ? low[TREE_SERVERS * stride] : high[TREE_SERVERS * stride]);
    }
    return score < bound ? score : bound;
}

/* At least so much worth is left over. */
static inline int64_t worth_left(const struct query *q, const int32_t *low, size_t stride)
{
    int64_t left = (int64_t)low[TREE_WORTH * stride] * (1 << WORTH_SHIFT) - q->need_worth_high;
    return q->worth_most > 0 && left > 0 ? left : 0;
}

static int64_t reach_best_fit(const struct query *q, const int32_t *low, size_t stride)
{
    int64_t left = left_share(q, RESOURCE_VCPU, at_least(q, RESOURCE_VCPU, low[TREE_VCPU * stride])) +
                   left_share(q, RESOURCE_MEMORY_MIB, at_least(q, RESOURCE_MEMORY_MIB, low[TREE_MEMORY * stride]));
    int64_t least = q->worth_most > 0 ? worth_left(q, low, stride) / q->worth_most : 0;
    return left > least ? -left : -least;
}

/* The sum of squares of what is left, so that a host left lopsided is worse than one that loses the same in both; and
 * what is left of the pool's scarcer resource counts more, as room in the other is worth little without it. */
static int64_t reach_pack(const struct query *q, const int32_t *low, const int32_t *high, size_t stride)
{
    int64_t vcpu = left_share(q, RESOURCE_VCPU, at_least(q, RESOURCE_VCPU, low[TREE_VCPU * stride]));
    int64_t memory = left_share(q, RESOURCE_MEMORY_MIB, at_least(q, RESOURCE_MEMORY_MIB, low[TREE_MEMORY * stride]));
    int64_t opened = high[TREE_SERVERS * stride] > 0 ? 0 : OPENING * SHARE_ONE;
    vcpu = vcpu * q->scarcity[RESOURCE_VCPU] / SCARCITY_ONE / PACK_UNIT;
    memory = memory * q->scarcity[RESOURCE_MEMORY_MIB] / SCARCITY_ONE / PACK_UNIT;
    int64_t cost = vcpu * vcpu + memory * memory;
    /* Either side may have lost one by rounding. */
    double length = (double)worth_left(q, low, stride) * q->worth_factor - 1.5;
    int64_t least = length > 0 ? (int64_t)(length * length) : 0;
    return -opened - (cost > least ? cost : least);
}

static int64_t reach_spread(const struct query *q, const int32_t *high, size_t stride)
{
    int64_t vcpu = left_share_high(q, RESOURCE_VCPU, high[TREE_VCPU * stride]);
    int64_t memory = left_share_high(q, RESOURCE_MEMORY_MIB, high[TREE_MEMORY * stride]);
    return vcpu < memory ? 3 * vcpu + memory : 3 * memory + vcpu;
}

/* Of hosts that fit about as well, the one that will be kept anyway is filled, so that others drain. */
static int64_t reach_lifetime(const struct query *q, const int32_t *low, const int32_t *high, size_t stride)
{
    return reach_pack(q, low, high, stride) + SHARE_ONE / PLACEMENT_STAY_WHOLE / STAY_PART * high[TREE_STAY * stride];
}

/* `low` and `high` point to the first dimension; `stride` lies between dimensions. What suffices was asked before. */
static inline int64_t reach(const struct query *q, int32_t least, const int32_t *low, const int32_t *high,
                            size_t stride)
{
    switch (q->goal) {
    case PLACEMENT_GOAL_FIRST_FIT:
        return -least;
    case PLACEMENT_GOAL_BEST_FIT:
        return reach_best_fit(q, low, stride);
    case PLACEMENT_GOAL_PACK:
        return reach_pack(q, low, high, stride);
    case PLACEMENT_GOAL_SPREAD:
        return reach_spread(q, high, stride);
    case PLACEMENT_GOAL_LIFETIME:
        return reach_lifetime(q, low, high, stride);
    default:
        return reach_weights(q, low, high, stride);
    }
}

static bool suffices(const struct query *q, const int32_t *high)
{
    for (int i = 0; i < q->asked_count; i++) {
        if (high[q->asked[i]] < q->need[q->asked[i]]) {
            return false;
        }
    }
    return true;
}

/* The same for all entries of a node at once: fills ret with 0 for those that suffice. Entries beyond the node's count
 * say nothing. */
static inline void lacking(const struct query *q, const int32_t high[][TREE_WIDTH], int32_t ret[TREE_WIDTH])
{
    memset(ret, 0, TREE_WIDTH * sizeof(*ret));
    for (int k = 0; k < q->asked_count; k++) {
        const int32_t *restrict row = high[q->asked[k]];
        int32_t need = q->need[q->asked[k]];
        for (int i = 0; i < TREE_WIDTH; i++) {
            ret[i] |= -(row[i] < need);
        }
    }
}

int64_t placement_score(const struct query *q, int32_t slot, const int32_t *values)
{
    return suffices(q, values) ? reach(q, slot, values, values, 1) : SCORE_NONE;
}

int64_t placement_bound(const struct query *q, int32_t least, const int32_t *low, const int32_t *high)
{
    return suffices(q, high) ? reach(q, least, low, high, 1) : SCORE_NONE;
}

void placement_shortlist_init(struct shortlist *list, int32_t most)
{
    list->count = 0;
    list->most = most;
    list->bar = (struct found){.score = SCORE_NONE, .slot = INT32_MAX};
}

void placement_shortlist_add(struct shortlist *list, int64_t score, int32_t slot)
{
    int32_t low = 0, high = list->count;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (placement_better(score, slot, &(struct found){list->score[middle], list->slot[middle]})) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    list->count += list->count < list->most;
    size_t behind = (size_t)(list->count - 1 - low);
    memmove(&list->score[low + 1], &list->score[low], behind * sizeof(list->score[0]));
    memmove(&list->slot[low + 1], &list->slot[low], behind * sizeof(list->slot[0]));
    list->score[low] = score;
    list->slot[low] = slot;
    if (list->count == list->most) {
        list->bar = (struct found){list->score[list->most - 1], list->slot[list->most - 1]};
    }
}

/* Asked for hosts that would be the best so far only. */
static bool is_excluded(const struct query *q, int32_t slot)
{
    if (q->excluded && (q->excluded[slot / 64] >> (slot % 64) & 1)) {
        return true;
    }
    const char *detail;
    if (q->refuse && q->refuse(q->refuse_arg, slot, &detail)) {
        return true;
    }
    return q->numa && !placement_numa_fits(q->placement, slot, q->numa);
}

static void search_leaf(const struct tree_leaf *leaf, const struct query *q, struct shortlist *list)
{
    int32_t lacks[TREE_WIDTH];
    lacking(q, leaf->value, lacks);
    for (int32_t i = 0; i < leaf->count; i++) {
        if (lacks[i]) {
            continue;
        }
        int64_t score = reach(q, leaf->slot[i], &leaf->value[0][i], &leaf->value[0][i], TREE_WIDTH);
        if (placement_better(score, leaf->slot[i], &list->bar) && !is_excluded(q, leaf->slot[i])) {
            placement_shortlist_add(list, score, leaf->slot[i]);
        }
    }
}

static void search_node(const struct tree *t, int32_t height, int32_t node, const struct query *q,
                        struct shortlist *list)
{
    if (height == 0) {
        search_leaf(tree_leaf(t, node), q, list);
        return;
    }
    const struct tree_inner *inner = tree_inner(t, node);
    int32_t lacks[TREE_WIDTH], entry[TREE_WIDTH], count = 0;
    int64_t bound[TREE_WIDTH];
    lacking(q, inner->bounds + t->dimensions, lacks);
    for (int32_t i = 0; i < inner->count; i++) {
        if (lacks[i]) {
            continue;
        }
        bound[count] = reach(q, inner->least[i], &inner->bounds[0][i], &inner->bounds[t->dimensions][i], TREE_WIDTH);
        entry[count] = i;
        count += placement_better(bound[count], inner->least[i], &list->bar);
    }
    while (count > 0) {
        int32_t next = 0;
        for (int32_t i = 1; i < count; i++) {
            if (bound[i] > bound[next] ||
                (bound[i] == bound[next] && inner->least[entry[i]] < inner->least[entry[next]])) {
                next = i;
            }
        }
        if (!placement_better(bound[next], inner->least[entry[next]], &list->bar)) {
            return;
        }
        search_node(t, height - 1, inner->child[entry[next]], q, list);
        count--;
        bound[next] = bound[count];
        entry[next] = entry[count];
    }
}

void placement_search(const struct tree *t, const struct query *q, struct shortlist *list)
{
    int64_t bound = t->count > 0 ? placement_bound(q, t->all.least, t->all.low, t->all.high) : SCORE_NONE;
    if (bound != SCORE_NONE && placement_better(bound, t->all.least, &list->bar)) {
        search_node(t, t->height, t->root, q, list);
    }
}
