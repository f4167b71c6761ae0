/* Password hashing at the configured cost; only from a `before` whose row says `.hashes`, that is on the hashing
 * threads. */
#pragma once
#include "api/http/handler.h"

/* Whether `password` matches. `hash` NULL takes as long and never matches. Always 0 but for trouble. */
int hashing_check(struct request *request, const char *password, const char *hash, bool *ret_good);
/* A new hash in the arena. ERR_INVALID for a password that is too long, ERR_UNAVAILABLE when memory is short. */
int hashing_make(struct request *request, const char *password, const char **ret);
