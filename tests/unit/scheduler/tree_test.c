/* The tree of a kind: through any inserts, moves and removals each inner entry says exactly what lies below it. */
#include "scheduler/placement/tree.h"
#include "tests/unit/check.h"

#define SLOTS 20000

static int32_t values[SLOTS][TREE_FIXED];
static bool inside[SLOTS], seen[SLOTS];
static int32_t leaves;

static void widen(struct tree_summary *s, const struct tree_summary *by)
{
    s->least = by->least < s->least ? by->least : s->least;
    for (int d = 0; d < TREE_FIXED; d++) {
        s->low[d] = by->low[d] < s->low[d] ? by->low[d] : s->low[d];
        s->high[d] = by->high[d] > s->high[d] ? by->high[d] : s->high[d];
    }
}

static struct tree_summary nothing(void)
{
    struct tree_summary s = {.least = INT32_MAX};
    for (int d = 0; d < TREE_FIXED; d++) {
        s.low[d] = INT32_MAX;
        s.high[d] = INT32_MIN;
    }
    return s;
}

/* Walks below the node; every entry's bounds are compared with what is there. */
static struct tree_summary walk(const struct tree *t, int32_t height, int32_t node)
{
    struct tree_summary all = nothing();
    if (height == 0) {
        const struct tree_leaf *leaf = tree_leaf(t, node);
        leaves++;
        for (int32_t i = 0; i < leaf->count; i++) {
            struct tree_summary one = {.least = leaf->slot[i]};
            for (int d = 0; d < TREE_FIXED; d++) {
                one.low[d] = one.high[d] = leaf->value[d][i];
                CHECK_INT(leaf->value[d][i], values[leaf->slot[i]][d]);
            }
            CHECK(inside[leaf->slot[i]] && !seen[leaf->slot[i]]);
            seen[leaf->slot[i]] = true;
            widen(&all, &one);
        }
        return all;
    }
    const struct tree_inner *inner = tree_inner(t, node);
    for (int32_t i = 0; i < inner->count; i++) {
        struct tree_summary below = walk(t, height - 1, inner->child[i]);
        CHECK_INT(inner->least[i], below.least);
        for (int d = 0; d < TREE_FIXED; d++) {
            CHECK_INT(inner->bounds[d][i], below.low[d]);
            CHECK_INT(inner->bounds[TREE_FIXED + d][i], below.high[d]);
        }
        widen(&all, &below);
    }
    return all;
}

static void check(const struct tree *t)
{
    int32_t count = 0;
    memset(seen, 0, sizeof(seen));
    leaves = 0;
    struct tree_summary all = walk(t, t->height, t->root);
    for (int32_t i = 0; i < SLOTS; i++) {
        CHECK_INT(seen[i], inside[i]);
        count += inside[i];
    }
    CHECK_INT(t->count, count);
    CHECK_INT(t->all.least, all.least);
    for (int d = 0; d < TREE_FIXED; d++) {
        CHECK_INT(t->all.low[d], all.low[d]);
        CHECK_INT(t->all.high[d], all.high[d]);
    }
    CHECK(leaves <= count / 6 + 4);
}

static unsigned seed = 11;
static int32_t below(int32_t n)
{
    return (int32_t)((unsigned)rand_r(&seed) % (unsigned)n);
}

static void invent(int32_t *v)
{
    v[TREE_VCPU] = below(128);
    v[TREE_MEMORY] = below(4) ? below(1000) * 512 : 0;
    v[TREE_DISK] = below(2) ? 0 : below(1000);
    v[TREE_STAY] = below(3) ? 0 : below(1 << 20);
    v[TREE_SERVERS] = below(50);
    v[TREE_WORTH] = below(1000) - 500;
}

static void change(struct tree *t, int32_t slot, int remove_in)
{
    int32_t next[TREE_FIXED];
    invent(next);
    if (!inside[slot]) {
        tree_insert(t, slot, next);
    } else if (below(remove_in) == 0) {
        tree_remove(t, slot, values[slot]);
    } else {
        tree_move(t, slot, values[slot], next);
        memcpy(values[slot], next, sizeof(next));
        return;
    }
    memcpy(values[slot], next, sizeof(next));
    inside[slot] = !inside[slot];
}

TEST("bounds are exact while a tree grows, churns and shrinks to nothing")
{
    struct tree t;
    tree_init(&t, TREE_FIXED, (const int64_t[3]){128, 512000, 1000});
    tree_reserve(&t, SLOTS);
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 20000; i++) {
            change(&t, below(SLOTS), round < 6 ? 20 : 2);
        }
        check(&t);
    }
    for (int32_t i = 0; i < SLOTS; i++) {
        if (inside[i]) {
            tree_remove(&t, i, values[i]);
            inside[i] = false;
        }
        if (i % 4000 == 0) {
            check(&t);
        }
    }
    check(&t);
    CHECK_INT(t.height, 0);
    tree_done(&t);
}

TEST("a tree of equal hosts is ordered by slot")
{
    struct tree t;
    memset(inside, 0, sizeof(inside));
    tree_init(&t, TREE_FIXED, (const int64_t[3]){128, 512000, 1000});
    tree_reserve(&t, SLOTS);
    for (int32_t i = 0; i < SLOTS; i++) {
        memcpy(values[i], (int32_t[TREE_FIXED]){128, 512000, 1000}, sizeof(values[i]));
        tree_insert(&t, i, values[i]);
        inside[i] = true;
    }
    check(&t);
    CHECK_INT(t.all.least, 0);
    tree_done(&t);
}
