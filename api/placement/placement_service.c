/* The placement service: faults, microversions, and the hosts as providers. */
#include "api/placement/placement_service.h"
#include "api/http/fault.h"
#include "common/json_in.h"
#include "common/uuid.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- faults and versions ---- */

static void fault(struct request *request, struct reply *reply, int status, const char *message)
{
    struct json_out *out = &reply->out;
    json_out_object(out, NULL);
    json_out_array(out, "errors");
    json_out_object(out, NULL);
    json_out_int(out, "status", status);
    json_out_text(out, "title", fault_title(status));
    json_out_text(out, "detail", message);
    if (request->microversion >= 23)
        json_out_text(out, "code", "placement.undefined_code");
    json_out_text(out, "request_id", request->id);
    if (status == 406) {
        json_out_textf(out, "max_version", "1.%d", PLACEMENT_VERSION_MAX);
        json_out_text(out, "min_version", "1.0");
    }
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object_end(out);
}

/* The version behind "placement " in a list such as "compute 2.1, placement 1.29"; NULL when there is none. */
static const char *asked_version(struct request *request)
{
    const char *header = request_header(request, "OpenStack-API-Version");
    const char *at = header == NULL ? NULL : strcasestr(header, "placement ");
    if (at == NULL)
        return NULL;
    at += strlen("placement ");
    at += strspn(at, " ");
    return arena_strndup(&request->arena, at, strcspn(at, ", "));
}

static int negotiate(struct request *request, struct reply *reply)
{
    const char *asked = asked_version(request);
    long minor = 0;
    char *end = NULL;
    if (asked != NULL && strcmp(asked, "latest") == 0) {
        minor = PLACEMENT_VERSION_MAX;
    } else if (asked != NULL) {
        bool form = strncmp(asked, "1.", 2) == 0 && isdigit((unsigned char)asked[2]);
        minor = form ? strtol(asked + 2, &end, 10) : -1;
        if (!form || *end != 0 || minor > PLACEMENT_VERSION_MAX)
            return error_set(&request->error, ERR_NOT_ACCEPTABLE, "Unacceptable version header: %s", asked);
    }
    request->microversion = (int)minor;
    reply_header(reply, "OpenStack-API-Version", arena_printf(&request->arena, "placement 1.%ld", minor));
    reply_header(reply, "Vary", "openstack-api-version");
    return 0;
}

void placement_service_fresh(struct request *request, struct reply *reply)
{
    char text[64];
    struct tm tm;
    time_t now = (time_t)(request->now_us / 1000000);
    if (request->microversion < 15)
        return;
    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    reply_header(reply, "Cache-Control", "no-cache");
    reply_header(reply, "Last-Modified", text);
}

/* ---- hosts ---- */

struct loading {
    struct request *request;
    struct placement_provider *list;
    size_t count, room;
};

static int parse_traits(struct request *request, struct placement_provider *p, struct error *e)
{
    struct json_doc doc;
    int rc = json_in_parse(p->host.traits, strlen(p->host.traits), &doc, e);
    if (rc != 0)
        return rc;
    p->traits = arena_array(&request->arena, json_in_count(doc.root) + 1, sizeof(*p->traits));
    for (size_t i = 0; i < json_in_count(doc.root); i++)
        p->traits[p->trait_count++] = arena_strdup(&request->arena, json_in_text(json_in_item(doc.root, i)));
    if (!p->host.enabled)
        p->traits[p->trait_count++] = "COMPUTE_STATUS_DISABLED";
    json_in_done(&doc);
    return 0;
}

static int load_one(void *arg, const struct host_row *row, struct error *e)
{
    struct loading *l = arg;
    struct arena *a = &l->request->arena;
    l->list = arena_more(a, l->list, l->count, &l->room, sizeof(*l->list));
    struct placement_provider *p = &l->list[l->count++];
    *p = (struct placement_provider){.host = *row};
    p->host.id = arena_strdup(a, row->id);
    p->host.name = arena_strdup(a, row->name);
    p->host.traits = arena_strdup(a, row->traits);
    return parse_traits(l->request, p, e);
}

