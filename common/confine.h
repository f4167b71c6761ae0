/* A cage for a program that reads what strangers wrote: it sees the files that were named, no network and no other
 * process, and ends with whoever started it. Linux: Landlock for files, a list of refused system calls (seccomp), no
 * core dumps; when root starts it, the user nobody. What runs inside can loosen none of it. */
#pragma once
#include "common/error.h"

struct confine {
    int ruleset;           /* of confine_open */
    int read_fd, write_fd; /* handed on under their numbers; -1: none. As root they must belong to CONFINE_NOBODY. */
};
#define CONFINE_NOBODY 65534

/* Prepares a cage in which `read_fd` may be read and `write_fd` written, as "/proc/self/fd/N" too, and the system's
 * programs and libraries be used. Any thread. ERR_NOT_IMPLEMENTED where the kernel has no Landlock, ERR_IO. */
int confine_open(int read_fd, int write_fd, struct confine *ret, struct error *e);
void confine_close(struct confine *c);
/* Steps into it, for good. In a child before exec: only async-signal-safe calls. 0 or an errno. */
int confine_enter(const struct confine *c);
