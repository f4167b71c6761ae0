/* The operators' service: hosts and what is done to them as a whole. Ours, not OpenStack's. */
#pragma once
#include "api/http/handler.h"

extern const struct service ops_service; /* /ops/v1 */
extern const struct route_table ops_hosts_routes;
