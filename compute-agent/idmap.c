/* Linear probing over a power of two, at most half full; FNV-1a. Removal moves followers back, so there are no
 * tombstones. */
#include "compute-agent/idmap.h"
#include "common/memory.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t idmap_hash(const char *key)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 0x100000001b3u;
    return (size_t)(h ^ (h >> 32));
}

void idmap_init(struct idmap *m)
{
    *m = (struct idmap){0};
}

void idmap_done(struct idmap *m)
{
    free(m->slots);
    *m = (struct idmap){0};
}

/* The slot of `key`, or the free one where it would go. */
static size_t idmap_find(const struct idmap *m, const char *key)
{
    size_t at = idmap_hash(key) & (m->capacity - 1);
    while (m->slots[at].key && strcmp(m->slots[at].key, key) != 0)
        at = (at + 1) & (m->capacity - 1);
    return at;
}

void *idmap_get(const struct idmap *m, const char *key)
{
    return m->capacity ? m->slots[idmap_find(m, key)].value : NULL;
}

static void idmap_grow(struct idmap *m)
{
    struct idmap old = *m;
    m->capacity = old.capacity ? old.capacity * 2 : 8;
    m->slots = memory_array(m->capacity, sizeof(*m->slots));
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.slots[i].key)
            m->slots[idmap_find(m, old.slots[i].key)] = old.slots[i];
    }
    free(old.slots);
}

void idmap_put(struct idmap *m, const char *key, void *value)
{
    assert(value);
    if ((m->count + 1) * 2 > m->capacity)
        idmap_grow(m);
    size_t at = idmap_find(m, key);
    assert(!m->slots[at].key);
    m->slots[at] = (struct idmap_slot){key, value};
    m->count++;
}

void *idmap_remove(struct idmap *m, const char *key)
{
    size_t at = m->capacity ? idmap_find(m, key) : 0;
    if (!m->capacity || !m->slots[at].key)
        return NULL;
    void *value = m->slots[at].value;
    m->slots[at] = (struct idmap_slot){0};
    m->count--;
    for (size_t i = (at + 1) & (m->capacity - 1); m->slots[i].key; i = (i + 1) & (m->capacity - 1)) {
        struct idmap_slot moved = m->slots[i];
        m->slots[i] = (struct idmap_slot){0};
        m->slots[idmap_find(m, moved.key)] = moved;
    }
    return value;
}

void *idmap_next(const struct idmap *m, size_t *at)
{
    while (*at < m->capacity) {
        struct idmap_slot *slot = &m->slots[(*at)++];
        if (slot->key)
            return slot->value;
    }
    return NULL;
}
