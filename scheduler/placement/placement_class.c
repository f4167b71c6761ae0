/* Classes of equal requests: scores by slot under a tournament tree, kept up to date by replaying the journal of
 * changed slots. A class that fell behind the journal, or whose tree is too small for the slots, is built anew; the
 * least recently used one makes room. */
#include "scheduler/placement/placement_internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
    if (!memory) {
        abort();
    }
    return memory;
}

/* The better of two slots; -1 is no slot. Ties go to the lower slot, so that runs repeat. */
static int32_t better(const struct class *k, int32_t a, int32_t b)
{
    if (a < 0 || b < 0) {
        return a < 0 ? b : a;
    }
    if (k->score[a] != k->score[b]) {
        return k->score[a] > k->score[b] ? a : b;
    }
    return a < b ? a : b;
}

static void rescore(const struct placement *p, struct class *k, int32_t slot)
{
    const struct slot *s = &p->slots[slot];
    k->score[slot] = placement_passes(p, s, &k->key) ? placement_score(p, s, &k->key) : SCORE_NONE;
}

static void rebuild(const struct placement *p, struct class *k)
{
    int32_t leaves = 64;
    while (leaves < p->slot_capacity) {
        leaves *= 2;
    }
    if (leaves != k->leaves) {
        k->leaves = leaves;
        k->score = checked(realloc(k->score, (size_t)leaves * sizeof(*k->score)));
        k->tree = checked(realloc(k->tree, (size_t)leaves * 2 * sizeof(*k->tree)));
    }
    for (int32_t i = 0; i < leaves; i++) {
        if (i < p->slot_count) {
            rescore(p, k, i);
        } else {
            k->score[i] = SCORE_NONE;
        }
        k->tree[leaves + i] = i < p->slot_count ? i : -1;
    }
    for (int32_t i = leaves - 1; i > 0; i--) {
        k->tree[i] = better(k, k->tree[2 * i], k->tree[2 * i + 1]);
    }
    k->synced = p->journal_end;
}

static void refresh_slot(const struct placement *p, struct class *k, int32_t slot)
{
    rescore(p, k, slot);
    k->tree[k->leaves + slot] = slot;
    for (int32_t i = (k->leaves + slot) / 2; i > 0; i /= 2) {
        k->tree[i] = better(k, k->tree[2 * i], k->tree[2 * i + 1]);
    }
}

static void catch_up(const struct placement *p, struct class *k)
{
    uint64_t behind = p->journal_end - k->synced;
    if (k->leaves < p->slot_count || behind > PLACEMENT_JOURNAL || behind > (uint64_t)p->slot_count) {
        rebuild(p, k);
        return;
    }
    for (; k->synced < p->journal_end; k->synced++) {
        refresh_slot(p, k, p->journal[k->synced % PLACEMENT_JOURNAL]);
    }
}

static void class_free(struct placement *p, struct class *k)
{
    HASH_DEL(p->classes, k);
    p->class_count--;
    free(k->score);
    free(k->tree);
    free(k);
}

static void evict_oldest(struct placement *p)
{
    struct class *oldest = NULL;
    for (struct class *k = p->classes; k; k = k->hh.next) {
        if (!oldest || k->used_at < oldest->used_at) {
            oldest = k;
        }
    }
    if (oldest) {
        class_free(p, oldest);
    }
}

struct class *placement_class_get(struct placement *p, const struct constraints *c)
{
    struct class *k;
    HASH_FIND(hh, p->classes, c, sizeof(*c), k);
    if (!k) {
        if (p->class_count >= PLACEMENT_CLASSES) {
            evict_oldest(p);
        }
        k = checked(calloc(1, sizeof(*k)));
        k->key = *c;
        HASH_ADD(hh, p->classes, key, sizeof(k->key), k);
        p->class_count++;
        rebuild(p, k);
    } else {
        catch_up(p, k);
    }
    k->used_at = ++p->tick;
    return k;
}

void placement_class_done(struct placement *p)
{
    struct class *k, *next;
    HASH_ITER (hh, p->classes, k, next) {
        class_free(p, k);
    }
}

/* The walk keeps a heap of tree nodes by the score of their winner: pop the best, split it into the subtrees that do
 * not hold its winner. */
static bool before(const struct class *k, int32_t node_a, int32_t node_b)
{
    int32_t a = k->tree[node_a], b = k->tree[node_b];
    return better(k, a, b) == a;
}

static void heap_push(struct placement *p, struct walk *w, int32_t node)
{
    int32_t winner = w->class->tree[node];
    if (winner < 0 || w->class->score[winner] == SCORE_NONE) {
        return;
    }
    if (w->heap_count == p->heap_capacity) {
        p->heap_capacity = p->heap_capacity ? p->heap_capacity * 2 : 256;
        p->heap = checked(realloc(p->heap, p->heap_capacity * sizeof(*p->heap)));
    }
    size_t i = w->heap_count++;
    while (i > 0 && before(w->class, node, p->heap[(i - 1) / 2])) {
        p->heap[i] = p->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    p->heap[i] = node;
}

static int32_t heap_pop(struct placement *p, struct walk *w)
{
    int32_t top = p->heap[0];
    int32_t last = p->heap[--w->heap_count];
    size_t i = 0;
    while (2 * i + 1 < w->heap_count) {
        size_t child = 2 * i + 1;
        if (child + 1 < w->heap_count && before(w->class, p->heap[child + 1], p->heap[child])) {
            child++;
        }
        if (before(w->class, last, p->heap[child])) {
            break;
        }
        p->heap[i] = p->heap[child];
        i = child;
    }
    p->heap[i] = last;
    return top;
}

void placement_walk_start(struct placement *p, const struct class *k, struct walk *w)
{
    w->class = k;
    w->heap_count = 0;
    heap_push(p, w, 1);
}

int32_t placement_walk_next(struct placement *p, struct walk *w)
{
    if (w->heap_count == 0) {
        return PLACEMENT_NO_SLOT;
    }
    int32_t node = heap_pop(p, w);
    int32_t winner = w->class->tree[node];
    while (node < w->class->leaves) {
        int32_t left = 2 * node, right = 2 * node + 1;
        bool in_left = w->class->tree[left] == winner;
        heap_push(p, w, in_left ? right : left);
        node = in_left ? left : right;
    }
    return winner;
}
