/* Images of servers on their way. Whoever ends one takes its row away, so each ends once; what the host says afterwards
 * concerns nobody. The files of images that go are removed by the image service's sweep. */
#include "api/compute/server_image.h"
#include "api/compute/server_life.h"
#include "api/compute/server_shelf.h"
#include "common/json_in.h"
#include "common/log.h"
#include "db/store_host_task.h"
#include <string.h>

#define ROTATE_PAGE 100

static int64_t patience_us(void)
{
    return operation_deadline_us(OPERATION_CREATE_IMAGE);
}

int server_image_begin(struct db_conn *c, struct server_row *row, const struct image_row *image,
                       const struct server_image_row *making, struct error *e)
{
    struct server_image_row m = *making;
    m.deadline_us = image->created_us + patience_us();
    int rc = store_image_insert(c, image, e);
    rc = rc ? rc : store_server_image_insert(c, &m, e);
    rc = rc ? rc : store_host_task_insert_alone(c, m.image_id, m.host_id, m.server_id, "snapshot", "{}", e);
    if (rc)
        return rc;
    row->deadline_us = 0;
    row->updated_us = image->created_us;
    return store_server_move(c, row, e);
}

int server_image_prepare(struct db_conn *c, const struct server_image_row *making, struct error *e)
{
    struct server_image_row m = *making;
    m.deadline_us += patience_us();
    return store_server_image_insert(c, &m, e);
}

int server_image_start(struct db_conn *c, const char *image_id, const char *host_id, const char *server_id,
                       int64_t now_us, struct error *e)
{
    int rc = store_server_image_extend(c, image_id, now_us + patience_us(), e);
    return rc ? rc : store_host_task_insert_alone(c, image_id, host_id, server_id, "snapshot", "{}", e);
}

/* *ret_found false: it has been deleted. */
static int find_image(struct db_conn *c, const char *id, struct arena *a, struct image_row *ret, bool *ret_found,
                      struct error *e)
{
    struct error none = {0};
    int rc = store_image_get(c, id, NULL, true, a, ret, &none);
    *ret_found = rc == 0;
    return rc && rc != ERR_NOT_FOUND ? error_set(e, rc, "%s", error_text(&none)) : 0;
}

/* *ret_found false: it is gone, or does something else by now. */
static int find_server(struct db_conn *c, const struct server_image_row *making, struct arena *a,
                       struct server_row *ret, bool *ret_found, struct error *e)
{
    struct error none = {0};
    int rc = store_server_get(c, making->server_id, a, ret, &none);
    *ret_found = rc == 0 && ret->desired_exists && server_operation_images(ret->operation) &&
                 ret->operation_id != NULL && strcmp(ret->operation_id, making->operation_id) == 0;
    return rc && rc != ERR_NOT_FOUND ? error_set(e, rc, "%s", error_text(&none)) : 0;
}

static int show_step(struct db_conn *c, const struct server_image_row *making, enum server_image_step step,
                     int64_t now_us, struct arena *a, struct error *e)
{
    static const enum server_operation words[2][2] = {
        [SERVER_IMAGE_COPYING] = {SERVER_OPERATION_IMAGE_PENDING, SERVER_OPERATION_SHELVING_PENDING},
        [SERVER_IMAGE_UPLOADING] = {SERVER_OPERATION_IMAGE_UPLOADING, SERVER_OPERATION_SHELVING_UPLOADING}};
    struct server_row row;
    bool found = false;
    int rc = find_server(c, making, a, &row, &found, e);
    enum server_operation shown =
        rc || !found ? SERVER_OPERATION_NONE : words[step][server_operation_shelves(row.operation)];
    if (rc || !found || row.operation == shown)
        return rc;
    row.operation = shown;
    row.updated_us = now_us;
    return store_server_move(c, &row, e);
}

static int show_saving(struct db_conn *c, const char *image_id, int64_t now_us, struct arena *a, struct error *e)
{
    struct image_row image;
    bool found = false;
    int rc = find_image(c, image_id, a, &image, &found, e);
    if (rc || !found || strcmp(image.status, "queued") != 0)
        return rc;
    image.status = "saving";
    image.updated_us = now_us;
    return store_image_update(c, &image, e);
}

int server_image_progress(struct db_conn *c, const char *image_id, const char *host_id, enum server_image_step step,
                          int64_t now_us, struct arena *a, struct error *e)
{
    struct server_image_row making;
    bool found = false;
    int rc = store_server_image_get(c, image_id, a, &making, &found, e);
    if (rc || !found || strcmp(making.host_id, host_id) != 0)
        return rc;
    rc = store_server_image_extend(c, image_id, now_us + patience_us(), e);
    rc = rc ? rc : show_step(c, &making, step, now_us, a, e);
    return rc || step != SERVER_IMAGE_UPLOADING ? rc : show_saving(c, image_id, now_us, a, e);
}

