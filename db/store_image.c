/* Images: see store_image.h. */
#include "db/store_image.h"
#include "common/clock.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "db/rows.h"
#include "db/store_ledger.h"
#include <string.h>

#define IMAGE_COLUMNS                                                                                                  \
    "i.id, i.project_id, i.name, i.status, i.visibility, i.disk_format, i.container_format, i.size_bytes, "            \
    "i.virtual_size_bytes, i.checksum, i.hash_algo, i.hash_value, i.min_disk_gib, i.min_ram_mib, i.protected, "        \
    "i.hidden, i.properties, i.tags, i.created_us, i.updated_us, i.revision"

static void read_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct image_row *)ret = (struct image_row){
        .id = db_dup_text(rows, 0, a),
        .project_id = db_dup_text(rows, 1, a),
        .name = db_dup_text(rows, 2, a),
        .status = db_dup_text(rows, 3, a),
        .visibility = db_dup_text(rows, 4, a),
        .disk_format = db_dup_text(rows, 5, a),
        .container_format = db_dup_text(rows, 6, a),
        .has_size = !db_is_null(rows, 7),
        .size_bytes = db_get_int(rows, 7),
        .has_virtual_size = !db_is_null(rows, 8),
        .virtual_size_bytes = db_get_int(rows, 8),
        .checksum = db_dup_text(rows, 9, a),
        .hash_algo = db_dup_text(rows, 10, a),
        .hash_value = db_dup_text(rows, 11, a),
        .min_disk_gib = db_get_int(rows, 12),
        .min_ram_mib = db_get_int(rows, 13),
        .protected = db_get_int(rows, 14) != 0,
        .hidden = db_get_int(rows, 15) != 0,
        .properties = db_dup_text(rows, 16, a),
        .tags = db_dup_text(rows, 17, a),
        .created_us = db_get_int(rows, 18),
        .updated_us = db_get_int(rows, 19),
        .revision = db_get_int(rows, 20),
    };
}

const char *store_image_kind(const struct image_row *row)
{
    bool archive = row->container_format != NULL && strcmp(row->container_format, "docker") == 0;
    return archive ? "root-tar" : row->disk_format;
}

DB_STATEMENT(image_get,
             "SELECT " IMAGE_COLUMNS " FROM image i WHERE i.id = $1 AND ($2 = 1 OR i.project_id IS NULL OR "
             "i.project_id = $3 OR i.visibility IN ('public', 'community') OR (i.visibility = 'shared' AND EXISTS "
             "(SELECT 1 FROM image_member m WHERE m.image_id = i.id AND m.project_id = $3)))");
int store_image_get(struct db_conn *c, const char *id, const char *project_id, bool admin, struct arena *a,
                    struct image_row *ret, struct error *e)
{
    int rc = rows_one(c, &image_get, DB_ARGS(db_text(id), db_int(admin), db_text(project_id)), read_row, a, ret, e);
    return rc == ERR_NOT_FOUND ? error_set(e, ERR_NOT_FOUND, "No image found with ID %s", id) : rc;
}

#define IMAGE_PAGE                                                                                                     \
    "(i.created_us < $1 OR (i.created_us = $1 AND i.id < $2)) AND (i.name = $4 OR $4 IS NULL) ORDER BY i.created_us "  \
    "DESC, i.id DESC LIMIT $3"
