/* Is a tenant's image what it says it is, and nothing worse? Nothing ever guesses a format: the header is checked here
 * against the declared one, then qemu-img reads the file as that format only. Blocking. */
#pragma once
#include "common/error.h"
#include <stdint.h>

/* `format`: "qcow2", "raw", or "root-tar" and "squashfs" (read as unpack_list says). Refused with ERR_INVALID and a
 * sentence for the tenant: another format than declared, a backing file, an external data file, features that we do not
 * know. *ret_virtual_bytes: the size of the disk inside. ERR_IO, ERR_TIMEOUT. */
int image_check(const char *path, const char *format, int64_t *ret_virtual_bytes, struct error *e);
/* The backing file's name in a qcow2 header; "" for none. For our own overlays. ERR_INVALID when it is no qcow2. */
#define IMAGE_CHECK_NAME_SIZE 1024
int image_check_backing(const char *path, char ret[IMAGE_CHECK_NAME_SIZE], struct error *e);
