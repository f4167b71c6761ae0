/* Subnets: the attribute table and the rows of routes. What a subnet must be is in subnet_check.c. */
#include "api/network/network_service.h"
#include "api/network/subnet_check.h"
#include "db/store_port.h"
#include <string.h>

#define AT(member) offsetof(struct subnet_row, member)

/* `shared` follows the network; it filters and is not shown. */
static bool match_shared(struct request *request, const void *row, const char *value)
{
    const struct subnet_row *subnet = row;
    struct network_row network;
    if (store_network_get(request->conn, subnet->network_id, NULL, &request->arena, &network, NULL) != 0)
        return false;
    return network.shared == (strcmp(value, "true") == 0);
}

static const char *shared_text(struct request *request, const void *row)
{
    return match_shared(request, row, "true") ? "true" : "false";
}

static const struct entity_attr attrs[] = {
    {"id", ENTITY_TEXT, ENTITY_LOOK, .offset = AT(id)},
    {"name", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(name), .max = 255},
    {"tenant_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_PROJECT, .offset = AT(project_id)},
    {"network_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_REQUIRED, .offset = AT(network_id), .max = 36},
    {"ip_version", ENTITY_INT, ENTITY_POST | ENTITY_LOOK | ENTITY_REQUIRED, .offset = AT(ip_version), .min = 4,
     .max = 6},
    {"subnetpool_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK, .offset = ENTITY_NONE, .get = entity_null,
     .set = subnet_check_no_pool},
    {"prefixlen", ENTITY_TEXT, ENTITY_POST | ENTITY_HIDDEN, .offset = ENTITY_NONE, .get = entity_null,
     .set = subnet_check_no_pool},
    {"enable_dhcp", ENTITY_BOOL, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(enable_dhcp)},
    {"ipv6_ra_mode", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK, .offset = AT(ipv6_ra_mode), .set = subnet_check_ra_mode},
    {"ipv6_address_mode", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK, .offset = AT(ipv6_address_mode),
     .set = subnet_check_address_mode},
    {"gateway_ip", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(gateway_ip), .set = subnet_check_gateway},
    {"cidr", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK, .offset = AT(cidr), .set = subnet_check_cidr},
    {"allocation_pools", ENTITY_JSON, ENTITY_EDIT, .offset = AT(pools), .set = subnet_check_pools},
    {"host_routes", ENTITY_JSON, ENTITY_EDIT, .offset = AT(host_routes), .set = subnet_check_routes},
    {"dns_nameservers", ENTITY_JSON, ENTITY_EDIT, .offset = AT(dns_nameservers), .set = subnet_check_nameservers},
    {"description", ENTITY_TEXT, ENTITY_EDIT | ENTITY_LOOK, .offset = AT(description), .max = 255},
    {"service_types", ENTITY_JSON, ENTITY_EDIT, .offset = AT(service_types), .set = subnet_check_service_types},
    {"tags", ENTITY_JSON, ENTITY_FILTER, .offset = AT(tags)},
    {"created_at", ENTITY_TIME, ENTITY_LOOK, .offset = AT(created_us)},
    {"updated_at", ENTITY_TIME, ENTITY_LOOK, .offset = AT(updated_us)},
    {"revision_number", ENTITY_INT, ENTITY_LOOK, .offset = AT(revision)},
    {"project_id", ENTITY_TEXT, ENTITY_POST | ENTITY_LOOK | ENTITY_PROJECT, .offset = AT(project_id)},
    {"shared", ENTITY_BOOL, ENTITY_FILTER | ENTITY_HIDDEN, .offset = ENTITY_NONE, .get = shared_text,
     .match = match_shared},
};

static int get(struct request *request, const char *id, void *ret)
{
    return store_subnet_get(request->conn, id, entity_scope(request), &request->arena, ret, &request->error);
}

static int load(struct request *request, const struct entity_query *query, const char *after, int64_t limit, void **ret,
                size_t *ret_count)
{
    struct subnet_row *rows = NULL;
    int rc = store_subnet_list(request->conn, entity_scope(request), entity_query_value(query, "name"), after, limit,
                               &request->arena, &rows, ret_count, &request->error);
    *ret = rows;
    return rc;
}

static void defaults(struct request *request, void *arg)
{
    struct subnet_row *row = arg;
    row->name = row->description = "";
    row->enable_dhcp = true;
    row->dns_nameservers = row->host_routes = row->service_types = row->tags = "[]";
    row->created_us = request->now_us;
}

static int create(struct request *request, void *arg, uint64_t seen)
{
    struct subnet_row *row = arg;
    struct network_row network;
    int rc = store_network_get(request->conn, row->network_id, entity_scope(request), &request->arena, &network,
                               &request->error);
    if (rc == 0)
        rc = entity_check_owner(request, network.project_id, "create", "subnet");
    if (rc == 0)
        rc = subnet_check_new(request, row, entity_seen(&subnets_entity, seen, "gateway_ip"));
    if (rc == 0)
        rc = store_subnet_insert(request->conn, row, &request->error);
    return rc != 0 ? rc : store_ipam_fill(request->conn, row, &request->arena, &request->error);
}

static int save(struct request *request, void *row)
{
    return store_subnet_update(request->conn, row, &request->error);
}

static int update(struct request *request, const void *before, void *arg, uint64_t seen)
{
    const struct subnet_row *old = before;
    struct subnet_row *row = arg;
    int rc = subnet_check_change(request, old, row, entity_seen(&subnets_entity, seen, "enable_dhcp"));
    if (rc == 0)
        rc = save(request, row);
    if (rc == 0 && strcmp(old->pools, row->pools) != 0)
        rc = store_ipam_fill(request->conn, row, &request->arena, &request->error);
    return rc;
}

static int remove_row(struct request *request, void *arg)
{
    const struct subnet_row *row = arg;
    bool automatic = row->ipv6_address_mode != NULL && strcmp(row->ipv6_address_mode, "dhcpv6-stateful") != 0;
    int rc = automatic
                 ? store_port_drop_subnet(request->conn, row->id, request->now_us, &request->arena, &request->error)
                 : 0;
    return rc != 0 ? rc : store_subnet_delete(request->conn, row->id, &request->error);
}

const struct entity subnets_entity = {
    .name = "subnet",
    .collection = "subnets",
    .path = "subnets",
    .attrs = attrs,
    .attr_count = sizeof(attrs) / sizeof(attrs[0]),
    .row_size = sizeof(struct subnet_row),
    .id = AT(id),
    .project = AT(project_id),
    .revision = AT(revision),
    .updated = AT(updated_us),
    .tags = AT(tags),
    .quota = QUOTA_SUBNET,
    .get = get,
    .load = load,
    .defaults = defaults,
    .create = create,
    .update = update,
    .save = save,
    .remove = remove_row,
};

static const struct route rows[] = {
    NETWORK_COLLECTION_ROWS("/v2.0/subnets", subnets_entity, entity_list),
    NETWORK_UPDATE_ROW("/v2.0/subnets", subnets_entity),
};
const struct route_table subnets_routes = ROUTE_TABLE(rows);