static int join_aggregates(struct request *request, struct placement_provider *list, size_t count)
{
    struct placement_aggregate_row *rows = NULL;
    size_t row_count = 0;
    int rc = store_placement_view_aggregates(request->conn, &request->arena, &rows, &row_count, &request->error);
    for (size_t i = 0; i < count && rc == 0 && row_count > 0; i++) {
        list[i].aggregates = arena_array(&request->arena, row_count, sizeof(*list[i].aggregates));
        for (size_t k = 0; k < row_count; k++)
            if (strcmp(rows[k].host_id, list[i].host.id) == 0)
                list[i].aggregates[list[i].aggregate_count++] = rows[k].uuid;
    }
    return rc;
}

static int join_resources(struct request *request, const char *host_id, struct placement_provider *list, size_t count)
{
    struct host_resource_row *rows = NULL;
    size_t all = 0, row_count = 0;
    int rc = store_resource_list(request->conn, host_id, &request->arena, &rows, &all, &request->error);
    for (size_t i = 0; i < all && rc == 0; i++) /* an operator's none is no inventory */
        if (rows[i].inventory.total > 0)
            rows[row_count++] = rows[i];
    for (size_t i = 0; i < row_count && rc == 0; i++)
        for (size_t k = 0; k < count; k++)
            if (strcmp(rows[i].host_id, list[k].host.id) == 0) {
                list[k].resources = list[k].resource_count == 0 ? &rows[i] : list[k].resources; /* ordered by host */
                list[k].resource_count++;
            }
    return rc;
}

int placement_service_load(struct request *request, struct placement_provider **ret, size_t *ret_count)
{
    struct loading l = {.request = request};
    int rc = store_host_list(request->conn, load_one, &l, &request->error);
    if (rc == 0)
        rc = join_aggregates(request, l.list, l.count);
    if (rc == 0)
        rc = join_resources(request, NULL, l.list, l.count);
    if (rc == 0) {
        *ret = l.list;
        *ret_count = l.count;
    }
    return rc;
}

int placement_service_find(struct request *request, struct placement_provider *ret)
{
    const char *id = request_param(request, "uuid");
    struct error found = {0};
    *ret = (struct placement_provider){0};
    int rc = store_host_get(request->conn, id, &request->arena, &ret->host, &found);
    if (rc == ERR_NOT_FOUND)
        return error_set(&request->error, rc,
                         "No resource provider with uuid %s found : No resource provider with uuid %s found.", id, id);
    if (rc != 0)
        return error_set(&request->error, rc, "%s", error_text(&found));
    rc = parse_traits(request, ret, &request->error);
    if (rc == 0)
        rc = join_aggregates(request, ret, 1);
    return rc != 0 ? rc : join_resources(request, ret->host.id, ret, 1);
}

struct resource_inventory placement_service_inventory(const struct placement_provider *provider, enum resource r)
{
    const struct host_row *host = &provider->host;
    return (struct resource_inventory){
        .total = host->total.amount[r], .reserved = host->reserved.amount[r], .ratio_permille = host->ratio.amount[r]};
}

bool placement_service_has_trait(const struct placement_provider *provider, const char *trait)
{
    for (size_t i = 0; i < provider->trait_count; i++)
        if (strcmp(provider->traits[i], trait) == 0)
            return true;
    return false;
}

int placement_service_class(const char *name)
{
    for (int i = 0; i < RESOURCE_COUNT; i++)
        if (strcmp(resource_name((enum resource)i), name) == 0)
            return i;
    return -1;
}

const struct host_resource_row *placement_service_resource(const struct placement_provider *provider, const char *name)
{
    for (size_t i = 0; i < provider->resource_count; i++)
        if (strcmp(provider->resources[i].name, name) == 0)
            return &provider->resources[i];
    return NULL;
}

/* ---- filters ---- */

static struct placement_text_set split(struct request *request, const char *value)
{
    struct placement_text_set set = {0};
    char *text = arena_strdup(&request->arena, value), *save = NULL;
    set.items = arena_array(&request->arena, strlen(value) / 2 + 1, sizeof(*set.items));
    for (char *item = strtok_r(text, ",", &save); item != NULL; item = strtok_r(NULL, ",", &save))
        set.items[set.count++] = item;
    return set;
}

static int add_further(struct request *request, struct placement_filter *filter, const char *name, int64_t amount)
{
    bool known = false;
    int rc = store_resource_class_exists(request->conn, name, &known, &request->error);
    if (rc == 0 && !known)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid resource class in resources parameter: No such resource class %s.", name);
    for (size_t i = 0; i < filter->further_count; i++)
        if (strcmp(filter->further[i].name, name) == 0) {
            filter->further[i].amount += amount;
            return rc;
        }
    filter->further = arena_more(&request->arena, filter->further, filter->further_count, &filter->further_room,
                                 sizeof(*filter->further));
    filter->further[filter->further_count++] = (struct placement_wanted){name, amount};
    return rc;
}

