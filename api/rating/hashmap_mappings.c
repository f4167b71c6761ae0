/* The hashmap module's mappings: each price of the book is one of type flat, each rate one of type rate, of its service
 * when it looks at nothing else, of a field when it looks at that. The first price that matches counts, so that a
 * mapping of a field goes before that of its service: costs of both are not added up as CloudKitty does. All rates of
 * the price's group that match multiply it, as there. */
#include "api/rating/hashmap.h"
#include "api/rating/rating.h"
#include "common/uuid.h"
#include <string.h>

#define MAPPINGS "/v1/rating/module_config/hashmap/mappings"

struct mapping_body {
    json_value *cost;
    const char *id, *value, *service, *field, *group, *tenant, *type;
    struct json_seen seen;
};
#define TEXT_FIELD(field, member)                                                                                      \
    {                                                                                                                  \
        .name = field, .kind = JSON_TEXT, .offset = offsetof(struct mapping_body, member), .flags = JSON_NULLABLE,     \
        .min = 1, .max = 255                                                                                           \
    }
static const struct json_field mapping_fields[] = {
    {.name = "cost", .kind = JSON_ANY, .offset = offsetof(struct mapping_body, cost)},
    TEXT_FIELD("mapping_id", id),
    TEXT_FIELD("value", value),
    TEXT_FIELD("service_id", service),
    TEXT_FIELD("field_id", field),
    TEXT_FIELD("group_id", group),
    TEXT_FIELD("tenant_id", tenant),
    TEXT_FIELD("type", type),
};
static const struct json_table mapping_table = {.fields = mapping_fields,
                                                .count = JSON_COUNT(mapping_fields),
                                                .open = true,
                                                .seen_offset = offsetof(struct mapping_body, seen)};

/* One that looks at several things names the first as its field, and all of them in its value. */
static const char *value_of(struct hashmap_view *v, const struct hashmap_price *p, enum hashmap_field first, int count)
{
    const char *text = first == FIELD_NONE ? NULL : p->conditions[first];
    for (int i = first + 1; count > 1 && i < FIELD_COUNT; i++) {
        if (p->conditions[i]) {
            text = arena_printf(&v->request->arena, "%s; %s=%s", text, hashmap_field_name((enum hashmap_field)i),
                                p->conditions[i]);
        }
    }
    return text;
}

static const char *field_id(struct hashmap_view *v, const struct hashmap_price *p, enum hashmap_field field)
{
    return field == FIELD_NONE ? NULL
                               : arena_printf(&v->request->arena, "%s:%s", p->resource, hashmap_field_name(field));
}

