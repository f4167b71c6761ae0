/* Resource providers: /resource_providers and what lies below each. */
#include "api/placement/placement_service.h"
#include "common/json_in.h"
#include <string.h>

static void write_link(struct request *request, struct json_out *out, const char *id, const char *rel)
{
    bool self = strcmp(rel, "self") == 0;
    json_out_object(out, NULL);
    json_out_text(out, "rel", rel);
    json_out_textf(out, "href", "%s/resource_providers/%s%s%s", request->service->prefix, id, self ? "" : "/",
                   self ? "" : rel);
    json_out_object_end(out);
}

static void write_provider(struct request *request, struct json_out *out, const struct placement_provider *p)
{
    static const struct {
        const char *rel;
        int since;
    } links[] = {{"self", 0}, {"inventories", 0}, {"usages", 0}, {"aggregates", 1}, {"traits", 6}, {"allocations", 11}};
    json_out_object(out, NULL);
    json_out_text(out, "uuid", p->host.id);
    json_out_text(out, "name", p->host.name);
    json_out_int(out, "generation", p->host.allocation_revision);
    if (request->microversion >= 14) {
        json_out_null(out, "parent_provider_uuid");
        json_out_text(out, "root_provider_uuid", p->host.id);
    }
    json_out_array(out, "links");
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (request->microversion >= links[i].since)
            write_link(request, out, p->host.id, links[i].rel);
    json_out_array_end(out);
    json_out_object_end(out);
}

/* ---- list ---- */

struct listing {
    struct request *request;
    struct placement_filter filter;
    const char *name, *uuid;
};

static int read_argument(void *arg, const char *name, const char *value)
{
    struct listing *l = arg;
    int version = l->request->microversion;
    if (strcmp(name, "name") == 0)
        l->name = arena_strdup(&l->request->arena, value);
    else if (strcmp(name, "uuid") == 0)
        l->uuid = arena_strdup(&l->request->arena, value);
    else if (strcmp(name, "member_of") == 0 && version >= 3)
        return placement_service_add_member_of(l->request, &l->filter, value);
    else if (strcmp(name, "resources") == 0 && version >= 4)
        return placement_service_add_resources(l->request, &l->filter, value);
    else if (strcmp(name, "in_tree") == 0 && version >= 14)
        l->filter.in_tree = arena_strdup(&l->request->arena, value);
    else if (strcmp(name, "required") == 0 && version >= 18)
        return placement_service_add_required(l->request, &l->filter, value);
    else
        return error_set(&l->request->error, ERR_INVALID,
                         "Invalid query string parameters: Additional properties are not allowed ('%s' was "
                         "unexpected)",
                         name);
    return 0;
}

static int providers_list(struct request *request, struct reply *reply)
{
    struct listing l = {.request = request};
    struct placement_provider *list = NULL;
    size_t count = 0;
    int rc = request_query_each(request, read_argument, &l);
    if (rc == 0)
        rc = placement_service_load(request, &list, &count);
    if (rc != 0)
        return rc;
    placement_service_fresh(request, reply);
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "resource_providers");
    for (size_t i = 0; i < count; i++)
        if ((l.name == NULL || strcmp(l.name, list[i].host.name) == 0) &&
            (l.uuid == NULL || strcmp(l.uuid, list[i].host.id) == 0) && placement_service_matches(&list[i], &l.filter))
            write_provider(request, &reply->out, &list[i]);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int providers_show(struct request *request, struct reply *reply)
{
    struct placement_provider p;
    int rc = placement_service_find(request, &p);
    if (rc != 0)
        return rc;
    placement_service_fresh(request, reply);
    write_provider(request, &reply->out, &p);
    return 0;
}

/* ---- inventories ---- */

static void write_inventory(struct json_out *out, const char *key, const struct placement_provider *p,
                            const struct resource_inventory *inventory, bool with_generation)
{
    json_out_object(out, key);
    if (with_generation)
        json_out_int(out, "resource_provider_generation", p->host.allocation_revision);
    json_out_int(out, "total", inventory->total);
    json_out_int(out, "reserved", inventory->reserved);
    json_out_int(out, "min_unit", 1);
    json_out_int(out, "max_unit", inventory->total);
    json_out_int(out, "step_size", 1);
    json_out_number(out, "allocation_ratio", (double)inventory->ratio_permille / 1000.0);
    json_out_object_end(out);
}

