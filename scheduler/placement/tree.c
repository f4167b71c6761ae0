/* The tree of a kind. Happy path: descend by key, change a leaf, carry its summary upwards until nothing changes.
 *
 * Full nodes split in the middle of their keys. After a removal a node is joined with a neighbour when both fill no
 * more than three quarters of one; that keeps nodes a third full on average without borrowing. */
#include "scheduler/placement/tree.h"
#include "common/memory.h"
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define HEIGHT_MAX      12
#define JOIN_LIMIT      (TREE_WIDTH * 3 / 4)
#define COORDINATE_BITS 10
#define SLOT_BITS       24

struct step {
    int32_t node, entry;
};

struct path {
    struct step step[HEIGHT_MAX]; /* by height above the leaves: step[0] is the parent of the leaf */
    int32_t leaf;
    uint64_t low, high; /* keys that belong into the leaf: low <= key < high */
};

/* Puts a zero bit between the bits of a coordinate. */
static uint64_t spread_bits(uint64_t x)
{
    x = (x | x << 8) & 0x00ff00ffULL;
    x = (x | x << 4) & 0x0f0f0f0fULL;
    x = (x | x << 2) & 0x33333333ULL;
    return (x | x << 1) & 0x55555555ULL;
}

static uint64_t coordinate(int32_t value, uint64_t scale)
{
    uint64_t c = value <= 0 ? 0 : (uint64_t)value * scale >> 32;
    return c > 1023 ? 1023 : c;
}

static uint64_t key_of(const struct tree *t, int32_t slot, const int32_t *values)
{
    uint64_t stay = coordinate(values[TREE_STAY], 1ULL << (32 - COORDINATE_BITS));
    uint64_t shape = spread_bits(coordinate(values[TREE_VCPU], t->scale[0])) << 1 |
                     spread_bits(coordinate(values[TREE_MEMORY], t->scale[1]));
    uint64_t rest = spread_bits(coordinate(values[TREE_DISK], t->scale[2])) << 1 | spread_bits(stay);
    uint64_t key = shape << 2 * COORDINATE_BITS | rest;
    return key << SLOT_BITS | (uint64_t)(uint32_t)slot;
}

static void pool_grow(struct tree_pool *pool, int32_t capacity)
{
    if (capacity > pool->capacity) {
        pool->nodes = memory_resize(pool->nodes, (size_t)capacity * pool->node_size);
        pool->capacity = capacity;
    }
}

static int32_t pool_take(struct tree_pool *pool)
{
    int32_t node = pool->first_free;
    if (node < 0) {
        if (pool->used == pool->capacity) {
            pool_grow(pool, pool->capacity * 2);
        }
        return pool->used++;
    }
    memcpy(&pool->first_free, pool->nodes + (size_t)node * pool->node_size + sizeof(int32_t), sizeof(int32_t));
    return node;
}

static void pool_give(struct tree_pool *pool, int32_t node)
{
    memcpy(pool->nodes + (size_t)node * pool->node_size + sizeof(int32_t), &pool->first_free, sizeof(int32_t));
    pool->first_free = node;
}

static int32_t leaf_new(struct tree *t)
{
    int32_t node = pool_take(&t->leaves);
    tree_leaf(t, node)->count = 0;
    return node;
}

static int32_t inner_new(struct tree *t)
{
    int32_t node = pool_take(&t->inners);
    tree_inner(t, node)->count = 0;
    return node;
}

static void summary_clear(struct tree_summary *s, int32_t dimensions)
{
    s->least = INT32_MAX;
    for (int32_t d = 0; d < dimensions; d++) {
        s->low[d] = INT32_MAX;
        s->high[d] = INT32_MIN;
    }
}

void tree_init(struct tree *t, int32_t dimensions, const int64_t size[3])
{
    assert(dimensions >= TREE_FIXED && dimensions <= TREE_DIMENSIONS_MAX);
    size_t row = TREE_WIDTH * sizeof(int32_t);
    *t = (struct tree){.dimensions = dimensions};
    for (int d = 0; d < 3; d++) {
        t->scale[d] = size[d] > 0 ? (1023ULL << 32) / (uint64_t)size[d] : 0;
    }
    t->leaves.node_size = sizeof(struct tree_leaf) + (size_t)dimensions * row;
    t->inners.node_size = sizeof(struct tree_inner) + 2 * (size_t)dimensions * row;
    t->leaves.first_free = t->inners.first_free = -1;
    tree_reserve(t, 1);
    t->root = leaf_new(t);
    summary_clear(&t->all, dimensions);
}

void tree_done(struct tree *t)
{
    free(t->leaves.nodes);
    free(t->inners.nodes);
    t->leaves.nodes = t->inners.nodes = NULL;
}

