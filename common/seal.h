/* Secrets at rest: the master key file, and small secrets sealed under it (libsodium crypto_secretbox: XSalsa20,
 * Poly1305) as base64 text for a column. Any thread. */
#pragma once
#include "common/arena.h"
#include "common/error.h"
#include <stddef.h>

#define SEAL_KEY_SIZE 32
struct seal_key {
    unsigned char bytes[SEAL_KEY_SIZE];
};

/* Reads a master key file: 64 hex digits and a line end. ERR_NOT_FOUND; ERR_INVALID when it is none, or when others
 * than its owner may read it; ERR_IO. */
int seal_key_read(const char *path, struct seal_key *ret, struct error *e);
/* Makes such a file with a new random key, mode 0600, unless there is one. */
int seal_key_create(const char *path, struct error *e);
void seal_key_wipe(struct seal_key *key);

/* The sealed text, in the arena. */
char *seal_close(const struct seal_key *key, const void *secret, size_t size, struct arena *arena);
/* Opens what seal_close made; the result is terminated behind `ret_size` bytes, in the arena. ERR_CORRUPT when it is
 * not intact or of another key. */
int seal_open(const struct seal_key *key, const char *text, struct arena *arena, void **ret, size_t *ret_size,
              struct error *e);
