/* Copies of servers' files as they are at one moment; whoever writes them holds still for it, where that is said.
 * Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A reflink, made at once and of no size: `to` shares the blocks of `from` until either is written. What a running
 * guest had written by one moment is in it. False: the file system shares no blocks. */
bool file_copy_share(const char *from, const char *to);
/* A sparse copy, for which `from` holds still. `stop` gives it up. ERR_NO_SPACE, before anything is written, when what
 * `from` holds has no room; ERR_IO, ERR_TIMEOUT. */
int file_copy_bytes(const char *from, const char *to, int64_t deadline_ms, const atomic_bool *stop, struct error *e);
/* `path` is on disk, whatever its kind. ERR_IO. */
int file_copy_sync(const char *path, struct error *e);
/* `part` is on disk and then called `path`, in the same folder: a crash leaves all of it or nothing. ERR_IO. */
int file_copy_publish(const char *part, const char *path, struct error *e);
