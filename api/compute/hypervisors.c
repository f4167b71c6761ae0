/* os-hypervisors. Ids are numbers before 2.53 and UUIDs from then on; 2.88 took the usage columns away and gave uptime.
 * The servers of each are listed by a path of their own before 2.53 and by ?with_servers from then on. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "api/compute/host_ids.h"
#include "db/store_cells.h"
#include <stdlib.h>
#include <string.h>

struct listing {
    struct request *request;
    struct json_out *out;
    bool detail, servers_too;
    const char *pattern;
    int64_t count;
    struct resources total, used;
    int64_t servers;
};

static bool alive(const struct request *request, const struct host_row *host)
{
    return request->now_us - host->seen_us <= STORE_HOST_ALIVE_US;
}

static void write_id(const struct request *request, struct json_out *out, const struct host_row *host)
{
    if (request->microversion >= 53) {
        json_out_text(out, "id", host->id);
    } else {
        json_out_int(out, "id", host_ids_number(host->id));
    }
}

static void write_brief(const struct request *request, struct json_out *out, const struct host_row *host)
{
    write_id(request, out, host);
    json_out_text(out, "hypervisor_hostname", host->name);
    json_out_text(out, "state", alive(request, host) ? "up" : "down");
    json_out_text(out, "status", host->enabled ? "enabled" : "disabled");
}

/* Nova's figures count dedicated processors with the shared ones. */
static int add_dedicated(struct request *request, const char *host_id, int64_t *total, int64_t *used)
{
    struct host_resource_row *rows = NULL;
    size_t count = 0;
    int rc = store_cells_resources(request->conn, host_id, &request->arena, &rows, &count, &request->error);
    for (size_t i = 0; !rc && i < count; i++) {
        if (strcmp(rows[i].name, "PCPU") == 0) {
            *total += rows[i].inventory.total;
            *used += rows[i].used;
        }
    }
    return rc;
}

static int write_usage(struct request *request, struct json_out *out, const struct host_row *host)
{
    const int64_t *total = host->total.amount, *used = host->used.amount, *reserved = host->reserved.amount;
    int64_t vcpus = total[RESOURCE_VCPU], vcpus_used = used[RESOURCE_VCPU];
    int rc = add_dedicated(request, host->id, &vcpus, &vcpus_used);
    if (request->microversion < 28) {
        json_out_text(out, "cpu_info", host->cpu);
    } else {
        json_out_raw(out, "cpu_info", host->cpu);
    }
    json_out_int(out, "vcpus", vcpus);
    json_out_int(out, "memory_mb", total[RESOURCE_MEMORY_MIB]);
    json_out_int(out, "local_gb", total[RESOURCE_DISK_GIB]);
    json_out_int(out, "vcpus_used", vcpus_used);
    json_out_int(out, "memory_mb_used", used[RESOURCE_MEMORY_MIB] + reserved[RESOURCE_MEMORY_MIB]);
    json_out_int(out, "local_gb_used", used[RESOURCE_DISK_GIB]);
    json_out_int(out, "free_ram_mb",
                 total[RESOURCE_MEMORY_MIB] - used[RESOURCE_MEMORY_MIB] - reserved[RESOURCE_MEMORY_MIB]);
    json_out_int(out, "free_disk_gb", total[RESOURCE_DISK_GIB] - used[RESOURCE_DISK_GIB]);
    json_out_int(out, "disk_available_least", total[RESOURCE_DISK_GIB] - used[RESOURCE_DISK_GIB]);
    json_out_int(out, "current_workload", 0);
    json_out_int(out, "running_vms", host->server_count);
    return rc;
}

static int write_detail(struct request *request, struct json_out *out, const struct host_row *host)
{
    int rc = 0;
    write_brief(request, out, host);
    if (request->microversion < 88) {
        rc = write_usage(request, out, host);
    } else {
        json_out_null(out, "uptime");
    }
    json_out_text(out, "hypervisor_type", host->hypervisor);
    json_out_int(out, "hypervisor_version", host->hypervisor_version);
    json_out_text(out, "host_ip", host->address);
    json_out_object(out, "service");
    write_id(request, out, host);
    json_out_text(out, "host", host->name);
    json_out_text(out, "disabled_reason", host->disabled_reason);
    json_out_object_end(out);
    return rc;
}