/* ---- backups rotate ---- */

static bool has(json_value *properties, const char *name, const char *value)
{
    const char *text = json_in_text(json_in_member(properties, name));
    return text != NULL && strcmp(text, value) == 0;
}

static bool is_backup(const struct image_row *image, const struct server_image_row *making)
{
    struct json_doc doc;
    struct error none = {0};
    bool is = false;
    if (strcmp(image->status, "active") != 0 ||
        json_in_parse(image->properties, strlen(image->properties), &doc, &none) != 0)
        return false;
    is = has(doc.root, "image_type", "backup") && has(doc.root, "backup_type", making->backup_type) &&
         has(doc.root, "instance_uuid", making->server_id);
    json_in_done(&doc);
    return is;
}

static int drop_backup(struct db_conn *c, const struct image_row *image, struct error *e)
{
    if (image->protected) {
        log_warn("an old backup stays because it is protected", "image=%s", image->id);
        return 0;
    }
    return store_image_delete(c, image->id, e);
}

/* The newest `rotation` of the owner's backups of that type stay. */
static int rotate(struct db_conn *c, const struct server_image_row *making, const char *owner, struct arena *a,
                  struct error *e)
{
    struct image_filter f = {.project_id = owner, .limit = ROTATE_PAGE};
    struct image_row *page;
    int64_t kept = 0;
    size_t count = ROTATE_PAGE;
    int rc = 0;
    while (!rc && count == ROTATE_PAGE) {
        rc = store_image_list(c, &f, a, &page, &count, e);
        for (size_t i = 0; !rc && i < count; i++) {
            bool own = page[i].project_id != NULL && strcmp(page[i].project_id, owner) == 0;
            if (own && is_backup(&page[i], making) && ++kept > making->rotation)
                rc = drop_backup(c, &page[i], e);
            f.before_us = page[i].created_us;
            f.before_id = page[i].id;
        }
    }
    return rc;
}

/* ---- the end ---- */

/* The server goes on; if it is gone or does something else its operation's row has ended with that. */
static int end(struct db_conn *c, const struct server_image_row *making, bool made, const char *why, int64_t now_us,
               struct arena *a, struct error *e)
{
    struct server_row row = {.desired_exists = false};
    bool found = false;
    int rc = store_server_image_delete(c, making->image_id, e);
    rc = rc ? rc : find_server(c, making, a, &row, &found, e);
    if (!rc && found)
        rc = server_life_end_image(c, &row, made, why, now_us, e);
    return rc || !row.desired_exists ? rc : server_shelf_follow(c, &row, now_us, a, e);
}

int server_image_made(struct db_conn *c, const struct server_image_row *making, int64_t now_us, struct arena *a,
                      struct error *e)
{
    struct image_row image;
    int rc = store_image_get(c, making->image_id, NULL, true, a, &image, e);
    if (!rc && making->backup_type != NULL && image.project_id != NULL)
        rc = rotate(c, making, image.project_id, a, e);
    rc = rc ? rc : store_host_task_delete_alone(c, making->image_id, e);
    return rc ? rc : end(c, making, true, NULL, now_us, a, e);
}

/* Whoever uploaded something into it meanwhile keeps it. */
static int drop_image(struct db_conn *c, const char *id, struct arena *a, struct error *e)
{
    struct image_row image;
    bool found = false;
    int rc = find_image(c, id, a, &image, &found, e);
    if (rc || !found || (strcmp(image.status, "queued") != 0 && strcmp(image.status, "saving") != 0))
        return rc;
    return store_image_delete(c, id, e);
}

/* Its host is to stop, and says when it has; one that has been removed will not. */
static int cancel_task(struct db_conn *c, const struct server_image_row *making, struct error *e)
{
    struct error removed = {0};
    int rc = store_host_task_cancel(c, making->image_id, making->host_id, &removed);
    return rc && rc != ERR_NOT_FOUND ? error_set(e, rc, "%s", error_text(&removed)) : 0;
}

int server_image_fail(struct db_conn *c, const char *image_id, const char *host_id, const char *why, int64_t now_us,
                      struct arena *a, struct error *e)
{
    struct server_image_row making;
    bool found = false;
    int rc = store_server_image_get(c, image_id, a, &making, &found, e);
    if (rc || !found || (host_id != NULL && strcmp(making.host_id, host_id) != 0))
        return rc;
    log_warn("image of a server not made", "image=%s server=%s host=%s why=\"%s\"", image_id, making.server_id,
             making.host_id, why);
    rc = drop_image(c, image_id, a, e);
    if (!rc && host_id == NULL)
        rc = cancel_task(c, &making, e);
    return rc ? rc : end(c, &making, false, why, now_us, a, e);
}
