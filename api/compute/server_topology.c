/* GET /servers/{id}/topology, from 2.78: how a guest's processors and memory are spread over NUMA nodes. Servers that
 * asked for nothing of the kind have none, for which Nova answers with an empty list. Administrators see the host's
 * side too. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"
#include "common/model/numa.h"
#include "db/store_cells.h"
#include <stdio.h>

static void write_pins(struct json_out *out, const struct numa_given *g, int32_t cell)
{
    char vcpu[16];
    json_out_object(out, "cpu_pinning");
    for (int v = 0; v < g->vcpus; v++) {
        if (g->cell_of[v] == cell && g->pin[v] >= 0) {
            snprintf(vcpu, sizeof(vcpu), "%d", v);
            json_out_int(out, vcpu, g->pin[v]);
        }
    }
    json_out_object_end(out);
}

static void write_node(struct request *request, struct json_out *out, const struct numa_given *g, int32_t cell)
{
    bool admin = compute_is_admin(request);
    json_out_object(out, NULL);
    if (admin)
        write_pins(out, g, cell);
    if (admin)
        json_out_int(out, "host_node", g->host[cell]);
    json_out_int(out, "memory_mb", g->memory_mib[cell]);
    json_out_array(out, "siblings");
    json_out_array_end(out);
    json_out_array(out, "vcpu_set");
    for (int v = 0; v < g->vcpus; v++)
        if (g->cell_of[v] == cell)
            json_out_int(out, NULL, v);
    json_out_array_end(out);
    json_out_object_end(out);
}

static int server_topology_show(struct request *request, struct reply *reply)
{
    struct numa_given *given = arena_alloc(&request->arena, sizeof(*given));
    const char *held = NULL;
    struct server_row row;
    int rc = compute_server(request, &row);
    rc = rc ? rc : store_cells_held(request->conn, row.id, &request->arena, &held, &request->error);
    rc = rc || held == NULL ? rc : numa_given_read(held, given, &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "nodes");
    for (int32_t i = 0; held != NULL && i < given->cell_count; i++)
        write_node(request, &reply->out, given, i);
    json_out_array_end(&reply->out);
    if (held != NULL && given->page_kib > 0)
        json_out_int(&reply->out, "pagesize_kb", given->page_kib);
    else
        json_out_null(&reply->out, "pagesize_kb");
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/servers/{id}/topology",
     .permission = PERMISSION_READER,
     .since = 78,
     .handler = server_topology_show},
};
const struct route_table server_topology_routes = ROUTE_TABLE(rows);
