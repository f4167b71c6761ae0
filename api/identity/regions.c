/* Regions. Anybody with a token may read them; administrators write. */
#include "api/identity/access.h"
#include "api/identity/attributes.h"
#include "api/identity/list.h"
#include "api/identity/routes.h"
#include "db/store_region.h"
#include <string.h>

struct region_body {
    const char *id, *description, *parent_region_id;
    struct json_seen seen;
};
enum { REGION_ID, REGION_DESCRIPTION, REGION_PARENT };
#define FIELD(member) .offset = offsetof(struct region_body, member)
static const struct json_field fields[] = {
    [REGION_ID] = {.name = "id", .kind = JSON_TEXT, FIELD(id), .max = 255},
    [REGION_DESCRIPTION] = {.name = "description", .kind = JSON_TEXT, FIELD(description), .flags = JSON_NULLABLE},
    [REGION_PARENT] = {.name = "parent_region_id", .kind = JSON_TEXT, FIELD(parent_region_id), .flags = JSON_NULLABLE},
};
static const struct json_table table = {
    .fields = fields, .count = JSON_COUNT(fields), .open = true, .seen_offset = offsetof(struct region_body, seen)};
static const char *const known[] = {"id", "description", "parent_region_id", "links", NULL};

static void put_region(struct request *request, struct reply *reply, const char *key, const struct region_row *row)
{
    struct json_out *o = &reply->out;
    json_out_object(o, key);
    attributes_put(o, &request->arena, row->extra);
    json_out_text(o, "id", row->id);
    json_out_text(o, "description", row->description);
    json_out_text(o, "parent_region_id", row->parent_region_id);
    identity_link(request, reply, "regions", row->id);
    json_out_object_end(o);
}

static int reply_region(struct request *request, struct reply *reply, const struct region_row *row)
{
    json_out_object(&reply->out, NULL);
    put_region(request, reply, "region", row);
    json_out_object_end(&reply->out);
    return 0;
}

static int load(struct request *request, const char *id, struct region_row *ret)
{
    return identity_found(request, store_region_get(request->conn, id, &request->arena, ret, &request->error), "region",
                          id);
}

static int put_item(void *arg, const struct region_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    if (!list_text(list, "parent_region_id", row->parent_region_id))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    put_region(list->request, list->reply, NULL, row);
    return 0;
}

static int regions_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"parent_region_id", NULL};
    struct list list;
    int rc = list_begin(&list, request, reply, "regions", filters);
    if (rc)
        return rc;
    rc = list_rc(store_region_each(request->conn, list_exact(&list, "parent_region_id"), &list.page, put_item, &list,
                                   &request->error));
    list_end(&list);
    return rc;
}

static int regions_show(struct request *request, struct reply *reply)
{
    struct region_row row;
    int rc = load(request, request_param(request, "region_id"), &row);
    return rc ? rc : reply_region(request, reply, &row);
}

/* The parent must be there, and not below the region itself. */
static int check_parent(struct request *request, const char *id, const char *parent_id)
{
    struct region_row parent;
    bool below = false;
    if (!parent_id)
        return 0;
    int rc = load(request, parent_id, &parent);
    if (!rc)
        rc = store_region_is_below(request->conn, parent_id, id, &below, &request->error);
    if (!rc && (below || strcmp(id, parent_id) == 0))
        rc = error_set(&request->error, ERR_INVALID,
                       "The specified parent region %s would create a circular region hierarchy.", parent_id);
    return rc;
}

static int create(struct request *request, struct reply *reply, const char *id)
{
    const struct region_body *body = request->body;
    struct region_row row = {.id = id,
                             .description = body->description ? body->description : "",
                             .parent_region_id = body->parent_region_id,
                             .extra = attributes_merge(request, NULL, json_in_member(request->json, "region"), known)};
    struct region_row other;
    int rc = access_admin(request, "identity:create_region");
    if (!rc)
        rc = check_parent(request, id, row.parent_region_id);
    if (!rc) {
        rc = store_region_get(request->conn, id, &request->arena, &other, &request->error);
        rc = rc == ERR_NOT_FOUND ? 0 : rc ? rc : identity_conflict(request, "region", "Duplicate ID, %s.", id);
    }
    if (!rc)
        rc = store_region_insert(request->conn, &row, &request->error);
    reply->status = 201;
    return rc ? rc : reply_region(request, reply, &row);
}

static int regions_create(struct request *request, struct reply *reply)
{
    const struct region_body *body = request->body;
    return create(request, reply, body->id && *body->id ? body->id : identity_id(request));
}

static int regions_create_named(struct request *request, struct reply *reply)
{
    const struct region_body *body = request->body;
    const char *id = request_param(request, "region_id");
    if (body->id && strcmp(body->id, id) != 0)
        return error_set(&request->error, ERR_INVALID, "Conflicting region IDs specified: \"%s\" != \"%s\"", id,
                         body->id);
    return create(request, reply, id);
}

static int regions_update(struct request *request, struct reply *reply)
{
    const struct region_body *body = request->body;
    struct region_row row;
    int rc = access_admin(request, "identity:update_region");
    if (!rc)
        rc = load(request, request_param(request, "region_id"), &row);
    if (!rc && body->id && strcmp(body->id, row.id) != 0)
        rc = error_set(&request->error, ERR_INVALID, "Cannot change ID");
    if (!rc)
        rc = check_parent(request, row.id, body->parent_region_id);
    if (rc)
        return rc;
    if (body->seen.present & (uint64_t)1 << REGION_DESCRIPTION)
        row.description = body->description ? body->description : "";
    if (body->seen.present & (uint64_t)1 << REGION_PARENT)
        row.parent_region_id = body->parent_region_id;
    row.extra = attributes_merge(request, row.extra, json_in_member(request->json, "region"), known);
    rc = store_region_update(request->conn, &row, &request->error);
    return rc ? rc : reply_region(request, reply, &row);
}

static int regions_delete(struct request *request, struct reply *reply)
{
    struct region_row row;
    bool used = false;
    int rc = access_admin(request, "identity:delete_region");
    if (!rc)
        rc = load(request, request_param(request, "region_id"), &row);
    if (!rc)
        rc = store_region_has_endpoints(request->conn, row.id, &used, &request->error);
    if (!rc && used)
        rc = error_set(&request->error, ERR_FORBIDDEN,
                       "Unable to delete region %s because it or its child regions have associated endpoints.", row.id);
    if (!rc)
        rc = store_region_delete(request->conn, row.id, &request->error);
    reply->status = 204;
    return rc;
}

#define BODY .kind = ROUTE_WRITE, .body = &table, .body_size = sizeof(struct region_body), .member = "region"
static const struct route rows[] = {
    {.method = "GET", .pattern = "/regions", .permission = PERMISSION_AUTHENTICATED, .handler = regions_list},
    {.method = "POST", .pattern = "/regions", .permission = PERMISSION_ADMIN, BODY, .handler = regions_create},
    {.method = "GET",
     .pattern = "/regions/{region_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = regions_show},
    {.method = "PUT",
     .pattern = "/regions/{region_id}",
     .permission = PERMISSION_ADMIN,
     BODY,
     .handler = regions_create_named},
    {.method = "PATCH",
     .pattern = "/regions/{region_id}",
     .permission = PERMISSION_ADMIN,
     BODY,
     .handler = regions_update},
    {.method = "DELETE",
     .pattern = "/regions/{region_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = regions_delete},
};
const struct route_table regions_routes = ROUTE_TABLE(rows);
