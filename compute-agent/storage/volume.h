/* A file that holds a file system: what is written into it never takes more of the host's disk than its size, however
 * it is written. It takes as much as it holds, and gives back what is deleted. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdbool.h>
#include <stdint.h>

struct volume {
    int64_t bytes;
    int64_t files; /* it has room for so many; 0: as is usual for the size */
    bool journal;  /* a crash of the host leaves it whole */
};
/* Makes a new one. ERR_IO, ERR_TIMEOUT, ERR_NOT_FOUND without mke2fs. */
int volume_make(const char *path, const struct volume *v, struct error *e);
/* Mounts it at a folder, where it stays until it is unmounted; its loop device goes with the mount. ERR_IO. */
int volume_mount(const char *path, const char *at, bool read_only, struct error *e);
/* How large the file system is; -1 when there is none. */
int64_t volume_bytes(const char *path);
/* File and file system become as large, if they are smaller; nothing of it may be mounted. ERR_IO, ERR_TIMEOUT. */
int volume_grow(const char *path, int64_t bytes, struct error *e);
/* Something is mounted at the folder. */
bool volume_is_mounted(const char *at);
/* Some process on the host has the volume mounted, or it is just being given up. */
bool volume_is_attached(const char *path);
/* A mount of the folder over itself through which nothing can be written; nothing else may be mounted there. ERR_IO. */
int volume_seal(const char *folder, struct error *e);
/* Whatever is mounted at the folder; nothing there is no error. */
void volume_unmount(const char *at);