DB_STATEMENT(image_list_all, "SELECT " IMAGE_COLUMNS " FROM image i WHERE " IMAGE_PAGE);
/* Each branch walks its own index from the newest; together they are cut once more. */
DB_STATEMENT(image_list_visible,
             "SELECT * FROM (SELECT * FROM (SELECT " IMAGE_COLUMNS
             " FROM image i WHERE i.project_id = $5 AND " IMAGE_PAGE
             ") own UNION ALL SELECT * FROM (SELECT " IMAGE_COLUMNS " FROM image i WHERE i.visibility = 'public' AND "
             "COALESCE(i.project_id, '') <> $5 AND " IMAGE_PAGE ") pub UNION ALL SELECT * FROM (SELECT " IMAGE_COLUMNS
             " FROM image i WHERE i.visibility = 'community' "
             "AND $6 = 1 AND COALESCE(i.project_id, '') <> $5 AND " IMAGE_PAGE
             ") com UNION ALL SELECT * FROM (SELECT " IMAGE_COLUMNS " FROM image_member m JOIN image i "
             "ON i.id = m.image_id WHERE m.project_id = $5 AND (m.status = $7 OR $7 IS NULL) AND "
             "i.visibility = 'shared' AND COALESCE(i.project_id, '') <> $5 AND " IMAGE_PAGE
             ") sha) u ORDER BY created_us DESC, id DESC LIMIT $3");
int store_image_list(struct db_conn *c, const struct image_filter *f, struct arena *a, struct image_row **ret,
                     size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    struct db_value before = db_int(f->before_id == NULL ? INT64_MAX : f->before_us);
    struct db_value id = db_text(f->before_id == NULL ? "" : f->before_id);
    int rc = f->project_id == NULL
                 ? db_query(c, &image_list_all, &rows, e, DB_ARGS(before, id, db_int(f->limit), db_text(f->name)))
                 : db_query(c, &image_list_visible, &rows, e,
                            DB_ARGS(before, id, db_int(f->limit), db_text(f->name), db_text(f->project_id),
                                    db_int(f->community), db_text(f->member_status)));
    return rc != 0 ? rc : rows_all(&rows, read_row, sizeof(**ret), a, ret, ret_count, e);
}

/* Its owner uses the space while there is data; the ledger's interval ends and begins in the transaction that changes
 * that. */
static const char *resource_of(const struct image_row *r)
{
    const char *type = NULL, *result = "image_gib";
    struct json_doc doc;
    if (r->properties && !json_in_parse(r->properties, strlen(r->properties), &doc, NULL)) {
        type = json_in_text(json_in_member(doc.root, "image_type"));
        result = !type                           ? result
                 : strcmp(type, "snapshot") == 0 ? "snapshot_gib"
                 : strcmp(type, "backup") == 0   ? "backup_gib"
                                                 : result;
        json_in_done(&doc);
    }
    return result;
}

static int meter_image(struct db_conn *c, const struct image_row *r, int64_t now_us, struct error *e)
{
    struct strbuf extra;
    struct json_out out;
    bool held = r->project_id && r->has_size && r->size_bytes > 0 &&
                (strcmp(r->status, "active") == 0 || strcmp(r->status, "deactivated") == 0);
    strbuf_init(&extra, 0);
    json_out_init(&out, &extra);
    json_out_object(&out, NULL);
    json_out_int(&out, resource_of(r), (r->size_bytes + 1023) / 1024); /* counted in KiB */
    json_out_object_end(&out);
    const struct ledger_shape shape = {.source = "image",
                                       .state = "held",
                                       .flavor = "",
                                       .zone = "",
                                       .region = "",
                                       .tags = r->tags,
                                       .extra = extra.data};
    int rc = store_ledger_hold(c, r->id, held ? r->project_id : NULL, &shape, now_us, e);
    strbuf_done(&extra);
    return rc;
}

DB_STATEMENT(image_insert,
             "INSERT INTO image (id, project_id, name, status, visibility, disk_format, container_format, size_bytes, "
             "virtual_size_bytes, checksum, hash_algo, hash_value, min_disk_gib, min_ram_mib, protected, hidden, "
             "properties, tags, created_us, updated_us, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
             "$11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) ON CONFLICT (id) DO NOTHING");
