/* SHA-512 of files. Any thread. */
#pragma once
#include "common/error.h"
#include <stdatomic.h>

#define DIGEST_SHA512_SIZE 129 /* hex with the terminator */

/* Lower-case hex of the whole file. Stops with ERR_TIMEOUT when *stop becomes true (NULL: never). ERR_IO,
 * ERR_NOT_FOUND. */
int digest_file(const char *path, const atomic_bool *stop, char ret[DIGEST_SHA512_SIZE], struct error *e);
int digest_text(const char *text, char ret[DIGEST_SHA512_SIZE], struct error *e);
