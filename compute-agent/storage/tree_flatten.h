/* The end of what a container shares: its volume gets all that it has of the image alone (tree_walk.h), and then its
 * lower layer is empty. Lower layers must not change under an overlay, nor may one upper layer be mounted twice: of a
 * container that is on, files are copied now, and the change, which takes no longer than to look at each file, comes
 * with its next start. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* In a server's folder: a link that says that the lower layer is to go, or has gone and has left something to be tidied
 * up; made when all but files with several names are copied. */
#define TREE_FLATTEN "flatten"
/* The target of TREE_BASE where there is no image any more; in the volume an empty folder. */
#define TREE_FLAT "none"

/* May be repeated. `on`: the container runs, or may. Until it has succeeded nothing is different but that some files
 * were copied. ERR_NO_SPACE when it does not fit, ERR_CONFLICT when it was stopped: of one that is off the next start
 * does the rest; ERR_NOT_FOUND, ERR_IO. */
int tree_flatten(const char *folder, bool on, const atomic_bool *stop, struct error *e);
/* Of one that is off, before it is mounted: what is left to be done of it. When it does not fit any more the server
 * keeps its image. ERR_IO. */
int tree_flatten_end(const char *folder, struct error *e);
/* False: nothing is under way there. */
bool tree_flatten_measure(const char *folder, int64_t *ret_done, int64_t *ret_total);
/* A copy of the server's volume needs what it needed. */
int tree_flatten_inherit(const char *from, const char *to, struct error *e);
/* Before anybody but the kernel looks at the upper layer of such a server by itself. */
int tree_flatten_tidy(const char *folder, const char *upper, struct error *e);
