/* Passwords. The forms tell themselves apart: "$argon2id$..." and "$blake2b$<hex>". */
#include "common/password.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define RANDOM_PREFIX "$blake2b$"

bool password_hash(const char *password, const struct password_cost *cost, char ret[PASSWORD_HASH_SIZE])
{
    size_t size = strlen(password);
    _Static_assert(crypto_pwhash_STRBYTES <= PASSWORD_HASH_SIZE, "room for an Argon2id text");
    if (size > PASSWORD_MAX || sodium_init() < 0)
        return false;
    return crypto_pwhash_str(ret, password, size, (unsigned long long)cost->passes, (size_t)cost->memory_bytes) == 0;
}

void password_hash_random(const char *secret, char ret[PASSWORD_HASH_SIZE])
{
    unsigned char digest[32];
    char hex[65];
    crypto_generichash(digest, sizeof(digest), (const unsigned char *)secret, strlen(secret), NULL, 0);
    snprintf(ret, PASSWORD_HASH_SIZE, RANDOM_PREFIX "%s", sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest)));
}

static bool matches_nothing(const char *password, const struct password_cost *cost)
{
    char ignored[PASSWORD_HASH_SIZE];
    password_hash(password, cost, ignored);
    return false;
}

bool password_matches(const char *password, const char *hash, const struct password_cost *cost)
{
    if (!hash || strlen(hash) >= PASSWORD_HASH_SIZE)
        return matches_nothing(password, cost);
    if (strncmp(hash, RANDOM_PREFIX, strlen(RANDOM_PREFIX)) == 0) {
        char again[PASSWORD_HASH_SIZE];
        password_hash_random(password, again);
        return strlen(again) == strlen(hash) && sodium_memcmp(again, hash, strlen(again)) == 0;
    }
    size_t size = strlen(password);
    if (size > PASSWORD_MAX || sodium_init() < 0)
        return false;
    return crypto_pwhash_str_verify(hash, password, size) == 0;
}

bool password_is_outdated(const char *hash, const struct password_cost *cost)
{
    if (strncmp(hash, RANDOM_PREFIX, strlen(RANDOM_PREFIX)) == 0)
        return false;
    return crypto_pwhash_str_needs_rehash(hash, (unsigned long long)cost->passes, (size_t)cost->memory_bytes) != 0;
}

void password_random(char ret[PASSWORD_RANDOM_SIZE])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (int i = 0; i < PASSWORD_RANDOM_SIZE - 1; i++)
        ret[i] = alphabet[randombytes_uniform(sizeof(alphabet) - 1)];
    ret[PASSWORD_RANDOM_SIZE - 1] = 0;
}
