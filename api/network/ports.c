/* Ports: attribute table, creation, change, rows of routes. `status` and the binding follow from the server that is the
 * port's device; nothing of that is stored here. */
#include "api/network/network_service.h"
#include "api/network/port_check.h"
#include "common/json_in.h"
#include "db/store_secgroup.h"
#include <string.h>

#define AT(member) offsetof(struct port_row, member)

/* ---- what follows from the server ---- */

static const char *status_text(struct request *request, const void *row)
{
    const struct port_row *port = row;
    (void)request;
    bool up = port->server_state != NULL &&
              (strcmp(port->server_state, "running") == 0 || strcmp(port->server_state, "paused") == 0);
    return up && port->admin_state_up ? "ACTIVE" : "DOWN";
}

static const char *host_text(struct request *request, const void *row)
{
    const struct port_row *port = row;
    (void)request;
    return port->server_host != NULL ? port->server_host : port->binding_host;
}

static const char *vif_type_text(struct request *request, const void *row)
{
    return host_text(request, row)[0] == 0 ? "unbound" : "bridge";
}

static const char *vif_details_json(struct request *request, const void *row)
{
    const struct port_row *port = row;
    if (host_text(request, row)[0] == 0)
        return "{}";
    bool filters = port->server_host_traits != NULL && strstr(port->server_host_traits, "\"CUSTOM_PORT_SECURITY\"");
    return filters ? "{\"port_filter\":true,\"connectivity\":\"l2\"}"
                   : "{\"port_filter\":false,\"connectivity\":\"l2\"}";
}

/* Pairs without a MAC have the port's. */
static const char *pairs_json(struct request *request, const void *row)
{
    const struct port_row *port = row;
    struct json_doc doc;
    struct strbuf text;
    struct json_out out;
    if (strcmp(port->address_pairs, "[]") == 0 ||
        json_in_parse(port->address_pairs, strlen(port->address_pairs), &doc, NULL) != 0)
        return "[]";
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; i < json_in_count(doc.root); i++) {
        json_value *pair = json_in_item(doc.root, i);
        const char *mac = json_in_text(json_in_member(pair, "mac_address"));
        json_out_object(&out, NULL);
        json_out_text(&out, "mac_address", mac != NULL ? mac : port->mac);
        json_out_text(&out, "ip_address", json_in_text(json_in_member(pair, "ip_address")));
        json_out_object_end(&out);
    }
    json_out_array_end(&out);
    json_in_done(&doc);
    const char *result = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    return result;
}

