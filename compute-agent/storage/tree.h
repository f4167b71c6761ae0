/* A container's files: an overlay whose lower layer is the image, unpacked once for all servers of it, and whose upper
 * layer is the server's own: a volume as large as the flavor's disk, so that no container takes more of the host's.
 * Owners are those of the container's own range of users (id_range.h); of the image there is one copy, and each
 * container sees it as its own users'. All functions block, may be repeated, and are for any thread. */
#pragma once
#include "common/error.h"
#include "compute-agent/storage/disk.h"
#include <stdbool.h>
#include <sys/types.h>

/* In a server's folder; a link to the image's file, or to TREE_FLAT (tree_flatten.h), made last: where it is, the rest
 * is. */
#define TREE_BASE "base"
/* An unpacked image is seen at the image's path with this behind it, while the host is up. */
#define TREE_SUFFIX ".tree"
/* In a server's folder: the volume with its changes, and where it is mounted. */
#define TREE_LAYER_FILE "layer.img"
#define TREE_LAYER      "layer"
#define TREE_UPPER      "upper" /* in it */
/* In a clone's folder: the range of users that its volume's files have on the disk, as id_range.h notes it: that of the
 * server whose they were. Without it they have the server's own. */
#define TREE_OWNERS "owners"

/* Makes what is missing in `folder`, and its disk larger if it is to be; one of those in `instances`. ERR_INVALID
 * without an image, with one that cannot be unpacked, or when it does not fit into the flavor, ERR_NOT_FOUND when
 * `first` is false and the files are gone, ERR_IO, ERR_NO_SPACE, ERR_TIMEOUT. */
int tree_make(const char *instances, const char *folder, const struct spec *spec, const struct disk_base *base,
              bool first, struct error *e);
/* The layers become DOMAIN_XML_TREE in `folder`, or are it already, and DOMAIN_XML_SEED can only be read; of a server
 * that is off. ERR_NOT_FOUND, ERR_IO. */
int tree_mount(const char *folder, struct error *e);
/* The same, whatever is left to be done of it; and its volume alone, at TREE_LAYER. */
int tree_mount_layers(const char *folder, struct error *e);
int tree_mount_own(const char *folder, struct error *e);
/* What is not there is no error. */
void tree_unmount(const char *folder);
/* The same, and no process anywhere has them any more: the volume can be used otherwise. ERR_BUSY after some seconds.
 */
int tree_unmount_all(const char *folder, struct error *e);
/* tree_unmount, and the server's changes and seed are gone. */
void tree_discard(const char *folder);
/* The folder's first user; as written in its volume. 0 when there is none. */
uid_t tree_owners(const char *folder);
/* Mounts a volume that is this server's, or a copy of it, at `at`, where its files are its users'; `by` is a folder
 * where it is mounted for a moment. ERR_IO. */
int tree_mount_volume(const char *folder, const char *volume, const char *by, const char *at, struct error *e);
/* Makes the link to the image's file, or there is one. ERR_IO. */
int tree_link(const char *folder, const char *base, struct error *e);
/* What TREE_BASE says; false when there is none. Caller frees. */
bool tree_base(const char *folder, char **ret);
/* The image's files are seen at its path with TREE_SUFFIX. ERR_IO, and as tree_make. */
int tree_show(const char *image, struct error *e);
/* What was unpacked of the image; nothing there is no error. */
void tree_forget(const char *image);
/* Removes what an agent that was killed has left half unpacked in the image cache. At start-up. */
void tree_tidy(const char *image_folder);
/* Gives the files below `folder` that are the host's users' to the container's, the first of whom is `first`. */
int tree_own(const char *folder, uid_t first, struct error *e);
