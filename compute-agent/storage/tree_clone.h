/* Clones of containers: the files of one, as they are at one moment, are another's from then on. They have the image in
 * common, as all servers of it, and of the changes those blocks that the host's file system shares between files:
 * nobody needs a file of the other's, so either may go first. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdatomic.h>

/* Makes the files in the folder `to` of those in `from`, or they are there; both are among `instances`. Users on the
 * disk stay whose they were, and are seen as the clone's (TREE_OWNERS). May be repeated after a crash at any moment:
 * until all is there it has no TREE_BASE. `from` neither starts nor stops meanwhile. ERR_NOT_FOUND when `from` has no
 * files, and as tree_copy and id_range_take. */
int tree_clone(const char *instances, const char *from, const char *to, const atomic_bool *stop, struct error *e);
