/* os-interface: the ports of a server. They are seen here; what a running guest has is not changed yet, so attaching
 * and detaching are refused as not implemented. Shape: nova/api/openstack/compute/attach_interfaces.py. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "api/network/network_service.h"
#include "db/store_port.h"
#include <string.h>

static const char *status_of(struct request *request, const struct port_row *row)
{
    size_t i = 0;
    while (strcmp(ports_entity.attrs[i].name, "status") != 0)
        i++;
    return entity_view_text(request, &ports_entity.attrs[i], row);
}

static void write_interface(struct request *request, struct json_out *out, const char *key, const struct port_row *row)
{
    json_out_object(out, key);
    json_out_text(out, "net_id", row->network_id);
    json_out_text(out, "port_id", row->id);
    json_out_text(out, "mac_addr", row->mac);
    json_out_text(out, "port_state", status_of(request, row));
    json_out_raw(out, "fixed_ips", row->fixed_ips);
    if (compute_since(request, 70))
        json_out_null(out, "tag");
    json_out_object_end(out);
}

static int server_interfaces_list(struct request *request, struct reply *reply)
{
    struct server_row server;
    struct port_row *ports = NULL;
    size_t count = 0;
    int rc = compute_server(request, &server);
    struct port_filter filter = {.device_id = rc ? NULL : server.id};
    if (!rc)
        rc = store_port_list(request->conn, &filter, NULL, INT64_MAX, &request->arena, &ports, &count, &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "interfaceAttachments");
    for (size_t i = 0; i < count; i++)
        write_interface(request, &reply->out, NULL, &ports[i]);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

/* The port in the path, which is this server's. */
static int find_port(struct request *request, const struct server_row *server, struct port_row *ret)
{
    const char *id = request_param(request, "port");
    int rc = store_port_get(request->conn, id, NULL, &request->arena, ret, &request->error);
    if (rc == ERR_NOT_FOUND) {
        error_clear(&request->error);
        return error_set(&request->error, rc, "Port id %s could not be found.", id);
    }
    if (!rc && strcmp(ret->device_id, server->id) != 0)
        rc = error_set(&request->error, ERR_NOT_FOUND, "Instance %s does not have a port with id %s", server->id, id);
    return rc;
}

static int server_interfaces_show(struct request *request, struct reply *reply)
{
    struct server_row server;
    struct port_row port;
    int rc = compute_server(request, &server);
    rc = rc ? rc : find_port(request, &server, &port);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    write_interface(request, &reply->out, "interfaceAttachment", &port);
    json_out_object_end(&reply->out);
    return 0;
}

static int server_interfaces_attach(struct request *request, struct reply *reply)
{
    struct server_row server;
    int rc = compute_server_unlocked(request, &server);
    (void)reply;
    return rc ? rc : compute_not_served(request, "Attaching an interface");
}

static int server_interfaces_detach(struct request *request, struct reply *reply)
{
    struct server_row server;
    struct port_row port;
    int rc = compute_server_unlocked(request, &server);
    (void)reply;
    rc = rc ? rc : find_port(request, &server, &port);
    return rc ? rc : compute_not_served(request, "Detaching an interface");
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/servers/{id}/os-interface",
     .permission = PERMISSION_READER,
     .handler = server_interfaces_list},
    {.method = "GET",
     .pattern = "/servers/{id}/os-interface/{port}",
     .permission = PERMISSION_READER,
     .handler = server_interfaces_show},
    {.method = "POST",
     .pattern = "/servers/{id}/os-interface",
     .permission = PERMISSION_MEMBER,
     .handler = server_interfaces_attach},
    {.method = "DELETE",
     .pattern = "/servers/{id}/os-interface/{port}",
     .permission = PERMISSION_MEMBER,
     .handler = server_interfaces_detach},
};
const struct route_table server_interfaces_routes = ROUTE_TABLE(rows);
