/* The network service: Neutron's v2.0 API under /network. */
#pragma once
#include "api/network/entity.h"

extern const struct service network_service;

/* Its tables, one per resource file. */
extern const struct route_table networks_routes, subnets_routes, ports_routes, security_groups_routes,
    security_group_rules_routes, network_tags_routes, network_quotas_routes, network_discovery_routes;
/* The collections, for what works on all of them. */
extern const struct entity networks_entity, subnets_entity, ports_entity, security_groups_entity,
    security_group_rules_entity;

/* A collection's six rows, with and without ".json". `stem` is the prefix of the resource's handlers. */
#define NETWORK_COLLECTION_ROWS(at, stem)                                                                              \
    {.method = "GET", .pattern = at, .permission = PERMISSION_READER, .handler = stem##_list},                         \
        {.method = "GET", .pattern = at ".json", .permission = PERMISSION_READER, .handler = stem##_list},             \
        {.method = "POST",                                                                                             \
         .pattern = at,                                                                                                \
         .permission = PERMISSION_MEMBER,                                                                              \
         .kind = ROUTE_WRITE,                                                                                          \
         .handler = stem##_create},                                                                                    \
        {.method = "POST",                                                                                             \
         .pattern = at ".json",                                                                                        \
         .permission = PERMISSION_MEMBER,                                                                              \
         .kind = ROUTE_WRITE,                                                                                          \
         .handler = stem##_create},                                                                                    \
        {.method = "GET", .pattern = at "/{id}", .permission = PERMISSION_READER, .handler = stem##_show},             \
    {                                                                                                                  \
        .method = "DELETE", .pattern = at "/{id}", .permission = PERMISSION_MEMBER, .kind = ROUTE_WRITE,               \
        .handler = stem##_delete                                                                                       \
    }
#define NETWORK_UPDATE_ROW(at, stem)                                                                                   \
    {                                                                                                                  \
        .method = "PUT", .pattern = at "/{id}", .permission = PERMISSION_MEMBER, .kind = ROUTE_WRITE,                  \
        .handler = stem##_update                                                                                       \
    }