static int add_amount(struct request *request, struct placement_filter *filter, char *item)
{
    char *colon = strchr(item, ':'), *end = NULL;
    if (colon == NULL)
        return error_set(&request->error, ERR_INVALID,
                         "Badly formed resources parameter. Expected resources query string parameter in form: "
                         "?resources=VCPU:2,MEMORY_MB:1024. Got: %s.",
                         item);
    *colon = 0;
    errno = 0;
    long long amount = strtoll(colon + 1, &end, 10);
    if (colon[1] == 0 || *end != 0 || errno != 0)
        return error_set(&request->error, ERR_INVALID,
                         "Requested resource %s expected positive integer amount. Got: %s.", item, colon + 1);
    if (amount < 1)
        return error_set(&request->error, ERR_INVALID, "Requested resource %s requires amount >= 1. Got: %lld.", item,
                         amount);
    int class = placement_service_class(item);
    if (class < 0)
        return add_further(request, filter, item, amount);
    filter->amounts[class] += amount;
    return 0;
}

int placement_service_add_resources(struct request *request, struct placement_filter *filter, const char *value)
{
    struct placement_text_set set = split(request, value);
    int rc = 0;
    if (set.count == 0)
        return error_set(&request->error, ERR_INVALID,
                         "Badly formed resources parameter. Expected resources query string parameter in form: "
                         "?resources=VCPU:2,MEMORY_MB:1024. Got: empty string.");
    for (size_t i = 0; i < set.count && rc == 0; i++)
        rc = add_amount(request, filter, arena_strdup(&request->arena, set.items[i]));
    return rc;
}

static bool is_trait(const char *text)
{
    for (const char *at = text; *at != 0; at++)
        if (!isupper((unsigned char)*at) && !isdigit((unsigned char)*at) && *at != '_')
            return false;
    return text[0] != 0;
}

static int bad_required(struct request *request, const char *value)
{
    return error_set(&request->error, ERR_INVALID,
                     "Invalid query string parameters: Expected 'required' parameter value of the form: "
                     "HW_CPU_X86_VMX,CUSTOM_MAGIC. Got: %s",
                     value);
}

static void add_any(struct request *request, struct placement_filter *filter, struct placement_text_set set)
{
    filter->any = arena_more(&request->arena, filter->any, filter->any_count, &filter->any_room, sizeof(*filter->any));
    filter->any[filter->any_count++] = set;
}

/* "A,!B" wants A and not B; "in:A,B" (1.39) wants one of them. */
int placement_service_add_required(struct request *request, struct placement_filter *filter, const char *value)
{
    bool any = strncmp(value, "in:", 3) == 0;
    struct placement_text_set set = split(request, any ? value + 3 : value);
    if (set.count == 0 || (any && request->microversion < 39))
        return bad_required(request, value);
    for (size_t i = 0; i < set.count; i++) {
        bool forbidden = set.items[i][0] == '!';
        if (!is_trait(set.items[i] + forbidden) || (forbidden && (any || request->microversion < 22)))
            return bad_required(request, value);
        if (any)
            continue;
        if (!forbidden) {
            add_any(request, filter, (struct placement_text_set){&set.items[i], 1});
            continue;
        }
        filter->forbidden.items = arena_more(&request->arena, filter->forbidden.items, filter->forbidden.count,
                                             &filter->forbidden_room, sizeof(*filter->forbidden.items));
        filter->forbidden.items[filter->forbidden.count++] = set.items[i] + 1;
    }
    if (any)
        add_any(request, filter, set);
    return 0;
}

