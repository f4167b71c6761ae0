/* What lies in images of formats that are converted: looked at by ourselves before another program reads them, so that
 * nothing is guessed and nothing in them leads to another file. Pure: it reads through struct image_bytes. */
#pragma once
#include "common/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stretch of a file, or of memory (data not NULL). */
struct image_bytes {
    const unsigned char *data;
    int fd;
    int64_t from, size;
};
/* Reads all of `count` bytes at `at`; false when they are not there. */
bool image_probe_read(const struct image_bytes *b, int64_t at, void *ret, size_t count);

struct image_probe {
    int64_t virtual_bytes; /* the size of the disk in it, as it says itself */
    bool fixed;            /* vhd: without tables */
};
/* Whether images of this format are converted: vmdk, vhd, vhdx, vdi. */
bool image_probe_knows(const char *format);
/* The bytes are a whole image of `format` (one that image_probe_knows), in one file, with no parent. ERR_INVALID with
 * what is wrong. */
int image_probe(const struct image_bytes *b, const char *format, struct image_probe *ret, struct error *e);
/* By its magic: "vmdk", "vhd", "vhdx", "vdi", "qcow2"; NULL: none of them. */
const char *image_probe_name(const struct image_bytes *b);
