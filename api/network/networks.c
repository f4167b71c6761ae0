/* Networks. They are carried by each host's own bridge with NAT (provider:network_type "local"); other kinds are
 * refused. */
#include "api/network/network_service.h"
#include "common/json_in.h"
#include "db/store_relabel.h"
#include <string.h>

#define AT(member) offsetof(struct network_row, member)

static const char *status_active(struct request *request, const void *row)
{
    (void)request;
    (void)row;
    return "ACTIVE";
}

/* "a,b" as ["a","b"]. */
static const char *subnet_ids(struct request *request, const void *row)
{
    const struct network_row *network = row;
    if (network->subnets == NULL)
        return "[]";
    struct strbuf s;
    strbuf_init(&s, 0);
    strbuf_append_text(&s, "[\"");
    for (const char *at = network->subnets; *at != 0; at++)
        if (*at == ',')
            strbuf_append_text(&s, "\",\"");
        else
            strbuf_append_char(&s, *at);
    strbuf_append_text(&s, "\"]");
    const char *result = arena_strdup(&request->arena, s.data);
    strbuf_done(&s);
    return result;
}

static int set_provider_type(struct request *request, json_value *value, const char **ret)
{
    const char *text = json_in_text(value);
    if (text == NULL || strcmp(text, "local") != 0)
        return entity_invalid(request, "network_type value '%s' not supported",
                              text == NULL ? json_in_print(value, &request->arena) : text);
    *ret = "local";
    return 0;
}

static int set_provider_nothing(struct request *request, json_value *value, const char **ret)
{
    if (!json_in_is_null(value))
        return entity_invalid(request, "%s prohibited for local provider network",
                              json_in_print(value, &request->arena));
    *ret = NULL;
    return 0;
}

static int set_zone_hints(struct request *request, json_value *value, const char **ret)
{
    size_t count = json_in_count(value);
    if (!json_in_is_array(value))
        return entity_reason(request, "availability_zone_hints", "'%s' is not a list",
                             json_in_print(value, &request->arena));
    for (size_t i = 0; i < count; i++)
        if (json_in_text(json_in_item(value, i)) == NULL)
            return entity_reason(request, "availability_zone_hints", "'%s' is not a valid string",
                                 json_in_print(json_in_item(value, i), &request->arena));
    *ret = json_in_print(value, &request->arena);
    return 0;
}

