/* A B+ tree of the hosts of one kind, ordered by where they lie in the space of what is free (Morton order), so that
 * the hosts of a node are alike. Each entry of an inner node carries the least and the most of every dimension below
 * it. Nodes come from pools that are grown by tree_reserve only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_WIDTH 32

/* The first dimensions of every tree; a kind's further resource classes follow. */
enum { TREE_VCPU, TREE_MEMORY, TREE_DISK, TREE_STAY, TREE_SERVERS, TREE_WORTH, TREE_FIXED };
#define TREE_DIMENSIONS_MAX (TREE_FIXED + 8)

struct tree_leaf {
    int32_t count, next_free;
    int32_t slot[TREE_WIDTH];
    int32_t value[][TREE_WIDTH]; /* per dimension */
};

struct tree_inner {
    int32_t count, next_free;
    uint64_t first[TREE_WIDTH]; /* keys of entry i are at least first[i]; that of entry 0 is not looked at */
    int32_t child[TREE_WIDTH];
    int32_t least[TREE_WIDTH];    /* lowest slot below */
    int32_t bounds[][TREE_WIDTH]; /* per dimension the least, then per dimension the most */
};

struct tree_pool {
    char *nodes;
    size_t node_size;
    int32_t used, capacity, first_free;
};

/* What a node holds: of an empty one nothing fits. */
struct tree_summary {
    int32_t least;
    int32_t low[TREE_DIMENSIONS_MAX], high[TREE_DIMENSIONS_MAX];
};

struct tree {
    int32_t dimensions, root, height, count; /* height 0: the root is a leaf */
    uint64_t scale[3];                       /* free amount times this, over 2^32: a coordinate of 0..1023 */
    struct tree_pool leaves, inners;
    struct tree_summary all;
};

/* `size` holds what counts as the whole of VCPU, memory and disk. */
void tree_init(struct tree *t, int32_t dimensions, const int64_t size[3]);
void tree_done(struct tree *t);
/* Makes sure that `count` hosts can be held without allocating. */
void tree_reserve(struct tree *t, int32_t count);
void tree_insert(struct tree *t, int32_t slot, const int32_t *values);
/* `values` are those that the slot was put in with. */
void tree_remove(struct tree *t, int32_t slot, const int32_t *values);
/* The same as remove and insert, cheaper when the place stays. */
void tree_move(struct tree *t, int32_t slot, const int32_t *from, const int32_t *to);

static inline struct tree_leaf *tree_leaf(const struct tree *t, int32_t node)
{
    return (struct tree_leaf *)(void *)(t->leaves.nodes + (size_t)node * t->leaves.node_size);
}

static inline struct tree_inner *tree_inner(const struct tree *t, int32_t node)
{
    return (struct tree_inner *)(void *)(t->inners.nodes + (size_t)node * t->inners.node_size);
}
