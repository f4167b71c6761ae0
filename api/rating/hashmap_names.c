/* The hashmap module's services, fields, groups and types. */
#include "api/rating/hashmap.h"
#include "api/rating/rating.h"
#include <string.h>

#define HASHMAP "/v1/rating/module_config/hashmap"

struct name_body {
    const char *name, *service, *field, *group;
    bool recursive;
};
#define NAME_FIELD(field, member)                                                                                      \
    {                                                                                                                  \
        .name = field, .kind = JSON_TEXT, .offset = offsetof(struct name_body, member), .min = 1, .max = 255           \
    }
static const struct json_field name_fields[] = {
    NAME_FIELD("name", name),
    NAME_FIELD("service_id", service),
    NAME_FIELD("field_id", field),
    NAME_FIELD("group_id", group),
    {.name = "recursive", .kind = JSON_BOOL, .offset = offsetof(struct name_body, recursive)},
};
static const struct json_table name_table = {
    .fields = name_fields, .count = JSON_COUNT(name_fields), .open = true, .seen_offset = JSON_NO_SEEN};

/* ---- services ---- */

static void write_service(struct json_out *out, const char *name)
{
    json_out_object(out, NULL);
    json_out_text(out, "service_id", name);
    json_out_text(out, "name", name);
    json_out_object_end(out);
}

static int services_list(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    int rc = hashmap_load(request, &v);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "services");
    for (const struct hashmap_name *n = v.services; n; n = n->next) {
        write_service(&reply->out, n->text);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int find_service(struct hashmap_view *v, const char *name)
{
    return hashmap_has_name(v->services, name)
               ? 0
               : error_set(&v->request->error, ERR_NOT_FOUND, "there is no service %s", name);
}

static int services_show(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    const char *name = request_param(request, "service");
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : find_service(&v, name);
    if (!rc) {
        write_service(&reply->out, name);
    }
    return rc;
}

static int services_add(struct request *request, struct reply *reply)
{
    const struct name_body *b = request->body;
    struct hashmap_view v;
    int rc = hashmap_load(request, &v);
    if (!rc && !b->name) {
        return error_set(&request->error, ERR_INVALID, "name: it is required");
    }
    if (!rc && book_resource(&v.resources, b->name) < 0) {
        return error_set(&request->error, ERR_INVALID,
                         "name: nothing called %s is metered; \"openstack rating info metric list\" shows what is",
                         b->name);
    }
    if (!rc && hashmap_has_name(v.services, b->name)) {
        return error_set(&request->error, ERR_CONFLICT, "service %s is there", b->name);
    }
    if (!rc) {
        hashmap_add_name(&v, &v.services, b->name);
        rc = hashmap_save(&v);
    }
    if (!rc) {
        reply->status = 201;
        write_service(&reply->out, b->name);
    }
    return rc;
}

static void remove_field_names(struct hashmap_view *v, const char *service)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        hashmap_remove_name(
            &v->fields, arena_printf(&v->request->arena, "%s:%s", service, hashmap_field_name((enum hashmap_field)i)));
    }
}

/* With all its prices. */
static int services_delete(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    const struct name_body *b = request->body;
    const char *name = NULL;
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : hashmap_id(request, "service", b ? b->service : NULL, &name);
    rc = rc ? rc : find_service(&v, name);
    if (rc) {
        return rc;
    }
    for (struct hashmap_price *p = v.prices; p; p = p->next) {
        if (strcmp(p->resource, name) == 0) {
            hashmap_remove(&v, p);
        }
    }
    hashmap_remove_name(&v.services, name);
    remove_field_names(&v, name);
    reply->status = 204;
    return hashmap_save(&v);
}

/* ---- fields ---- */

static void write_field(struct json_out *out, const char *id)
{
    const char *colon = strchr(id, ':');
    json_out_object(out, NULL);
    json_out_text(out, "field_id", id);
    json_out_text(out, "name", colon + 1);
    json_out_text_n(out, "service_id", id, (size_t)(colon - id));
    json_out_object_end(out);
}

