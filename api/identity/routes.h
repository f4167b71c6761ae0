/* The tables of rows that identity.c gathers; each lies in the file of its name. */
#pragma once
#include "api/http/route.h"

extern const struct route_table identity_versions_routes, identity_versions_root_routes;
extern const struct route_table auth_routes;
extern const struct route_table users_routes, user_password_routes, user_lists_routes, groups_routes;
extern const struct route_table regions_routes, catalog_services_routes, endpoints_routes, role_assignments_routes;
extern const struct route_table application_credentials_routes, access_rules_routes, credentials_routes,
    ec2_credentials_routes;
extern const struct route_table roles_routes, role_implied_routes, grants_routes;
extern const struct route_table projects_routes, project_tags_routes, domains_routes;