int placement_service_add_member_of(struct request *request, struct placement_filter *filter, const char *value)
{
    bool not = value[0] == '!';
    const char *rest = value + not ;
    bool in = strncmp(rest, "in:", 3) == 0;
    struct placement_text_set set = split(request, in ? rest + 3 : rest);
    bool valid = set.count > 0 && (in || set.count == 1) && !(not &&request->microversion < 32);
    for (size_t i = 0; i < set.count; i++)
        valid = valid && uuid_valid(set.items[i]);
    if (!valid)
        return error_set(&request->error, ERR_INVALID,
                         "Expected 'member_of' parameter to contain valid UUID(s). Got: %s", value);
    if (!not ) {
        filter->member_of = arena_more(&request->arena, filter->member_of, filter->member_count, &filter->member_room,
                                       sizeof(*filter->member_of));
        filter->member_of[filter->member_count++] = set;
        return 0;
    }
    for (size_t i = 0; i < set.count; i++) {
        filter->not_member_of.items =
            arena_more(&request->arena, filter->not_member_of.items, filter->not_member_of.count,
                       &filter->not_member_room, sizeof(*filter->not_member_of.items));
        filter->not_member_of.items[filter->not_member_of.count++] = set.items[i];
    }
    return 0;
}

static bool has_further(const struct placement_provider *provider, const struct placement_wanted *wanted)
{
    const struct host_resource_row *row = placement_service_resource(provider, wanted->name);
    return row != NULL && wanted->amount <= resource_capacity(&row->inventory) - row->used &&
           wanted->amount <= row->inventory.total;
}

static bool has_room(const struct placement_provider *provider, const struct placement_filter *filter)
{
    const int64_t *amounts = filter->amounts;
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        struct resource_inventory inventory = placement_service_inventory(provider, (enum resource)i);
        int64_t free = resource_capacity(&inventory) - provider->host.used.amount[i];
        if (amounts[i] > 0 && (amounts[i] > free || amounts[i] > inventory.total))
            return false;
    }
    for (size_t i = 0; i < filter->further_count; i++)
        if (!has_further(provider, &filter->further[i]))
            return false;
    return true;
}

static bool has_one_of(const char *const *mine, size_t count, const struct placement_text_set *set)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < set->count; k++)
            if (strcmp(mine[i], set->items[k]) == 0)
                return true;
    return false;
}

bool placement_service_matches(const struct placement_provider *provider, const struct placement_filter *filter)
{
    const char *const *traits = provider->traits, *const *aggregates = provider->aggregates;
    if (filter->in_tree != NULL && strcmp(filter->in_tree, provider->host.id) != 0)
        return false;
    for (size_t i = 0; i < filter->any_count; i++)
        if (!has_one_of(traits, provider->trait_count, &filter->any[i]))
            return false;
    for (size_t i = 0; i < filter->member_count; i++)
        if (!has_one_of(aggregates, provider->aggregate_count, &filter->member_of[i]))
            return false;
    return !has_one_of(traits, provider->trait_count, &filter->forbidden) &&
           !has_one_of(aggregates, provider->aggregate_count, &filter->not_member_of) && has_room(provider, filter);
}

/* ---- root ---- */

static int root_show(struct request *request, struct reply *reply)
{
    struct json_out *out = &reply->out;
    placement_service_fresh(request, reply);
    json_out_object(out, NULL);
    json_out_array(out, "versions");
    json_out_object(out, NULL);
    json_out_text(out, "id", "v1.0");
    json_out_textf(out, "max_version", "1.%d", PLACEMENT_VERSION_MAX);
    json_out_text(out, "min_version", "1.0");
    json_out_text(out, "status", "CURRENT");
    json_out_array(out, "links");
    json_out_object(out, NULL);
    json_out_text(out, "rel", "self");
    json_out_text(out, "href", "");
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object_end(out);
    return 0;
}

static int refuse_write(struct request *request, struct reply *reply)
{
    (void)reply;
    return error_set(&request->error, ERR_NOT_IMPLEMENTED,
                     "Allocations are made by the scheduler in the transaction that places a server; they cannot be "
                     "written here.");
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/", .permission = PERMISSION_PUBLIC, .handler = root_show},
    {.method = "POST", .pattern = "/allocations", .permission = PERMISSION_ADMIN, .handler = refuse_write},
    {.method = "POST", .pattern = "/reshaper", .permission = PERMISSION_ADMIN, .handler = refuse_write},
};
const struct route_table placement_root_routes = ROUTE_TABLE(rows);

static const struct route_table *const tables[] = {
    &placement_root_routes,
    &placement_providers_routes,
    &placement_candidates_routes,
    &placement_traits_routes,
    &placement_usages_routes,
    &placement_writes_routes,
    NULL,
};
const struct service placement_service = {
    .name = "placement", .prefix = "/placement", .tables = tables, .fault = fault, .negotiate = negotiate};
