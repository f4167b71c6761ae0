/* With whom an image is shared: /v2/images/{id}/members. The owner adds and removes, the member accepts or rejects. */
#include "api/image/image_service.h"
#include "common/clock.h"
#include "common/json_in.h"
#include <string.h>

#define MEMBERS_MAX 128

static void write_member(struct json_out *out, const char *key, const struct image_member_row *row)
{
    char time[CLOCK_TEXT_SIZE];
    json_out_object(out, key);
    json_out_text(out, "member_id", row->project_id);
    json_out_text(out, "image_id", row->image_id);
    json_out_text(out, "status", row->status);
    json_out_text(out, "created_at", clock_text(row->created_us, CLOCK_ISO_Z, time));
    json_out_text(out, "updated_at", clock_text(row->updated_us, CLOCK_ISO_Z, time));
    json_out_text(out, "schema", "/v2/schemas/member");
    json_out_object_end(out);
}

static bool is_owner(struct request *request, const struct image_row *row)
{
    return image_service_is_admin(request) ||
           (row->project_id != NULL && strcmp(row->project_id, request->credential.project_id) == 0);
}

static int find_shared(struct request *request, struct image_row *ret)
{
    int rc = image_service_find(request, ret);
    if (rc == 0 && strcmp(ret->visibility, "shared") != 0)
        rc = error_set(&request->error, ERR_FORBIDDEN, "Only shared images have members.");
    return rc;
}

static int no_member(struct request *request, const char *image, const char *member)
{
    return error_set(&request->error, ERR_NOT_FOUND, "%s not found in the member list of the image %s.", member, image);
}

/* The member that the path names, if the caller is it or the owner. */
static int find_member(struct request *request, const struct image_row *image, struct image_member_row *ret)
{
    const char *member = request_param(request, "member");
    if (!is_owner(request, image) && strcmp(member, request->credential.project_id) != 0)
        return no_member(request, image->id, member);
    int rc = store_image_member_get(request->conn, image->id, member, &request->arena, ret, &request->error);
    return rc == ERR_NOT_FOUND ? no_member(request, image->id, member) : rc;
}

static int members_list(struct request *request, struct reply *reply)
{
    struct image_row image;
    struct image_member_row *list = NULL;
    size_t count = 0;
    int rc = image_service_find(request, &image);
    if (rc == 0 && strcmp(image.visibility, "shared") != 0)
        rc = error_set(&request->error, ERR_NOT_FOUND, "Only shared images have members.");
    if (rc == 0)
        rc = store_image_member_list(request->conn, image.id, &request->arena, &list, &count, &request->error);
    if (rc != 0)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "members");
    for (size_t i = 0; i < count; i++)
        if (is_owner(request, &image) || strcmp(list[i].project_id, request->credential.project_id) == 0)
            write_member(&reply->out, NULL, &list[i]);
    json_out_array_end(&reply->out);
    json_out_text(&reply->out, "schema", "/v2/schemas/members");
    json_out_object_end(&reply->out);
    return 0;
}

static int members_show(struct request *request, struct reply *reply)
{
    struct image_row image;
    struct image_member_row row;
    int rc = image_service_find(request, &image);
    if (rc == 0)
        rc = find_member(request, &image, &row);
    if (rc == 0)
        write_member(&reply->out, NULL, &row);
    return rc;
}

static int members_create(struct request *request, struct reply *reply)
{
    struct image_row image;
    struct image_member_row *list = NULL;
    size_t count = 0;
    const char *member = json_in_text(json_in_member(request->json, "member"));
    if (member == NULL)
        return error_set(&request->error, ERR_INVALID, "Member to be added not specified");
    if (member[0] == 0 || strlen(member) > 255)
        return error_set(&request->error, ERR_INVALID, "Member can't be empty and may have 255 characters at most");
    int rc = find_shared(request, &image);
    if (rc == 0 && !is_owner(request, &image))
        rc = image_service_forbid(request, "add_member");
    if (rc == 0)
        rc = store_image_member_list(request->conn, image.id, &request->arena, &list, &count, &request->error);
    if (rc == 0 && count >= MEMBERS_MAX)
        rc = error_set(&request->error, ERR_TOO_LARGE,
                       "The limit has been exceeded on the number of allowed image members for this image. Attempted: "
                       "%zu, Maximum: %d",
                       count + 1, MEMBERS_MAX);
    struct image_member_row row = {.image_id = image.id,
                                   .project_id = member,
                                   .status = "pending",
                                   .created_us = request->now_us,
                                   .updated_us = request->now_us};
    if (rc == 0)
        rc = store_image_member_insert(request->conn, &row, &request->error);
    if (rc == 0)
        write_member(&reply->out, NULL, &row);
    return rc;
}

static int members_update(struct request *request, struct reply *reply)
{
    struct image_row image;
    struct image_member_row row;
    const char *status = json_in_text(json_in_member(request->json, "status"));
    if (status == NULL)
        return error_set(&request->error, ERR_INVALID, "Status not specified");
    bool known = strcmp(status, "pending") == 0 || strcmp(status, "accepted") == 0 || strcmp(status, "rejected") == 0;
    int rc = find_shared(request, &image);
    if (rc == 0)
        rc = find_member(request, &image, &row);
    if (rc == 0 && !image_service_is_admin(request) && strcmp(row.project_id, request->credential.project_id) != 0)
        rc = image_service_forbid(request, "modify_member");
    if (rc == 0 && !known)
        rc = error_set(&request->error, ERR_INVALID,
                       "Status %s is not valid. It must be one of: pending, accepted, rejected", status);
    if (rc != 0)
        return rc;
    row.status = status;
    row.updated_us = request->now_us;
    rc = store_image_member_update(request->conn, &row, &request->error);
    if (rc == 0)
        write_member(&reply->out, NULL, &row);
    return rc;
}

static int members_delete(struct request *request, struct reply *reply)
{
    struct image_row image;
    struct image_member_row row;
    int rc = find_shared(request, &image);
    if (rc == 0 && !is_owner(request, &image))
        rc = image_service_forbid(request, "delete_member");
    if (rc == 0)
        rc = find_member(request, &image, &row);
    if (rc == 0)
        rc = store_image_member_delete(request->conn, image.id, row.project_id, &request->error);
    if (rc == 0)
        reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v2/images/{id}/members", .permission = PERMISSION_READER, .handler = members_list},
    {.method = "POST",
     .pattern = "/v2/images/{id}/members",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = members_create},
    {.method = "GET",
     .pattern = "/v2/images/{id}/members/{member}",
     .permission = PERMISSION_READER,
     .handler = members_show},
    {.method = "PUT",
     .pattern = "/v2/images/{id}/members/{member}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = members_update},
    {.method = "DELETE",
     .pattern = "/v2/images/{id}/members/{member}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = members_delete},
};
const struct route_table image_members_routes = ROUTE_TABLE(rows);