static void write_mapping(struct json_out *out, struct hashmap_view *v, const struct hashmap_price *p)
{
    enum hashmap_field first;
    int count = hashmap_conditions(p, &first);
    json_out_object(out, NULL);
    json_out_text(out, "mapping_id", p->id);
    json_out_text(out, "value", value_of(v, p, first, count));
    json_out_text(out, "cost", p->tiers[0].price);
    json_out_text(out, "type", hashmap_type(p->rate));
    json_out_text(out, "field_id", field_id(v, p, first));
    json_out_text(out, "service_id", first == FIELD_NONE ? p->resource : NULL);
    json_out_text(out, "group_id", p->group);
    json_out_text(out, "tenant_id", p->project);
    json_out_object_end(out);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_asked_for(struct hashmap_view *v, const struct hashmap_price *p)
{
    struct request *request = v->request;
    const char *service = request_query(request, "service_id"), *field = request_query(request, "field_id"),
               *group = request_query(request, "group_id"), *tenant = request_query(request, "tenant_id");
    enum hashmap_field first;
    hashmap_conditions(p, &first);
    return (!service || (first == FIELD_NONE && strcmp(p->resource, service) == 0)) &&
           (!field || same(field_id(v, p, first), field)) && (!group || same(p->group, group)) &&
           (!request_query(request, "no_group") || !p->group) &&
           (!(tenant || request_query(request, "filter_tenant")) || same(p->project, tenant));
}

static int mappings_list(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    int rc = hashmap_load(request, &v);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "mappings");
    for (const struct hashmap_price *p = v.prices; p; p = p->next) {
        if (is_asked_for(&v, p)) {
            write_mapping(&reply->out, &v, p);
        }
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int find(struct hashmap_view *v, const char *in_body, struct hashmap_price **ret)
{
    const char *id = NULL;
    int rc = hashmap_id(v->request, "mapping", in_body, &id);
    if (rc) {
        return rc;
    }
    *ret = hashmap_find(v, id);
    return *ret ? 0 : error_set(&v->request->error, ERR_NOT_FOUND, "there is no mapping %s", id);
}

static int mappings_show(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    struct hashmap_price *p = NULL;
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : find(&v, NULL, &p);
    if (!rc) {
        write_mapping(&reply->out, &v, p);
    }
    return rc;
}

static int mappings_group(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    struct hashmap_price *p = NULL;
    const char *id = request_query(request, "mapping_id");
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : find(&v, id, &p);
    if (!rc && !p->group) {
        rc = error_set(&request->error, ERR_NOT_FOUND, "mapping %s is in no group", id);
    }
    if (!rc) {
        json_out_object(&reply->out, NULL);
        json_out_text(&reply->out, "group_id", p->group);
        json_out_text(&reply->out, "name", p->group);
        json_out_object_end(&reply->out);
    }
    return rc;
}

/* ---- writes ---- */

static int check_group(struct hashmap_view *v, const char *group)
{
    return !group || hashmap_has_name(v->groups, group)
               ? 0
               : error_set(&v->request->error, ERR_NOT_FOUND, "there is no group %s", group);
}

/* What a new mapping looks at. */
static int read_target(struct hashmap_view *v, const struct mapping_body *b, struct hashmap_price *ret)
{
    struct request *request = v->request;
    enum hashmap_field field = FIELD_NONE;
    if ((b->service != NULL) == (b->field != NULL) || (b->field != NULL) != (b->value != NULL)) {
        return error_set(&request->error, ERR_INVALID,
                         "a mapping is of a service_id, or of a field_id with the value that it is for");
    }
    if (b->service && !hashmap_has_name(v->services, b->service)) {
        return error_set(&request->error, ERR_NOT_FOUND, "there is no service %s", b->service);
    }
    if (b->field && !hashmap_has_name(v->fields, b->field)) {
        return error_set(&request->error, ERR_NOT_FOUND, "there is no field %s", b->field);
    }
    ret->resource = b->service;
    int rc = b->field ? hashmap_field_split(request, b->field, &ret->resource, &field) : 0;
    if (!rc && field != FIELD_NONE) {
        ret->conditions[field] = b->value;
    }
    return rc;
}

static const struct hashmap_price *equal_one(const struct hashmap_view *v, const struct hashmap_price *like)
{
    for (const struct hashmap_price *p = v->prices; p; p = p->next) {
        bool equal = p != like && p->rate == like->rate && strcmp(p->resource, like->resource) == 0 &&
                     same(p->project, like->project);
        for (int i = 0; equal && i < FIELD_COUNT; i++) {
            equal = same(p->conditions[i], like->conditions[i]);
        }
        if (equal && !p->rest) {
            return p;
        }
    }
    return NULL;
}

static int refuse_equal(struct hashmap_view *v, const struct hashmap_price *p)
{
    const struct hashmap_price *other = equal_one(v, p);
    return other ? error_set(&v->request->error, ERR_CONFLICT, "mapping %s is for the same already%s", other->id,
                             p->rate ? "" : ": the first that matches counts")
                 : 0;
}

static int mappings_add(struct request *request, struct reply *reply)
{
    const struct mapping_body *b = request->body;
    struct hashmap_view v;
    struct hashmap_price like = {.project = b->tenant, .group = b->group, .tier_count = 1};
    char *id = arena_alloc(&request->arena, UUID_SIZE);
    like.id = uuid_random(id);
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : hashmap_type_read(request, b->type, &like.rate);
    rc = rc ? rc : check_group(&v, b->group);
    rc = rc ? rc : read_target(&v, b, &like);
    rc = rc ? rc : hashmap_cost(request, b->cost, &like.tiers[0].price);
    rc = rc ? rc : refuse_equal(&v, &like);
    if (rc) {
        return rc;
    }
    const struct hashmap_price *made = hashmap_add(&v, &like);
    rc = hashmap_save(&v);
    if (!rc) {
        reply->status = 201;
        write_mapping(&reply->out, &v, made);
    }
    return rc;
}

/* One of another type goes where those of that type stand. */
static int change_type(struct hashmap_view *v, struct hashmap_price **p, const char *type)
{
    struct hashmap_price like = **p;
    int rc = hashmap_type_read(v->request, type, &like.rate);
    if (rc || like.rate == (*p)->rate) {
        return rc;
    }
    if (like.tier_count > 1) {
        return error_set(&v->request->error, ERR_CONFLICT, "type: a mapping with thresholds is flat");
    }
    hashmap_remove(v, *p);
    *p = hashmap_add(v, &like);
    return 0;
}

/* A client sends back all that it was shown with what it changes; what it leaves out stays. */
static int change(struct hashmap_view *v, struct hashmap_price *p, const struct mapping_body *b)
{
    enum hashmap_field first;
    int count = hashmap_conditions(p, &first);
    bool target = (b->service && !same(b->service, first == FIELD_NONE ? p->resource : NULL)) ||
                  (b->field && !same(b->field, field_id(v, p, first)));
    if (target) {
        return error_set(&v->request->error, ERR_CONFLICT,
                         "a mapping stays with its service or field: make another and delete this one");
    }
    if (b->value && !same(b->value, value_of(v, p, first, count))) {
        if (count != 1) {
            return error_set(&v->request->error, ERR_CONFLICT,
                             "value: this price looks at %s: change it in the book (/rating/v3/books)",
                             count == 0 ? "nothing" : "several things");
        }
        p->conditions[first] = b->value;
    }
    p->group = b->group ? b->group : p->group;
    p->project = b->tenant ? b->tenant : p->project;
    return refuse_equal(v, p);
}

static int mappings_change(struct request *request, struct reply *reply)
{
    const struct mapping_body *b = request->body;
    struct hashmap_view v;
    struct hashmap_price *p = NULL;
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : find(&v, b->id, &p);
    rc = rc ? rc : change_type(&v, &p, b->type);
    rc = rc ? rc : check_group(&v, b->group);
    rc = rc ? rc : hashmap_cost(request, b->cost, &p->tiers[0].price);
    rc = rc ? rc : change(&v, p, b);
    rc = rc ? rc : hashmap_save(&v);
    if (!rc) {
        write_mapping(&reply->out, &v, p);
    }
    return rc;
}

static int mappings_delete(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    struct hashmap_price *p = NULL;
    const struct mapping_body *b = request->body;
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : find(&v, b ? b->id : NULL, &p);
    if (rc) {
        return rc;
    }
    hashmap_remove(&v, p);
    reply->status = 204;
    return hashmap_save(&v);
}

/* The module's own client names what it changes in the body, others do in the path. */
#define WRITE(verb, path, function)                                                                                    \
    {                                                                                                                  \
        .method = (verb), .pattern = (path), .permission = PERMISSION_BILLING, .kind = ROUTE_WRITE,                    \
        .body = &mapping_table, .body_size = sizeof(struct mapping_body), .handler = (function)                        \
    }
static const struct route rows[] = {
    {.method = "GET", .pattern = MAPPINGS, .permission = PERMISSION_BILLED, .handler = mappings_list},
    {.method = "GET",
     .pattern = "/v1/rating/module_config/hashmap/groups/mappings",
     .permission = PERMISSION_BILLED,
     .handler = mappings_list},
    {.method = "GET", .pattern = MAPPINGS "/group", .permission = PERMISSION_BILLED, .handler = mappings_group},
    {.method = "GET", .pattern = MAPPINGS "/{mapping}", .permission = PERMISSION_BILLED, .handler = mappings_show},
    WRITE("POST", MAPPINGS, mappings_add),
    WRITE("PUT", MAPPINGS, mappings_change),
    WRITE("PUT", MAPPINGS "/{mapping}", mappings_change),
    WRITE("DELETE", MAPPINGS, mappings_delete),
    {.method = "DELETE",
     .pattern = MAPPINGS "/{mapping}",
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .handler = mappings_delete},
};
const struct route_table rating_hashmap_mappings_routes = ROUTE_TABLE(rows);
