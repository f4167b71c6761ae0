/* The files of the image cache: which are there, how large, which are in use; removing what is not. Blocking. */
#pragma once
#include "common/error.h"
#include <stddef.h>
#include <stdint.h>

/* Removes images, longest unused first, until `folder` holds at most `limit` - `wanted` bytes. Kept in any case: images
 * that a disk under `instances` is based on, those in `pinned` (paths), unfinished downloads. Returns the bytes that
 * are left. */
int64_t image_files_evict(const char *folder, const char *instances, const char *const *pinned, size_t pinned_count,
                          int64_t limit_bytes, int64_t wanted_bytes);
