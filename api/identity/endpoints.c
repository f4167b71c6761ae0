/* Endpoints of the catalog. Their URLs may hold $(base)s (where the client reached us), $(project_id)s and
 * $(user_id)s; here the first is filled in, in a catalog all are. */
#include "api/identity/access.h"
#include "api/identity/attributes.h"
#include "api/identity/catalog_services.h"
#include "api/identity/list.h"
#include "api/identity/routes.h"
#include "db/store_endpoint.h"
#include "db/store_region.h"
#include <string.h>

#define BASE "$(base)s"

struct endpoint_body {
    const char *interface, *service_id, *region_id, *region, *url, *name;
    bool enabled;
    struct json_seen seen;
};
enum {
    ENDPOINT_INTERFACE,
    ENDPOINT_SERVICE,
    ENDPOINT_REGION_ID,
    ENDPOINT_REGION,
    ENDPOINT_URL,
    ENDPOINT_NAME,
    ENDPOINT_ENABLED
};
static const char *const interfaces[] = {"admin", "internal", "public", NULL};
#define FIELD(member) .offset = offsetof(struct endpoint_body, member)
#define FIELDS(must)                                                                                                   \
    {                                                                                                                  \
        [ENDPOINT_INTERFACE] = {.name = "interface",                                                                   \
                                .kind = JSON_TEXT,                                                                     \
                                FIELD(interface),                                                                      \
                                .flags = must,                                                                         \
                                .choices = interfaces},                                                                \
        [ENDPOINT_SERVICE] = {.name = "service_id", .kind = JSON_TEXT, FIELD(service_id), .flags = must},              \
        [ENDPOINT_REGION_ID] = {.name = "region_id", .kind = JSON_TEXT, FIELD(region_id), .flags = JSON_NULLABLE},     \
        [ENDPOINT_REGION] = {.name = "region", .kind = JSON_TEXT, FIELD(region), .flags = JSON_NULLABLE},              \
        [ENDPOINT_URL] = {.name = "url", .kind = JSON_TEXT, FIELD(url), .flags = must, .max = 225},                    \
        [ENDPOINT_NAME] = {.name = "name", .kind = JSON_TEXT, FIELD(name), .flags = JSON_NULLABLE},                    \
        [ENDPOINT_ENABLED] = {.name = "enabled", .kind = JSON_BOOL, FIELD(enabled)},                                   \
    }
static const struct json_field create_fields[] = FIELDS(JSON_REQUIRED);
static const struct json_field update_fields[] = FIELDS(0);
static const struct json_table create_table = {.fields = create_fields,
                                               .count = JSON_COUNT(create_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct endpoint_body, seen)};
static const struct json_table update_table = {.fields = update_fields,
                                               .count = JSON_COUNT(update_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct endpoint_body, seen)};
static const char *const known[] = {"id",  "interface", "service_id", "region_id", "region",
                                    "url", "name",      "enabled",    "links",     NULL};

static bool has(const struct endpoint_body *body, int field)
{
    return body->seen.present & (uint64_t)1 << field;
}

static int load(struct request *request, struct endpoint_row *ret)
{
    const char *id = request_param(request, "endpoint_id");
    return identity_found(request, store_endpoint_get(request->conn, id, &request->arena, ret, &request->error),
                          "endpoint", id);
}

static void put_endpoint(struct request *request, struct reply *reply, const char *key, const struct endpoint_row *row)
{
    struct json_out *o = &reply->out;
    json_out_object(o, key);
    attributes_put(o, &request->arena, row->extra);
    if (row->name)
        json_out_text(o, "name", row->name);
    json_out_text(o, "id", row->id);
    json_out_text(o, "interface", row->interface);
    json_out_text(o, "region_id", row->region_id);
    json_out_text(o, "service_id", row->service_id);
    if (strncmp(row->url, BASE, strlen(BASE)) == 0)
        json_out_textf(o, "url", "%s%s", request_base_url(request), row->url + strlen(BASE));
    else
        json_out_text(o, "url", row->url);
    json_out_bool(o, "enabled", row->enabled);
    json_out_text(o, "region", row->region_id);
    identity_link(request, reply, "endpoints", row->id);
    json_out_object_end(o);
}

static int reply_endpoint(struct request *request, struct reply *reply, const struct endpoint_row *row)
{
    json_out_object(&reply->out, NULL);
    put_endpoint(request, reply, "endpoint", row);
    json_out_object_end(&reply->out);
    return 0;
}

static int put_item(void *arg, const struct endpoint_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    if (!list_text(list, "interface", row->interface) || !list_text(list, "service_id", row->service_id) ||
        !list_text(list, "region_id", row->region_id))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    put_endpoint(list->request, list->reply, NULL, row);
    return 0;
}

