/* OVA: a tar archive with an OVF descriptor and a disk. Nothing is unpacked: the disk is found where it lies. */
#pragma once
#include "api/image/image_ovf.h"
#include "api/image/image_probe.h"

struct image_ova {
    struct image_ovf machine;
    struct image_bytes disk; /* a part of what was looked at */
};
/* Finds descriptor and disk. ERR_INVALID with what is wrong. */
int image_ova_read(const struct image_bytes *archive, struct image_ova *ret, struct error *e);
/* Only whether it begins like one: the first member is the descriptor. */
int image_ova_check_head(const struct image_bytes *archive, struct error *e);
