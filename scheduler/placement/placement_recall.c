/* The memory of repeated requests. Entries are found by everything that the scores of hosts depend on beside the hosts
 * themselves; the least recently used of a set makes room. Each holds the best hosts of the moment it was last asked
 * for; the hosts that changed since are scored anew. When more have changed than are kept it is forgotten. */
#include "scheduler/placement/placement_internal.h"
#include <string.h>

void placement_recall_change(struct placement *p, int32_t slot, const int32_t *values)
{
    struct changes *c = &p->changes;
    size_t at = c->count++ % CHANGES;
    c->kind[at] = values ? p->slots[slot].kind : -1;
    c->host[at].slot = slot;
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

static void drop(struct shortlist *list, int32_t slot)
{
    int32_t at = -1;
    for (int32_t i = 0; i < SHORTLIST; i++) {
        at = (list->slot[i] == slot) & (i < list->count) ? i : at;
    }
    if (at < 0) {
        return;
    }
    size_t behind = (size_t)(--list->count - at);
    memmove(&list->score[at], &list->score[at + 1], behind * sizeof(list->score[0]));
    memmove(&list->slot[at], &list->slot[at + 1], behind * sizeof(list->slot[0]));
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
        placement_shortlist_add(list, score, slot);
    } else if (placement_better(score, slot, &(struct found){list->score[last], list->slot[last]})) {
        m->floor = (struct found){list->score[last], list->slot[last]};
        placement_shortlist_add(list, score, slot);
    } else {
        m->floor = (struct found){score, slot};
    }
}

/* Takes all changes into account. Returns false when they are not known any more. */
static bool catch_up(const struct placement *p, const struct placement_request *r, const struct class *k,
                     struct recall *m, struct query *q)
{
    const struct changes *c = &p->changes;
    if (m->era != p->era || c->count - m->seen > CHANGES) {
        return false;
    }
    for (; m->seen < c->count; m->seen++) {
        size_t at = m->seen % CHANGES;
        int32_t kind = c->kind[at];
        if (kind >= 0 && !placement_class_passes(k, kind)) {
            continue;
        }
        const int32_t *values = c->host[at].values;
        drop(&m->list, c->host[at].slot);
        if (kind >= 0 && !placement_lacks(q, values) && placement_query_kind(p, r, kind, q)) {
            offer(m, placement_score(q, c->host[at].slot, values), c->host[at].slot);
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
    if (m->era != 0 && !catch_up(p, r, k, m, q)) {
        m->era = 0;
    }
    return m;
}

void placement_recall_set(const struct placement *p, struct recall *m, const struct shortlist *list)
{
    m->list = *list;
    m->era = p->era;
    m->seen = p->changes.count;
    m->floor = list->bar;
    m->list.most = SHORTLIST;
}
