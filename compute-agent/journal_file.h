/* The journal's file: lines with a checksum, appended whole, a torn tail cut off on opening. */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens or makes the file for appending. ERR_IO. */
int journal_file_open(const char *path, int *ret_fd, struct error *e);
/* Hands every good line's text to `take`, which says whether it understood it. Cuts a torn tail off; *ret_size is the
 * file's size then. ERR_CORRUPT when not one of several lines is good: that is no journal. */
typedef bool (*journal_file_take_fn)(void *arg, const char *text, size_t size);
int journal_file_read(const char *path, int fd, journal_file_take_fn take, void *arg, int64_t *ret_size,
                      struct error *e);
/* The same of a file that others may write: changes nothing, and what is torn or damaged is left out. Any thread. */
int journal_file_look(const char *path, journal_file_take_fn take, void *arg, struct error *e);
/* Appends one line to a file of `size` bytes; on failure cuts it back to that. ERR_IO, ERR_NO_SPACE. */
int journal_file_append(const char *path, int fd, int64_t size, const char *text, size_t text_size, int64_t *ret_size,
                        struct error *e);
/* Appends the line's form to a buffer. */
void journal_file_print(struct strbuf *to, const char *text, size_t size);