struct server_names {
    struct request *request;
    struct json_out *out;
    bool open;
};

static void open_names(struct server_names *n)
{
    if (!n->open) {
        json_out_array(n->out, "servers");
    }
    n->open = true;
}

static int write_name(void *arg, const struct server_row *row, struct error *e)
{
    (void)e;
    struct server_names *n = arg;
    open_names(n);
    json_out_object(n->out, NULL);
    json_out_text(n->out, "name", arena_join(&n->request->arena, "instance-", row->id));
    json_out_text(n->out, "uuid", row->id);
    json_out_object_end(n->out);
    return 0;
}

/* "servers"; before 2.75 it is left out when there is none. */
static int write_servers(struct request *request, struct json_out *out, const struct host_row *host)
{
    struct server_names n = {.request = request, .out = out};
    if (request->microversion >= 75) {
        open_names(&n);
    }
    int rc = store_server_desired(request->conn, host->id, -1, INT64_MAX, write_name, &n, &request->error);
    if (n.open) {
        json_out_array_end(out);
    }
    return rc;
}

static int list_one(void *arg, const struct host_row *row, struct error *e)
{
    (void)e;
    struct listing *l = arg;
    int rc = 0;
    if (l->pattern && !strstr(row->name, l->pattern)) {
        return 0;
    }
    l->count++;
    json_out_object(l->out, NULL);
    if (l->detail) {
        rc = write_detail(l->request, l->out, row);
    } else {
        write_brief(l->request, l->out, row);
    }
    if (!rc && l->servers_too) {
        rc = write_servers(l->request, l->out, row);
    }
    json_out_object_end(l->out);
    return rc;
}

static int list(struct request *request, struct listing l)
{
    const char *pattern = l.pattern;
    json_out_object(l.out, NULL);
    json_out_array(l.out, "hypervisors");
    int rc = store_host_list(request->conn, list_one, &l, &request->error);
    json_out_array_end(l.out);
    json_out_object_end(l.out);
    if (!rc && pattern && l.count == 0) {
        rc = error_set(&request->error, ERR_NOT_FOUND, "No hypervisor matching '%s' could be found.", pattern);
    }
    return rc;
}

/* What a query from 2.53 on asks for. */
static int list_asked(struct request *request, struct reply *reply, bool detail)
{
    struct listing l = {.request = request, .out = &reply->out, .detail = detail};
    if (request->microversion >= 53) {
        l.pattern = request_query(request, "hypervisor_hostname_pattern");
        l.servers_too = compute_text_bool(request_query(request, "with_servers"));
    }
    return list(request, l);
}

static int hypervisors_list(struct request *request, struct reply *reply)
{
    return list_asked(request, reply, false);
}

static int hypervisors_detail(struct request *request, struct reply *reply)
{
    return list_asked(request, reply, true);
}

static int hypervisors_search(struct request *request, struct reply *reply)
{
    struct listing l = {.request = request, .out = &reply->out, .pattern = request_param(request, "id")};
    return list(request, l);
}

static int hypervisors_servers(struct request *request, struct reply *reply)
{
    struct listing l = {
        .request = request, .out = &reply->out, .pattern = request_param(request, "id"), .servers_too = true};
    return list(request, l);
}

static int find(struct request *request, struct host_row *ret)
{
    const char *id = request_param(request, "id");
    bool found;
    int rc = host_ids_find(request->conn, id, request->microversion, &request->arena, ret, &found, &request->error);
    if (!rc && !found) {
        rc = error_set(&request->error, ERR_NOT_FOUND, "Hypervisor with ID '%s' could not be found.", id);
    }
    return rc;
}

