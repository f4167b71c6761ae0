/* The catalog: what services there are and where, as tokens and GET /auth/catalog show it. */
#pragma once
#include "api/http/handler.h"

/* Member "catalog" of the open object: the array of services with their endpoints. `project_id` (NULL: none) and
 * `user_id` are filled into the URLs; an endpoint that wants a project is left out without one, as Keystone does. */
int catalog_write(struct request *request, struct json_out *out, const char *project_id, const char *user_id);
