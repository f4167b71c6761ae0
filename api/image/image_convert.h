/* Turns an uploaded image of another format into qcow2, by qemu-img in a cage (common/confine.h): no other file, no
 * network, limits on time, memory and what it writes; the format is always told to it. Blocking: for a thread of its
 * own. */
#pragma once
#include "api/image/image_ovf.h"
#include <stdatomic.h>

struct image_convert {
    const char *source, *target; /* target: made anew; removed when it fails */
    const char *disk_format, *container_format;
    int64_t virtual_limit_bytes, deadline_ms;
    const atomic_bool *stop; /* becomes true: ends soon with ERR_UNAVAILABLE */
};
struct image_converted {
    int64_t size_bytes, virtual_bytes;
    char md5[33], sha512[129];
    struct image_ovf machine; /* of an OVA; else zero */
};
/* Whether images of these formats are converted at all: OVAs, and disks that image_probe_knows. */
bool image_convert_is_needed(const char *disk_format, const char *container_format);
/* What can be said of the file at once: ERR_INVALID with what is wrong. The rest shows when it is converted. */
int image_convert_check(const char *path, const char *disk_format, const char *container_format, struct error *e);
/* On success the target is on disk. ERR_INVALID: the image is bad; ERR_NO_SPACE, ERR_TIMEOUT, ERR_IO; ERR_UNAVAILABLE:
 * stopped. */
int image_convert(const struct image_convert *what, struct image_converted *ret, struct error *e);
