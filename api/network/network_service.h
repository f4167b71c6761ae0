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

/* A row about a collection. */
#define NETWORK_ROW(verb, at, may, how, fn, entity)                                                                    \
    {                                                                                                                  \
        .method = verb, .pattern = at, .permission = PERMISSION_##may, .kind = ROUTE_##how, .handler = fn,             \
        .about = &entity                                                                                               \
    }
/* A collection's rows, with and without ".json"; `list` is entity_list or calls it. */
#define NETWORK_COLLECTION_ROWS(at, entity, list)                                                                      \
    NETWORK_ROW("GET", at, READER, READ, list, entity), NETWORK_ROW("GET", at ".json", READER, READ, list, entity),    \
        NETWORK_ROW("POST", at, MEMBER, WRITE, entity_create, entity),                                                 \
        NETWORK_ROW("POST", at ".json", MEMBER, WRITE, entity_create, entity),                                         \
        NETWORK_ROW("GET", at "/{id}", READER, READ, entity_show, entity),                                             \
        NETWORK_ROW("DELETE", at "/{id}", MEMBER, WRITE, entity_delete, entity)
#define NETWORK_UPDATE_ROW(at, entity) NETWORK_ROW("PUT", at "/{id}", MEMBER, WRITE, entity_update, entity)
