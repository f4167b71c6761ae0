/* What an OVF descriptor (DSP0243) says of the machine in an OVA. Any thread. */
#pragma once
#include "common/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_OVF_MOST ((size_t)1 << 20) /* bytes of a descriptor that are read */

struct image_ovf {
    char file[256];           /* the disk's file in the archive */
    int64_t memory_mib, cpus; /* 0: not said */
    bool uefi;                /* it starts by UEFI */
};
/* One machine with one disk, in one file that is not compressed. ERR_INVALID with what is wrong. Document types,
 * entities and anything outside the text are refused. */
int image_ovf_read(const char *text, size_t size, struct image_ovf *ret, struct error *e);
