/* Password hashing at the configured cost; only from a `before` whose row says `.hashes`, that is on the hashing
 * threads. */
#pragma once
#include "api/http/handler.h"
#include "api/identity/login_limit.h"

/* Whether `password` matches. `hash` NULL takes as long and never matches. Always 0 but for trouble. */
int hashing_check(struct request *request, const char *password, const char *hash, bool *ret_good);
/* A new hash in the arena. ERR_INVALID for a password that is too long, ERR_UNAVAILABLE when memory is short. */
int hashing_make(struct request *request, const char *password, const char **ret);
/* A hash of the same password at the present cost, when `hash` is of another; NULL when it is not or memory is short.
 */
int hashing_renew(struct request *request, const char *password, const char *hash, const char **ret);

/* Around a check: ERR_RATE when the client has failed too often for `who`, and then what came of it. */
int hashing_enter(struct request *request, const char *who, struct login_attempt *ret);
void hashing_leave(struct request *request, const struct login_attempt *attempt, bool good);
