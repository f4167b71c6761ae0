/* Groups as JSON. */
#pragma once
#include "api/identity/identity.h"
#include "db/store_group.h"

/* An object under `key` (NULL in an array). */
void group_view_put(struct request *request, struct reply *reply, const char *key, const struct group_row *row);
