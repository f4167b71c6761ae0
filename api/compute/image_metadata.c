/* /images/{id}/metadata: the properties of an image, up to 2.38. */
#include "api/compute/compute_routes.h"
#include "api/compute/servers_body.h"
#include "api/image/image_edit.h"
#include <stddef.h>
#include <string.h>

#define PROXY_UNTIL 38

static int find_image(struct request *request, struct image_row *ret)
{
    int rc = image_service_find(request, ret);
    if (rc != ERR_NOT_FOUND)
        return rc;
    error_clear(&request->error);
    return error_set(&request->error, rc, "Image not found.");
}

static int open_image(struct request *request, struct image_edit *ret)
{
    struct image_row row;
    int rc = find_image(request, &row);
    return rc ? rc : image_edit_open(request, &row, ret);
}

static const char *find(const struct image_edit *edit, const char *key)
{
    for (size_t i = 0; i < edit->property_count; i++)
        if (strcmp(edit->properties[i].key, key) == 0)
            return edit->properties[i].value;
    return NULL;
}

static int reply_all(struct reply *reply, const struct image_edit *edit)
{
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "metadata");
    for (size_t i = 0; i < edit->property_count; i++)
        json_out_text(&reply->out, edit->properties[i].key, edit->properties[i].value);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int reply_item(struct reply *reply, const char *key, const char *value)
{
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "meta");
    json_out_text(&reply->out, key, value);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int image_metadata_list(struct request *request, struct reply *reply)
{
    struct image_edit edit;
    int rc = open_image(request, &edit);
    return rc ? rc : reply_all(reply, &edit);
}

static int image_metadata_show(struct request *request, struct reply *reply)
{
    const char *key = request_param(request, "key");
    struct image_edit edit;
    int rc = open_image(request, &edit);
    if (rc)
        return rc;
    return find(&edit, key) != NULL ? reply_item(reply, key, find(&edit, key))
                                    : error_set(&request->error, ERR_NOT_FOUND, "The resource could not be found.");
}

/* ---- changes ---- */

struct body {
    json_value *items;
};
static const struct json_field all_fields[] = {
    {.name = "metadata", .kind = JSON_ANY, .offset = offsetof(struct body, items), .flags = JSON_REQUIRED},
};
static const struct json_table all_table = {
    .fields = all_fields, .count = JSON_COUNT(all_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field one_fields[] = {
    {.name = "meta", .kind = JSON_ANY, .offset = offsetof(struct body, items), .flags = JSON_REQUIRED},
};
static const struct json_table one_table = {
    .fields = one_fields, .count = JSON_COUNT(one_fields), .seen_offset = JSON_NO_SEEN};

static int open_to_change(struct request *request, struct image_edit *edit)
{
    struct image_row row;
    int rc = find_image(request, &row);
    if (!rc && image_service_check_own(request, "modify_image", &row)) {
        error_clear(&request->error);
        rc = error_set(&request->error, ERR_FORBIDDEN, "Not authorized for image %s.", row.id);
    }
    return rc ? rc : image_edit_open(request, &row, edit);
}

static int put(void *arg, const char *name, json_value *value)
{
    struct image_edit *edit = arg;
    struct request *request = edit->request;
    int rc = 0;
    if (!json_in_is_text(value))
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute %s. It is not a string",
                         name);
    rc = servers_body_check_metadata(request, name, json_in_text(value));
    if (!rc && image_edit_is_base(name))
        rc = error_set(&request->error, ERR_FORBIDDEN, "Attribute '%s' is no property", name);
    rc = rc ? rc : image_edit_check_name(request, name);
    return rc ? rc : image_edit_set(edit, name, value);
}

static int save(struct request *request, struct image_edit *edit)
{
    if (edit->property_count > SERVERS_METADATA_MAX)
        return error_set(&request->error, ERR_QUOTA, "Image metadata limit exceeded");
    image_edit_close(edit);
    edit->row.updated_us = request->now_us;
    return store_image_update(request->conn, &edit->row, &request->error);
}

static int change(struct request *request, struct reply *reply, bool replace)
{
    const struct body *b = request->body;
    struct image_edit edit;
    int rc = json_in_is_object(b->items)
                 ? open_to_change(request, &edit)
                 : error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute metadata.");
    if (!rc && replace)
        edit.property_count = 0;
    rc = rc ? rc : json_in_each(b->items, put, &edit);
    rc = rc ? rc : save(request, &edit);
    return rc ? rc : reply_all(reply, &edit);
}

static int image_metadata_merge(struct request *request, struct reply *reply)
{
    return change(request, reply, false);
}

static int image_metadata_replace(struct request *request, struct reply *reply)
{
    return change(request, reply, true);
}

static int image_metadata_set(struct request *request, struct reply *reply)
{
    const char *key = request_param(request, "key");
    const struct body *b = request->body;
    struct image_edit edit;
    int rc = 0;
    if (!json_in_is_object(b->items) || json_in_count(b->items) != 1)
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute meta. It has one member");
    if (!json_in_has(b->items, key))
        return error_set(&request->error, ERR_INVALID, "Request body and URI mismatch");
    rc = open_to_change(request, &edit);
    rc = rc ? rc : json_in_each(b->items, put, &edit);
    rc = rc ? rc : save(request, &edit);
    return rc ? rc : reply_item(reply, key, find(&edit, key));
}

static int image_metadata_delete(struct request *request, struct reply *reply)
{
    const char *key = request_param(request, "key");
    struct image_edit edit;
    int rc = open_to_change(request, &edit);
    if (!rc && !image_edit_has_property(&edit, key))
        rc = error_set(&request->error, ERR_NOT_FOUND, "Invalid metadata key");
    if (rc)
        return rc;
    image_edit_remove(&edit, key);
    reply->status = 204;
    return save(request, &edit);
}

#define READ_ROW(path, function)                                                                                       \
    {                                                                                                                  \
        .method = "GET", .pattern = path, .permission = PERMISSION_READER, .until = PROXY_UNTIL, .handler = function   \
    }
#define WRITE_ROW(verb, path, table, function)                                                                         \
    {                                                                                                                  \
        .method = verb, .pattern = path, .permission = PERMISSION_MEMBER, .kind = ROUTE_WRITE, .body = &(table),       \
        .body_size = sizeof(struct body), .until = PROXY_UNTIL, .handler = function                                    \
    }
static const struct route rows[] = {
    READ_ROW("/images/{id}/metadata", image_metadata_list),
    READ_ROW("/images/{id}/metadata/{key}", image_metadata_show),
    WRITE_ROW("POST", "/images/{id}/metadata", all_table, image_metadata_merge),
    WRITE_ROW("PUT", "/images/{id}/metadata", all_table, image_metadata_replace),
    WRITE_ROW("PUT", "/images/{id}/metadata/{key}", one_table, image_metadata_set),
    {.method = "DELETE",
     .pattern = "/images/{id}/metadata/{key}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .until = PROXY_UNTIL,
     .handler = image_metadata_delete},
};
const struct route_table image_metadata_routes = ROUTE_TABLE(rows);
