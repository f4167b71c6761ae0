/* The memory of repeated requests. Entries are found by everything that the scores of hosts depend on beside the hosts
 * themselves; the least recently used of a set makes room. Each holds the best hosts of the moment it was last asked
 * for; the hosts that changed since are scored anew. When more have changed than are kept it is forgotten. */
#include "scheduler/placement/placement_internal.h"
#include <string.h>

void placement_recall_change(struct placement *p, int32_t slot, const int32_t *values)
{
    struct changes *c = &p->changes;
    size_t at = c->count++ % CHANGES;
    c->kind[at] = p->slots[slot].kind;
    c->host[at].slot = values ? slot : ~slot;
    if (values) {
        size_t dimensions = (size_t)p->kinds[c->kind[at]]->tree.dimensions;
        memcpy(c->host[at].values, values, dimensions * sizeof(*values));
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

static size_t key_size(const struct recall_key *key)
{
    return offsetof(struct recall_key, filters) + placement_constraints_size(&key->filters);
}

/* The entry of the key, or the one that makes room for it. */
static struct recall *find(struct placement *p, const struct recall_key *key)
{
    uint64_t hash = hash_of(key);
    struct recall *set = &p->recalls[hash % (RECALLS / CLASS_WAYS) * CLASS_WAYS], *m = set;
    for (size_t i = 0; i < CLASS_WAYS; i++) {
        if (set[i].used_at != 0 && set[i].hash == hash && memcmp(&set[i].key, key, key_size(key)) == 0) {
            return &set[i];
        }
        if (set[i].used_at < m->used_at) {
            m = &set[i];
        }
    }
    memcpy(&m->key, key, key_size(key));
    m->hash = hash;
    m->era = 0;
    return m;
}

static uint64_t *listed(struct recall *m, int32_t slot, uint64_t *ret_bit)
{
    *ret_bit = 1ULL << (slot % 64);
    return &m->listed[slot % RECALL_LISTED / 64];
}

static void add(struct recall *m, int64_t score, int32_t slot)
{
    uint64_t bit;
    *listed(m, slot, &bit) |= bit;
    placement_shortlist_add(&m->list, score, slot);
}

static void drop(struct recall *m, int32_t slot)
{
    struct shortlist *list = &m->list;
    uint64_t bit;
    if (!(*listed(m, slot, &bit) & bit)) {
        return;
    }
    bool other = false;
    for (int32_t i = 0; i < list->count; i++) {
        other |= list->slot[i] != slot && list->slot[i] % RECALL_LISTED == slot % RECALL_LISTED;
        if (list->slot[i] == slot) {
            size_t behind = (size_t)(--list->count - i);
            memmove(&list->score[i], &list->score[i + 1], behind * sizeof(list->score[0]));
            memmove(&list->slot[i], &list->slot[i + 1], behind * sizeof(list->slot[0]));
            return;
        }
    }
    if (!other) {
        *listed(m, slot, &bit) &= ~bit;
    }
}

/* A host that was not in the list may have become one of the best. What falls out of a full list raises the floor. */
static void offer(struct recall *m, int64_t score, int32_t slot)
{
    struct shortlist *list = &m->list;
    if (score == SCORE_NONE || !placement_better(score, slot, &m->floor)) {
        return;
    }
    int32_t last = list->most - 1;
    if (list->count < list->most) {
        add(m, score, slot);
    } else if (placement_better(score, slot, &(struct found){list->score[last], list->slot[last]})) {
        m->floor = (struct found){list->score[last], list->slot[last]};
        add(m, score, slot);
    } else {
        m->floor = (struct found){score, slot};
    }
}

/* The next changes of hosts whose kind passes, up to CATCH of all. Without branches, as they are hard to foresee. */
#define CATCH 256
static size_t catch_next(const struct changes *c, const struct class *k, uint64_t *seen, size_t ret[CATCH])
{
    size_t count = 0;
    uint64_t end = c->count - *seen > CATCH ? *seen + CATCH : c->count;
    for (; *seen < end; ++*seen) {
        ret[count] = *seen % CHANGES;
        count += placement_class_passes(k, c->kind[*seen % CHANGES]);
    }
    return count;
}

/* Takes all changes into account. Returns false when they are not known any more. */
static bool catch_up(const struct placement *p, const struct placement_request *r, const struct class *k,
                     struct recall *m, struct query *q)
{
    const struct changes *c = &p->changes;
    size_t passing[CATCH];
    if (m->era != p->era || c->count - m->seen > CHANGES) {
        return false;
    }
    while (m->seen < c->count) {
        size_t count = catch_next(c, k, &m->seen, passing);
        for (size_t i = 0; i < count; i++) {
            int32_t slot = c->host[passing[i]].slot, kind = c->kind[passing[i]];
            const int32_t *values = c->host[passing[i]].values;
            drop(m, slot < 0 ? ~slot : slot);
            if (slot >= 0 && !placement_lacks(q, values) && placement_query_kind(p, r, kind, q)) {
                offer(m, placement_score(q, slot, values), slot);
            }
        }
    }
    return true;
}

struct recall *placement_recall_get(struct placement *p, const struct placement_request *r, const struct class *k,
                                    struct query *q)
{
    struct recall_key key;
    make_key(r, k, q, &key);
    struct recall *m = find(p, &key);
    m->used_at = p->tick;
    if (m->era == 0 || !catch_up(p, r, k, m, q)) {
        m->era = 0;
        m->wanted = 1;
    } else if (m->list.count == 0 && m->wanted < SHORTLIST) {
        m->wanted = m->wanted < 8 ? 8 : m->wanted * 2;
    }
    return m;
}

void placement_recall_set(const struct placement *p, struct recall *m, const struct shortlist *list)
{
    m->list.count = list->count;
    memcpy(m->list.score, list->score, (size_t)list->count * sizeof(list->score[0]));
    memcpy(m->list.slot, list->slot, (size_t)list->count * sizeof(list->slot[0]));
    m->era = p->era;
    m->seen = p->changes.count;
    m->floor = list->bar;
    m->list.most = SHORTLIST;
    memset(m->listed, 0, sizeof(m->listed));
    for (int32_t i = 0; i < list->count; i++) {
        uint64_t bit;
        *listed(m, list->slot[i], &bit) |= bit;
    }
}
