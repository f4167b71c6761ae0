/* Copies of the volume with a container's changes, for images and clones of it. Whether it runs or not is no
 * difference. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdatomic.h>

/* Copies the volume of the server with this folder to the file `to`, as it is at one moment: meanwhile nothing is
 * written to it (who would, waits). Where the host's file system shares blocks the copy does, and takes no time and no
 * room; elsewhere it takes what the volume holds. Waits for another copy of the same. *stop becomes true: it is given
 * up. ERR_IO, ERR_TIMEOUT, ERR_NO_SPACE. */
int tree_copy(const char *folder, const char *to, const atomic_bool *stop, struct error *e);
/* A volume that an agent has left frozen takes writes again, unless it is copied now. At start-up. */
void tree_copy_thaw(const char *folder);
