/* What the network service says of itself: versions, resources, extensions, agents, availability zones. */
#include "api/network/network_service.h"
#include "common/clock.h"
#include "db/store_host.h"
#include <string.h>

static void write_link(struct json_out *out, const char *href)
{
    json_out_array(out, "links");
    json_out_object(out, NULL);
    json_out_text(out, "rel", "self");
    json_out_text(out, "href", href);
    json_out_object_end(out);
    json_out_array_end(out);
}

static const char *href(struct request *request, const char *path)
{
    return arena_printf(&request->arena, "%s%s/v2.0/%s", request_base_url(request), request->service->prefix, path);
}

static int versions_list(struct request *request, struct reply *reply)
{
    struct json_out *out = &reply->out;
    json_out_object(out, NULL);
    json_out_array(out, "versions");
    json_out_object(out, NULL);
    json_out_text(out, "id", "v2.0");
    json_out_text(out, "status", "CURRENT");
    write_link(out, href(request, ""));
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object_end(out);
    return 0;
}

static int resources_list(struct request *request, struct reply *reply)
{
    static const struct {
        const char *name, *collection, *path;
    } resources[] = {
        {"network", "networks", "networks"},
        {"subnet", "subnets", "subnets"},
        {"port", "ports", "ports"},
        {"security_group", "security_groups", "security-groups"},
        {"security_group_rule", "security_group_rules", "security-group-rules"},
        {"quota", "quotas", "quotas"},
        {"agent", "agents", "agents"},
        {"availability_zone", "availability_zones", "availability_zones"},
    };
    struct json_out *out = &reply->out;
    json_out_object(out, NULL);
    json_out_array(out, "resources");
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
        json_out_object(out, NULL);
        json_out_text(out, "name", resources[i].name);
        json_out_text(out, "collection", resources[i].collection);
        write_link(out, href(request, resources[i].path));
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_object_end(out);
    return 0;
}

/* Only what is true of us. */
static const struct extension {
    const char *alias, *name, *description, *updated;
} extensions[] = {
    {"agent", "agent", "The agent management extension.", "2013-02-03T10:00:00-00:00"},
    {"allowed-address-pairs", "Allowed Address Pairs", "Provides allowed address pairs", "2013-07-23T10:00:00-00:00"},
    {"availability_zone", "Availability Zone", "The availability zone extension.", "2015-01-01T10:00:00-00:00"},
    {"binding", "Port Binding", "Expose port bindings of a virtual port to external application",
     "2014-02-03T10:00:00-00:00"},
    {"empty-string-filtering", "Empty String Filtering Extension",
     "Allow filtering by attributes with empty string value", "2018-04-09T10:00:00-00:00"},
    {"external-net", "Neutron external network", "Adds external network attribute to network resource.",
     "2013-01-14T10:00:00-00:00"},
    {"extra_dhcp_opt", "Neutron Extra DHCP options",
     "Extra options configuration for DHCP. For example PXE boot options to DHCP clients can be specified (e.g. "
     "tftp-server, server-ip-address, bootfile-name)",
     "2013-03-17T12:00:00-00:00"},
    {"filter-validation", "Filter parameters validation", "Provides validation on filter parameters.",
     "2018-03-21T10:00:00-00:00"},
    {"ip-substring-filtering", "IP address substring filtering",
     "Provides IP address substring filtering when listing ports", "2017-11-28T09:00:00-00:00"},
    {"net-mtu", "Network MTU", "Provides MTU attribute for a network resource.", "2015-03-25T10:00:00-00:00"},
    {"net-mtu-writable", "Network MTU (writable)", "Provides a writable MTU attribute for a network resource.",
     "2017-07-12T00:00:00-00:00"},
    {"pagination", "Pagination support", "Extension that indicates that pagination is enabled.",
     "2016-06-12T00:00:00-00:00"},
    {"port-security", "Port Security", "Provides port security", "2012-07-23T10:00:00-00:00"},
    {"project-id", "project_id field enabled", "Extension that indicates that project_id field is enabled.",
     "2016-09-09T09:09:09-09:09"},
    {"provider", "Provider Network", "Expose mapping of virtual networks to physical networks",
     "2012-09-07T10:00:00-00:00"},
    {"quota_details", "Quota details management support", "Expose functions for quotas usage statistics per project",
     "2017-02-10T10:00:00-00:00"},
    {"quotas", "Quota management support", "Expose functions for quotas management per project",
     "2012-07-29T10:00:00-00:00"},
    {"revision-if-match", "If-Match constraints based on revision_number",
     "Extension indicating that If-Match based on revision_number is supported.", "2016-12-11T00:00:00-00:00"},
    {"security-group", "security-group", "The security groups extension.", "2012-10-05T10:00:00-00:00"},
    {"security-groups-normalized-cidr", "Normalized CIDR field for security group rules",
     "Add new field with normalized remote_ip_prefix cidr in SG rule", "2019-06-10T10:00:00-00:00"},
    {"sorting", "Sorting support", "Extension that indicates that sorting is enabled.", "2016-06-12T00:00:00-00:00"},
    {"standard-attr-description", "standard-attr-description", "Extension to add descriptions to standard attributes",
     "2016-02-10T10:00:00-00:00"},
    {"standard-attr-revisions", "Resource revision numbers",
     "This extension will display the revision number of neutron resources.", "2016-04-11T10:00:00-00:00"},
    {"standard-attr-tag", "Tag support for resources with standard attribute: port, subnet, security_group, network",
     "Enables to set tag on resources with standard attribute.", "2017-01-01T00:00:00-00:00"},
    {"standard-attr-timestamp", "Resource timestamps",
     "Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes.",
     "2016-09-12T10:00:00-00:00"},
    {"stateful-security-group", "Stateful security group", "Indicates if the security group is stateful or not",
     "2019-11-26T09:00:00-00:00"},
    {"subnet-service-types", "Subnet service types", "Provides ability to set the subnet service_types field",
     "2016-03-15T18:00:00-00:00"},
};
#define EXTENSION_COUNT (sizeof(extensions) / sizeof(extensions[0]))

