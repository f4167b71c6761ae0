/* GET /servers/{id}/ips and .../ips/{network}. */
#include "api/compute/server_view.h"

static int server_addresses_list(struct request *request, struct reply *reply)
{
    struct server_row row;
    int rc = compute_server(request, &row);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    server_view_ips(request, &reply->out, "addresses", row.addresses, NULL);
    json_out_object_end(&reply->out);
    return 0;
}

static int server_addresses_show(struct request *request, struct reply *reply)
{
    struct server_row row;
    int rc = compute_server(request, &row);
    if (rc)
        return rc;
    if (!server_view_ips(request, &reply->out, NULL, row.addresses, request_param(request, "network")))
        return error_set(&request->error, ERR_NOT_FOUND, "Instance is not a member of specified network");
    return 0;
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/servers/{id}/ips",
     .permission = PERMISSION_READER,
     .handler = server_addresses_list},
    {.method = "GET",
     .pattern = "/servers/{id}/ips/{network}",
     .permission = PERMISSION_READER,
     .handler = server_addresses_show},
};
const struct route_table server_addresses_routes = ROUTE_TABLE(rows);
