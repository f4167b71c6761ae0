/* GET /servers/{id}/topology, from 2.78: how a guest's processors and memory are spread over NUMA nodes. Ours have no
 * such nodes, for which Nova answers with an empty list. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"

static int server_topology_show(struct request *request, struct reply *reply)
{
    struct server_row row;
    int rc = compute_server(request, &row);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "nodes");
    json_out_array_end(&reply->out);
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
