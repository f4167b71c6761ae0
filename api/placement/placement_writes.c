/* What operators write through Placement: resource classes, inventories of a host's further classes, ratio and reserve
 * of the three that agents report, and custom traits. Each names the generation that it saw; another one is a conflict.
 */
#include "api/placement/placement_service.h"
#include "common/json_in.h"
#include "db/store_host_admin.h"
#include <string.h>

/* ---- bodies ---- */

struct inventory_body {
    struct json_seen seen;
    int64_t total, reserved, min_unit, max_unit, step_size, generation;
    double ratio; /* 1 unless it is given */
};
#define SEEN_GENERATION 32
#define SEEN_RATIO      64
#define AT(member)      .offset = offsetof(struct inventory_body, member)
static const struct json_field inventory_fields[] = {
    {.name = "total", .kind = JSON_INT, AT(total), .flags = JSON_REQUIRED, .min = 1, .max = INT32_MAX},
    {.name = "reserved", .kind = JSON_INT, AT(reserved), .min = 0, .max = INT32_MAX},
    {.name = "min_unit", .kind = JSON_INT, AT(min_unit), .min = 1, .max = INT32_MAX},
    {.name = "max_unit", .kind = JSON_INT, AT(max_unit), .min = 1, .max = INT32_MAX},
    {.name = "step_size", .kind = JSON_INT, AT(step_size), .min = 1, .max = INT32_MAX},
    {.name = "resource_provider_generation", .kind = JSON_INT, AT(generation), .min = 0, .max = INT64_MAX},
    {.name = "allocation_ratio", .kind = JSON_NUMBER, AT(ratio)},
};
static const struct json_table inventory_table = {.fields = inventory_fields,
                                                  .count = JSON_COUNT(inventory_fields),
                                                  .seen_offset = offsetof(struct inventory_body, seen)};

struct inventories_body {
    int64_t generation;
    json_value *inventories;
};
static const struct json_field inventories_fields[] = {
    {.name = "resource_provider_generation",
     .kind = JSON_INT,
     .offset = offsetof(struct inventories_body, generation),
     .flags = JSON_REQUIRED,
     .min = 0,
     .max = INT64_MAX},
    {.name = "inventories",
     .kind = JSON_ANY,
     .offset = offsetof(struct inventories_body, inventories),
     .flags = JSON_REQUIRED},
};
static const struct json_table inventories_table = {
    .fields = inventories_fields, .count = JSON_COUNT(inventories_fields), .seen_offset = JSON_NO_SEEN};

struct traits_body {
    int64_t generation;
    json_value *traits;
};
static const struct json_field traits_fields[] = {
    {.name = "resource_provider_generation",
     .kind = JSON_INT,
     .offset = offsetof(struct traits_body, generation),
     .flags = JSON_REQUIRED,
     .min = 0,
     .max = INT64_MAX},
    {.name = "traits", .kind = JSON_ANY, .offset = offsetof(struct traits_body, traits), .flags = JSON_REQUIRED},
};
static const struct json_table traits_table = {
    .fields = traits_fields, .count = JSON_COUNT(traits_fields), .seen_offset = JSON_NO_SEEN};

struct class_body {
    const char *name;
};
static const struct json_field class_fields[] = {
    {.name = "name",
     .kind = JSON_TEXT,
     .offset = offsetof(struct class_body, name),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = STORE_RESOURCE_NAME_MAX},
};
static const struct json_table class_table = {
    .fields = class_fields, .count = JSON_COUNT(class_fields), .seen_offset = JSON_NO_SEEN};

/* ---- classes ---- */

static int check_class_name(struct request *request, const char *name)
{
    if (strncmp(name, "CUSTOM_", 7) != 0 || name[7] == '\0' || !store_resource_valid(name))
        return error_set(&request->error, ERR_INVALID,
                         "'%s' does not match '^CUSTOM_[A-Z0-9_]+$', or is longer than %d characters", name,
                         STORE_RESOURCE_NAME_MAX);
    return 0;
}

static int class_add(struct request *request, struct reply *reply, const char *name, int status, bool may_be_there)
{
    bool there = false;
    int rc = check_class_name(request, name);
    rc = rc != 0 ? rc : store_resource_class_exists(request->conn, name, &there, &request->error);
    if (rc == 0 && there && !may_be_there)
        return error_set(&request->error, ERR_CONFLICT,
                         "Conflicting resource class already exists: a resource class named %s is there", name);
    rc = rc != 0 ? rc : store_resource_class_add(request->conn, name, request->now_us, &request->error);
    placement_service_fresh(request, reply);
    reply->status = there ? 204 : status;
    if (!there)
        reply_header(reply, "Location",
                     arena_printf(&request->arena, "%s/resource_classes/%s", request->service->prefix, name));
    return rc;
}

