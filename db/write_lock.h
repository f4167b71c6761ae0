/* A fair lock between processes and threads: whoever waits for it gets it before whoever had it last. SQLite's own busy
 * handler sleeps and starves; this one waits in the kernel, which also frees it when its holder dies.
 *
 * Two bytes of a file, locked through open file descriptions: take the turnstile, then the lock, then leave the
 * turnstile. The holder that wants it again queues behind the one that already stands in the turnstile. */
#pragma once
#include "common/error.h"

/* Opens (makes) the lock file; each user needs its own descriptor. Close it with close(). */
int write_lock_open(const char *path, int *ret_fd, struct error *e);
/* Blocks until it is held. Not for one descriptor from two threads, nor twice. */
int write_lock_take(int fd, struct error *e);
void write_lock_drop(int fd);