void tree_reserve(struct tree *t, int32_t count)
{
    assert(count < 1 << SLOT_BITS);
    if (count / 6 + 4 > t->leaves.capacity) {
        pool_grow(&t->leaves, count / 6 + 4 + t->leaves.capacity / 4);
        pool_grow(&t->inners, t->leaves.capacity / 4 + 1);
    }
}

static void summarize_leaf(const struct tree *t, const struct tree_leaf *leaf, struct tree_summary *ret)
{
    int32_t least = INT32_MAX;
    for (int32_t i = 0; i < leaf->count; i++) {
        least = leaf->slot[i] < least ? leaf->slot[i] : least;
    }
    ret->least = least;
    for (int32_t d = 0; d < t->dimensions; d++) {
        int32_t low = INT32_MAX, high = INT32_MIN;
        for (int32_t i = 0; i < leaf->count; i++) {
            int32_t v = leaf->value[d][i];
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        ret->low[d] = low;
        ret->high[d] = high;
    }
}

static void summarize_inner(const struct tree *t, const struct tree_inner *inner, struct tree_summary *ret)
{
    int32_t least = INT32_MAX;
    for (int32_t i = 0; i < inner->count; i++) {
        least = inner->least[i] < least ? inner->least[i] : least;
    }
    ret->least = least;
    for (int32_t d = 0; d < t->dimensions; d++) {
        const int32_t *lows = inner->bounds[d], *highs = inner->bounds[t->dimensions + d];
        int32_t low = INT32_MAX, high = INT32_MIN;
        for (int32_t i = 0; i < inner->count; i++) {
            low = lows[i] < low ? lows[i] : low;
            high = highs[i] > high ? highs[i] : high;
        }
        ret->low[d] = low;
        ret->high[d] = high;
    }
}

/* The summary of the node at `height`. */
static void summarize(const struct tree *t, int32_t height, int32_t node, struct tree_summary *ret)
{
    if (height == 0) {
        summarize_leaf(t, tree_leaf(t, node), ret);
    } else {
        summarize_inner(t, tree_inner(t, node), ret);
    }
}

/* Returns whether it differs from what the entry said. */
static bool entry_set(const struct tree *t, struct tree_inner *inner, int32_t entry, const struct tree_summary *s)
{
    int32_t differs = inner->least[entry] ^ s->least;
    inner->least[entry] = s->least;
    for (int32_t d = 0; d < t->dimensions; d++) {
        int32_t *low = &inner->bounds[d][entry], *high = &inner->bounds[t->dimensions + d][entry];
        differs |= (*low ^ s->low[d]) | (*high ^ s->high[d]);
        *low = s->low[d];
        *high = s->high[d];
    }
    return differs != 0;
}

/* Carries the summary of the node at `height` up to the root, as far as it changes anything. */
static void carry_up(struct tree *t, const struct path *path, int32_t height, int32_t node)
{
    struct tree_summary s;
    summarize(t, height, node, &s);
    for (; height < t->height; height++) {
        const struct step *up = &path->step[height];
        struct tree_inner *inner = tree_inner(t, up->node);
        if (!entry_set(t, inner, up->entry, &s)) {
            return;
        }
        summarize_inner(t, inner, &s);
    }
    t->all = s;
}

static int32_t entry_for(const struct tree_inner *inner, uint64_t key)
{
    int32_t low = 0, high = inner->count;
    while (high - low > 1) {
        int32_t middle = (low + high) / 2;
        if (inner->first[middle] <= key) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static void descend(const struct tree *t, uint64_t key, struct path *ret)
{
    int32_t node = t->root;
    ret->low = 0;
    ret->high = UINT64_MAX;
    for (int32_t height = t->height; height > 0; height--) {
        const struct tree_inner *inner = tree_inner(t, node);
        int32_t entry = entry_for(inner, key);
        ret->step[height - 1] = (struct step){.node = node, .entry = entry};
        if (entry > 0) {
            ret->low = inner->first[entry];
        }
        if (entry + 1 < inner->count) {
            ret->high = inner->first[entry + 1];
        }
        node = inner->child[entry];
    }
    ret->leaf = node;
}

static void inner_shift(const struct tree *t, struct tree_inner *inner, int32_t from, int32_t to)
{
    size_t count = (size_t)(inner->count - from);
    memmove(&inner->first[to], &inner->first[from], count * sizeof(inner->first[0]));
    memmove(&inner->child[to], &inner->child[from], count * sizeof(int32_t));
    memmove(&inner->least[to], &inner->least[from], count * sizeof(int32_t));
    for (int32_t d = 0; d < 2 * t->dimensions; d++) {
        memmove(&inner->bounds[d][to], &inner->bounds[d][from], count * sizeof(int32_t));
    }
    inner->count += to - from;
}

static void inner_copy(const struct tree *t, struct tree_inner *to, const struct tree_inner *from, int32_t start)
{
    size_t count = (size_t)(from->count - start);
    memcpy(&to->first[to->count], &from->first[start], count * sizeof(from->first[0]));
    memcpy(&to->child[to->count], &from->child[start], count * sizeof(int32_t));
    memcpy(&to->least[to->count], &from->least[start], count * sizeof(int32_t));
    for (int32_t d = 0; d < 2 * t->dimensions; d++) {
        memcpy(&to->bounds[d][to->count], &from->bounds[d][start], count * sizeof(int32_t));
    }
    to->count += from->count - start;
}

static void inner_put(struct tree *t, int32_t node, int32_t entry, uint64_t first, int32_t child,
                      const struct tree_summary *s)
{
    struct tree_inner *inner = tree_inner(t, node);
    inner_shift(t, inner, entry, entry + 1);
    inner->first[entry] = first;
    inner->child[entry] = child;
    entry_set(t, inner, entry, s);
}

static void grow_root(struct tree *t, uint64_t first, int32_t right)
{
    struct tree_summary left_summary, right_summary;
    int32_t root = inner_new(t);
    assert(t->height + 1 < HEIGHT_MAX);
    summarize(t, t->height, t->root, &left_summary);
    summarize(t, t->height, right, &right_summary);
    inner_put(t, root, 0, 0, t->root, &left_summary);
    inner_put(t, root, 1, first, right, &right_summary);
    t->root = root;
    t->height++;
    summarize_inner(t, tree_inner(t, root), &t->all);
}

/* The node at `height` was split: hangs `right` beside it, splitting upwards where full. */
static void hang(struct tree *t, const struct path *path, int32_t height, int32_t left, uint64_t first, int32_t right)
{
    if (height == t->height) {
        grow_root(t, first, right);
        return;
    }
    struct step up = path->step[height];
    struct tree_summary s;
    summarize(t, height, left, &s);
    entry_set(t, tree_inner(t, up.node), up.entry, &s);
    summarize(t, height, right, &s);
    if (tree_inner(t, up.node)->count < TREE_WIDTH) {
        inner_put(t, up.node, up.entry + 1, first, right, &s);
        carry_up(t, path, height + 1, up.node);
        return;
    }
    int32_t other = inner_new(t);
    struct tree_inner *full = tree_inner(t, up.node);
    inner_copy(t, tree_inner(t, other), full, TREE_WIDTH / 2);
    full->count = TREE_WIDTH / 2;
    uint64_t other_first = tree_inner(t, other)->first[0];
    if (up.entry < TREE_WIDTH / 2) {
        inner_put(t, up.node, up.entry + 1, first, right, &s);
    } else {
        inner_put(t, other, up.entry + 1 - TREE_WIDTH / 2, first, right, &s);
    }
    hang(t, path, height + 1, up.node, other_first, other);
}

static void leaf_get(const struct tree *t, const struct tree_leaf *leaf, int32_t i, int32_t *ret_values)
{
    for (int32_t d = 0; d < t->dimensions; d++) {
        ret_values[d] = leaf->value[d][i];
    }
}

static void leaf_set(const struct tree *t, struct tree_leaf *leaf, int32_t i, int32_t slot, const int32_t *values)
{
    leaf->slot[i] = slot;
    for (int32_t d = 0; d < t->dimensions; d++) {
        leaf->value[d][i] = values[d];
    }
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Moves the upper half of a full leaf into a new one. Returns it and its lowest key. */
static int32_t leaf_split(struct tree *t, int32_t node, uint64_t *ret_first)
{
    uint64_t keys[TREE_WIDTH], sorted[TREE_WIDTH];
    int32_t values[TREE_DIMENSIONS_MAX];
    int32_t right_node = leaf_new(t);
    struct tree_leaf *left = tree_leaf(t, node), *right = tree_leaf(t, right_node);
    for (int32_t i = 0; i < TREE_WIDTH; i++) {
        leaf_get(t, left, i, values);
        keys[i] = sorted[i] = key_of(t, left->slot[i], values);
    }
    qsort(sorted, TREE_WIDTH, sizeof(sorted[0]), by_key);
    *ret_first = sorted[TREE_WIDTH / 2];
    int32_t kept = 0;
    for (int32_t i = 0; i < TREE_WIDTH; i++) {
        leaf_get(t, left, i, values);
        if (keys[i] < *ret_first) {
            leaf_set(t, left, kept++, left->slot[i], values);
        } else {
            leaf_set(t, right, right->count++, left->slot[i], values);
        }
    }
    left->count = kept;
    return right_node;
}

void tree_insert(struct tree *t, int32_t slot, const int32_t *values)
{
    struct path path;
    uint64_t key = key_of(t, slot, values);
    descend(t, key, &path);
    struct tree_leaf *leaf = tree_leaf(t, path.leaf);
    t->count++;
    if (leaf->count < TREE_WIDTH) {
        leaf_set(t, leaf, leaf->count++, slot, values);
        carry_up(t, &path, 0, path.leaf);
        return;
    }
    uint64_t first;
    int32_t right = leaf_split(t, path.leaf, &first);
    struct tree_leaf *target = tree_leaf(t, key < first ? path.leaf : right);
    leaf_set(t, target, target->count++, slot, values);
    hang(t, &path, 0, path.leaf, first, right);
}

static int32_t node_count(const struct tree *t, int32_t height, int32_t node)
{
    return height == 0 ? tree_leaf(t, node)->count : tree_inner(t, node)->count;
}

/* Moves all of the entry right of `entry` into it. */
static void join_right(struct tree *t, struct tree_inner *up, int32_t height, int32_t entry)
{
    int32_t left = up->child[entry], right = up->child[entry + 1];
    if (height == 0) {
        struct tree_leaf *to = tree_leaf(t, left);
        const struct tree_leaf *from = tree_leaf(t, right);
        int32_t values[TREE_DIMENSIONS_MAX];
        for (int32_t i = 0; i < from->count; i++) {
            leaf_get(t, from, i, values);
            leaf_set(t, to, to->count++, from->slot[i], values);
        }
        pool_give(&t->leaves, right);
    } else {
        struct tree_inner *from = tree_inner(t, right);
        from->first[0] = up->first[entry + 1];
        inner_copy(t, tree_inner(t, left), from, 0);
        pool_give(&t->inners, right);
    }
    inner_shift(t, up, entry + 2, entry + 1);
}

/* The node of the path at `height` lost something: joins it with a neighbour when both are small. */
static bool join(struct tree *t, struct path *path, int32_t height)
{
    struct step *step = &path->step[height];
    struct tree_inner *up = tree_inner(t, step->node);
    int32_t own = node_count(t, height, up->child[step->entry]);
    if (step->entry + 1 < up->count && own + node_count(t, height, up->child[step->entry + 1]) <= JOIN_LIMIT) {
        join_right(t, up, height, step->entry);
        return true;
    }
    if (step->entry > 0 && own + node_count(t, height, up->child[step->entry - 1]) <= JOIN_LIMIT) {
        step->entry--;
        join_right(t, up, height, step->entry);
        return true;
    }
    return false;
}

static void shrink_root(struct tree *t)
{
    while (t->height > 0 && tree_inner(t, t->root)->count == 1) {
        int32_t child = tree_inner(t, t->root)->child[0];
        pool_give(&t->inners, t->root);
        t->root = child;
        t->height--;
    }
}

/* After a removal: joins upwards while nodes join, then carries the summaries. */
static void settle(struct tree *t, struct path *path)
{
    int32_t height = 0;
    while (height < t->height && join(t, path, height)) {
        const struct step *step = &path->step[height];
        struct tree_inner *up = tree_inner(t, step->node);
        struct tree_summary s;
        summarize(t, height, up->child[step->entry], &s);
        entry_set(t, up, step->entry, &s);
        height++;
    }
    int32_t node = height == 0 ? path->leaf : path->step[height - 1].node;
    carry_up(t, path, height, node);
    shrink_root(t);
}

static int32_t leaf_find(const struct tree_leaf *leaf, int32_t slot)
{
    int32_t i = 0;
    while (i < leaf->count && leaf->slot[i] != slot) {
        i++;
    }
    assert(i < leaf->count);
    return i;
}

static void remove_at(struct tree *t, struct path *path, int32_t slot)
{
    struct tree_leaf *leaf = tree_leaf(t, path->leaf);
    int32_t values[TREE_DIMENSIONS_MAX];
    int32_t i = leaf_find(leaf, slot);
    int32_t last = --leaf->count;
    if (i != last) {
        leaf_get(t, leaf, last, values);
        leaf_set(t, leaf, i, leaf->slot[last], values);
    }
    t->count--;
    settle(t, path);
}

void tree_remove(struct tree *t, int32_t slot, const int32_t *values)
{
    struct path path;
    descend(t, key_of(t, slot, values), &path);
    remove_at(t, &path, slot);
}

void tree_move(struct tree *t, int32_t slot, const int32_t *from, const int32_t *to)
{
    struct path path;
    descend(t, key_of(t, slot, from), &path);
    uint64_t key = key_of(t, slot, to);
    if (key >= path.low && key < path.high) {
        struct tree_leaf *leaf = tree_leaf(t, path.leaf);
        leaf_set(t, leaf, leaf_find(leaf, slot), slot, to);
        carry_up(t, &path, 0, path.leaf);
        return;
    }
    remove_at(t, &path, slot);
    tree_insert(t, slot, to);
}