int store_image_insert(struct db_conn *c, const struct image_row *r, struct error *e)
{
    int64_t changed = 0;
    int rc =
        db_exec(c, &image_insert, &changed, e,
                DB_ARGS(db_text(r->id), db_text(r->project_id), db_text(r->name), db_text(r->status),
                        db_text(r->visibility), db_text(r->disk_format), db_text(r->container_format),
                        db_int_opt(r->has_size, r->size_bytes), db_int_opt(r->has_virtual_size, r->virtual_size_bytes),
                        db_text(r->checksum), db_text(r->hash_algo), db_text(r->hash_value), db_int(r->min_disk_gib),
                        db_int(r->min_ram_mib), db_int(r->protected), db_int(r->hidden), db_text(r->properties),
                        db_text(r->tags), db_int(r->created_us), db_int(r->updated_us), db_int(r->revision)));
    if (rc == 0 && changed == 0)
        rc = error_set(e, ERR_CONFLICT, "Image ID %s already exists!", r->id);
    return rc ? rc : meter_image(c, r, r->created_us, e);
}

DB_STATEMENT(image_update,
             "UPDATE image SET project_id = $3, name = $4, status = $5, visibility = $6, disk_format = $7, "
             "container_format = $8, size_bytes = $9, virtual_size_bytes = $10, checksum = $11, hash_algo = $12, "
             "hash_value = $13, min_disk_gib = $14, min_ram_mib = $15, protected = $16, hidden = $17, "
             "properties = $18, tags = $19, updated_us = $20, revision = revision + 1 WHERE id = $1 AND revision = $2");
int store_image_update(struct db_conn *c, const struct image_row *r, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &image_update, &changed, e,
                     DB_ARGS(db_text(r->id), db_int(r->revision), db_text(r->project_id), db_text(r->name),
                             db_text(r->status), db_text(r->visibility), db_text(r->disk_format),
                             db_text(r->container_format), db_int_opt(r->has_size, r->size_bytes),
                             db_int_opt(r->has_virtual_size, r->virtual_size_bytes), db_text(r->checksum),
                             db_text(r->hash_algo), db_text(r->hash_value), db_int(r->min_disk_gib),
                             db_int(r->min_ram_mib), db_int(r->protected), db_int(r->hidden), db_text(r->properties),
                             db_text(r->tags), db_int(r->updated_us)));
    if (rc == 0 && changed == 0)
        rc = error_set(e, ERR_CONFLICT, "Image %s was changed meanwhile.", r->id);
    return rc ? rc : meter_image(c, r, r->updated_us, e);
}

DB_STATEMENT(image_members_delete, "DELETE FROM image_member WHERE image_id = $1");
DB_STATEMENT(image_delete, "DELETE FROM image WHERE id = $1");
int store_image_delete(struct db_conn *c, const char *id, struct error *e)
{
    const struct image_row gone = {.id = id, .status = "deleted", .tags = "[]"};
    int rc = db_exec(c, &image_members_delete, NULL, e, DB_ARGS(db_text(id)));
    if (rc == 0)
        rc = db_exec(c, &image_delete, NULL, e, DB_ARGS(db_text(id)));
    return rc ? rc : meter_image(c, &gone, clock_now_us(), e);
}

/* The words of the index. */
DB_STATEMENT(image_unfinished,
             "SELECT id FROM image WHERE status IN ('saving', 'importing') AND (container_format = 'ova' OR "
             "disk_format IN ('vmdk', 'vhd', 'vhdx', 'vdi')) ORDER BY created_us LIMIT $1");
int store_image_unfinished(struct db_conn *c, int64_t limit, struct arena *a, const char ***ret, size_t *ret_count,
                           struct error *e)
{
    struct db_rows rows;
    const char **list = NULL;
    size_t count = 0, room = 0;
    int rc = db_query(c, &image_unfinished, &rows, e, DB_ARGS(db_int(limit)));
    if (rc != 0)
        return rc;
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = db_dup_text(&rows, 0, a);
    }
    rc = db_rows_done(&rows, e);
    if (rc == 0) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(image_file,
             "SELECT CASE WHEN status IN ('active', 'deactivated') THEN 1 "
             "WHEN status IN ('uploading', 'saving', 'importing') THEN 2 ELSE 0 END FROM image WHERE id = $1");
