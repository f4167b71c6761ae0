/* An image of a container's files: an archive of all that it sees, image and changes, with its own users' numbers.
 * Whether it runs or not is no difference. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdatomic.h>

/* Writes the files of the server with this folder to `to`, as they are at one moment: while its changes are copied,
 * nothing writes to them (who would, waits; where the host's file system shares blocks that takes no time). *stop
 * becomes true: it is given up. ERR_NOT_FOUND when it never ran, ERR_IO, ERR_TIMEOUT, ERR_NO_SPACE. */
int tree_snapshot(const char *folder, const char *to, const atomic_bool *stop, struct error *e);
/* Undoes what one that was interrupted has left; nothing there is no error. At start-up, and before a server's end. */
void tree_snapshot_tidy(const char *folder);
