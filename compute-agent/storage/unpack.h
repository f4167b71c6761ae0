/* The files of a container's image: out of an archive, a squashfs, or the disk of a machine. A stranger made it, so it
 * is read by confined programs only (child.h, confined_as) and never mounted by the kernel. Blocking; any thread. */
#pragma once
#include "common/error.h"
#include <stdbool.h>
#include <stdint.h>

/* "root-tar", "squashfs", "qcow2", "raw". */
bool unpack_takes(const char *format);
/* A "root-tar" may be a squashfs as well. Reads the listing of an archive or squashfs to its end. *ret_bytes: of all
 * files in it, *ret_files: how many. ERR_INVALID, ERR_TIMEOUT, ERR_NOT_FOUND without a program for it. */
int unpack_list(const char *image, const char *format, int64_t *ret_bytes, int64_t *ret_files, struct error *e);
/* Puts the files into `folder`, which is to be empty and the first user's of DOMAIN_XML_IDS_FIRST, as all files will be
 * the users' from there on. Device nodes are left out. Of a disk, the files are those of the largest ext file system on
 * it; `scratch`, a folder of that user's too, holds it meanwhile. ERR_INVALID with a sentence for the tenant,
 * ERR_NO_SPACE, ERR_TIMEOUT, ERR_IO, ERR_NOT_FOUND without a program for it. */
int unpack_files(const char *image, const char *format, const char *folder, const char *scratch, struct error *e);
