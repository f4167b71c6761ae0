/* The operators' service: its tables and its faults. */
#include "api/ops/ops.h"
#include "api/http/fault.h"

static const struct route_table *const tables[] = {&ops_hosts_routes,    &ops_power_routes,    &ops_rebalance_routes,
                                                   &ops_capacity_routes, &ops_baseline_routes, NULL};
const struct service ops_service = {.name = "ops", .prefix = "/ops/v1", .tables = tables, .fault = fault_write};