static int fields_list(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    const char *service = request_query(request, "service_id");
    int rc = hashmap_load(request, &v);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "fields");
    for (const struct hashmap_name *n = v.fields; n; n = n->next) {
        if (!service || (strncmp(n->text, service, strlen(service)) == 0 && n->text[strlen(service)] == ':')) {
            write_field(&reply->out, n->text);
        }
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int find_field(struct hashmap_view *v, const char *id)
{
    return hashmap_has_name(v->fields, id) ? 0
                                           : error_set(&v->request->error, ERR_NOT_FOUND, "there is no field %s", id);
}

static int fields_show(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    const char *id = request_param(request, "field");
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : find_field(&v, id);
    if (!rc) {
        write_field(&reply->out, id);
    }
    return rc;
}

static int fields_add(struct request *request, struct reply *reply)
{
    const struct name_body *b = request->body;
    struct hashmap_view v;
    int rc = hashmap_load(request, &v);
    if (!rc && (!b->name || !b->service)) {
        return error_set(&request->error, ERR_INVALID, "name and service_id are required");
    }
    rc = rc ? rc : find_service(&v, b->service);
    if (!rc && hashmap_field_parse(b->name) == FIELD_NONE) {
        return error_set(&request->error, ERR_INVALID,
                         "name: a price cannot look at %s; it can at flavor_name, state, zone, region, tag and network",
                         b->name);
    }
    const char *id = rc ? NULL : arena_printf(&request->arena, "%s:%s", b->service, b->name);
    if (!rc && hashmap_has_name(v.fields, id)) {
        return error_set(&request->error, ERR_CONFLICT, "field %s is there", id);
    }
    if (!rc) {
        hashmap_add_name(&v, &v.fields, id);
        rc = hashmap_save(&v);
    }
    if (!rc) {
        reply->status = 201;
        write_field(&reply->out, id);
    }
    return rc;
}

/* With the prices that look at it. */
static int fields_delete(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    const struct name_body *b = request->body;
    const char *id = NULL, *service = NULL;
    enum hashmap_field field = FIELD_NONE;
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : hashmap_id(request, "field", b ? b->field : NULL, &id);
    rc = rc ? rc : find_field(&v, id);
    rc = rc ? rc : hashmap_field_split(request, id, &service, &field);
    if (rc) {
        return rc;
    }
    for (struct hashmap_price *p = v.prices; p; p = p->next) {
        if (strcmp(p->resource, service) == 0 && p->conditions[field]) {
            hashmap_remove(&v, p);
        }
    }
    hashmap_remove_name(&v.fields, id);
    reply->status = 204;
    return hashmap_save(&v);
}

/* ---- groups ---- */

static void write_group(struct json_out *out, const char *name)
{
    json_out_object(out, NULL);
    json_out_text(out, "group_id", name);
    json_out_text(out, "name", name);
    json_out_object_end(out);
}

static int groups_list(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    int rc = hashmap_load(request, &v);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "groups");
    for (const struct hashmap_name *n = v.groups; n; n = n->next) {
        write_group(&reply->out, n->text);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int find_group(struct hashmap_view *v, const char *name)
{
    return hashmap_has_name(v->groups, name)
               ? 0
               : error_set(&v->request->error, ERR_NOT_FOUND, "there is no group %s", name);
}

static int groups_show(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    const char *name = request_param(request, "group");
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : find_group(&v, name);
    if (!rc) {
        write_group(&reply->out, name);
    }
    return rc;
}

static int groups_add(struct request *request, struct reply *reply)
{
    const struct name_body *b = request->body;
    struct hashmap_view v;
    int rc = hashmap_load(request, &v);
    if (!rc && !b->name) {
        return error_set(&request->error, ERR_INVALID, "name: it is required");
    }
    if (!rc && hashmap_has_name(v.groups, b->name)) {
        return error_set(&request->error, ERR_CONFLICT, "group %s is there", b->name);
    }
    if (!rc) {
        hashmap_add_name(&v, &v.groups, b->name);
        rc = hashmap_save(&v);
    }
    if (!rc) {
        reply->status = 201;
        write_group(&reply->out, b->name);
    }
    return rc;
}

static int groups_delete(struct request *request, struct reply *reply)
{
    const struct name_body *b = request->body;
    const char *name = NULL;
    struct hashmap_view v;
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : hashmap_id(request, "group", b->group, &name);
    rc = rc ? rc : find_group(&v, name);
    if (rc) {
        return rc;
    }
    for (struct hashmap_price *p = v.prices; p; p = p->next) {
        if (!p->group || strcmp(p->group, name) != 0) {
            continue;
        }
        p->group = NULL;
        if (b->recursive) {
            hashmap_remove(&v, p);
        }
    }
    hashmap_remove_name(&v.groups, name);
    reply->status = 204;
    return hashmap_save(&v);
}

static int types_list(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_array(&reply->out, NULL);
    json_out_text(&reply->out, NULL, hashmap_type(false));
    json_out_text(&reply->out, NULL, hashmap_type(true));
    json_out_array_end(&reply->out);
    return 0;
}

#define READ(path, function)                                                                                           \
    {                                                                                                                  \
        .method = "GET", .pattern = (path), .permission = PERMISSION_BILLED, .handler = (function)                     \
    }
#define WRITE(verb, path, function)                                                                                    \
    {                                                                                                                  \
        .method = (verb), .pattern = (path), .permission = PERMISSION_BILLING, .kind = ROUTE_WRITE,                    \
        .body = &name_table, .body_size = sizeof(struct name_body), .handler = (function)                              \
    }
#define REMOVE(path, function)                                                                                         \
    {                                                                                                                  \
        .method = "DELETE", .pattern = (path), .permission = PERMISSION_BILLING, .kind = ROUTE_WRITE,                  \
        .handler = (function)                                                                                          \
    }
static const struct route rows[] = {
    READ(HASHMAP "/types", types_list),
    READ(HASHMAP "/services", services_list),
    READ(HASHMAP "/services/{service}", services_show),
    WRITE("POST", HASHMAP "/services", services_add),
    REMOVE(HASHMAP "/services/{service}", services_delete),
    WRITE("DELETE", HASHMAP "/services", services_delete),
    READ(HASHMAP "/fields", fields_list),
    READ(HASHMAP "/fields/{field}", fields_show),
    WRITE("POST", HASHMAP "/fields", fields_add),
    REMOVE(HASHMAP "/fields/{field}", fields_delete),
    WRITE("DELETE", HASHMAP "/fields", fields_delete),
    READ(HASHMAP "/groups", groups_list),
    READ(HASHMAP "/groups/{group}", groups_show),
    WRITE("POST", HASHMAP "/groups", groups_add),
    WRITE("DELETE", HASHMAP "/groups/{group}", groups_delete),
    WRITE("DELETE", HASHMAP "/groups", groups_delete),
};
const struct route_table rating_hashmap_names_routes = ROUTE_TABLE(rows);
