/* Services of the catalog. */
#include "api/identity/catalog_services.h"
#include "api/identity/access.h"
#include "api/identity/attributes.h"
#include "api/identity/list.h"
#include "api/identity/routes.h"

struct service_body {
    const char *type, *name, *description;
    bool enabled;
    struct json_seen seen;
};
enum { SERVICE_TYPE, SERVICE_NAME, SERVICE_DESCRIPTION, SERVICE_ENABLED };
#define FIELD(member) .offset = offsetof(struct service_body, member)
#define FIELDS(type_flags)                                                                                             \
    {                                                                                                                  \
        [SERVICE_TYPE] = {.name = "type", .kind = JSON_TEXT, FIELD(type), .flags = type_flags, .min = 1, .max = 255},  \
        [SERVICE_NAME] = {.name = "name", .kind = JSON_TEXT, FIELD(name), .min = 1, .max = 255},                       \
        [SERVICE_DESCRIPTION] = {.name = "description",                                                                \
                                 .kind = JSON_TEXT,                                                                    \
                                 FIELD(description),                                                                   \
                                 .flags = JSON_NULLABLE},                                                              \
        [SERVICE_ENABLED] = {.name = "enabled", .kind = JSON_BOOL, FIELD(enabled)},                                    \
    }
static const struct json_field create_fields[] = FIELDS(JSON_REQUIRED);
static const struct json_field update_fields[] = FIELDS(0);
static const struct json_table create_table = {.fields = create_fields,
                                               .count = JSON_COUNT(create_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct service_body, seen)};
static const struct json_table update_table = {.fields = update_fields,
                                               .count = JSON_COUNT(update_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct service_body, seen)};
static const char *const known[] = {"id", "type", "name", "description", "enabled", "links", NULL};

static bool has(const struct service_body *body, int field)
{
    return body->seen.present & (uint64_t)1 << field;
}

int catalog_services_load(struct request *request, const char *id, struct service_row *ret)
{
    return identity_found(request, store_service_get(request->conn, id, &request->arena, ret, &request->error),
                          "service", id);
}

static void put_service(struct request *request, struct reply *reply, const char *key, const struct service_row *row)
{
    struct json_out *o = &reply->out;
    json_out_object(o, key);
    attributes_put(o, &request->arena, row->extra);
    if (row->name)
        json_out_text(o, "name", row->name);
    if (row->description)
        json_out_text(o, "description", row->description);
    json_out_text(o, "id", row->id);
    json_out_text(o, "type", row->type);
    json_out_bool(o, "enabled", row->enabled);
    identity_link(request, reply, "services", row->id);
    json_out_object_end(o);
}

static int reply_service(struct request *request, struct reply *reply, const struct service_row *row)
{
    json_out_object(&reply->out, NULL);
    put_service(request, reply, "service", row);
    json_out_object_end(&reply->out);
    return 0;
}

static int put_item(void *arg, const struct service_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    if (!list_text(list, "type", row->type) || !list_text(list, "name", row->name))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    put_service(list->request, list->reply, NULL, row);
    return 0;
}

static int catalog_services_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"type", "name", NULL};
    struct list list;
    int rc = access_read_all(request, "identity:list_services");
    if (!rc)
        rc = list_begin(&list, request, reply, "services", filters);
    if (rc)
        return rc;
    rc = list_rc(store_service_each(request->conn, list_exact(&list, "type"), list_exact(&list, "name"), &list.page,
                                    put_item, &list, &request->error));
    list_end(&list);
    return rc;
}

static int catalog_services_show(struct request *request, struct reply *reply)
{
    struct service_row row;
    int rc = access_read_all(request, "identity:get_service");
    if (!rc)
        rc = catalog_services_load(request, request_param(request, "service_id"), &row);
    return rc ? rc : reply_service(request, reply, &row);
}

static int catalog_services_create(struct request *request, struct reply *reply)
{
    const struct service_body *body = request->body;
    struct service_row row = {.id = identity_id(request),
                              .type = body->type,
                              .name = body->name,
                              .description = body->description,
                              .enabled = has(body, SERVICE_ENABLED) ? body->enabled : true,
                              .extra =
                                  attributes_merge(request, NULL, json_in_member(request->json, "service"), known)};
    int rc = access_admin(request, "identity:create_service");
    if (!rc && row.name)
        rc = identity_check_name(request, row.name);
    if (!rc)
        rc = store_service_insert(request->conn, &row, &request->error);
    reply->status = 201;
    return rc ? rc : reply_service(request, reply, &row);
}

static int catalog_services_update(struct request *request, struct reply *reply)
{
    const struct service_body *body = request->body;
    struct service_row row;
    int rc = access_admin(request, "identity:update_service");
    if (!rc)
        rc = catalog_services_load(request, request_param(request, "service_id"), &row);
    if (rc)
        return rc;
    if (body->type)
        row.type = body->type;
    if (body->name)
        row.name = body->name;
    if (has(body, SERVICE_DESCRIPTION))
        row.description = body->description;
    if (has(body, SERVICE_ENABLED))
        row.enabled = body->enabled;
    row.extra = attributes_merge(request, row.extra, json_in_member(request->json, "service"), known);
    rc = store_service_update(request->conn, &row, &request->error);
    return rc ? rc : reply_service(request, reply, &row);
}

static int catalog_services_delete(struct request *request, struct reply *reply)
{
    struct service_row row;
    int rc = access_admin(request, "identity:delete_service");
    if (!rc)
        rc = catalog_services_load(request, request_param(request, "service_id"), &row);
    if (!rc)
        rc = store_service_delete(request->conn, row.id, &request->error);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/services", .permission = PERMISSION_AUTHENTICATED, .handler = catalog_services_list},
    {.method = "POST",
     .pattern = "/services",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &create_table,
     .body_size = sizeof(struct service_body),
     .member = "service",
     .handler = catalog_services_create},
    {.method = "GET",
     .pattern = "/services/{service_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = catalog_services_show},
    {.method = "PATCH",
     .pattern = "/services/{service_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &update_table,
     .body_size = sizeof(struct service_body),
     .member = "service",
     .handler = catalog_services_update},
    {.method = "DELETE",
     .pattern = "/services/{service_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = catalog_services_delete},
};
const struct route_table catalog_services_routes = ROUTE_TABLE(rows);
