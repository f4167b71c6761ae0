/* The route tables of the compute service's resources, one per file, gathered by service.c. */
#pragma once
#include "api/http/route.h"

extern const struct route_table aggregates_routes, availability_zones_routes, hosts_routes, hypervisors_routes,
    limits_routes, migrations_routes, quota_sets_routes, server_groups_routes, services_routes, tenant_usage_routes,
    server_security_groups_routes, compute_security_groups_routes, compute_images_routes, image_metadata_routes,
    compute_networks_routes, gone_routes, usage_audit_routes, server_interfaces_routes, external_events_routes,
    server_topology_routes;
