/* Void tokens in memory: a hash table from (kind, subject, target) to the instant up to which tokens are void. Pure;
 * the caller locks. */
#pragma once
#include "api/identity/token.h"

struct revocations;

struct revocations *revocations_new(void);
void revocations_free(struct revocations **set);
/* Adds or raises an entry. `expires_us`: when it may be dropped. */
void revocations_add(struct revocations *set, enum token_revocation_kind kind, const char *subject, const char *target,
                     int64_t before_us, int64_t expires_us);
/* Whether an entry says that this token, by its issue time, is void. */
bool revocations_cover(const struct revocations *set, const struct credential *c);
/* Drops what expired. */
void revocations_drop(struct revocations *set, int64_t now_us);
size_t revocations_count(const struct revocations *set);
