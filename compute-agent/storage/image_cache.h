/* Images on this host: fetched once for many servers, checked once, removed when space is needed and no disk is based
 * on them.
 *
 * A file under its final name is whole, has the right SHA-512 and passed image_check. Names carry image id, the
 * checksum's start and the format. Loop thread; the work is done on workers. */
#pragma once
#include "common/error.h"
#include "compute-agent/spec.h"
#include "compute-agent/storage/disk.h"
#include <stdbool.h>

struct identity;
struct image_cache;
struct loop;
struct worker_pool;

struct image_cache_setup {
    const char *folder, *instances; /* instances: whose disks are looked at before an image is removed */
    const int64_t *limit_bytes;     /* may change */
    int64_t stall_ms;
    const char *url; /* the API's */
    const struct identity *identity;
    struct worker_pool *pool;
};
/* Texts are copied, the rest outlives the cache. ERR_IO when the folder cannot be made. */
int image_cache_new(const struct image_cache_setup *setup, struct image_cache **ret, struct error *e);
/* Tells downloads to stop and forgets their callers. Call before the pool is freed; what runs frees itself. */
void image_cache_free(struct image_cache **c);

struct image_cache_result {
    int code;
    bool transient;
    const struct error *error;
    struct disk_base base; /* when code is 0: for the callback only; the image stays until image_cache_release */
};
typedef void (*image_cache_fn)(void *arg, const struct image_cache_result *result);
/* True: it has to be fetched or checked first, that takes long. `done` is called later in any case. On success the
 * image is pinned. */
bool image_cache_get(struct image_cache *c, const struct spec_image *image, image_cache_fn done, void *arg);
/* The disk that is based on it is there (or will not be). */
void image_cache_release(struct image_cache *c, const char *path);