static int classes_create(struct request *request, struct reply *reply)
{
    const struct class_body *b = request->body;
    return class_add(request, reply, b->name, 201, false);
}

static int classes_put(struct request *request, struct reply *reply)
{
    return class_add(request, reply, request_param(request, "name"), 201, true);
}

static int classes_delete(struct request *request, struct reply *reply)
{
    const char *name = request_param(request, "name");
    if (placement_service_class(name) >= 0)
        return error_set(&request->error, ERR_INVALID, "Cannot delete standard resource class %s.", name);
    placement_service_fresh(request, reply);
    reply->status = 204;
    return store_resource_class_remove(request->conn, name, &request->error);
}

/* ---- inventories ---- */

static int check_generation(struct request *request, const struct placement_provider *p, int64_t generation)
{
    if (generation == p->host.allocation_revision)
        return 0;
    return error_set(&request->error, ERR_CONFLICT,
                     "resource provider generation conflict: it is %lld by now, and was %lld",
                     (long long)p->host.allocation_revision, (long long)generation);
}

/* A whole number of permille. */
static int read_ratio(struct request *request, const struct inventory_body *b, int64_t *ret)
{
    double ratio = (b->seen.present & SEEN_RATIO) != 0 ? b->ratio : 1.0;
    if (!(ratio >= 0.001 && ratio <= 1000))
        return error_set(&request->error, ERR_INVALID, "allocation_ratio must be from 0.001 to 1000");
    *ret = (int64_t)(ratio * 1000 + 0.5);
    return 0;
}

static int check_known(struct request *request, const char *name)
{
    bool known = placement_service_class(name) >= 0;
    int rc = known ? 0 : store_resource_class_exists(request->conn, name, &known, &request->error);
    if (rc == 0 && !known)
        rc = error_set(&request->error, ERR_INVALID,
                       "Unknown resource class in inventory for resource provider: No such resource class %s.", name);
    return rc;
}

/* Of the three that agents report, the total must be what it is. */
static int put_inventory(struct request *request, const struct placement_provider *p, const char *name,
                         const struct inventory_body *b)
{
    int standard = placement_service_class(name);
    struct resource_change change = {.has_reserved = true, .has_ratio = true, .reserved = b->reserved};
    int rc = check_known(request, name);
    rc = rc != 0 ? rc : read_ratio(request, b, &change.ratio_permille);
    if (rc == 0 && standard >= 0 && b->total != p->host.total.amount[standard])
        return error_set(&request->error, ERR_CONFLICT, "How much %s there is, is what the host's agent reports: %lld",
                         name, (long long)p->host.total.amount[standard]);
    if (rc == 0 && (b->step_size > 1 || b->min_unit > 1 || (b->max_unit > 0 && b->max_unit < b->total)))
        return error_set(&request->error, ERR_INVALID,
                         "min_unit and step_size other than 1, and a max_unit below the total, are not known here");
    change.has_total = standard < 0;
    change.total = b->total;
    return rc != 0 ? rc
                   : store_resource_change(request->conn, p->host.id, name, &change, request->now_us, &request->error);
}

static int answer_inventories(struct request *request, struct reply *reply)
{
    return placement_service_answer(request, reply, placement_service_write_inventories);
}

struct putting {
    struct request *request;
    const struct placement_provider *provider;
};

static int put_one(void *arg, const char *name, json_value *value)
{
    struct putting *put = arg;
    struct inventory_body b = {.reserved = 0};
    struct request *request = put->request;
    int rc = json_in_read(value, &inventory_table, &b, &request->arena, &request->error);
    return rc != 0 ? rc : put_inventory(request, put->provider, name, &b);
}

static int remove_inventory(struct request *request, const struct placement_provider *p, const char *name)
{
    struct resource_change none = {.has_total = true};
    return store_resource_change(request->conn, p->host.id, name, &none, request->now_us, &request->error);
}

/* All of them: those that are not named go. */
static int inventories_put(struct request *request, struct reply *reply)
{
    const struct inventories_body *b = request->body;
    struct placement_provider p;
    struct putting put = {request, &p};
    int rc = placement_service_find(request, &p);
    rc = rc != 0 ? rc : check_generation(request, &p, b->generation);
    if (rc == 0 && !json_in_is_object(b->inventories))
        rc = error_set(&request->error, ERR_INVALID, "inventories must be an object");
    for (size_t i = 0; rc == 0 && i < p.resource_count; i++)
        if (json_in_member(b->inventories, p.resources[i].name) == NULL)
            rc = remove_inventory(request, &p, p.resources[i].name);
    rc = rc != 0 ? rc : json_in_each(b->inventories, put_one, &put);
    return rc != 0 ? rc : answer_inventories(request, reply);
}

