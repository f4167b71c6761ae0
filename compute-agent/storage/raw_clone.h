/* Clones of servers with raw disks: the root disk of one, as it is at one moment, is another's from then on. They share
 * no file, and blocks only where the host's file system shares them, so either may go first. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdatomic.h>

/* What holds a guest still while its disk is copied byte by byte, and lets it go on. Both return a code and keep the
 * sentence themselves. */
struct raw_clone_guest {
    int (*stop)(void *arg);
    int (*go_on)(void *arg);
    void *arg;
};
/* Makes `to` of `from`, or it is there; `guest` NULL: it is off. May be repeated after a crash at any moment, which
 * leaves `to` whole or not there; a guest that it has left standing still goes on with the next try or by its owner's
 * wish. ERR_NOT_FOUND when there is no `from`; as file_copy.h; what `guest` answers. */
int raw_clone(const char *from, const char *to, const struct raw_clone_guest *guest, const atomic_bool *stop,
              struct error *e);
/* The same for a copy that nobody else looks for: it is made anew, and need not be on disk. */
int raw_clone_copy(const char *from, const char *to, const struct raw_clone_guest *guest, const atomic_bool *stop,
                   struct error *e);
