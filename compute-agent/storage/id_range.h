/* Which users of the host a container's users are: 65536 of its own, which no other container on this host has. The
 * range is noted in the server's folder and is free again when the folder is gone: whatever is left of a container's
 * files never falls to another. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdint.h>
#include <sys/types.h>

/* The link in a server's folder whose target is the first of them; the last thing there to be removed. */
#define ID_RANGE_LINK "ids"
/* The first range is that of images' unpacked files. */
#define ID_RANGE_COUNT 10000

/* The folder's range, or a free one that is its own from now on. `instances` holds all folders. ERR_IO, ERR_NO_SPACE
 * when none is free. */
int id_range_take(const char *instances, const char *folder, uid_t *ret_first, struct error *e);
/* 0 when it has none. */
uid_t id_range_of(const char *folder);
/* The range that another link in the folder names, 0 when there is none; and writes such a link anew. ERR_IO. */
uid_t id_range_read(const char *folder, const char *link);
int id_range_write(const char *folder, const char *link, uid_t first, struct error *e);
