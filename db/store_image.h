/* Images, their members, and what may be seen of them. */
#pragma once
#include "db/db.h"

struct image_row {
    const char *id, *project_id, *name; /* project_id, name: NULL when there is none */
    const char *status, *visibility;
    const char *disk_format, *container_format; /* NULL until they are said */
    bool has_size, has_virtual_size;            /* the next two are known */
    int64_t size_bytes, virtual_size_bytes;
    const char *checksum, *hash_algo, *hash_value; /* NULL before the upload */
    int64_t min_disk_gib, min_ram_mib;
    bool protected, hidden;
    const char *properties, *tags; /* JSON object of text; JSON array of text */
    int64_t created_us, updated_us, revision;
};
/* Properties: a server of it has at least so many processors; why its conversion failed. */
#define IMAGE_MIN_VCPUS        "min_vcpus"
#define IMAGE_CONVERSION_ERROR "conversion_error"

/* What a host has to know of the file: "root-tar" for the files of a container's root in an archive (that disk format,
 * or container format "docker", which stock clients can say), else the disk format. NULL while it is not said. */
const char *store_image_kind(const struct image_row *row);

/* The image that `project_id` may see: its own, public, community, or shared with it; with `admin` any. Text is in the
 * arena. ERR_NOT_FOUND when there is none or it may not be seen. */
int store_image_get(struct db_conn *c, const char *id, const char *project_id, bool admin, struct arena *a,
                    struct image_row *ret, struct error *e);

/* Which images, newest first. */
struct image_filter {
    const char *project_id;    /* who asks; NULL: an administrator, who sees all */
    const char *member_status; /* of the images shared with project_id: pending, accepted, rejected; NULL: any */
    const char *name;          /* exactly; NULL: any */
    bool community;            /* also community images of others */
    int64_t before_us;     /* only what comes after this place in the order: created_us and id of the last one seen; */
    const char *before_id; /* before_id NULL: from the newest */
    int64_t limit;
};
int store_image_list(struct db_conn *c, const struct image_filter *filter, struct arena *a, struct image_row **ret,
                     size_t *ret_count, struct error *e);
/* ERR_CONFLICT when the id is taken. */
int store_image_insert(struct db_conn *c, const struct image_row *row, struct error *e);
/* Writes all columns; compares and grows the revision (ERR_CONFLICT). */
int store_image_update(struct db_conn *c, const struct image_row *row, struct error *e);
/* Deletes the image and its members. The file is the caller's. */
int store_image_delete(struct db_conn *c, const char *id, struct error *e);
/* The ids of the images whose staged file waits for its conversion (saving, importing), the oldest first. */
int store_image_unfinished(struct db_conn *c, int64_t limit, struct arena *a, const char ***ret, size_t *ret_count,
                           struct error *e);
/* Which file the row says that there is: none (also when there is no row), the image, or one that is staged for import.
 */
enum image_file { IMAGE_FILE_NONE, IMAGE_FILE_WHOLE, IMAGE_FILE_STAGED };
int store_image_file(struct db_conn *c, const char *id, enum image_file *ret, struct error *e);

struct image_member_row {
    const char *image_id, *project_id, *status;
    int64_t created_us, updated_us;
};
int store_image_member_list(struct db_conn *c, const char *image_id, struct arena *a, struct image_member_row **ret,
                            size_t *ret_count, struct error *e);
/* ERR_NOT_FOUND without a sentence. */
int store_image_member_get(struct db_conn *c, const char *image_id, const char *project_id, struct arena *a,
                           struct image_member_row *ret, struct error *e);
/* ERR_CONFLICT when it is there. */
int store_image_member_insert(struct db_conn *c, const struct image_member_row *row, struct error *e);
int store_image_member_update(struct db_conn *c, const struct image_member_row *row, struct error *e);
int store_image_member_delete(struct db_conn *c, const char *image_id, const char *project_id, struct error *e);
