/* The elastic service (/elastic/v1, ours): dry runs, the queue of servers that wait for room, groups that keep
 * themselves, reservations. */
#pragma once
#include "api/http/handler.h"
#include "db/page.h"

#define ELASTIC_PREFIX   "/elastic/v1"
#define ELASTIC_PAGE_MAX 1000

extern const struct service elastic_service;
extern const struct route_table elastic_dry_run_routes, elastic_queue_routes, elastic_groups_routes,
    elastic_policies_routes, elastic_dedicated_hosts_routes, elastic_reservations_routes, elastic_preemptions_routes,
    elastic_clones_routes;

/* The caller has the admin role. */
bool elastic_is_admin(const struct request *request);
/* The project that a list is about: the caller's; for administrators the one of "project_id", or NULL (all) with
 * "all_projects". ERR_FORBIDDEN when somebody else's is asked for. */
int elastic_project(struct request *request, const char **ret_project);
/* Answers with a page of what the caller may see: {name: [...]}. `read` writes the items into `out`; `project` as
 * above.
 */
typedef int (*elastic_read_fn)(struct request *request, const char *project, const struct page *page,
                               struct json_out *out);
int elastic_list(struct request *request, struct reply *reply, const char *name, elastic_read_fn read);
/* The project that something is made in. ERR_FORBIDDEN for a token without one. */
int elastic_own_project(struct request *request, const char **ret_project);
