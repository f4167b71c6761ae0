/* Resources that Nova had once and that answer 410 since then, in every microversion. */
#include "api/compute/compute.h"
#include "api/compute/compute_routes.h"

static int gone_answer(struct request *request, struct reply *reply)
{
    (void)reply;
    return error_set(&request->error, ERR_GONE,
                     "This resource is no longer available.  No forwarding address is given.");
}

/* Other methods of the same paths are still here, so that "no such method" would be said of these. */
static int gone_unknown(struct request *request, struct reply *reply)
{
    (void)reply;
    return error_set(&request->error, ERR_NOT_FOUND, "The resource could not be found.");
}

#define ROW(verb, path)                                                                                                \
    {                                                                                                                  \
        .method = verb, .pattern = path, .permission = PERMISSION_AUTHENTICATED, .handler = gone_answer                \
    }
#define LATER_ROW(path)                                                                                                \
    {                                                                                                                  \
        .method = "GET", .pattern = path, .permission = PERMISSION_AUTHENTICATED, .since = 36, .handler = gone_unknown \
    }
static const struct route rows[] = {
    LATER_ROW("/os-networks"),
    LATER_ROW("/os-networks/{id}"),
    LATER_ROW("/os-tenant-networks"),
    LATER_ROW("/os-tenant-networks/{id}"),
    ROW("GET", "/os-agents"),
    ROW("POST", "/os-agents"),
    ROW("PUT", "/os-agents/{id}"),
    ROW("DELETE", "/os-agents/{id}"),
    ROW("GET", "/os-cells"),
    ROW("POST", "/os-cells"),
    ROW("GET", "/os-cells/capacities"),
    ROW("GET", "/os-cells/detail"),
    ROW("GET", "/os-cells/info"),
    ROW("POST", "/os-cells/sync_instances"),
    ROW("GET", "/os-cells/{id}"),
    ROW("PUT", "/os-cells/{id}"),
    ROW("DELETE", "/os-cells/{id}"),
    ROW("GET", "/os-cells/{id}/capacities"),
    ROW("POST", "/os-certificates"),
    ROW("GET", "/os-certificates/{id}"),
    ROW("GET", "/os-cloudpipe"),
    ROW("POST", "/os-cloudpipe"),
    ROW("PUT", "/os-cloudpipe/{id}"),
    ROW("GET", "/os-fixed-ips/{id}"),
    ROW("POST", "/os-fixed-ips/{id}/action"),
    ROW("GET", "/os-floating-ip-dns"),
    ROW("PUT", "/os-floating-ip-dns/{id}"),
    ROW("DELETE", "/os-floating-ip-dns/{id}"),
    ROW("GET", "/os-floating-ip-dns/{domain}/entries/{id}"),
    ROW("PUT", "/os-floating-ip-dns/{domain}/entries/{id}"),
    ROW("DELETE", "/os-floating-ip-dns/{domain}/entries/{id}"),
    ROW("GET", "/os-floating-ips-bulk"),
    ROW("POST", "/os-floating-ips-bulk"),
    ROW("GET", "/os-floating-ips-bulk/{id}"),
    ROW("PUT", "/os-floating-ips-bulk/{id}"),
    ROW("GET", "/os-fping"),
    ROW("GET", "/os-fping/{id}"),
    ROW("POST", "/os-networks"),
    ROW("POST", "/os-networks/add"),
    ROW("DELETE", "/os-networks/{id}"),
    ROW("POST", "/os-networks/{id}/action"),
    ROW("GET", "/os-security-group-default-rules"),
    ROW("POST", "/os-security-group-default-rules"),
    ROW("GET", "/os-security-group-default-rules/{id}"),
    ROW("DELETE", "/os-security-group-default-rules/{id}"),
    ROW("POST", "/os-tenant-networks"),
    ROW("DELETE", "/os-tenant-networks/{id}"),
    ROW("GET", "/servers/{id}/os-virtual-interfaces"),
    ROW("GET", "/servers/{id}/consoles"),
    ROW("POST", "/servers/{id}/consoles"),
    ROW("GET", "/servers/{id}/consoles/{console}"),
    ROW("DELETE", "/servers/{id}/consoles/{console}"),
};
const struct route_table gone_routes = ROUTE_TABLE(rows);
