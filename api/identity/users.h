/* What the resources below a user share. */
#pragma once
#include "api/identity/identity.h"
#include "db/store_user.h"

/* Loads the user {user_id} of the path for somebody who may read him: himself, or who reads his domain. 403 or 404
 * otherwise. */
int users_load(struct request *request, struct user_row *ret, const char *action);
/* Voids all tokens of a user, as of now. */
int users_revoke(struct request *request, const char *user_id);
