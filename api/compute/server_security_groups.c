/* The security groups of a server: those of its ports. Sentences: nova/network/security_group_api.py. */
#include "api/compute/server_security_groups.h"
#include "api/compute/compute_routes.h"
#include "api/compute/security_group_view.h"
#include "api/network/port_check.h"
#include "common/uuid.h"
#include "db/store_port.h"
#include <string.h>

static int not_found(struct request *request, const char *name)
{
    error_clear(&request->error);
    return error_set(&request->error, ERR_NOT_FOUND, "Security group %s is not found for project %s", name,
                     request->credential.project_id);
}

static int read_name(struct request *request, json_value *value, const char **ret)
{
    const char *name = json_in_text(json_in_member(value, "name"));
    if (!json_in_is_object(value))
        return error_set(&request->error, ERR_INVALID, "Missing parameter dict");
    if (!json_in_has(value, "name"))
        return error_set(&request->error, ERR_INVALID, "Security group not specified");
    if (name == NULL || name[strspn(name, " \t\r\n")] == '\0')
        return error_set(&request->error, ERR_INVALID, "Security group name cannot be empty");
    *ret = name;
    return 0;
}

/* By id, else by its name in the caller's project. */
static int find(struct request *request, const char *name, const char **ret_id)
{
    const char *project = request->credential.project_id;
    struct secgroup_row row, *rows = NULL;
    size_t count = 0;
    int rc = uuid_valid(name) ? store_secgroup_get(request->conn, name, compute_is_admin(request) ? NULL : project,
                                                   &request->arena, &row, &request->error)
                              : ERR_NOT_FOUND;
    if (!rc)
        *ret_id = row.id;
    if (rc != ERR_NOT_FOUND)
        return rc;
    error_clear(&request->error);
    rc = store_secgroup_list(request->conn, project, name, NULL, 2, &request->arena, &rows, &count, &request->error);
    if (rc)
        return rc;
    if (count == 0)
        return not_found(request, name);
    if (count > 1)
        return error_set(&request->error, ERR_CONFLICT,
                         "Multiple security_group matches found for name '%s', use an ID to be more specific.", name);
    *ret_id = rows[0].id;
    return 0;
}

static int load_ports(struct request *request, const char *server_id, struct port_row **ret, size_t *ret_count)
{
    struct port_filter filter = {.device_id = server_id};
    return store_port_list(request->conn, &filter, NULL, INT64_MAX, &request->arena, ret, ret_count, &request->error);
}

/* What an action needs to know. */
struct change {
    const char *name, *group_id;
    struct port_row *ports;
    size_t count;
};

static int begin(struct request *request, const struct server_row *row, json_value *value, struct change *ret)
{
    *ret = (struct change){0};
    int rc = read_name(request, value, &ret->name);
    if (!rc)
        rc = find(request, ret->name, &ret->group_id);
    if (!rc)
        rc = load_ports(request, row->id, &ret->ports, &ret->count);
    if (!rc && ret->count == 0)
        rc = error_set(&request->error, ERR_NOT_FOUND, "instance_id %s could not be found as device id on any ports",
                       row->id);
    return rc;
}

static size_t position(const char *const *ids, size_t count, const char *id)
{
    size_t i = 0;
    while (i < count && strcmp(ids[i], id) != 0)
        i++;
    return i;
}

static int add_to_port(struct request *request, const struct port_row *port, const char *group_id)
{
    const char **ids = NULL, **more;
    size_t count = 0;
    int rc;
    if (!port->port_security || strcmp(port->fixed_ips, "[]") == 0)
        return error_set(&request->error, ERR_INVALID,
                         "Network requires port_security_enabled and subnet associated in order to apply security "
                         "groups.");
    rc = port_check_ids(request, port->security_groups, &ids, &count);
    if (rc || position(ids, count, group_id) < count)
        return rc;
    more = arena_array(&request->arena, count + 1, sizeof(*more));
    memcpy(more, ids, count * sizeof(*more));
    more[count] = group_id;
    return store_port_set_groups(request->conn, port->id, more, count + 1, &request->arena, &request->error);
}

int server_security_groups_add(struct request *request, const struct server_row *row, json_value *value)
{
    struct change change;
    int rc = begin(request, row, value, &change);
    for (size_t i = 0; i < change.count && !rc; i++)
        rc = add_to_port(request, &change.ports[i], change.group_id);
    return rc ? rc
              : store_port_refresh_server(request->conn, row->id, request->now_us, &request->arena, &request->error);
}

static int remove_from_port(struct request *request, const struct port_row *port, const char *group_id, bool *found)
{
    const char **ids = NULL;
    size_t count = 0, at;
    int rc = port_check_ids(request, port->security_groups, &ids, &count);
    at = rc ? 0 : position(ids, count, group_id);
    if (rc || at == count)
        return rc;
    *found = true;
    memmove(&ids[at], &ids[at + 1], (count - at - 1) * sizeof(*ids));
    return store_port_set_groups(request->conn, port->id, ids, count - 1, &request->arena, &request->error);
}

int server_security_groups_remove(struct request *request, const struct server_row *row, json_value *value)
{
    struct change change;
    bool found = false;
    int rc = begin(request, row, value, &change);
    for (size_t i = 0; i < change.count && !rc; i++)
        rc = remove_from_port(request, &change.ports[i], change.group_id, &found);
    if (!rc && !found)
        rc = error_set(&request->error, ERR_NOT_FOUND, "Security group %s not associated with the instance %s",
                       change.name, row->id);
    return rc ? rc
              : store_port_refresh_server(request->conn, row->id, request->now_us, &request->arena, &request->error);
}

/* A group on several ports is listed once for each, as with Nova. */
static int server_security_groups_list(struct request *request, struct reply *reply)
{
    struct server_row row;
    struct port_row *ports = NULL;
    struct secgroup_row *groups = NULL;
    size_t port_count = 0, count = 0, room = 0;
    int rc = compute_server(request, &row);
    if (!rc)
        rc = load_ports(request, row.id, &ports, &port_count);
    for (size_t i = 0; i < port_count && !rc; i++) {
        const char **ids = NULL;
        size_t id_count = 0;
        rc = port_check_ids(request, ports[i].security_groups, &ids, &id_count);
        for (size_t k = 0; k < id_count && !rc; k++) {
            groups = arena_more(&request->arena, groups, count, &room, sizeof(*groups));
            rc = store_secgroup_get(request->conn, ids[k], NULL, &request->arena, &groups[count++], &request->error);
        }
    }
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    rc = security_group_view_list(request, &reply->out, groups, count);
    json_out_object_end(&reply->out);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/servers/{id}/os-security-groups",
     .permission = PERMISSION_READER,
     .handler = server_security_groups_list},
};
const struct route_table server_security_groups_routes = ROUTE_TABLE(rows);