void placement_service_write_inventories(struct reply *reply, const struct placement_provider *p)
{
    json_out_object(&reply->out, NULL);
    json_out_int(&reply->out, "resource_provider_generation", p->host.allocation_revision);
    json_out_object(&reply->out, "inventories");
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        struct resource_inventory inventory = placement_service_inventory(p, (enum resource)i);
        if (inventory.total > 0)
            write_inventory(&reply->out, resource_name((enum resource)i), p, &inventory, false);
    }
    for (size_t i = 0; i < p->resource_count; i++)
        write_inventory(&reply->out, p->resources[i].name, p, &p->resources[i].inventory, false);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
}

int placement_service_answer(struct request *request, struct reply *reply, placement_service_write_fn write)
{
    struct placement_provider p;
    int rc = placement_service_find(request, &p);
    if (rc != 0)
        return rc;
    placement_service_fresh(request, reply);
    write(reply, &p);
    return 0;
}

static int inventories_list(struct request *request, struct reply *reply)
{
    return placement_service_answer(request, reply, placement_service_write_inventories);
}

static int inventories_show(struct request *request, struct reply *reply)
{
    struct placement_provider p;
    struct resource_inventory inventory = {.total = 0};
    const char *name = request_param(request, "class");
    int class = placement_service_class(name);
    int rc = placement_service_find(request, &p);
    if (rc != 0)
        return rc;
    const struct host_resource_row *further = placement_service_resource(&p, name);
    if (class >= 0)
        inventory = placement_service_inventory(&p, (enum resource) class);
    else if (further != NULL)
        inventory = further->inventory;
    if (inventory.total == 0)
        return error_set(&request->error, ERR_NOT_FOUND, "No inventory of class %s for %s", name, p.host.id);
    placement_service_fresh(request, reply);
    write_inventory(&reply->out, NULL, &p, &inventory, true);
    return 0;
}

/* ---- usages, aggregates, traits, allocations of one ---- */

static int usages_show(struct request *request, struct reply *reply)
{
    struct placement_provider p;
    int rc = placement_service_find(request, &p);
    if (rc != 0)
        return rc;
    placement_service_fresh(request, reply);
    json_out_object(&reply->out, NULL);
    json_out_int(&reply->out, "resource_provider_generation", p.host.allocation_revision);
    json_out_object(&reply->out, "usages");
    for (int i = 0; i < RESOURCE_COUNT; i++)
        if (p.host.total.amount[i] > 0)
            json_out_int(&reply->out, resource_name((enum resource)i), p.host.used.amount[i]);
    for (size_t i = 0; i < p.resource_count; i++)
        json_out_int(&reply->out, p.resources[i].name, p.resources[i].used);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static void write_texts(struct json_out *out, const char *key, const char *const *list, size_t count)
{
    json_out_array(out, key);
    for (size_t i = 0; i < count; i++)
        json_out_text(out, NULL, list[i]);
    json_out_array_end(out);
}

static int aggregates_show(struct request *request, struct reply *reply)
{
    struct placement_provider p;
    int rc = placement_service_find(request, &p);
    if (rc != 0)
        return rc;
    placement_service_fresh(request, reply);
    json_out_object(&reply->out, NULL);
    write_texts(&reply->out, "aggregates", p.aggregates, p.aggregate_count);
    if (request->microversion >= 19)
        json_out_int(&reply->out, "resource_provider_generation", p.host.allocation_revision);
    json_out_object_end(&reply->out);
    return 0;
}

void placement_service_write_traits(struct reply *reply, const struct placement_provider *p)
{
    json_out_object(&reply->out, NULL);
    write_texts(&reply->out, "traits", p->traits, p->trait_count);
    json_out_int(&reply->out, "resource_provider_generation", p->host.allocation_revision);
    json_out_object_end(&reply->out);
}

static int traits_show(struct request *request, struct reply *reply)
{
    return placement_service_answer(request, reply, placement_service_write_traits);
}

static int write_amount(void *arg, const char *name, json_value *value)
{
    int64_t amount = 0;
    json_in_int(value, &amount);
    json_out_int(arg, name, amount);
    return 0;
}

static int write_held(struct request *request, struct json_out *out, const struct placement_allocation_row *row)
{
    struct json_doc doc;
    int rc = 0;
    json_out_object(out, "resources");
    for (int i = 0; i < RESOURCE_COUNT; i++)
        if (row->held.amount[i] > 0)
            json_out_int(out, resource_name((enum resource)i), row->held.amount[i]);
    if (row->resources != NULL)
        rc = json_in_parse(row->resources, strlen(row->resources), &doc, &request->error);
    if (rc == 0 && row->resources != NULL) {
        json_in_each(doc.root, write_amount, out);
        json_in_done(&doc);
    }
    json_out_object_end(out);
    return rc;
}

static int allocations_of_provider(struct request *request, struct reply *reply)
{
    struct placement_provider p;
    struct placement_allocation_row *list = NULL;
    size_t count = 0;
    int rc = placement_service_find(request, &p);
    if (rc == 0)
        rc = store_placement_view_allocations(request->conn, NULL, p.host.id, &request->arena, &list, &count,
                                              &request->error);
    if (rc != 0)
        return rc;
    placement_service_fresh(request, reply);
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "allocations");
    for (size_t i = 0; i < count && rc == 0; i++) {
        json_out_object(&reply->out, list[i].server_id);
        rc = write_held(request, &reply->out, &list[i]);
        if (request->microversion >= 28)
            json_out_int(&reply->out, "consumer_generation", 1);
        json_out_object_end(&reply->out);
    }
    json_out_object_end(&reply->out);
    json_out_int(&reply->out, "resource_provider_generation", p.host.allocation_revision);
    json_out_object_end(&reply->out);
    return rc;
}

