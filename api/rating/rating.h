/* The rating service: who sees what, its tables. */
#pragma once
#include "api/http/handler.h"

extern const struct service rating_service;
extern const struct route_table rating_root_routes, summary_routes, dataframes_routes, prices_routes;

/* The project a request is about: the caller's own; for administrators the one named by "project_id" or "tenant_id", or
 * NULL for all when they ask for "all_projects". ERR_FORBIDDEN when somebody else's is asked for. */
int rating_project(struct request *request, const char **ret_project);
