/* A map from ids (short texts) to pointers: open addressing, grows by doubling. The key's memory is the value's owner's
 * and must live as long as the entry. Not thread-safe. */
#pragma once
#include <stddef.h>

struct idmap_slot {
    const char *key; /* NULL: free */
    void *value;
};
struct idmap {
    struct idmap_slot *slots;
    size_t capacity, count;
};
void idmap_init(struct idmap *m);
void idmap_done(struct idmap *m);
/* NULL when it is not there. */
void *idmap_get(const struct idmap *m, const char *key);
/* The key must not be there. */
void idmap_put(struct idmap *m, const char *key, void *value);
/* The value that was there, or NULL. */
void *idmap_remove(struct idmap *m, const char *key);
/* Walks all values in no order: start with *at = 0; NULL at the end. When the map changes meanwhile, some may be met
 * twice or not at all. */
void *idmap_next(const struct idmap *m, size_t *at);
