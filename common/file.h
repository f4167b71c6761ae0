/* Files as wholes: read, replace atomically, make directories. Paths in error sentences. Any thread. */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"
#include <stddef.h>
#include <sys/types.h>

/* Appends the whole file to `ret`. ERR_NOT_FOUND, ERR_IO, ERR_TOO_LARGE (the buffer's ceiling). */
int file_read(const char *path, struct strbuf *ret, struct error *e);
/* Writes beside, fsyncs, renames over, fsyncs the folder: after a crash the old or the new content is there. */
int file_replace(const char *path, const void *data, size_t size, mode_t mode, struct error *e);
/* As file_replace, for readers of the moment: it waits for no disk, and a crash of the machine may lose it. */
int file_show(const char *path, const void *data, size_t size, mode_t mode, struct error *e);
/* mkdir -p. */
int file_make_dirs(const char *path, mode_t mode, struct error *e);
