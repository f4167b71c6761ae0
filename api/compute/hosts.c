/* os-hosts, until 2.42: hosts by name with what they have and what their servers take, and a switch for new servers.
 * os-hypervisors and os-services took its place. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "db/store_host.h"
#include "db/store_host_admin.h"
#include <string.h>
#include <strings.h>

#define LAST_VERSION 42

struct listing {
    struct json_out *out;
    const char *zone; /* NULL: all */
};

static int list_one(void *arg, const struct host_row *row, struct error *e)
{
    struct listing *l = arg;
    (void)e;
    if (l->zone != NULL && strcmp(l->zone, row->zone) != 0)
        return 0;
    json_out_object(l->out, NULL);
    json_out_text(l->out, "host_name", row->name);
    json_out_text(l->out, "service", "compute");
    json_out_text(l->out, "zone", row->zone);
    json_out_object_end(l->out);
    return 0;
}

static int hosts_list(struct request *request, struct reply *reply)
{
    const char *zone = request_query(request, "zone");
    struct listing l = {.out = &reply->out, .zone = zone != NULL && *zone != '\0' ? zone : NULL};
    json_out_object(l.out, NULL);
    json_out_array(l.out, "hosts");
    int rc = store_host_list(request->conn, list_one, &l, &request->error);
    json_out_array_end(l.out);
    json_out_object_end(l.out);
    return rc;
}

static int find(struct request *request, struct host_row *ret)
{
    const char *name = request_param(request, "host_name"), *id = NULL;
    int rc = store_host_admin_find(request->conn, name, &request->arena, &id, &request->error);
    return rc ? rc : store_host_get(request->conn, id, &request->arena, ret, &request->error);
}

/* What the servers of one project take; a list that grows while they are walked. */
struct share {
    const char *project;
    struct resources sum;
    struct share *next;
};
struct shares {
    struct arena *arena;
    struct share *first;
    struct resources sum;
};

static int add_server(void *arg, const struct server_row *row, struct error *e)
{
    struct shares *s = arg;
    struct share *one = s->first;
    struct resources size = {{row->vcpus, row->memory_mib, row->root_gib + row->ephemeral_gib}};
    (void)e;
    while (one != NULL && strcmp(one->project, row->project_id) != 0)
        one = one->next;
    if (one == NULL) {
        one = arena_alloc(s->arena, sizeof(*one));
        *one = (struct share){.project = arena_strdup(s->arena, row->project_id), .next = s->first};
        s->first = one;
    }
    resources_add(&one->sum, &size);
    resources_add(&s->sum, &size);
    return 0;
}

static void write_resource(struct json_out *out, const char *host, const char *project, const struct resources *r)
{
    json_out_object(out, NULL);
    json_out_object(out, "resource");
    json_out_text(out, "host", host);
    json_out_text(out, "project", project);
    json_out_int(out, "cpu", r->amount[RESOURCE_VCPU]);
    json_out_int(out, "memory_mb", r->amount[RESOURCE_MEMORY_MIB]);
    json_out_int(out, "disk_gb", r->amount[RESOURCE_DISK_GIB]);
    json_out_object_end(out);
    json_out_object_end(out);
}

static int hosts_show(struct request *request, struct reply *reply)
{
    struct shares shares = {.arena = &request->arena};
    struct host_row host;
    int rc = find(request, &host);
    rc = rc ? rc : store_server_desired(request->conn, host.id, -1, INT64_MAX, add_server, &shares, &request->error);
    if (rc)
        return rc;
    struct resources now = host.used;
    resources_add(&now, &host.reserved);
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "host");
    write_resource(&reply->out, host.name, "(total)", &host.total);
    write_resource(&reply->out, host.name, "(used_now)", &now);
    write_resource(&reply->out, host.name, "(used_max)", &shares.sum);
    for (const struct share *s = shares.first; s != NULL; s = s->next)
        write_resource(&reply->out, host.name, s->project, &s->sum);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

struct update {
    const char *status, *maintenance;
};
static const struct json_field fields[] = {
    {.name = "status", .kind = JSON_TEXT, .offset = offsetof(struct update, status)},
    {.name = "maintenance_mode", .kind = JSON_TEXT, .offset = offsetof(struct update, maintenance)},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

static int check_switch(struct request *request, const char *field, const char *value)
{
    if (value == NULL || strcasecmp(value, "enable") == 0 || strcasecmp(value, "disable") == 0)
        return 0;
    return error_set(&request->error, ERR_INVALID,
                     "Invalid input for field/attribute %s. Value: %s. '%s' is not one of ['enable', 'disable']", field,
                     value, value);
}

/* Maintenance mode is a thing of hypervisors that none of ours knows. */
static int hosts_update(struct request *request, struct reply *reply)
{
    const struct update *body = request->body;
    struct host_row host;
    int rc = check_switch(request, "status", body->status);
    rc = rc ? rc : check_switch(request, "maintenance_mode", body->maintenance);
    if (!rc && body->status == NULL && body->maintenance == NULL)
        rc = error_set(&request->error, ERR_INVALID,
                       "Invalid input for field/attribute host. It has a status or a maintenance_mode");
    rc = rc ? rc : find(request, &host);
    if (!rc && body->maintenance != NULL)
        rc = error_set(&request->error, ERR_NOT_IMPLEMENTED, "Virt driver does not implement host maintenance mode.");
    if (rc)
        return rc;
    bool enabled = strcasecmp(body->status, "enable") == 0;
    rc = store_host_admin_enable(request->conn, host.id, enabled, NULL, &request->error);
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "host", host.name);
    json_out_text(&reply->out, "status", enabled ? "enabled" : "disabled");
    json_out_object_end(&reply->out);
    return rc;
}

static int hosts_power(struct request *request, struct reply *reply)
{
    struct host_row host;
    int rc = find(request, &host);
    (void)reply;
    return rc ? rc
              : error_set(&request->error, ERR_NOT_IMPLEMENTED,
                          "Virt driver does not implement host power management.");
}

#define ADMIN_GET(path, function)                                                                                      \
    {                                                                                                                  \
        .method = "GET", .pattern = path, .permission = PERMISSION_ADMIN, .until = LAST_VERSION, .handler = function   \
    }
static const struct route rows[] = {
    ADMIN_GET("/os-hosts", hosts_list),
    ADMIN_GET("/os-hosts/{host_name}", hosts_show),
    ADMIN_GET("/os-hosts/{host_name}/startup", hosts_power),
    ADMIN_GET("/os-hosts/{host_name}/shutdown", hosts_power),
    ADMIN_GET("/os-hosts/{host_name}/reboot", hosts_power),
    {.method = "PUT",
     .pattern = "/os-hosts/{host_name}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct update),
     .until = LAST_VERSION,
     .handler = hosts_update},
};
const struct route_table hosts_routes = ROUTE_TABLE(rows);
