/* os-interface: the ports of a server. Attaching and detaching change rows and the host's revision; the agent plugs the
 * running guest's interfaces accordingly. A port that leaves is free at once, also while its interface is being
 * unplugged. Shape: nova/api/openstack/compute/attach_interfaces.py. */
#include "api/compute/server_interfaces.h"
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "api/compute/server_ability.h"
#include "api/compute/server_life.h"
#include "api/compute/servers_body.h"
#include "api/network/network_service.h"
#include "common/uuid.h"
#include "db/store_host_reach.h"
#include "db/store_port.h"
#include "scheduler/reading/single_host.h"
#include <stddef.h>
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

/* ---- attach, detach ---- */

struct attachment {
    struct json_seen seen;
    const char *network_id, *port_id, *tag;
    struct json_list fixed_ips; /* struct attachment_ip */
};
struct attachment_ip {
    const char *ip_address;
};
enum { FIELD_NET, FIELD_PORT, FIELD_FIXED, FIELD_TAG };
static const struct json_field ip_fields[] = {
    {.name = "ip_address",
     .kind = JSON_TEXT,
     .offset = offsetof(struct attachment_ip, ip_address),
     .flags = JSON_REQUIRED},
};
static const struct json_table ip_table = {
    .fields = ip_fields, .count = JSON_COUNT(ip_fields), .seen_offset = JSON_NO_SEEN};
#define AT(member) offsetof(struct attachment, member)
static const struct json_field attach_fields[] = {
    [FIELD_NET] = {.name = "net_id", .kind = JSON_TEXT, .offset = AT(network_id)},
    [FIELD_PORT] = {.name = "port_id", .kind = JSON_TEXT, .offset = AT(port_id), .flags = JSON_NULLABLE},
    [FIELD_FIXED] = {.name = "fixed_ips",
                     .kind = JSON_LIST,
                     .offset = AT(fixed_ips),
                     .min = 1,
                     .max = 1,
                     .sub = &ip_table,
                     .item_size = sizeof(struct attachment_ip)},
    [FIELD_TAG] = {.name = "tag", .kind = JSON_TEXT, .offset = AT(tag)},
};
static const struct json_table attach_table = {
    .fields = attach_fields, .count = JSON_COUNT(attach_fields), .seen_offset = AT(seen)};
static const struct compute_window attach_windows[] = {{FIELD_TAG, 49, 0}};

int server_interfaces_begin(struct request *request, enum operation_kind kind, struct server_row *ret)
{
    struct server_life_actor actor = {.request_id = request->id,
                                      .user_id = request->credential.user_id,
                                      .project_id = request->credential.project_id};
    struct server_situation situation = store_server_situation(ret);
    struct server_words words = server_words(&situation);
    const char *name = operation_name(kind);
    static const char *const good[] = {"active", "paused", "stopped"};
    bool may = false;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        may = may || strcmp(words.vm_state, good[i]) == 0;
    if (!may || words.task_state != NULL)
        return error_set(&request->error, ERR_CONFLICT, "Cannot '%s' instance %s while it is in %s %s", name, ret->id,
                         may ? "task_state" : "vm_state", may ? words.task_state : words.vm_state);
    int (*check)(struct request *, const struct server_row *, const char *, const char *) =
        strcmp(words.vm_state, "stopped") == 0 ? server_ability_check_kept : server_ability_check;
    int rc = check(request, ret, name, "CUSTOM_LACKS_NIC_PLUG");
    return rc ? rc : server_life_record(request->conn, ret, kind, &actor, request->now_us, &request->error);
}

/* nova/api/openstack/compute/attach_interfaces.py, create. */
static int check_attach(struct request *request, const struct attachment *b)
{
    int rc = compute_check_windows(request, &attach_table, &b->seen, attach_windows,
                                   sizeof(attach_windows) / sizeof(attach_windows[0]));
    const struct attachment_ip *ips = b->fixed_ips.items;
    if (!rc && b->tag != NULL)
        rc = servers_body_check_tag(request, b->tag);
    if (!rc && b->network_id != NULL && b->port_id != NULL)
        rc = error_set(&request->error, ERR_INVALID, "Must not input both network_id and port_id");
    if (!rc && b->fixed_ips.count > 0 && b->network_id == NULL)
        rc = error_set(&request->error, ERR_INVALID, "Must input network_id when request IP address");
    if (!rc && b->fixed_ips.count > 0)
        rc = compute_check_ip(request, "ip_address", ips[0].ip_address, 0);
    return rc;
}