static void write_extension(struct json_out *out, const char *key, const struct extension *e)
{
    json_out_object(out, key);
    json_out_text(out, "name", e->name);
    json_out_text(out, "alias", e->alias);
    json_out_text(out, "description", e->description);
    json_out_text(out, "updated", e->updated);
    json_out_array(out, "links");
    json_out_array_end(out);
    json_out_object_end(out);
}

static int extensions_list(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "extensions");
    for (size_t i = 0; i < EXTENSION_COUNT; i++)
        write_extension(&reply->out, NULL, &extensions[i]);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int extensions_show(struct request *request, struct reply *reply)
{
    const char *alias = entity_path_id(request);
    for (size_t i = 0; i < EXTENSION_COUNT; i++) {
        if (strcmp(extensions[i].alias, alias) != 0)
            continue;
        json_out_object(&reply->out, NULL);
        write_extension(&reply->out, "extension", &extensions[i]);
        json_out_object_end(&reply->out);
        return 0;
    }
    return error_set_type(&request->error, ERR_NOT_FOUND, "ExtensionsNotFound",
                          "Extension with alias %s does not exist", alias);
}

/* ---- hosts as agents ---- */

struct agents {
    struct request *request;
    struct json_out *out;
    const char *only; /* id, or NULL */
    bool found;
};

static bool wanted(struct request *request, const char *name, const char *value)
{
    const char *asked = request_query(request, name);
    return asked == NULL || strcasecmp(asked, value) == 0;
}

static int write_agent(void *arg, const struct host_row *host, struct error *e)
{
    struct agents *list = arg;
    struct request *request = list->request;
    char time[CLOCK_TEXT_SIZE];
    (void)e;
    bool alive = request->now_us - host->seen_us < STORE_HOST_ALIVE_US;
    if (list->only != NULL
            ? strcmp(list->only, host->id) != 0
            : !wanted(request, "host", host->name) || !wanted(request, "id", host->id) ||
                  !wanted(request, "binary", "virga-agent") || !wanted(request, "agent_type", "Virga agent") ||
                  !wanted(request, "alive", alive ? "true" : "false"))
        return 0;
    list->found = true;
    struct json_out *out = list->out;
    json_out_object(out, list->only != NULL ? "agent" : NULL);
    json_out_text(out, "id", host->id);
    json_out_text(out, "agent_type", "Virga agent");
    json_out_text(out, "binary", "virga-agent");
    json_out_text(out, "topic", "N/A");
    json_out_text(out, "host", host->name);
    json_out_bool(out, "admin_state_up", host->enabled);
    json_out_text(out, "created_at", clock_text(host->enrolled_us, CLOCK_ISO, time));
    json_out_text(out, "started_at", clock_text(host->enrolled_us, CLOCK_ISO, time));
    json_out_text(out, "heartbeat_timestamp", clock_text(host->seen_us, CLOCK_ISO, time));
    json_out_null(out, "description");
    json_out_null(out, "resources_synced");
    json_out_text(out, "availability_zone", host->zone);
    json_out_bool(out, "alive", alive);
    json_out_object(out, "configurations");
    json_out_object_end(out);
    json_out_object_end(out);
    return 0;
}

