/* The same files under other owners: a mount of a folder in which users are shifted. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <sys/types.h>

/* Shows `from` at `at`: what belongs there to the 65536 users from `was` on, belongs here to those from `first` on; the
 * host's root stays itself, nobody else is known. ERR_IO; needs Linux 5.19 for use in an overlay. */
int id_mount(const char *from, const char *at, uid_t was, uid_t first, struct error *e);
