/* The memory of repeated requests. Entries are found by everything that the scores of hosts depend on beside the hosts
 * themselves; the least recently used of a set makes room. */
#include "common/memory.h"
#include "scheduler/placement/placement_internal.h"
#include <stdlib.h>
#include <string.h>

void placement_recall_grow(struct placement *p, int32_t old_capacity)
{
    for (size_t i = 0; i < RECALLS; i++) {
        struct recall *m = &p->recalls[i];
        if (p->kind_capacity > RECALL_KINDS) {
            free(m->kinds);
            m->kinds = NULL;
            continue;
        }
        m->kinds = memory_resize(m->kinds, (size_t)p->kind_capacity * sizeof(*m->kinds));
        memset(m->kinds + old_capacity, 0, (size_t)(p->kind_capacity - old_capacity) * sizeof(*m->kinds));
    }
}

void placement_recall_done(struct placement *p)
{
    for (size_t i = 0; i < RECALLS; i++) {
        free(p->recalls[i].kinds);
    }
}

static void make_key(const struct placement_request *r, const struct class *k, const struct query *q,
                     struct recall_key *ret)
{
    memset(ret, 0, offsetof(struct recall_key, filters));
    ret->class_hash = k->hash;
    memcpy(&ret->filters, &k->key, placement_constraints_size(&k->key));
    ret->goal = q->goal;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        ret->need[i] = r->need.amount[i];
        ret->scarcity[i] = q->scarcity[i];
    }
    for (size_t i = 0; i < r->extra.count; i++) {
        ret->extra[i] = r->extra.item[i].amount;
    }
}

static uint64_t hash_of(const struct recall_key *key)
{
    uint64_t words[offsetof(struct recall_key, filters) / sizeof(uint64_t)], hash = 0x9e3779b97f4a7c15ULL;
    memcpy(words, key, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        hash = (hash ^ words[i]) * 0xff51afd7ed558ccdULL;
        hash ^= hash >> 32;
    }
    return hash;
}

static bool is_same(const struct recall_key *a, const struct recall_key *b)
{
    return memcmp(a, b, offsetof(struct recall_key, filters) + placement_constraints_size(&b->filters)) == 0;
}

struct recall *placement_recall_get(struct placement *p, const struct placement_request *r, const struct class *k,
                                    const struct query *q)
{
    struct recall_key key;
    make_key(r, k, q, &key);
    uint64_t hash = hash_of(&key);
    struct recall *set = &p->recalls[hash % (RECALLS / CLASS_WAYS) * CLASS_WAYS], *m = set;
    if (!set->kinds) {
        return NULL;
    }
    for (size_t i = 0; i < CLASS_WAYS; i++) {
        if (set[i].used_at != 0 && set[i].hash == hash && is_same(&set[i].key, &key)) {
            set[i].used_at = p->tick;
            return &set[i];
        }
        if (set[i].used_at < m->used_at) {
            m = &set[i];
        }
    }
    m->key = key;
    m->hash = hash;
    m->used_at = p->tick;
    memset(m->kinds, 0, (size_t)p->kind_count * sizeof(*m->kinds));
    return m;
}