/* As with Neutron, others than administrators see an empty list. */
static int agents_list(struct request *request, struct reply *reply)
{
    struct agents list = {.request = request, .out = &reply->out};
    int rc = 0;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "agents");
    if (entity_is_admin(request))
        rc = store_host_list(request->conn, write_agent, &list, &request->error);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static int agents_show(struct request *request, struct reply *reply)
{
    struct agents list = {.request = request, .out = &reply->out, .only = entity_path_id(request)};
    int rc = 0;
    json_out_object(&reply->out, NULL);
    if (entity_is_admin(request))
        rc = store_host_list(request->conn, write_agent, &list, &request->error);
    json_out_object_end(&reply->out);
    if (rc == 0 && !list.found)
        rc = error_set_type(&request->error, ERR_NOT_FOUND, "AgentNotFound", "Agent %s could not be found", list.only);
    return rc;
}

/* ---- availability zones ---- */

struct zones {
    struct arena *arena;
    const char **names;
    bool *available;
    size_t count, room, room2;
};

static int add_zone(void *arg, const struct host_row *host, struct error *e)
{
    struct zones *z = arg;
    size_t i = 0;
    (void)e;
    while (i < z->count && strcmp(z->names[i], host->zone) != 0)
        i++;
    if (i == z->count) {
        z->names = arena_more(z->arena, z->names, z->count, &z->room, sizeof(*z->names));
        z->available = arena_more(z->arena, z->available, z->count, &z->room2, sizeof(*z->available));
        z->names[i] = arena_strdup(z->arena, host->zone);
        z->available[i] = false;
        z->count++;
    }
    z->available[i] = z->available[i] || host->enabled;
    return 0;
}

static int zones_list(struct request *request, struct reply *reply)
{
    struct zones z = {.arena = &request->arena};
    int rc = store_host_list(request->conn, add_zone, &z, &request->error);
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "availability_zones");
    for (size_t i = 0; i < z.count; i++) {
        json_out_object(&reply->out, NULL);
        json_out_text(&reply->out, "name", z.names[i]);
        json_out_text(&reply->out, "resource", "network");
        json_out_text(&reply->out, "state", z.available[i] ? "available" : "unavailable");
        json_out_object_end(&reply->out);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/", .permission = PERMISSION_PUBLIC, .handler = versions_list},
    {.method = "GET", .pattern = "/v2.0", .permission = PERMISSION_AUTHENTICATED, .handler = resources_list},
    {.method = "GET",
     .pattern = "/v2.0/extensions",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = extensions_list},
    {.method = "GET",
     .pattern = "/v2.0/extensions.json",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = extensions_list},
    {.method = "GET",
     .pattern = "/v2.0/extensions/{id}",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = extensions_show},
    {.method = "GET", .pattern = "/v2.0/agents", .permission = PERMISSION_READER, .handler = agents_list},
    {.method = "GET", .pattern = "/v2.0/agents.json", .permission = PERMISSION_READER, .handler = agents_list},
    {.method = "GET", .pattern = "/v2.0/agents/{id}", .permission = PERMISSION_READER, .handler = agents_show},
    {.method = "GET", .pattern = "/v2.0/availability_zones", .permission = PERMISSION_READER, .handler = zones_list},
    {.method = "GET",
     .pattern = "/v2.0/availability_zones.json",
     .permission = PERMISSION_READER,
     .handler = zones_list},
};
const struct route_table network_discovery_routes = ROUTE_TABLE(rows);