static int hypervisors_show(struct request *request, struct reply *reply)
{
    struct host_row host;
    int rc = find(request, &host);
    if (!rc) {
        json_out_object(&reply->out, NULL);
        json_out_object(&reply->out, "hypervisor");
        rc = write_detail(request, &reply->out, &host);
        if (!rc && request->microversion >= 53 && compute_text_bool(request_query(request, "with_servers"))) {
            rc = write_servers(request, &reply->out, &host);
        }
        json_out_object_end(&reply->out);
        json_out_object_end(&reply->out);
    }
    return rc;
}

/* No agent reports an uptime, which is what Nova's drivers without one answer too. */
static int hypervisors_uptime(struct request *request, struct reply *reply)
{
    struct host_row host;
    (void)reply;
    int rc = find(request, &host);
    return rc ? rc : error_set(&request->error, ERR_NOT_IMPLEMENTED, "Virt driver does not implement uptime function.");
}

static int add_up(void *arg, const struct host_row *row, struct error *e)
{
    (void)e;
    struct listing *l = arg;
    l->count++;
    l->servers += row->server_count;
    resources_add(&l->total, &row->total);
    resources_add(&l->used, &row->used);
    return 0;
}

static int hypervisors_statistics(struct request *request, struct reply *reply)
{
    struct listing l = {.request = request};
    struct json_out *out = &reply->out;
    int rc = store_host_list(request->conn, add_up, &l, &request->error);
    if (rc) {
        return rc;
    }
    const int64_t *total = l.total.amount, *used = l.used.amount;
    json_out_object(out, NULL);
    json_out_object(out, "hypervisor_statistics");
    json_out_int(out, "count", l.count);
    json_out_int(out, "vcpus", total[RESOURCE_VCPU]);
    json_out_int(out, "memory_mb", total[RESOURCE_MEMORY_MIB]);
    json_out_int(out, "local_gb", total[RESOURCE_DISK_GIB]);
    json_out_int(out, "vcpus_used", used[RESOURCE_VCPU]);
    json_out_int(out, "memory_mb_used", used[RESOURCE_MEMORY_MIB]);
    json_out_int(out, "local_gb_used", used[RESOURCE_DISK_GIB]);
    json_out_int(out, "free_ram_mb", total[RESOURCE_MEMORY_MIB] - used[RESOURCE_MEMORY_MIB]);
    json_out_int(out, "free_disk_gb", total[RESOURCE_DISK_GIB] - used[RESOURCE_DISK_GIB]);
    json_out_int(out, "disk_available_least", total[RESOURCE_DISK_GIB] - used[RESOURCE_DISK_GIB]);
    json_out_int(out, "current_workload", 0);
    json_out_int(out, "running_vms", l.servers);
    json_out_object_end(out);
    json_out_object_end(out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/os-hypervisors", .permission = PERMISSION_ADMIN, .handler = hypervisors_list},
    {.method = "GET",
     .pattern = "/os-hypervisors/detail",
     .permission = PERMISSION_ADMIN,
     .handler = hypervisors_detail},
    {.method = "GET",
     .pattern = "/os-hypervisors/statistics",
     .permission = PERMISSION_ADMIN,
     .until = 87,
     .handler = hypervisors_statistics},
    {.method = "GET", .pattern = "/os-hypervisors/{id}", .permission = PERMISSION_ADMIN, .handler = hypervisors_show},
    {.method = "GET",
     .pattern = "/os-hypervisors/{id}/search",
     .permission = PERMISSION_ADMIN,
     .until = 52,
     .handler = hypervisors_search},
    {.method = "GET",
     .pattern = "/os-hypervisors/{id}/servers",
     .permission = PERMISSION_ADMIN,
     .until = 52,
     .handler = hypervisors_servers},
    {.method = "GET",
     .pattern = "/os-hypervisors/{id}/uptime",
     .permission = PERMISSION_ADMIN,
     .until = 87,
     .handler = hypervisors_uptime},
};
const struct route_table hypervisors_routes = ROUTE_TABLE(rows);
