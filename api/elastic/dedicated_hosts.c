/* /dedicated-hosts: hosts that serve one project alone. Administrators give and take them; a tenant sees her own. The
 * scheduler learns of it by the host's feed. */
#include "api/elastic/elastic.h"
#include "db/store_host_admin.h"
#include "db/store_project.h"
#include <stddef.h>

struct dedicated_body {
    const char *project_id;
};
static const struct json_field fields[] = {
    {.name = "project_id",
     .kind = JSON_TEXT,
     .offset = offsetof(struct dedicated_body, project_id),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 64},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

static void write_amounts(struct json_out *out, const char *key, const struct resources *r)
{
    json_out_object(out, key);
    json_out_int(out, "vcpus", r->amount[RESOURCE_VCPU]);
    json_out_int(out, "memory_mib", r->amount[RESOURCE_MEMORY_MIB]);
    json_out_int(out, "disk_gib", r->amount[RESOURCE_DISK_GIB]);
    json_out_object_end(out);
}

static int write_row(void *arg, const struct host_dedication_row *row, struct error *e)
{
    struct json_out *out = arg;
    (void)e;
    json_out_object(out, NULL);
    json_out_text(out, "id", row->host_id);
    json_out_text(out, "name", row->name);
    json_out_text(out, "zone", row->zone);
    json_out_text(out, "project_id", row->project_id);
    write_amounts(out, "total", &row->total);
    write_amounts(out, "used", &row->used);
    json_out_int(out, "servers", row->server_count);
    json_out_object_end(out);
    return 0;
}

static int list(struct request *request, struct reply *reply, const char *project)
{
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "dedicated_hosts");
    int rc = store_host_admin_dedicated(request->conn, project, write_row, &reply->out, &request->error);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static int dedicated_hosts_list(struct request *request, struct reply *reply)
{
    const char *project = NULL;
    int rc = elastic_project(request, &project);
    return rc ? rc : list(request, reply, project);
}

static int dedicated_hosts_set(struct request *request, struct reply *reply)
{
    const struct dedicated_body *b = request->body;
    const char *id = NULL;
    struct project_row project;
    struct error gone = {0};
    int rc =
        store_host_admin_find(request->conn, request_param(request, "name"), &request->arena, &id, &request->error);
    if (rc)
        return rc;
    rc = store_project_get(request->conn, b->project_id, &request->arena, &project, &gone);
    if (rc)
        return error_set(&request->error, rc == ERR_NOT_FOUND ? ERR_INVALID : rc, "dedicated_host.project_id: %s",
                         rc == ERR_NOT_FOUND ? "there is no such project" : error_text(&gone));
    rc = store_host_admin_dedicate(request->conn, id, b->project_id, &request->error);
    return rc ? rc : list(request, reply, b->project_id);
}

static int dedicated_hosts_delete(struct request *request, struct reply *reply)
{
    const char *id = NULL;
    int rc =
        store_host_admin_find(request->conn, request_param(request, "name"), &request->arena, &id, &request->error);
    reply->status = 204;
    return rc ? rc : store_host_admin_dedicate(request->conn, id, NULL, &request->error);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/dedicated-hosts", .permission = PERMISSION_READER, .handler = dedicated_hosts_list},
    {.method = "PUT",
     .pattern = "/dedicated-hosts/{name}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct dedicated_body),
     .member = "dedicated_host",
     .handler = dedicated_hosts_set},
    {.method = "DELETE",
     .pattern = "/dedicated-hosts/{name}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = dedicated_hosts_delete},
};
const struct route_table elastic_dedicated_hosts_routes = ROUTE_TABLE(rows);