/* A server's allocation is made once and never changed: its generation is always 1. */
static int allocations_of_consumer(struct request *request, struct reply *reply)
{
    struct placement_allocation_row *list = NULL;
    size_t count = 0;
    int rc = store_placement_view_allocations(request->conn, request_param(request, "consumer"), NULL, &request->arena,
                                              &list, &count, &request->error);
    if (rc != 0)
        return rc;
    placement_service_fresh(request, reply);
    struct json_out *out = &reply->out;
    json_out_object(out, NULL);
    json_out_object(out, "allocations");
    for (size_t i = 0; i < count && rc == 0; i++) {
        json_out_object(out, list[i].host_id);
        rc = write_held(request, out, &list[i]);
        json_out_int(out, "generation", list[i].host_revision);
        json_out_object_end(out);
    }
    json_out_object_end(out);
    if (count > 0 && request->microversion >= 12) {
        json_out_text(out, "project_id", list[0].project_id);
        json_out_text(out, "user_id", list[0].user_id);
    }
    if (count > 0 && request->microversion >= 28)
        json_out_int(out, "consumer_generation", 1);
    if (count > 0 && request->microversion >= 38)
        json_out_text(out, "consumer_type", "INSTANCE");
    json_out_object_end(out);
    return rc;
}

#define PROVIDER "/resource_providers/{uuid}"
static const struct route rows[] = {
    {.method = "GET", .pattern = "/resource_providers", .permission = PERMISSION_ADMIN, .handler = providers_list},
    {.method = "GET", .pattern = PROVIDER, .permission = PERMISSION_ADMIN, .handler = providers_show},
    {.method = "GET", .pattern = PROVIDER "/inventories", .permission = PERMISSION_ADMIN, .handler = inventories_list},
    {.method = "GET",
     .pattern = PROVIDER "/inventories/{class}",
     .permission = PERMISSION_ADMIN,
     .handler = inventories_show},
    {.method = "GET", .pattern = PROVIDER "/usages", .permission = PERMISSION_ADMIN, .handler = usages_show},
    {.method = "GET",
     .pattern = PROVIDER "/aggregates",
     .permission = PERMISSION_ADMIN,
     .since = 1,
     .handler = aggregates_show},
    {.method = "GET",
     .pattern = PROVIDER "/traits",
     .permission = PERMISSION_ADMIN,
     .since = 6,
     .handler = traits_show},
    {.method = "GET",
     .pattern = PROVIDER "/allocations",
     .permission = PERMISSION_ADMIN,
     .handler = allocations_of_provider},
    {.method = "GET",
     .pattern = "/allocations/{consumer}",
     .permission = PERMISSION_ADMIN,
     .handler = allocations_of_consumer},
};
const struct route_table placement_providers_routes = ROUTE_TABLE(rows);
