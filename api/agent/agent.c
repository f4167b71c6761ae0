/* The agents' service: its tables, its faults in the shared shape, and who calls. */
#include "api/agent/agent.h"
#include "api/http/fault.h"
#include <string.h>

static const struct route_table *const tables[] = {
    &join_routes,    &desired_routes, &report_routes,        &questions_routes,
    &verdict_routes, &tasks_routes,   &image_uploads_routes, NULL};
const struct service agent_service = {
    .name = "agent",
    .prefix = "/agent/v1",
    .tables = tables,
    .fault = fault_write,
};

static bool is(const char *known, const char *shown)
{
    return known != NULL && shown != NULL && strcmp(known, shown) == 0;
}

int agent_host(struct request *request, struct host_row *ret)
{
    const char *shown = request_client_fingerprint(request);
    struct host_row row;
    int rc = store_host_get(request->conn, request->credential.host_id, &request->arena, &row, &request->error);
    if (!rc && !is(row.certificate, shown) && !is(row.certificate_previous, shown))
        rc = ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND) {
        error_clear(&request->error);
        return error_set(&request->error, ERR_UNAUTHORIZED, "This certificate is of no host here");
    }
    if (!rc)
        *ret = row;
    return rc;
}
