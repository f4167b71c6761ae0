/* Routes of os-simple-tenant-usage. */
#pragma once
#include "api/http/route.h"

extern const struct route_table tenant_usage_routes;
