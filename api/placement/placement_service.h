/* The placement service: OpenStack's Placement API under /placement, as a view of hosts and what servers hold of them.
 * Allocations are the scheduler's, so they are only shown; what an operator says of a host (custom resource classes,
 * their inventories, custom traits, ratios and reserves) can be written. */
#pragma once
#include "api/http/handler.h"
#include "db/store_host.h"
#include "db/store_placement_view.h"
#include "db/store_resource.h"

#define PLACEMENT_VERSION_MAX 39

extern const struct service placement_service;
extern const struct route_table placement_root_routes, placement_providers_routes, placement_candidates_routes,
    placement_traits_routes, placement_usages_routes, placement_writes_routes;

/* A host as a resource provider: a tree of one. */
struct placement_provider {
    struct host_row host;
    const char **traits; /* with COMPUTE_STATUS_DISABLED when an operator lets nothing come */
    size_t trait_count;
    const char **aggregates; /* uuids */
    size_t aggregate_count;
    const struct host_resource_row *resources; /* beside the three */
    size_t resource_count;
};
struct resource_inventory placement_service_inventory(const struct placement_provider *provider, enum resource r);
bool placement_service_has_trait(const struct placement_provider *provider, const char *trait);
/* All hosts in the order of their names, in the arena. */
int placement_service_load(struct request *request, struct placement_provider **ret, size_t *ret_count);
/* The host that the path names. ERR_NOT_FOUND in Placement's words. */
int placement_service_find(struct request *request, struct placement_provider *ret);
/* The resource class of this name among the three that all have, or -1. */
int placement_service_class(const char *name);
/* Of the further ones that the provider has; NULL for none. */
const struct host_resource_row *placement_service_resource(const struct placement_provider *provider, const char *name);
/* Answers with the provider's inventories, traits. */
void placement_service_write_inventories(struct reply *reply, const struct placement_provider *p);
void placement_service_write_traits(struct reply *reply, const struct placement_provider *p);
/* Answers with the provider that the path names, as it is now. */
typedef void (*placement_service_write_fn)(struct reply *reply, const struct placement_provider *p);
int placement_service_answer(struct request *request, struct reply *reply, placement_service_write_fn write);

/* What providers are filtered by, from query arguments. Each adder gives ERR_INVALID with what is wrong. */
struct placement_text_set {
    const char **items;
    size_t count;
};
struct placement_filter {
    int64_t amounts[RESOURCE_COUNT]; /* wanted free, 0: not asked for */
    struct placement_wanted {
        const char *name;
        int64_t amount;
    } * further; /* of other classes */
    size_t further_count, further_room;
    struct placement_text_set *any; /* of each set one trait */
    size_t any_count, any_room;
    struct placement_text_set forbidden; /* none of these traits */
    size_t forbidden_room;
    struct placement_text_set *member_of; /* in one aggregate of each set */
    size_t member_count, member_room;
    struct placement_text_set not_member_of; /* in none of these */
    size_t not_member_room;
    const char *in_tree; /* this provider only; NULL: any */
};
int placement_service_add_resources(struct request *request, struct placement_filter *filter, const char *value);
int placement_service_add_required(struct request *request, struct placement_filter *filter, const char *value);
int placement_service_add_member_of(struct request *request, struct placement_filter *filter, const char *value);
bool placement_service_matches(const struct placement_provider *provider, const struct placement_filter *filter);
/* From 1.15 on answers say that they may not be kept. */
void placement_service_fresh(struct request *request, struct reply *reply);
