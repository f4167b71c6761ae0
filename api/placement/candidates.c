/* GET /allocation_candidates: which hosts could take what is asked for. A host is a tree of one provider, so request
 * groups come down to their sum: all of them must be met by the same host. Isolated groups need different providers and
 * so never fit. */
#include "api/placement/placement_service.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 32

struct group {
    const char *suffix; /* "" for the unsuffixed one */
    bool has_resources;
    const char *in_tree;
};
struct asking {
    struct request *request;
    struct placement_filter filter; /* of all groups together */
    struct group groups[GROUPS_MAX];
    size_t group_count;
    const char *policy;
    bool subtree, impossible;
    int64_t limit;
};

static int unexpected(struct asking *a, const char *name)
{
    return error_set(&a->request->error, ERR_INVALID,
                     "Invalid query string parameters: '%s' does not match any of the regexes", name);
}

static struct group *find_group(struct asking *a, const char *suffix)
{
    for (size_t i = 0; i < a->group_count; i++)
        if (strcmp(a->groups[i].suffix, suffix) == 0)
            return &a->groups[i];
    if (a->group_count == GROUPS_MAX)
        return NULL;
    a->groups[a->group_count] = (struct group){.suffix = arena_strdup(&a->request->arena, suffix)};
    return &a->groups[a->group_count++];
}

/* Numbers from 1.25 on, any text from 1.33 on. */
static bool suffix_allowed(const struct asking *a, const char *suffix)
{
    bool number = suffix[0] != '0';
    if (suffix[0] == 0)
        return true;
    for (const char *at = suffix; *at != 0; at++) {
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-')
            return false;
        number = number && isdigit((unsigned char)*at);
    }
    return strlen(suffix) <= 64 && a->request->microversion >= (number ? 25 : 33);
}

static int read_grouped(struct asking *a, const char *kind, const char *suffix, const char *value)
{
    struct group *group = find_group(a, suffix);
    if (group == NULL)
        return error_set(&a->request->error, ERR_INVALID, "At most %d request groups are accepted", GROUPS_MAX);
    if (strcmp(kind, "resources") == 0) {
        group->has_resources = true;
        return placement_service_add_resources(a->request, &a->filter, value);
    }
    if (strcmp(kind, "required") == 0)
        return placement_service_add_required(a->request, &a->filter, value);
    if (strcmp(kind, "member_of") == 0)
        return placement_service_add_member_of(a->request, &a->filter, value);
    if (a->filter.in_tree != NULL && strcmp(a->filter.in_tree, value) != 0)
        a->impossible = true;
    a->filter.in_tree = arena_strdup(&a->request->arena, value);
    return 0;
}

static int read_limit(struct asking *a, const char *value)
{
    char *end = NULL;
    errno = 0;
    a->limit = strtoll(value, &end, 10);
    if (value[0] == 0 || *end != 0 || errno != 0 || a->limit < 1)
        return error_set(&a->request->error, ERR_INVALID,
                         "Invalid query string parameters: '%s' does not match '^[1-9][0-9]*$'", value);
    return 0;
}

static int read_policy(struct asking *a, const char *value)
{
    if (strcmp(value, "none") != 0 && strcmp(value, "isolate") != 0)
        return error_set(&a->request->error, ERR_INVALID,
                         "Invalid query string parameters: '%s' is not one of ['none', 'isolate']", value);
    a->policy = arena_strdup(&a->request->arena, value);
    return 0;
}

static int read_argument(void *arg, const char *name, const char *value)
{
    static const struct {
        const char *kind;
        int since;
    } kinds[] = {{"resources", 10}, {"required", 17}, {"member_of", 21}, {"in_tree", 31}};
    struct asking *a = arg;
    int version = a->request->microversion;
    if (strcmp(name, "limit") == 0 && version >= 16)
        return read_limit(a, value);
    if (strcmp(name, "group_policy") == 0 && version >= 25)
        return read_policy(a, value);
    if (strcmp(name, "root_required") == 0 && version >= 35)
        return placement_service_add_required(a->request, &a->filter, value);
    if (strcmp(name, "same_subtree") == 0 && version >= 36) {
        a->subtree = true;
        return 0;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t length = strlen(kinds[i].kind);
        if (strncmp(name, kinds[i].kind, length) == 0 && version >= kinds[i].since && suffix_allowed(a, name + length))
            return read_grouped(a, kinds[i].kind, name + length, value);
    }
    return unexpected(a, name);
}

