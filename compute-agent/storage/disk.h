/* A server's disks. Blocking, idempotent: each file is made under another name and renamed when it is whole. */
#pragma once
#include "common/error.h"
#include "compute-agent/spec.h"
#include <stdbool.h>
#include <stdint.h>

struct disk_base {
    const char *path, *format; /* of the image in the cache; path NULL: none */
    int64_t virtual_bytes;
};
/* Makes what is missing in `folder`: root (an overlay on the base, as large as the flavor says), ephemeral and swap
 * disks. When `first` is false nothing is made: a disk that is missing then is an error, never an empty disk. A
 * disk that is smaller than the specification says grows; an ephemeral or swap disk that the server has no more (its
 * resize was taken back) is removed.
 * Nobody may have the files open. ERR_INVALID when the image does not fit into the flavor, ERR_NOT_FOUND,
 * ERR_NO_SPACE, ERR_IO, ERR_CORRUPT, ERR_TIMEOUT. */
int disk_make(const char *folder, const struct spec *spec, const struct disk_base *base, bool first, struct error *e);
/* The same as raw files (DOMAIN_XML_RAW_ROOT ...), for hypervisors that read no qcow2: the root is a copy of the base,
 * of its blocks where the file system can share them. */
int disk_make_raw(const char *folder, const struct spec *spec, const struct disk_base *base, bool first,
                  struct error *e);
/* For a guest that runs on: the ephemeral and the swap disk as overlays' neighbours, those that are not there; 0: none
 * wanted. ERR_NO_SPACE, ERR_IO, ERR_TIMEOUT. */
int disk_make_more(const char *folder, int64_t ephemeral_gib, int64_t swap_mib, struct error *e);
/* And back: those of the two that are 0 are removed; what is not there is no error. ERR_IO. */
int disk_drop_more(const char *folder, int64_t ephemeral_gib, int64_t swap_mib, struct error *e);
/* Removes the folder and everything in it; what is not there is no error. */
int disk_remove_folder(const char *folder, struct error *e);