static int inventory_put(struct request *request, struct reply *reply)
{
    const struct inventory_body *b = request->body;
    const char *name = request_param(request, "class");
    struct placement_provider p;
    int rc = placement_service_find(request, &p);
    if (rc == 0 && (b->seen.present & SEEN_GENERATION) == 0)
        rc = error_set(&request->error, ERR_INVALID, "'resource_provider_generation' is a required property");
    rc = rc != 0 ? rc : check_generation(request, &p, b->generation);
    rc = rc != 0 ? rc : put_inventory(request, &p, name, b);
    return rc != 0 ? rc : answer_inventories(request, reply);
}

static int inventory_delete(struct request *request, struct reply *reply)
{
    const char *name = request_param(request, "class");
    struct placement_provider p;
    int rc = placement_service_find(request, &p);
    if (rc == 0 && placement_service_resource(&p, name) == NULL)
        rc = error_set(&request->error, placement_service_class(name) >= 0 ? ERR_CONFLICT : ERR_NOT_FOUND,
                       "No inventory of class %s of %s can be deleted", name, p.host.id);
    rc = rc != 0 ? rc : remove_inventory(request, &p, name);
    placement_service_fresh(request, reply);
    reply->status = 204;
    return rc;
}

/* ---- traits ---- */

static int check_traits(struct request *request, json_value *traits)
{
    bool good = json_in_is_array(traits);
    for (size_t i = 0; good && i < json_in_count(traits); i++)
        good = json_in_is_text(json_in_item(traits, i)) && store_resource_valid(json_in_text(json_in_item(traits, i)));
    return good ? 0 : error_set(&request->error, ERR_INVALID, "traits must be a list of names of A-Z, 0-9 and _");
}

/* Those that its agent reports stay whatever is written. */
static int traits_put(struct request *request, struct reply *reply)
{
    const struct traits_body *b = request->body;
    struct placement_provider p;
    int rc = placement_service_find(request, &p);
    rc = rc != 0 ? rc : check_generation(request, &p, b->generation);
    rc = rc != 0 ? rc : check_traits(request, b->traits);
    rc = rc != 0 ? rc
                 : store_resource_set_traits(request->conn, p.host.id, NULL, json_in_print(b->traits, &request->arena),
                                             &request->error);
    rc = rc != 0 ? rc : store_host_admin_touch(request->conn, p.host.id, &request->error);
    return rc != 0 ? rc : placement_service_answer(request, reply, placement_service_write_traits);
}

static int traits_delete(struct request *request, struct reply *reply)
{
    struct placement_provider p;
    int rc = placement_service_find(request, &p);
    rc = rc != 0 ? rc : store_resource_set_traits(request->conn, p.host.id, NULL, "[]", &request->error);
    rc = rc != 0 ? rc : store_host_admin_touch(request->conn, p.host.id, &request->error);
    placement_service_fresh(request, reply);
    reply->status = 204;
    return rc;
}

#define PROVIDER "/resource_providers/{uuid}"

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/resource_classes",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .since = 2,
     .body = &class_table,
     .body_size = sizeof(struct class_body),
     .handler = classes_create},
    {.method = "PUT",
     .pattern = "/resource_classes/{name}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .since = 7,
     .handler = classes_put},
    {.method = "DELETE",
     .pattern = "/resource_classes/{name}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .since = 2,
     .handler = classes_delete},
    {.method = "PUT",
     .pattern = PROVIDER "/inventories",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &inventories_table,
     .body_size = sizeof(struct inventories_body),
     .handler = inventories_put},
    {.method = "PUT",
     .pattern = PROVIDER "/inventories/{class}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &inventory_table,
     .body_size = sizeof(struct inventory_body),
     .handler = inventory_put},
    {.method = "DELETE",
     .pattern = PROVIDER "/inventories/{class}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = inventory_delete},
    {.method = "PUT",
     .pattern = PROVIDER "/traits",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .since = 6,
     .body = &traits_table,
     .body_size = sizeof(struct traits_body),
     .handler = traits_put},
    {.method = "DELETE",
     .pattern = PROVIDER "/traits",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .since = 6,
     .handler = traits_delete},
};
const struct route_table placement_writes_routes = ROUTE_TABLE(rows);
