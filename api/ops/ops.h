/* The operators' service: hosts and what is done to them as a whole. Ours, not OpenStack's. */
#pragma once
#include "api/http/handler.h"
#include "db/store_host.h"

extern const struct service ops_service; /* /ops/v1 */
extern const struct route_table ops_hosts_routes, ops_power_routes, ops_rebalance_routes, ops_capacity_routes,
    ops_baseline_routes;

/* The host that the path's {host} names, by id or name. ERR_NOT_FOUND. */
int ops_host_find(struct request *request, struct host_row *ret);
/* ISO 8601, or null for 0. */
void ops_write_time(struct json_out *out, const char *key, int64_t us);
/* What guests' processors can be on the host, and what it lacks of its pool's baseline; null when it does not tell. */
int ops_baseline_write_host(struct request *request, struct json_out *out, const char *key, const char *host_id);
/* How a host ("": those without a script of their own) is switched off and on, and what became of it. */
int ops_power_write(struct request *request, struct json_out *out, const char *key, const char *host_id);
