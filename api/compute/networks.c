/* os-networks and os-tenant-networks: the old way to see networks, up to 2.35; and os-floating-ips, of which there are
 * none: the network service has no routers. Shapes: nova/api/openstack/compute/networks.py, tenant_networks.py,
 * floating_ips.py. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "db/store_network.h"
#include <string.h>

#define PROXY_UNTIL 35

/* Nova shows the keys of the network manager that it had once, without values. */
static const char *const nulls[] = {"cidr", "netmask", "gateway",    "broadcast", "dns1",
                                    "dns2", "cidr_v6", "gateway_v6", "netmask_v6"};
static const char *const admin_nulls[] = {"created_at",  "updated_at",         "deleted_at",
                                          "deleted",     "injected",           "bridge",
                                          "vlan",        "project_id",         "host",
                                          "mtu",         "bridge_interface",   "multi_host",
                                          "priority",    "vpn_public_address", "vpn_public_port",
                                          "rxtx_base",   "dhcp_start",         "dhcp_server",
                                          "enable_dhcp", "share_address",      "vpn_private_address"};

static void write_network(struct request *request, struct json_out *out, const char *key, const struct network_row *row,
                          bool tenant)
{
    json_out_object(out, key);
    json_out_text(out, "id", row->id);
    json_out_text(out, "label", row->name);
    if (tenant)
        json_out_text(out, "cidr", "None");
    for (size_t i = 0; !tenant && i < sizeof(nulls) / sizeof(nulls[0]); i++)
        json_out_null(out, nulls[i]);
    for (size_t i = 0; !tenant && compute_is_admin(request) && i < sizeof(admin_nulls) / sizeof(admin_nulls[0]); i++)
        json_out_null(out, admin_nulls[i]);
    json_out_object_end(out);
}

static const char *scope(struct request *request)
{
    return compute_is_admin(request) ? NULL : request->credential.project_id;
}

static int list(struct request *request, struct reply *reply, bool tenant)
{
    struct network_row *rows = NULL;
    size_t count = 0;
    int rc = store_network_list(request->conn, scope(request), NULL, NULL, INT64_MAX, &request->arena, &rows, &count,
                                &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "networks");
    for (size_t i = 0; i < count; i++)
        write_network(request, &reply->out, NULL, &rows[i], tenant);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int show(struct request *request, struct reply *reply, bool tenant)
{
    struct network_row row;
    int rc = store_network_get(request->conn, request_param(request, "id"), scope(request), &request->arena, &row,
                               &request->error);
    if (rc == ERR_NOT_FOUND) {
        error_clear(&request->error);
        return error_set(&request->error, rc, "Network not found");
    }
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    write_network(request, &reply->out, "network", &row, tenant);
    json_out_object_end(&reply->out);
    return 0;
}

static int networks_list(struct request *request, struct reply *reply)
{
    return list(request, reply, false);
}

static int networks_show(struct request *request, struct reply *reply)
{
    return show(request, reply, false);
}

static int networks_list_tenant(struct request *request, struct reply *reply)
{
    return list(request, reply, true);
}

static int networks_show_tenant(struct request *request, struct reply *reply)
{
    return show(request, reply, true);
}

/* ---- floating addresses ---- */

static int networks_no_floating_ips(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "floating_ips");
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int networks_no_pools(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "floating_ip_pools");
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int networks_no_floating_ip(struct request *request, struct reply *reply)
{
    (void)reply;
    return error_set(&request->error, ERR_NOT_FOUND, "Floating IP not found for ID %s", request_param(request, "id"));
}

static int networks_no_pool(struct request *request, struct reply *reply)
{
    (void)reply;
    return error_set(&request->error, ERR_NOT_FOUND, "Floating IP pool not found.");
}

#define READ_ROW(path, function)                                                                                       \
    {                                                                                                                  \
        .method = "GET", .pattern = path, .permission = PERMISSION_READER, .until = PROXY_UNTIL, .handler = function   \
    }
static const struct route rows[] = {
    READ_ROW("/os-networks", networks_list),
    READ_ROW("/os-networks/{id}", networks_show),
    READ_ROW("/os-tenant-networks", networks_list_tenant),
    READ_ROW("/os-tenant-networks/{id}", networks_show_tenant),
    READ_ROW("/os-floating-ips", networks_no_floating_ips),
    READ_ROW("/os-floating-ips/{id}", networks_no_floating_ip),
    READ_ROW("/os-floating-ip-pools", networks_no_pools),
    {.method = "POST",
     .pattern = "/os-floating-ips",
     .permission = PERMISSION_MEMBER,
     .until = PROXY_UNTIL,
     .handler = networks_no_pool},
    {.method = "DELETE",
     .pattern = "/os-floating-ips/{id}",
     .permission = PERMISSION_MEMBER,
     .until = PROXY_UNTIL,
     .handler = networks_no_floating_ip},
};
const struct route_table compute_networks_routes = ROUTE_TABLE(rows);