static int need_one(struct request *request, const char *id, const char *what)
{
    if (id == NULL || uuid_valid(id))
        return 0;
    return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute %s. '%s' is not a 'uuid'", what,
                     id);
}

/* Which network or port; without either the project's one network. */
static int choose(struct request *request, const struct attachment *b, const struct server_row *server,
                  struct port_request *ret)
{
    const struct attachment_ip *ips = b->fixed_ips.items;
    struct network_row network;
    struct port_row port;
    *ret = (struct port_request){.network_id = b->network_id,
                                 .port_id = b->port_id,
                                 .fixed_ip = b->fixed_ips.count > 0 ? ips[0].ip_address : NULL};
    int rc = need_one(request, b->network_id, "net_id");
    rc = rc ? rc : need_one(request, b->port_id, "port_id");
    if (!rc && b->port_id != NULL) {
        rc = store_port_get(request->conn, b->port_id, server->project_id, &request->arena, &port, &request->error);
        if (rc == ERR_NOT_FOUND) {
            error_clear(&request->error);
            rc = error_set(&request->error, rc, "Port id %s could not be found.", b->port_id);
        }
    } else if (!rc && b->network_id != NULL) {
        rc = store_network_get(request->conn, b->network_id, server->project_id, &request->arena, &network,
                               &request->error);
        if (rc == ERR_NOT_FOUND) {
            error_clear(&request->error);
            rc = error_set(&request->error, rc, "Network %s could not be found.", b->network_id);
        }
    } else if (!rc) {
        rc = store_network_auto(request->conn, server->project_id, &request->arena, &ret->network_id, &request->error);
        if (!rc && ret->network_id == NULL)
            rc = error_set(&request->error, ERR_INVALID, "No specific network was requested and none are available.");
    }
    return rc;
}

/* A port on a network that the server's host does not reach, by itself or by its aggregates, would be a dead one. */
static int check_reach(struct request *request, const char *host_id, const char *network_id)
{
    const char *network = NULL;
    bool reaches = true;
    if (host_id == NULL)
        return 0;
    int rc = store_host_reach_network(request->conn, network_id, &request->arena, &network, &request->error);
    rc = rc ? rc : single_host_reaches(request->conn, host_id, network, &request->arena, &reaches, &request->error);
    return rc || reaches
               ? rc
               : error_set(&request->error, ERR_INVALID, "The server's host does not reach network %s.", network_id);
}

static int server_interfaces_attach(struct request *request, struct reply *reply)
{
    const struct attachment *b = request->body;
    struct server_row server;
    struct port_request wanted;
    struct port_row port;
    const char *id = NULL;
    int rc = compute_server_unlocked(request, &server);
    rc = rc ? rc : check_attach(request, b);
    rc = rc ? rc : choose(request, b, &server, &wanted);
    rc = rc ? rc : server_interfaces_begin(request, OPERATION_ATTACH_INTERFACE, &server);
    if (!rc)
        rc = store_port_add(request->conn, server.id, server.project_id, &wanted, request->now_us, &request->arena, &id,
                            &request->error);
    if (!rc)
        rc = store_port_get(request->conn, id, NULL, &request->arena, &port, &request->error);
    rc = rc ? rc : check_reach(request, server.host_id, port.network_id);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    write_interface(request, &reply->out, "interfaceAttachment", &port);
    json_out_object_end(&reply->out);
    return 0;
}

static int server_interfaces_detach(struct request *request, struct reply *reply)
{
    struct server_row server;
    struct port_row port;
    int rc = compute_server_unlocked(request, &server);
    reply->status = 202;
    rc = rc ? rc : find_port(request, &server, &port);
    rc = rc ? rc : server_interfaces_begin(request, OPERATION_DETACH_INTERFACE, &server);
    return rc ? rc : store_port_remove(request->conn, &port, request->now_us, &request->arena, &request->error);
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
     .kind = ROUTE_WRITE,
     .member = "interfaceAttachment",
     .body = &attach_table,
     .body_size = sizeof(struct attachment),
     .handler = server_interfaces_attach},
    {.method = "DELETE",
     .pattern = "/servers/{id}/os-interface/{port}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = server_interfaces_detach},
};
const struct route_table server_interfaces_routes = ROUTE_TABLE(rows);
