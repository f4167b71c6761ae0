/* Images, their members, and what may be seen of them. */
#pragma once
#include "db/db.h"

struct image_row {
    const char *id, *project_id, *name; /* project_id, name: NULL when there is none */
    const char *status, *visibility;
    const char *disk_format, *container_format;     /* NULL until they are said */
    bool has_size, has_virtual_size;                /* the next two are known */
    int64_t size_bytes, virtual_size_bytes;
    const char *checksum, *hash_algo, *hash_value; /* NULL before the upload */
    int64_t min_disk_gib, min_ram_mib;
    bool protected, hidden;
    const char *properties, *tags; /* JSON object of text; JSON array of text */
    int64_t created_us, updated_us, revision;
};

/* The image that `project_id` may see: its own, public, community, or shared with it; with `admin` any. Text is in the arena.
 * ERR_NOT_FOUND when there is none or it may not be seen. */
int store_image_get(struct db_conn *c, const char *id, const char *project_id, bool admin, struct arena *a,
                    struct image_row *ret, struct error *e);