int store_image_file(struct db_conn *c, const char *id, enum image_file *ret, struct error *e)
{
    struct error found = {0};
    int64_t file = 0;
    int rc = db_query_int(c, &image_file, &file, &found, DB_ARGS(db_text(id)));
    if (rc != 0 && rc != ERR_NOT_FOUND)
        return error_set(e, rc, "%s", error_text(&found));
    *ret = rc == ERR_NOT_FOUND ? IMAGE_FILE_NONE : (enum image_file)file;
    return 0;
}

static void read_member(const struct db_rows *rows, struct arena *a, struct image_member_row *ret)
{
    *ret = (struct image_member_row){
        .image_id = db_dup_text(rows, 0, a),
        .project_id = db_dup_text(rows, 1, a),
        .status = db_dup_text(rows, 2, a),
        .created_us = db_get_int(rows, 3),
        .updated_us = db_get_int(rows, 4),
    };
}

#define MEMBER_COLUMNS "image_id, project_id, status, created_us, updated_us"
DB_STATEMENT(image_member_list,
             "SELECT " MEMBER_COLUMNS " FROM image_member WHERE image_id = $1 ORDER BY created_us, project_id");
int store_image_member_list(struct db_conn *c, const char *image_id, struct arena *a, struct image_member_row **ret,
                            size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    struct image_member_row *list = NULL;
    size_t count = 0, room = 0;
    int rc = db_query(c, &image_member_list, &rows, e, DB_ARGS(db_text(image_id)));
    if (rc != 0)
        return rc;
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        read_member(&rows, a, &list[count++]);
    }
    rc = db_rows_done(&rows, e);
    if (rc == 0) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(image_member_get, "SELECT " MEMBER_COLUMNS " FROM image_member WHERE image_id = $1 AND project_id = $2");
int store_image_member_get(struct db_conn *c, const char *image_id, const char *project_id, struct arena *a,
                           struct image_member_row *ret, struct error *e)
{
    struct db_rows rows;
    bool found = false;
    int rc = db_query(c, &image_member_get, &rows, e, DB_ARGS(db_text(image_id), db_text(project_id)));
    if (rc != 0)
        return rc;
    while (db_next(&rows)) {
        read_member(&rows, a, ret);
        found = true;
    }
    rc = db_rows_done(&rows, e);
    return rc != 0 ? rc : found ? 0 : ERR_NOT_FOUND;
}

DB_STATEMENT(image_member_insert, "INSERT INTO image_member (image_id, project_id, status, created_us, updated_us) "
                                  "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (image_id, project_id) DO NOTHING");
int store_image_member_insert(struct db_conn *c, const struct image_member_row *r, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &image_member_insert, &changed, e,
                     DB_ARGS(db_text(r->image_id), db_text(r->project_id), db_text(r->status), db_int(r->created_us),
                             db_int(r->updated_us)));
    if (rc == 0 && changed == 0)
        rc = error_set(e, ERR_CONFLICT, "The target member %s is already associated with image %s.", r->project_id,
                       r->image_id);
    return rc;
}

DB_STATEMENT(image_member_update,
             "UPDATE image_member SET status = $3, updated_us = $4 WHERE image_id = $1 AND project_id = $2");
int store_image_member_update(struct db_conn *c, const struct image_member_row *r, struct error *e)
{
    return db_exec(c, &image_member_update, NULL, e,
                   DB_ARGS(db_text(r->image_id), db_text(r->project_id), db_text(r->status), db_int(r->updated_us)));
}

DB_STATEMENT(image_member_delete, "DELETE FROM image_member WHERE image_id = $1 AND project_id = $2");
int store_image_member_delete(struct db_conn *c, const char *image_id, const char *project_id, struct error *e)
{
    return db_exec(c, &image_member_delete, NULL, e, DB_ARGS(db_text(image_id), db_text(project_id)));
}
