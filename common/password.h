/* Passwords as rows keep them: Argon2id in its own text form (libsodium crypto_pwhash_str), or, for secrets that we
 * made ourselves and that nobody can guess, a plain BLAKE2b. Any thread; slow on purpose, so never on the writer or an
 * HTTP thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PASSWORD_HASH_SIZE 136
#define PASSWORD_MAX       4096 /* bytes; longer ones never match */

struct password_cost {
    int64_t passes;       /* over the memory; at least 1 */
    int64_t memory_bytes; /* at least 8 KiB */
};
#define PASSWORD_COST_USUAL ((struct password_cost){.passes = 2, .memory_bytes = 32 << 20})

/* False when memory is short or the password too long. */
bool password_hash(const char *password, const struct password_cost *cost, char ret[PASSWORD_HASH_SIZE]);
/* For secrets of at least 128 random bits only. */
void password_hash_random(const char *secret, char ret[PASSWORD_HASH_SIZE]);
/* In constant time for a given hash. `hash` NULL: the work of a hash of `cost` is done all the same, and false is
 * returned. */
bool password_matches(const char *password, const char *hash, const struct password_cost *cost);
/* Whether `hash` was made of a password at another cost. Never for hashes of random secrets. */
bool password_is_outdated(const char *hash, const struct password_cost *cost);
/* A random password of 24 letters and digits (142 bits). */
#define PASSWORD_RANDOM_SIZE 25
void password_random(char ret[PASSWORD_RANDOM_SIZE]);
