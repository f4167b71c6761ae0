/* Roles as JSON. */
#pragma once
#include "api/identity/identity.h"
#include "db/store_role.h"

/* An object under `key` (NULL in an array). */
void role_view_put(struct request *request, struct reply *reply, const char *key, const struct role_row *row);
/* {"id", "name", "links"}: as inferences show it, with the domain of a domain's role. */
void role_view_short(struct request *request, struct reply *reply, const char *key, const struct role_row *row);
