/* The agents' service: what docs/agent-protocol.md describes, seen from the API. */
#pragma once
#include "api/http/handler.h"
#include "db/store_host.h"

extern const struct service agent_service; /* /agent/v1 */
extern const struct route_table join_routes, desired_routes, report_routes, questions_routes, verdict_routes,
    tasks_routes, image_uploads_routes;

/* The host whose certificate called. ERR_UNAUTHORIZED when it is not known (removed meanwhile), or when its certificate
 * is neither its present one nor the one before a renewal that is under way. */
int agent_host(struct request *request, struct host_row *ret);
