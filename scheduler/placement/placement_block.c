/* Blocks of kinds. In a pool of many kinds (every host its own aggregate property, say) not all of them are looked at:
 * each block has the least and the most of everything below it, as the nodes of a kind's tree have, so that a search
 * leaves out blocks that cannot fit or cannot be better. A block is summed up anew when it is looked at and a kind of
 * it has changed since.
 *
 * Kinds of a block have sizes of their own, so that a share is of more than one size: `unit` is the least worth of one
 * piece, `unit_high` the most for whoever has enough. What is left is no more than the whole: with h free of a size of
 * h or more, (h - need) / size grows with h, so that nobody's share left is above (high - need) / high of the whole. */
#include "scheduler/placement/placement_internal.h"
#include <string.h>

void placement_block_change(struct placement *p, int32_t kind)
{
    p->blocks[BLOCK_OF_KINDS][kind / BLOCK_KINDS].stale = true;
    p->blocks[BLOCK_LARGE][kind / BLOCK_LARGE_KINDS].stale = true;
}

static void add(struct kind_front *sum, const struct kind_front *one)
{
    if (one->hosts == 0) {
        return;
    }
    if (sum->hosts == 0) {
        *sum = *one;
        return;
    }
    sum->hosts += one->hosts;
    sum->least = one->least < sum->least ? one->least : sum->least;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        sum->unit[i] = one->unit[i] < sum->unit[i] ? one->unit[i] : sum->unit[i];
        sum->unit_high[i] = one->unit_high[i] > sum->unit_high[i] ? one->unit_high[i] : sum->unit_high[i];
    }
    for (int d = 0; d < TREE_FIXED; d++) {
        sum->low[d] = one->low[d] < sum->low[d] ? one->low[d] : sum->low[d];
        sum->high[d] = one->high[d] > sum->high[d] ? one->high[d] : sum->high[d];
    }
}

static void cap(struct kind_front *sum)
{
    for (int i = 0; i < RESOURCE_COUNT && sum->hosts > 0; i++) {
        int64_t most = sum->high[i] > 0 ? SHARE_MOST / sum->high[i] + 1 : INT64_MAX;
        sum->left_high[i] = sum->unit_high[i] < most ? sum->unit_high[i] : most;
    }
}

static void sum_kinds(const struct placement *p, int32_t block, struct kind_front *ret)
{
    int32_t first = block * BLOCK_KINDS, last = first + BLOCK_KINDS;
    *ret = (struct kind_front){.hosts = 0};
    for (int32_t k = first; k < last && k < p->kind_count; k++) {
        struct kind_front one = p->fronts[k];
        memcpy(one.unit_high, one.unit, sizeof(one.unit));
        add(ret, &one);
    }
}

static void sum_blocks(struct placement *p, int32_t block, struct kind_front *ret)
{
    int32_t each = BLOCK_LARGE_KINDS / BLOCK_KINDS, first = block * each;
    *ret = (struct kind_front){.hosts = 0};
    for (int32_t b = first; b < first + each && b * BLOCK_KINDS < p->kind_count; b++) {
        add(ret, placement_block_front(p, BLOCK_OF_KINDS, b));
    }
}

const struct kind_front *placement_block_front(struct placement *p, int level, int32_t block)
{
    struct kind_block *b = &p->blocks[level][block];
    if (b->stale) {
        if (level == BLOCK_OF_KINDS) {
            sum_kinds(p, block, &b->front);
        } else {
            sum_blocks(p, block, &b->front);
        }
        cap(&b->front);
        b->stale = false;
    }
    return &b->front;
}
