/* Small changes of an image: tags, and taking it out of use for a while. */
#include "api/image/image_edit.h"
#include <string.h>

static int tags_add(struct request *request, struct reply *reply)
{
    struct image_row row;
    struct image_edit edit;
    int rc = image_service_find_own(request, "modify_image", &row);
    if (rc == 0)
        rc = image_edit_open(request, &row, &edit);
    if (rc == 0)
        rc = image_edit_add_tag(&edit, request_param(request, "tag"));
    if (rc != 0)
        return rc;
    image_edit_close(&edit);
    reply->status = 204;
    return store_image_update(request->conn, &edit.row, &request->error);
}

static int tags_remove(struct request *request, struct reply *reply)
{
    struct image_row row;
    struct image_edit edit;
    int rc = image_service_find_own(request, "modify_image", &row);
    if (rc == 0)
        rc = image_edit_open(request, &row, &edit);
    if (rc == 0 && !image_edit_remove_tag(&edit, request_param(request, "tag")))
        rc = error_set(&request->error, ERR_NOT_FOUND, "The tag was not found in the image.");
    if (rc != 0)
        return rc;
    image_edit_close(&edit);
    reply->status = 204;
    return store_image_update(request->conn, &edit.row, &request->error);
}

/* Only an image with bytes can be taken out of use and back; doing it twice is fine. */
static int change_status(struct request *request, struct reply *reply, const char *action, const char *from,
                         const char *to)
{
    struct image_row row;
    int rc = image_service_find_own(request, action, &row);
    if (rc != 0)
        return rc;
    if (strcmp(row.status, from) != 0 && strcmp(row.status, to) != 0)
        return error_set(&request->error, ERR_FORBIDDEN, "Not allowed to %s image in status '%s'", action, row.status);
    reply->status = 204;
    if (strcmp(row.status, to) == 0)
        return 0;
    row.status = to;
    row.updated_us = request->now_us;
    return store_image_update(request->conn, &row, &request->error);
}

static int actions_deactivate(struct request *request, struct reply *reply)
{
    return change_status(request, reply, "deactivate", "active", "deactivated");
}

static int actions_reactivate(struct request *request, struct reply *reply)
{
    return change_status(request, reply, "reactivate", "deactivated", "active");
}

static const struct route tag_rows[] = {
    {.method = "PUT",
     .pattern = "/v2/images/{id}/tags/{tag}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = tags_add},
    {.method = "DELETE",
     .pattern = "/v2/images/{id}/tags/{tag}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = tags_remove},
};
const struct route_table image_tags_routes = ROUTE_TABLE(tag_rows);

static const struct route action_rows[] = {
    {.method = "POST",
     .pattern = "/v2/images/{id}/actions/deactivate",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = actions_deactivate},
    {.method = "POST",
     .pattern = "/v2/images/{id}/actions/reactivate",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = actions_reactivate},
};
const struct route_table image_actions_routes = ROUTE_TABLE(action_rows);