static const struct entity_attr attrs[] = {
    {"id", ENTITY_TEXT, ENTITY_LOOK, .offset = AT(id)},
    {"name", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(name), .max = 255},
    {"tenant_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_PROJECT, .offset = AT(project_id)},
    {"admin_state_up", ENTITY_BOOL, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(admin_state_up)},
    {"mtu", ENTITY_INT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(mtu), .min = 68, .max = 9000},
    {"status", ENTITY_TEXT, ENTITY_LOOK, .offset = ENTITY_NONE, .get = status_active},
    {"subnets", ENTITY_JSON, 0, .offset = ENTITY_NONE, .get = subnet_ids},
    {"shared", ENTITY_BOOL, ENTITY_EDIT | ENTITY_LOOK | ENTITY_ADMIN_SET, .offset = AT(shared)},
    {"availability_zone_hints", ENTITY_JSON, ENTITY_POST, .offset = AT(zone_hints), .set = set_zone_hints},
    {"availability_zones", ENTITY_JSON, 0, .offset = ENTITY_NONE, .get = entity_empty_list},
    {"ipv4_address_scope", ENTITY_TEXT, 0, .offset = ENTITY_NONE, .get = entity_null},
    {"ipv6_address_scope", ENTITY_TEXT, 0, .offset = ENTITY_NONE, .get = entity_null},
    {"router:external", ENTITY_BOOL, ENTITY_EDIT | ENTITY_LOOK | ENTITY_ADMIN_SET, .offset = AT(external)},
    {"description", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(description), .max = 255},
    {"port_security_enabled", ENTITY_BOOL, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(port_security)},
    {"is_default", ENTITY_BOOL, ENTITY_EDIT | ENTITY_LOOK | ENTITY_ADMIN_SET, .offset = AT(is_default)},
    {"tags", ENTITY_JSON, ENTITY_FILTER, .offset = AT(tags)},
    {"created_at", ENTITY_TIME, ENTITY_LOOK, .offset = AT(created_us)},
    {"updated_at", ENTITY_TIME, ENTITY_LOOK, .offset = AT(updated_us)},
    {"revision_number", ENTITY_INT, ENTITY_LOOK, .offset = AT(revision)},
    {"project_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_PROJECT, .offset = AT(project_id)},
    {"provider:network_type", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_ADMIN_SET | ENTITY_ADMIN_SEE,
     .offset = AT(provider_type), .set = set_provider_type},
    {"provider:physical_network", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_ADMIN_SET | ENTITY_ADMIN_SEE,
     .offset = AT(provider_physical), .set = set_provider_nothing},
    {"provider:segmentation_id", ENTITY_INT,
     ENTITY_POST | ENTITY_NULLABLE | ENTITY_LOOK | ENTITY_ADMIN_SET | ENTITY_ADMIN_SEE, .offset = AT(provider_segment),
     .known = AT(has_segment)},
};

static int get(struct request *request, const char *id, void *ret)
{
    return store_network_get(request->conn, id, entity_scope(request), &request->arena, ret, &request->error);
}

static int load(struct request *request, const struct entity_query *query, const char *after, int64_t limit, void **ret,
                size_t *ret_count)
{
    struct network_row *rows = NULL;
    int rc = store_network_list(request->conn, entity_scope(request), entity_query_value(query, "name"), after, limit,
                                &request->arena, &rows, ret_count, &request->error);
    *ret = rows;
    return rc;
}

static void defaults(struct request *request, void *arg)
{
    struct network_row *row = arg;
    row->name = row->description = "";
    row->admin_state_up = row->port_security = true;
    row->mtu = 1500;
    row->provider_type = "local";
    row->zone_hints = row->tags = "[]";
    row->created_us = request->now_us;
    row->revision = 1;
}

static int create(struct request *request, void *arg, uint64_t seen)
{
    (void)seen;
    struct network_row *row = arg;
    if (row->has_segment)
        return entity_invalid(request, "segmentation_id prohibited for local provider network");
    return store_network_insert(request->conn, row, &request->error);
}

static int save(struct request *request, void *row)
{
    return store_network_update(request->conn, row, &request->error);
}

static int update(struct request *request, const void *before, void *arg, uint64_t seen)
{
    (void)seen;
    const struct network_row *old = before;
    struct network_row *row = arg;
    bool used = false;
    if (old->shared && !row->shared) {
        int rc = store_network_is_used_by_others(request->conn, row->id, row->project_id, &used, &request->error);
        if (rc == 0 && used)
            rc = error_set_type(&request->error, ERR_CONFLICT, "InvalidSharedSetting",
                                "Unable to reconfigure sharing settings for network %s. Multiple tenants are using it.",
                                row->name);
        if (rc != 0)
            return rc;
    }
    int rc = save(request, row);
    if (rc == 0 && strcmp(old->name, row->name) != 0)
        rc = store_relabel_start(request->conn, STORE_RELABEL_NETWORK, row->id, &request->error);
    return rc;
}

static int remove_row(struct request *request, void *arg)
{
    const struct network_row *row = arg;
    return store_network_delete(request->conn, row->id, &request->error);
}

const struct entity networks_entity = {
    .name = "network",
    .collection = "networks",
    .path = "networks",
    .attrs = attrs,
    .attr_count = sizeof(attrs) / sizeof(attrs[0]),
    .row_size = sizeof(struct network_row),
    .id = AT(id),
    .project = AT(project_id),
    .revision = AT(revision),
    .updated = AT(updated_us),
    .tags = AT(tags),
    .quota = QUOTA_NETWORK,
    .get = get,
    .load = load,
    .defaults = defaults,
    .create = create,
    .update = update,
    .save = save,
    .remove = remove_row,
};

static const struct route rows[] = {
    NETWORK_COLLECTION_ROWS("/v2.0/networks", networks_entity, entity_list),
    NETWORK_UPDATE_ROW("/v2.0/networks", networks_entity),
};
const struct route_table networks_routes = ROUTE_TABLE(rows);