static int check_groups(struct asking *a)
{
    size_t suffixed = 0, total = 0;
    for (size_t i = 0; i < a->group_count; i++) {
        const struct group *g = &a->groups[i];
        if (!g->has_resources && !a->subtree)
            return error_set(&a->request->error, ERR_INVALID,
                             "All traits, member_of and in_tree parameters need a resources%s parameter beside them.",
                             g->suffix);
        total += g->has_resources;
        suffixed += g->has_resources && g->suffix[0] != 0;
    }
    if (total == 0)
        return error_set(&a->request->error, ERR_INVALID,
                         "At least one request group (`resources` or `resources{$S}`) is required.");
    if (suffixed > 1 && a->policy == NULL)
        return error_set(&a->request->error, ERR_INVALID,
                         "The \"group_policy\" parameter is required when specifying more than one \"resources{N}\" "
                         "parameter.");
    if (suffixed > 1 && strcmp(a->policy, "isolate") == 0)
        a->impossible = true;
    return 0;
}

static void write_resources(struct asking *a, struct json_out *out)
{
    json_out_object(out, "resources");
    for (int i = 0; i < RESOURCE_COUNT; i++)
        if (a->filter.amounts[i] > 0)
            json_out_int(out, resource_name((enum resource)i), a->filter.amounts[i]);
    for (size_t i = 0; i < a->filter.further_count; i++)
        json_out_int(out, a->filter.further[i].name, a->filter.further[i].amount);
    json_out_object_end(out);
}

static void write_request(struct asking *a, struct json_out *out, const struct placement_provider *p)
{
    json_out_object(out, NULL);
    if (a->request->microversion >= 12) {
        json_out_object(out, "allocations");
        json_out_object(out, p->host.id);
        write_resources(a, out);
        json_out_object_end(out);
        json_out_object_end(out);
    } else {
        json_out_array(out, "allocations");
        json_out_object(out, NULL);
        json_out_object(out, "resource_provider");
        json_out_text(out, "uuid", p->host.id);
        json_out_object_end(out);
        write_resources(a, out);
        json_out_object_end(out);
        json_out_array_end(out);
    }
    if (a->request->microversion >= 34) {
        json_out_object(out, "mappings");
        for (size_t i = 0; i < a->group_count; i++) {
            json_out_array(out, a->groups[i].suffix);
            json_out_text(out, NULL, p->host.id);
            json_out_array_end(out);
        }
        json_out_object_end(out);
    }
    json_out_object_end(out);
}

static void write_further(struct asking *a, struct json_out *out, const struct host_resource_row *row)
{
    bool asked = a->request->microversion >= 27;
    for (size_t i = 0; i < a->filter.further_count; i++)
        asked = asked || strcmp(a->filter.further[i].name, row->name) == 0;
    if (!asked)
        return;
    json_out_object(out, row->name);
    json_out_int(out, "capacity", resource_capacity(&row->inventory));
    json_out_int(out, "used", row->used);
    json_out_object_end(out);
}

static void write_summary(struct asking *a, struct json_out *out, const struct placement_provider *p)
{
    int version = a->request->microversion;
    json_out_object(out, p->host.id);
    json_out_object(out, "resources");
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        struct resource_inventory inventory = placement_service_inventory(p, (enum resource)i);
        if (inventory.total == 0 || (version < 27 && a->filter.amounts[i] == 0))
            continue;
        json_out_object(out, resource_name((enum resource)i));
        json_out_int(out, "capacity", resource_capacity(&inventory));
        json_out_int(out, "used", p->host.used.amount[i]);
        json_out_object_end(out);
    }
    for (size_t i = 0; i < p->resource_count; i++)
        write_further(a, out, &p->resources[i]);
    json_out_object_end(out);
    if (version >= 17) {
        json_out_array(out, "traits");
        for (size_t i = 0; i < p->trait_count; i++)
            json_out_text(out, NULL, p->traits[i]);
        json_out_array_end(out);
    }
    if (version >= 29) {
        json_out_null(out, "parent_provider_uuid");
        json_out_text(out, "root_provider_uuid", p->host.id);
    }
    json_out_object_end(out);
}

static int candidates_list(struct request *request, struct reply *reply)
{
    struct asking a = {.request = request, .limit = INT64_MAX};
    struct placement_provider *list = NULL;
    size_t count = 0, kept = 0;
    int rc = request_query_each(request, read_argument, &a);
    if (rc == 0)
        rc = check_groups(&a);
    if (rc == 0)
        rc = placement_service_load(request, &list, &count);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count && (int64_t)kept < a.limit && !a.impossible; i++)
        if (placement_service_matches(&list[i], &a.filter))
            list[kept++] = list[i];
    placement_service_fresh(request, reply);
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "allocation_requests");
    for (size_t i = 0; i < kept; i++)
        write_request(&a, &reply->out, &list[i]);
    json_out_array_end(&reply->out);
    json_out_object(&reply->out, "provider_summaries");
    for (size_t i = 0; i < kept; i++)
        write_summary(&a, &reply->out, &list[i]);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/allocation_candidates",
     .permission = PERMISSION_ADMIN,
     .since = 10,
     .handler = candidates_list},
};
const struct route_table placement_candidates_routes = ROUTE_TABLE(rows);
