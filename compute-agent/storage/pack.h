/* A raw disk on its way to another host: what it holds without what was never written, as a qcow2 file beside it. All
 * functions block and may be repeated; for any thread. */
#pragma once
#include "common/error.h"

#define PACK_SUFFIX ".pack"

/* Makes it, unless one is there that is younger than the disk. ERR_IO, ERR_NO_SPACE, ERR_TIMEOUT. */
int pack_make(const char *disk, struct error *e);
/* What is not there is no error. */
void pack_remove(const char *disk);
/* The other way: the disk gets its name when it is whole. The packed file stays. */
int pack_open(const char *packed, const char *disk, struct error *e);
