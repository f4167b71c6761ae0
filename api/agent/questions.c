/* POST /agent/v1/queries/{id}: a host's answer to a question that a tenant's request waits for. */
#include "api/agent/agent.h"
#include "db/store_agent_query.h"
#include "db/store_cpu.h"

static int questions_answer(struct request *request, struct reply *reply)
{
    struct host_row host;
    int rc = agent_host(request, &host);
    if (!rc && !json_in_is_object(request->json))
        rc = error_set(&request->error, ERR_INVALID, "The answer is not an object");
    if (!rc)
        rc = store_agent_query_answer(request->conn, request_param(request, "id"), host.id,
                                      json_in_print(request->json, &request->arena), &request->error);
    if (!rc)
        rc = store_cpu_baseline_answered(request->conn, request_param(request, "id"), request->json, request->now_us,
                                         &request->arena, &request->error);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/queries/{id}",
     .permission = PERMISSION_AGENT,
     .kind = ROUTE_WRITE,
     .body_limit = 8 << 20,
     .handler = questions_answer},
};
const struct route_table questions_routes = ROUTE_TABLE(rows);
