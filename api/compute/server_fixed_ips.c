/* addFixedIp and removeFixedIp: addresses of a server's ports. Sentences: nova/network/neutron.py. */
#include "api/compute/compute.h"
#include "api/compute/server_interfaces.h"
#include "db/store_port.h"
#include <string.h>

static int begin(struct request *request, struct server_row *row, json_value *value, const char *member,
                 enum operation_kind kind, const char **ret)
{
    if (compute_since(request, 44))
        return error_set(&request->error, ERR_NOT_FOUND, "The resource could not be found.");
    *ret = json_in_text(json_in_member(value, member));
    if (*ret == NULL || json_in_count(value) != 1)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute %s. '%s' is a required property and the only one",
                         operation_name(kind), member);
    return server_interfaces_begin(request, kind, row);
}

static int load_ports(struct request *request, const struct server_row *row, struct port_row **ret, size_t *ret_count)
{
    struct port_filter filter = {.device_id = row->id};
    return store_port_list(request->conn, &filter, NULL, INT64_MAX, &request->arena, ret, ret_count, &request->error);
}

static int set(struct request *request, const struct port_row *port, const struct ip_assigned *list, size_t count)
{
    int rc = store_port_set_fixed_ips(request->conn, port->id, list, count, &request->arena, &request->error);
    return rc ? rc
              : store_port_refresh_server(request->conn, port->device_id, request->now_us, &request->arena,
                                          &request->error);
}

/* One more of whatever subnet of the network has one. */
static int add_to_port(struct request *request, const struct port_row *port)
{
    struct subnet_row *subnets = NULL;
    struct ip_assigned *held = NULL, *more = NULL;
    size_t held_count = 0, more_count = 0;
    struct ipam_query query = {
        .network_id = port->network_id, .mac = port->mac, .device_owner = port->device_owner, .request_count = 1};
    int rc = store_subnet_of_network(request->conn, port->network_id, &request->arena, &subnets, &query.subnet_count,
                                     &request->error);
    if (!rc && query.subnet_count == 0)
        rc = error_set(&request->error, ERR_INVALID, "Network %s requires a subnet in order to boot instances on.",
                       port->network_id);
    rc = rc ? rc : store_ipam_parse(port->fixed_ips, &request->arena, &held, &held_count, &request->error);
    if (rc)
        return rc;
    struct ip_request wanted = {.subnet_id = subnets[0].id};
    query.subnets = subnets;
    query.requests = &wanted;
    rc = store_ipam_take(request->conn, &query, &request->arena, &more, &more_count, &request->error);
    if (!rc)
        rc = store_ipam_hold(request->conn, port->network_id, port->id, more, more_count, &request->error);
    if (rc)
        return rc;
    struct ip_assigned *all = arena_array(&request->arena, held_count + more_count + 1, sizeof(*all));
    if (held_count)
        memcpy(all, held, held_count * sizeof(*all));
    if (more_count)
        memcpy(all + held_count, more, more_count * sizeof(*all));
    return set(request, port, all, held_count + more_count);
}

int server_fixed_ips_add(struct request *request, struct server_row *row, json_value *value)
{
    struct port_row *ports = NULL;
    size_t count = 0;
    const char *network = NULL;
    int rc = begin(request, row, value, "networkId", OPERATION_ADD_FIXED_IP, &network);
    rc = rc ? rc : load_ports(request, row, &ports, &count);
    for (size_t i = 0; i < count && !rc; i++)
        if (strcmp(ports[i].network_id, network) == 0)
            return add_to_port(request, &ports[i]);
    return rc ? rc : error_set(&request->error, ERR_INVALID, "Network %s not found for instance %s.", network, row->id);
}

/* Whether the port had the address; without it then. */
static int remove_from_port(struct request *request, const struct port_row *port, const char *address, bool *ret)
{
    struct ip_assigned *held = NULL;
    size_t count = 0, kept = 0;
    int rc = store_ipam_parse(port->fixed_ips, &request->arena, &held, &count, &request->error);
    for (size_t i = 0; i < count && !rc; i++) {
        if (strcmp(held[i].ip, address) != 0) {
            held[kept++] = held[i];
            continue;
        }
        *ret = true;
        rc = store_ipam_release(request->conn, port->id, &held[i], request->now_us, &request->arena, &request->error);
    }
    return rc || !*ret ? rc : set(request, port, held, kept);
}

int server_fixed_ips_remove(struct request *request, struct server_row *row, json_value *value)
{
    struct port_row *ports = NULL;
    size_t count = 0;
    const char *address = NULL;
    bool found = false;
    int rc = begin(request, row, value, "address", OPERATION_REMOVE_FIXED_IP, &address);
    rc = rc ? rc : compute_read_ip(request, "address", &address, 0);
    rc = rc ? rc : load_ports(request, row, &ports, &count);
    for (size_t i = 0; i < count && !rc && !found; i++)
        rc = remove_from_port(request, &ports[i], address, &found);
    if (!rc && !found)
        rc = error_set(&request->error, ERR_INVALID, "Fixed IP %s is not attached to instance %s", address, row->id);
    return rc;
}
