/* What a disk image file really is. Nothing is ever guessed from it: the declared format is checked against what lies
 * in the header. */
#pragma once
#include "common/error.h"
#include <stdint.h>

/* The file at `path` (of `size` bytes) holds `format` ("raw", "qcow2", "vmdk", "vhd", "vhdx", "vdi", "iso"; others are
 * not looked into). qcow2 must have no backing file, no external data file and no features that we do not know; raw
 * must not be one of the others. *ret_virtual: bytes of the disk in it, or -1 when unknown. 0; ERR_INVALID with what is
 * wrong; ERR_IO. */
int image_format_check(const char *path, int64_t size, const char *format, int64_t *ret_virtual, struct error *e);
/* The same for a header in memory: the first `have` bytes of a file of `size`. For tests and fuzzing. */
int image_format_check_header(const unsigned char *head, size_t have, int64_t size, const char *format,
                              int64_t *ret_virtual, struct error *e);
#define IMAGE_FORMAT_HEAD 65536 /* bytes of a file that are looked at */