static int endpoints_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"interface", "service_id", "region_id", NULL};
    struct list list;
    int rc = access_read_all(request, "identity:list_endpoints");
    if (!rc)
        rc = list_begin(&list, request, reply, "endpoints", filters);
    if (rc)
        return rc;
    struct endpoint_filter filter = {.interface = list_exact(&list, "interface"),
                                     .service_id = list_exact(&list, "service_id"),
                                     .region_id = list_exact(&list, "region_id"),
                                     .enabled = -1};
    rc = list_rc(store_endpoint_each(request->conn, &filter, &list.page, put_item, &list, &request->error));
    list_end(&list);
    return rc;
}

static int endpoints_show(struct request *request, struct reply *reply)
{
    struct endpoint_row row;
    int rc = access_read_all(request, "identity:get_endpoint");
    if (!rc)
        rc = load(request, &row);
    return rc ? rc : reply_endpoint(request, reply, &row);
}

/* A region under the old name "region" is made when it is not there. */
static int settle_region(struct request *request, const char **ret)
{
    const struct endpoint_body *body = request->body;
    struct region_row row;
    const char *id = body->region_id ? body->region_id : body->region;
    if (!id)
        return 0;
    *ret = id;
    int rc = store_region_get(request->conn, id, &request->arena, &row, &request->error);
    if (rc == ERR_NOT_FOUND && body->region_id)
        return error_set(&request->error, ERR_INVALID, "Could not find region: %s.", id);
    if (rc == ERR_NOT_FOUND) {
        row = (struct region_row){.id = id, .description = "", .extra = "{}"};
        rc = store_region_insert(request->conn, &row, &request->error);
    }
    return rc;
}

static bool is_url(const char *url)
{
    size_t scheme = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    return (scheme && url[scheme] == ':' && url[scheme + 1]) || strncmp(url, BASE, strlen(BASE)) == 0;
}

static int check_body(struct request *request)
{
    const struct endpoint_body *body = request->body;
    struct service_row service;
    if (body->url && !is_url(body->url))
        return error_set(&request->error, ERR_INVALID, "Cannot create an endpoint with an invalid URL: %s.", body->url);
    if (!body->service_id)
        return 0;
    int rc = catalog_services_load(request, body->service_id, &service);
    if (rc != ERR_NOT_FOUND)
        return rc;
    error_clear(&request->error);
    return error_set(&request->error, ERR_INVALID, "Could not find service: %s.", body->service_id);
}

static int endpoints_create(struct request *request, struct reply *reply)
{
    const struct endpoint_body *body = request->body;
    struct endpoint_row row = {.id = identity_id(request),
                               .service_id = body->service_id,
                               .interface = body->interface,
                               .url = body->url,
                               .enabled = has(body, ENDPOINT_ENABLED) ? body->enabled : true,
                               .name = body->name,
                               .extra =
                                   attributes_merge(request, NULL, json_in_member(request->json, "endpoint"), known)};
    int rc = access_admin(request, "identity:create_endpoint");
    if (!rc)
        rc = check_body(request);
    if (!rc)
        rc = settle_region(request, &row.region_id);
    if (!rc)
        rc = store_endpoint_insert(request->conn, &row, &request->error);
    reply->status = 201;
    return rc ? rc : reply_endpoint(request, reply, &row);
}

static int endpoints_update(struct request *request, struct reply *reply)
{
    const struct endpoint_body *body = request->body;
    struct endpoint_row row;
    int rc = access_admin(request, "identity:update_endpoint");
    if (!rc)
        rc = load(request, &row);
    if (!rc)
        rc = check_body(request);
    if (!rc)
        rc = settle_region(request, &row.region_id);
    if (rc)
        return rc;
    if (body->service_id)
        row.service_id = body->service_id;
    if (body->interface)
        row.interface = body->interface;
    if (body->url)
        row.url = body->url;
    if (has(body, ENDPOINT_NAME))
        row.name = body->name;
    if (has(body, ENDPOINT_ENABLED))
        row.enabled = body->enabled;
    row.extra = attributes_merge(request, row.extra, json_in_member(request->json, "endpoint"), known);
    rc = store_endpoint_update(request->conn, &row, &request->error);
    return rc ? rc : reply_endpoint(request, reply, &row);
}

static int endpoints_delete(struct request *request, struct reply *reply)
{
    struct endpoint_row row;
    int rc = access_admin(request, "identity:delete_endpoint");
    if (!rc)
        rc = load(request, &row);
    if (!rc)
        rc = store_endpoint_delete(request->conn, row.id, &request->error);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/endpoints", .permission = PERMISSION_AUTHENTICATED, .handler = endpoints_list},
    {.method = "POST",
     .pattern = "/endpoints",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &create_table,
     .body_size = sizeof(struct endpoint_body),
     .member = "endpoint",
     .handler = endpoints_create},
    {.method = "GET",
     .pattern = "/endpoints/{endpoint_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = endpoints_show},
    {.method = "PATCH",
     .pattern = "/endpoints/{endpoint_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &update_table,
     .body_size = sizeof(struct endpoint_body),
     .member = "endpoint",
     .handler = endpoints_update},
    {.method = "DELETE",
     .pattern = "/endpoints/{endpoint_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = endpoints_delete},
};
const struct route_table endpoints_routes = ROUTE_TABLE(rows);
