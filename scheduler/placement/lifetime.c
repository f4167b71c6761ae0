/* Means of lives, by project and shape, by shape, and over all, in one hash table. A finer mean is pulled towards the
 * coarser one by a few imagined lives, so that it counts as far as it was seen. */
#include "scheduler/placement/lifetime.h"
#include "common/memory.h"
#include <stdlib.h>
#include <uthash.h>

#define TRUST_PROJECT 2 /* imagined lives of the coarser mean */
#define TRUST_SHAPE   5
#define FIRST_GUESS   (7 * 60) /* minutes, before anything has ended */

struct history {
    uint64_t key;
    int64_t count, sum;
    UT_hash_handle hh;
};

struct lifetime {
    int64_t horizon;
    struct history all;
    struct history *known;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ b * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
    return h ^ h >> 32;
}

uint64_t lifetime_shape(int64_t vcpus, int64_t memory_mib, int64_t kind)
{
    return mix(mix((uint64_t)vcpus, (uint64_t)memory_mib), (uint64_t)kind);
}

struct lifetime *lifetime_new(int64_t horizon)
{
    struct lifetime *l = memory_new(sizeof(*l));
    l->horizon = horizon;
    return l;
}

void lifetime_free(struct lifetime **lifetime)
{
    struct lifetime *l = *lifetime;
    if (!l) {
        return;
    }
    struct history *h, *next;
    HASH_ITER (hh, l->known, h, next) {
        HASH_DEL(l->known, h);
        free(h);
    }
    free(l);
    *lifetime = NULL;
}

static void note(struct lifetime *l, uint64_t key, int64_t lived)
{
    struct history *h;
    HASH_FIND(hh, l->known, &key, sizeof(key), h);
    if (!h) {
        h = memory_new(sizeof(*h));
        h->key = key;
        HASH_ADD(hh, l->known, key, sizeof(h->key), h);
    }
    h->count++;
    h->sum += lived;
}

void lifetime_learn(struct lifetime *l, uint64_t project, uint64_t shape, int64_t lived)
{
    lived = lived < 0 ? 0 : lived > l->horizon ? l->horizon : lived;
    l->all.count++;
    l->all.sum += lived;
    note(l, shape, lived);
    note(l, mix(project, shape), lived);
}

/* The mean of the key's lives and `trust` lives of the coarser mean. */
static int64_t refine(const struct lifetime *l, uint64_t key, int64_t coarser, int64_t trust)
{
    struct history *h;
    HASH_FIND(hh, l->known, &key, sizeof(key), h);
    return h ? (h->sum + coarser * trust) / (h->count + trust) : coarser;
}

int64_t lifetime_expect(const struct lifetime *l, uint64_t project, uint64_t shape, int64_t age)
{
    int64_t mean = (l->all.sum + FIRST_GUESS) / (l->all.count + 1);
    mean = refine(l, shape, mean, TRUST_SHAPE);
    mean = refine(l, mix(project, shape), mean, TRUST_PROJECT);
    int64_t rest = mean > age ? mean : age;
    return rest < l->horizon ? rest : l->horizon;
}
