/* A container's files: an overlay whose lower layer is the image, unpacked once for all servers of it, and whose upper
 * layer is the server's own. Owners are those of the container's user namespace (DOMAIN_XML_IDS_FIRST). All functions
 * block, may be repeated, and are for any thread. */
#pragma once
#include "common/error.h"
#include "compute-agent/storage/disk.h"
#include <stdbool.h>

/* In a server's folder; a link to the image's file, made last: where it is, the rest is. */
#define TREE_BASE "base"
/* The folder of an unpacked image is the image's path with this behind it. */
#define TREE_SUFFIX ".tree"

/* Reads an archive (tar, also compressed) to its end. *ret_bytes: of all files in it. ERR_INVALID, ERR_TIMEOUT. */
int tree_check(const char *path, int64_t *ret_bytes, struct error *e);
/* Makes what is missing in `folder`. ERR_INVALID without an image or when it does not fit into the flavor,
 * ERR_NOT_FOUND when `first` is false and the files are gone, ERR_IO, ERR_NO_SPACE, ERR_TIMEOUT. */
int tree_make(const char *folder, const struct spec *spec, const struct disk_base *base, bool first, struct error *e);
/* The layers become DOMAIN_XML_TREE in `folder`, or are it already. ERR_NOT_FOUND, ERR_IO. */
int tree_mount(const char *folder, struct error *e);
/* What is not there is no error. */
void tree_unmount(const char *folder);
/* The image that a server's folder is based on; false when it is on none. Caller frees. */
bool tree_base(const char *folder, char **ret);
/* What was unpacked of the image; nothing there is no error. */
void tree_forget(const char *image);
/* Removes what an agent that was killed has left half unpacked in the image cache. At start-up. */
void tree_tidy(const char *image_folder);
/* Gives the files below `folder` to the container's users; removes device nodes. */
int tree_own(const char *folder, struct error *e);
