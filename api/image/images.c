/* Images: create, show, change, delete. Lists are in image_list.c, bytes in image_data.c. */
#include "api/api.h"
#include "api/image/image_edit.h"
#include "api/image/image_list.h"
#include "api/image/image_patch.h"
#include "api/image/image_view.h"
#include "common/json_in.h"
#include <string.h>
#include <unistd.h>

static int set_member(void *arg, const char *name, json_value *value)
{
    struct image_edit *edit = arg;
    int rc = image_edit_check_name(edit->request, name);
    return rc != 0 ? rc : image_edit_set(edit, name, value);
}

static int images_create(struct request *request, struct reply *reply)
{
    struct image_edit edit;
    if (!json_in_is_object(request->json))
        return error_set(&request->error, ERR_INVALID, "Body expected in request.");
    image_edit_new(request, &edit);
    int rc = json_in_each(request->json, set_member, &edit);
    if (rc != 0)
        return rc;
    image_edit_close(&edit);
    rc = store_image_insert(request->conn, &edit.row, &request->error);
    if (rc != 0)
        return rc;
    reply->status = 201;
    reply_header(reply, "Location",
                 arena_printf(&request->arena, "%s%s/v2/images/%s", request_base_url(request), request->service->prefix,
                              edit.row.id));
    reply_header(reply, "OpenStack-image-import-methods", "glance-direct");
    reply_header(reply, "OpenStack-image-store-ids", "local");
    image_view_write(&edit.row, &reply->out, NULL);
    return 0;
}

static int images_show(struct request *request, struct reply *reply)
{
    struct image_row row;
    int rc = image_service_find(request, &row);
    if (rc == 0)
        image_view_write(&row, &reply->out, NULL);
    return rc;
}

static int images_update(struct request *request, struct reply *reply)
{
    struct image_row row;
    struct image_edit edit;
    int rc = image_service_find_own(request, "modify_image", &row);
    if (rc == 0)
        rc = image_edit_open(request, &row, &edit);
    if (rc == 0)
        rc = image_patch_apply(request, reply, &edit);
    if (rc != 0)
        return rc;
    image_edit_close(&edit);
    if (json_in_count(request->json) > 0)
        rc = store_image_update(request->conn, &edit.row, &request->error);
    if (rc == 0)
        image_view_write(&edit.row, &reply->out, NULL);
    return rc;
}

/* ---- deletion ---- */

struct deletion {
    struct request *request;
    struct image_row row;
};

static int delete_row(struct db_conn *c, void *arg, struct error *e)
{
    struct deletion *d = arg;
    int rc = store_image_get(c, d->row.id, NULL, true, &d->request->arena, &d->row, e);
    if (rc == 0 && d->row.protected)
        rc = error_set(e, ERR_FORBIDDEN, "Image %s is protected and cannot be deleted.", d->row.id);
    return rc != 0 ? rc : store_image_delete(c, d->row.id, e);
}

/* The row goes first, through the writer; the file when that is on disk. A crash between the two leaves a file without
 * a row, which the sweep removes. Servers made of it are not touched: their hosts have copies. */
int image_service_remove(struct request *request, const struct image_row *row)
{
    struct deletion d = {.request = request, .row = *row};
    int rc = image_service_check_own(request, "delete_image", row);
    if (rc == 0)
        rc = writer_run(request->api->writer, delete_row, &d, &request->error);
    if (rc != 0)
        return rc;
    unlink(image_service_path(request, d.row.id, ""));
    unlink(image_service_path(request, d.row.id, ".stage"));
    return 0;
}

static int images_delete(struct request *request, struct reply *reply)
{
    struct image_row row;
    int rc = image_service_find(request, &row);
    reply->status = 204;
    return rc != 0 ? rc : image_service_remove(request, &row);
}

/* "/v2/images/" names an image without an id, as Glance sees it. */
static int images_list(struct request *request, struct reply *reply)
{
    if (request->path_slash)
        return error_set(&request->error, ERR_NOT_FOUND, "The resource could not be found.");
    return image_list(request, reply);
}

static int images_delete_none(struct request *request, struct reply *reply)
{
    (void)reply;
    return error_set(&request->error, ERR_NOT_FOUND, "The resource could not be found.");
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v2/images", .permission = PERMISSION_READER, .handler = images_list},
    {.method = "DELETE", .pattern = "/v2/images", .permission = PERMISSION_MEMBER, .handler = images_delete_none},
    {.method = "POST",
     .pattern = "/v2/images",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = images_create},
    {.method = "GET", .pattern = "/v2/images/{id}", .permission = PERMISSION_READER, .handler = images_show},
    {.method = "PATCH",
     .pattern = "/v2/images/{id}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = images_update},
    {.method = "DELETE", .pattern = "/v2/images/{id}", .permission = PERMISSION_MEMBER, .handler = images_delete},
};
const struct route_table images_routes = ROUTE_TABLE(rows);