/* fixed_ips=ip_address=10.0.0.3, =subnet_id=..., =ip_address_substr=10.0 */
static bool match_fixed_ips(struct request *request, const void *row, const char *value)
{
    const struct port_row *port = row;
    struct ip_assigned *held = NULL;
    size_t count = 0;
    if (store_ipam_parse(port->fixed_ips, &request->arena, &held, &count, NULL) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if ((strncmp(value, "ip_address=", 11) == 0 && strcmp(held[i].ip, value + 11) == 0) ||
            (strncmp(value, "subnet_id=", 10) == 0 && strcmp(held[i].subnet_id, value + 10) == 0) ||
            (strncmp(value, "ip_address_substr=", 18) == 0 && strstr(held[i].ip, value + 18) != NULL))
            return true;
    return false;
}

static bool match_groups(struct request *request, const void *row, const char *value)
{
    const struct port_row *port = row;
    const char **ids = NULL;
    size_t count = 0;
    if (port_check_ids(request, port->security_groups, &ids, &count) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(ids[i], value) == 0)
            return true;
    return false;
}

static bool match_mac(struct request *request, const void *row, const char *value)
{
    const struct port_row *port = row;
    char mac[IP_MAC_SIZE];
    (void)request;
    return ip_mac_parse(value, mac) && strcmp(port->mac, mac) == 0;
}

static const struct entity_attr attrs[] = {
    {"id", ENTITY_TEXT, ENTITY_LOOK, .offset = AT(id)},
    {"name", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(name), .max = 255},
    {"network_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_REQUIRED, .offset = AT(network_id), .max = 36},
    {"tenant_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_PROJECT, .offset = AT(project_id)},
    {"mac_address", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(mac), .set = port_check_mac,
     .match = match_mac},
    {"admin_state_up", ENTITY_BOOL, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(admin_state_up)},
    {"status", ENTITY_TEXT, ENTITY_LOOK, .offset = ENTITY_NONE, .get = status_text},
    {"device_id", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(device_id), .max = 255},
    {"device_owner", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(device_owner), .max = 255},
    {"fixed_ips", ENTITY_JSON, ENTITY_EDIT | ENTITY_FILTER, .offset = AT(fixed_ips), .set = port_check_fixed_ips,
     .match = match_fixed_ips},
    {"allowed_address_pairs", ENTITY_JSON, ENTITY_EDIT, .offset = AT(address_pairs), .get = pairs_json,
     .set = port_check_pairs},
    {"extra_dhcp_opts", ENTITY_JSON, ENTITY_EDIT, .offset = AT(dhcp_opts), .set = port_check_dhcp_opts},
    {"security_groups", ENTITY_JSON, ENTITY_EDIT | ENTITY_FILTER, .offset = AT(security_groups),
     .set = port_check_groups, .match = match_groups},
    {"description", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(description), .max = 255},
    {"binding:vnic_type", ENTITY_TEXT, ENTITY_EDIT | ENTITY_FILTER, .offset = AT(vnic_type),
     .set = port_check_vnic_type},
    {"binding:profile", ENTITY_JSON, ENTITY_EDIT | ENTITY_ADMIN_SET | ENTITY_ADMIN_SEE, .offset = AT(binding_profile),
     .set = port_check_profile},
    {"binding:host_id", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK | ENTITY_ADMIN_SET | ENTITY_ADMIN_SEE,
     .offset = AT(binding_host), .get = host_text, .max = 255},
    {"binding:vif_type", ENTITY_TEXT, ENTITY_FILTER | ENTITY_ADMIN_SEE, .offset = ENTITY_NONE, .get = vif_type_text},
    {"binding:vif_details", ENTITY_JSON, ENTITY_ADMIN_SEE, .offset = ENTITY_NONE, .get = vif_details_json},
    {"port_security_enabled", ENTITY_BOOL, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(port_security)},
    {"tags", ENTITY_JSON, ENTITY_FILTER, .offset = AT(tags)},
    {"created_at", ENTITY_TIME, ENTITY_LOOK, .offset = AT(created_us)},
    {"updated_at", ENTITY_TIME, ENTITY_LOOK, .offset = AT(updated_us)},
    {"revision_number", ENTITY_INT, ENTITY_LOOK, .offset = AT(revision)},
    {"project_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_PROJECT, .offset = AT(project_id)},
};

static bool given(uint64_t seen, const char *name)
{
    return entity_seen(&ports_entity, seen, name);
}

static int get(struct request *request, const char *id, void *ret)
{
    return store_port_get(request->conn, id, entity_scope(request), &request->arena, ret, &request->error);
}

static int load(struct request *request, const struct entity_query *query, const char *after, int64_t limit, void **ret,
                size_t *ret_count)
{
    struct port_row *rows = NULL;
    struct port_filter filter = {
        .project_id = entity_scope(request),
        .network_id = entity_query_value(query, "network_id"),
        .device_id = entity_query_value(query, "device_id"),
        .name = entity_query_value(query, "name"),
    };
    if (filter.project_id == NULL)
        filter.project_id = entity_query_value(query, "tenant_id");
    if (filter.project_id == NULL)
        filter.project_id = entity_query_value(query, "project_id");
    int rc = store_port_list(request->conn, &filter, after, limit, &request->arena, &rows, ret_count, &request->error);
    *ret = rows;
    return rc;
}

static void defaults(struct request *request, void *arg)
{
    struct port_row *row = arg;
    row->name = row->description = row->device_id = row->device_owner = row->binding_host = "";
    row->admin_state_up = row->port_security = true;
    row->address_pairs = row->dhcp_opts = row->tags = row->security_groups = "[]";
    row->vnic_type = "normal";
    row->binding_profile = "{}";
    row->created_us = request->now_us;
    row->revision = 1;
}

/* What only the network's owner may choose. */
static int check_network_owner(struct request *request, const struct network_row *network, const struct port_row *row,
                               uint64_t seen, const char *verb)
{
    static const char *const reserved[] = {"mac_address", "port_security_enabled", "allowed_address_pairs"};
    if (entity_is_admin(request) || strcmp(network->project_id, request->credential.project_id) == 0)
        return 0;
    for (size_t i = 0; i < 3; i++)
        if (given(seen, reserved[i]))
            return entity_forbid(
                request, arena_printf(&request->arena, "(rule:%s_port and rule:%s_port:%s)", verb, verb, reserved[i]));
    if (given(seen, "fixed_ips") && strstr(row->fixed_ips, "\"ip_address\"") != NULL)
        return entity_forbid(request, arena_printf(&request->arena,
                                                   "(rule:%s_port and (rule:%s_port:fixed_ips and "
                                                   "rule:%s_port:fixed_ips:ip_address))",
                                                   verb, verb, verb));
    if (strncmp(row->device_owner, "network:", 8) == 0 && given(seen, "device_owner"))
        return entity_forbid(request,
                             arena_printf(&request->arena, "(rule:%s_port and rule:%s_port:device_owner)", verb, verb));
    return 0;
}

static int check_security(struct request *request, const struct port_row *row, size_t group_count, bool has_address)
{
    if (group_count > 0 && (!row->port_security || !has_address))
        return error_set_type(&request->error, ERR_CONFLICT, "PortSecurityAndIPRequiredForSecurityGroups",
                              "Port security must be enabled and port must have an IP address in order to use security "
                              "groups.");
    if (!row->port_security && strcmp(row->address_pairs, "[]") != 0)
        return error_set_type(&request->error, ERR_CONFLICT, "AddressPairAndPortSecurityRequired",
                              "Port Security must be enabled in order to have allowed address pairs on a port.");
    return 0;
}

/* The groups of a new port: those that were given, else `default`. */
static int choose_groups(struct request *request, const struct port_row *row, uint64_t seen, bool has_address,
                         const char ***ret, size_t *ret_count)
{
    int rc;
    if (given(seen, "security_groups")) {
        rc = port_check_ids(request, row->security_groups, ret, ret_count);
        return rc != 0 ? rc : port_check_groups_exist(request, *ret, *ret_count, row->project_id);
    }
    *ret_count = 0;
    *ret = arena_array(&request->arena, 1, sizeof(**ret));
    if (!row->port_security || !has_address || strncmp(row->device_owner, "network:", 8) == 0)
        return 0;
    rc = store_secgroup_default(request->conn, row->project_id, request->now_us, &request->arena, &(*ret)[0],
                                &request->error);
    *ret_count = rc == 0 ? 1 : 0;
    return rc;
}

static int take_addresses(struct request *request, struct port_row *row, uint64_t seen, struct ip_assigned **ret,
                          size_t *ret_count)
{
    struct subnet_row *subnets = NULL;
    struct ip_request *requests = NULL;
    struct ipam_query query = {.network_id = row->network_id, .mac = row->mac, .device_owner = row->device_owner};
    *ret_count = 0;
    if (given(seen, "fixed_ips")) {
        int rc = port_check_requests(request, row->fixed_ips, &requests, &query.request_count);
        if (rc != 0 || query.request_count == 0) /* [] asks for no address */
            return rc;
    }
    query.requests = requests;
    int rc = store_subnet_of_network(request->conn, row->network_id, &request->arena, &subnets, &query.subnet_count,
                                     &request->error);
    query.subnets = subnets;
    if (rc == 0 && query.subnet_count == 0 && query.request_count > 0)
        rc = entity_invalid(request, "IP allocation requires subnets for network");
    return rc != 0 ? rc : store_ipam_take(request->conn, &query, &request->arena, ret, ret_count, &request->error);
}

static int create(struct request *request, void *arg, uint64_t seen)
{
    struct port_row *row = arg;
    struct network_row network;
    struct ip_assigned *addresses = NULL;
    const char **groups = NULL;
    size_t count = 0, group_count = 0;
    int rc = store_network_get(request->conn, row->network_id, entity_scope(request), &request->arena, &network,
                               &request->error);
    if (rc == 0)
        rc = check_network_owner(request, &network, row, seen, "create");
    if (rc == 0 && row->mac == NULL)
        rc = store_port_make_mac(request->conn, row->network_id, &request->arena, &row->mac, &request->error);
    if (rc != 0)
        return rc;
    if (!given(seen, "port_security_enabled"))
        row->port_security = network.port_security;
    rc = take_addresses(request, row, seen, &addresses, &count);
    if (rc == 0)
        rc = choose_groups(request, row, seen, count > 0, &groups, &group_count);
    if (rc == 0)
        rc = check_security(request, row, group_count, count > 0);
    if (rc == 0)
        rc = store_port_insert(request->conn, row, addresses, count, groups, group_count, &request->arena,
                               &request->error);
    return rc;
}

static int save(struct request *request, void *row)
{
    return store_port_update(request->conn, row, &request->error);
}

static int change_addresses(struct request *request, const struct port_row *old, struct port_row *row)
{
    struct port_change change;
    struct port_row now = *row;
    now.fixed_ips = old->fixed_ips;
    int rc = port_check_change(request, &now, row->fixed_ips, &change);
    for (size_t i = 0; i < change.gone_count && rc == 0; i++)
        rc = store_ipam_release(request->conn, row->id, &change.gone[i], request->now_us, &request->arena,
                                &request->error);
    if (rc == 0)
        rc =
            store_ipam_hold(request->conn, row->network_id, row->id, change.fresh, change.fresh_count, &request->error);
    if (rc == 0)
        rc = store_port_set_fixed_ips(request->conn, row->id, change.list, change.count, &request->arena,
                                      &request->error);
    if (rc == 0)
        row->fixed_ips = store_ipam_print(change.list, change.count, &request->arena);
    return rc;
}

static int change_groups(struct request *request, struct port_row *row)
{
    const char **groups = NULL;
    size_t count = 0;
    int rc = port_check_ids(request, row->security_groups, &groups, &count);
    if (rc == 0)
        rc = port_check_groups_exist(request, groups, count, row->project_id);
    return rc != 0 ? rc
                   : store_port_set_groups(request->conn, row->id, groups, count, &request->arena, &request->error);
}

static int check_mac_change(struct request *request, const struct port_row *old, const struct port_row *row)
{
    if (strcmp(old->mac, row->mac) == 0 || host_text(request, old)[0] == 0)
        return 0;
    return error_set_type(&request->error, ERR_CONFLICT, "PortBound",
                          "Unable to complete operation on port %s, port is already bound, port type: %s, old_mac %s, "
                          "new_mac %s.",
                          old->id, vif_type_text(request, old), old->mac, row->mac);
}

/* The servers that the port left, joined or stayed with show and get something else now. */
static int refresh_servers(struct request *request, const char *before, const char *after)
{
    int rc = store_port_refresh_server(request->conn, before, request->now_us, &request->arena, &request->error);
    if (rc == 0 && strcmp(before, after) != 0)
        rc = store_port_refresh_server(request->conn, after, request->now_us, &request->arena, &request->error);
    return rc;
}

static int update(struct request *request, const void *before, void *arg, uint64_t seen)
{
    const struct port_row *old = before;
    struct port_row *row = arg;
    struct network_row network;
    int rc = store_network_get(request->conn, row->network_id, NULL, &request->arena, &network, &request->error);
    if (rc == 0)
        rc = check_network_owner(request, &network, row, seen, "update");
    if (rc == 0)
        rc = check_mac_change(request, old, row);
    if (rc == 0 && given(seen, "fixed_ips"))
        rc = change_addresses(request, old, row);
    bool secured = strcmp(row->security_groups, "[]") != 0;
    if (rc == 0)
        rc = check_security(request, row, secured ? 1 : 0, strcmp(row->fixed_ips, "[]") != 0);
    if (rc == 0 && given(seen, "security_groups"))
        rc = change_groups(request, row);
    if (strcmp(old->device_id, row->device_id) != 0)
        row->made_for_server = false;
    if (rc == 0)
        rc = save(request, row);
    return rc != 0 ? rc : refresh_servers(request, old->device_id, row->device_id);
}

static int remove_row(struct request *request, void *arg)
{
    const struct port_row *row = arg;
    int rc = store_port_delete(request->conn, row, request->now_us, &request->arena, &request->error);
    return rc != 0 ? rc : refresh_servers(request, row->device_id, "");
}

const struct entity ports_entity = {
    .name = "port",
    .collection = "ports",
    .path = "ports",
    .attrs = attrs,
    .attr_count = sizeof(attrs) / sizeof(attrs[0]),
    .row_size = sizeof(struct port_row),
    .id = AT(id),
    .project = AT(project_id),
    .revision = AT(revision),
    .updated = AT(updated_us),
    .tags = AT(tags),
    .quota = QUOTA_PORT,
    .get = get,
    .load = load,
    .defaults = defaults,
    .create = create,
    .update = update,
    .save = save,
    .remove = remove_row,
};

static const struct route rows[] = {
    NETWORK_COLLECTION_ROWS("/v2.0/ports", ports_entity, entity_list),
    NETWORK_UPDATE_ROW("/v2.0/ports", ports_entity),
};
const struct route_table ports_routes = ROUTE_TABLE(rows);
