/* Traits, resource classes and the usage of a project. */
#include "api/placement/placement_service.h"
#include <stdlib.h>
#include <string.h>

struct names {
    const char **list;
    size_t count, room;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All traits that a host has, each once, in order. */
static int load_traits(struct request *request, struct names *ret)
{
    struct placement_provider *providers = NULL;
    size_t count = 0, kept = 0;
    int rc = placement_service_load(request, &providers, &count);
    for (size_t i = 0; i < count && rc == 0; i++)
        for (size_t k = 0; k < providers[i].trait_count; k++) {
            ret->list = arena_more(&request->arena, ret->list, ret->count, &ret->room, sizeof(*ret->list));
            ret->list[ret->count++] = providers[i].traits[k];
        }
    if (ret->count > 1)
        qsort(ret->list, ret->count, sizeof(*ret->list), compare_names);
    for (size_t i = 0; i < ret->count; i++)
        if (kept == 0 || strcmp(ret->list[kept - 1], ret->list[i]) != 0)
            ret->list[kept++] = ret->list[i];
    ret->count = kept;
    return rc;
}

/* "in:A,B" or "startswith:A"; NULL matches all. */
static bool matches_name(const char *filter, const char *trait)
{
    if (filter == NULL)
        return true;
    if (strncmp(filter, "startswith:", 11) == 0)
        return strncmp(trait, filter + 11, strlen(filter + 11)) == 0;
    size_t length = strlen(trait);
    for (const char *at = filter + 3; *at != 0; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
        if (strcspn(at, ",") == length && strncmp(at, trait, length) == 0)
            return true;
    return false;
}

static int check_argument(void *arg, const char *name, const char *value)
{
    struct request *request = arg;
    if (strcmp(name, "name") == 0 && (strncmp(value, "in:", 3) == 0 || strncmp(value, "startswith:", 11) == 0))
        return 0;
    if (strcmp(name, "name") == 0)
        return error_set(&request->error, ERR_INVALID,
                         "Badly formatted name parameter. Expected name query string parameter in form: "
                         "?name=[in|startswith]:[name1,name2|prefix]. Got: \"%s\"",
                         value);
    if (strcmp(name, "associated") == 0 && (strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0))
        return 0;
    return error_set(&request->error, ERR_INVALID,
                     "The query parameter \"associated\" only accepts \"true\" or \"false\"; '%s' is not known here",
                     name);
}

static int traits_list(struct request *request, struct reply *reply)
{
    struct names names = {0};
    const char *associated = request_query(request, "associated");
    int rc = request_query_each(request, check_argument, request);
    if (rc == 0)
        rc = load_traits(request, &names);
    if (rc != 0)
        return rc;
    placement_service_fresh(request, reply);
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "traits");
    for (size_t i = 0; i < names.count; i++) /* all that are known are some host's */
        if (matches_name(request_query(request, "name"), names.list[i]) &&
            (associated == NULL || strcasecmp(associated, "true") == 0))
            json_out_text(&reply->out, NULL, names.list[i]);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int traits_show(struct request *request, struct reply *reply)
{
    struct names names = {0};
    const char *name = request_param(request, "name");
    int rc = load_traits(request, &names);
    for (size_t i = 0; i < names.count && rc == 0; i++)
        if (strcmp(names.list[i], name) == 0) {
            reply->status = 204;
            placement_service_fresh(request, reply);
            return 0;
        }
    return rc != 0 ? rc : error_set(&request->error, ERR_NOT_FOUND, "No such trait(s): %s.", name);
}

static void write_class(struct request *request, struct json_out *out, const char *name)
{
    json_out_object(out, NULL);
    json_out_text(out, "name", name);
    json_out_array(out, "links");
    json_out_object(out, NULL);
    json_out_text(out, "rel", "self");
    json_out_textf(out, "href", "%s/resource_classes/%s", request->service->prefix, name);
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object_end(out);
}

struct classes {
    struct request *request;
    struct json_out *out;
};

static int write_further(void *arg, const char *name, struct error *e)
{
    struct classes *c = arg;
    (void)e;
    write_class(c->request, c->out, name);
    return 0;
}

static int classes_list(struct request *request, struct reply *reply)
{
    struct classes further = {request, &reply->out};
    placement_service_fresh(request, reply);
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "resource_classes");
    for (int i = 0; i < RESOURCE_COUNT; i++)
        write_class(request, &reply->out, resource_name((enum resource)i));
    int rc = store_resource_classes(request->conn, write_further, &further, &request->error);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static int classes_show(struct request *request, struct reply *reply)
{
    const char *name = request_param(request, "name");
    bool known = placement_service_class(name) >= 0;
    int rc = known ? 0 : store_resource_class_exists(request->conn, name, &known, &request->error);
    if (rc != 0)
        return rc;
    if (!known)
        return error_set(&request->error, ERR_NOT_FOUND, "No such resource class %s.", name);
    placement_service_fresh(request, reply);
    write_class(request, &reply->out, name);
    return 0;
}

static const struct route trait_rows[] = {
    {.method = "GET", .pattern = "/traits", .permission = PERMISSION_ADMIN, .since = 6, .handler = traits_list},
    {.method = "GET", .pattern = "/traits/{name}", .permission = PERMISSION_ADMIN, .since = 6, .handler = traits_show},
    {.method = "GET",
     .pattern = "/resource_classes",
     .permission = PERMISSION_ADMIN,
     .since = 2,
     .handler = classes_list},
    {.method = "GET",
     .pattern = "/resource_classes/{name}",
     .permission = PERMISSION_ADMIN,
     .since = 2,
     .handler = classes_show},
};
const struct route_table placement_traits_routes = ROUTE_TABLE(trait_rows);

/* ---- usages of a project ---- */

static void write_usages(struct json_out *out, const struct resources *sum, int64_t servers, bool with_count)
{
    if (with_count)
        json_out_int(out, "consumer_count", servers);
    for (int i = 0; i < RESOURCE_COUNT; i++)
        if (sum->amount[i] > 0)
            json_out_int(out, resource_name((enum resource)i), sum->amount[i]);
}

/* Servers are the only consumers: of type INSTANCE. */
static int usages_list(struct request *request, struct reply *reply)
{
    const char *project = request_query(request, "project_id"), *user = request_query(request, "user_id");
    const char *type = request_query(request, "consumer_type");
    struct resources sum = {0};
    int64_t servers = 0;
    if (project == NULL)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid query string parameters: 'project_id' is a required property");
    if ((request->credential.roles & ROLE_ADMIN) == 0 && strcmp(project, request->credential.project_id) != 0)
        return error_set(&request->error, ERR_FORBIDDEN, "placement:usages is not allowed for this project");
    int rc = store_placement_view_usage(request->conn, project, user, &sum, &servers, &request->error);
    if (rc != 0)
        return rc;
    placement_service_fresh(request, reply);
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "usages");
    if (request->microversion < 38) {
        write_usages(&reply->out, &sum, servers, false);
    } else if (servers > 0 && (type == NULL || strcmp(type, "INSTANCE") == 0 || strcmp(type, "all") == 0)) {
        json_out_object(&reply->out, type != NULL ? type : "INSTANCE");
        write_usages(&reply->out, &sum, servers, true);
        json_out_object_end(&reply->out);
    }
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route usage_rows[] = {
    {.method = "GET", .pattern = "/usages", .permission = PERMISSION_READER, .since = 9, .handler = usages_list},
};
const struct route_table placement_usages_routes = ROUTE_TABLE(usage_rows);
