/* Users as JSON. */
#pragma once
#include "api/identity/identity.h"
#include "db/store_user.h"

/* An object under `key` (NULL in an array). `updated`: after PATCH Keystone repeats the unforeseen attributes under
 * "extra". */
void user_view_put(struct request *request, struct reply *reply, const char *key, const struct user_row *row,
                   bool updated);
