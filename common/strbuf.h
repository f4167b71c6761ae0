/* Text of unknown length: grows up to a ceiling, remembers the first failure, is always terminated. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

struct strbuf {
    char *data; /* terminated; "" while empty (points to static storage until the first append) */
    size_t size, capacity, ceiling;
    int error; /* 0 or ERR_TOO_LARGE: sticky, later appends do nothing */
};

/* `ceiling`: most bytes it may hold, 0 for 64 MiB. */
void strbuf_init(struct strbuf *s, size_t ceiling);
void strbuf_done(struct strbuf *s);
/* Empties it and clears the error; memory is kept. */
void strbuf_reset(struct strbuf *s);
/* Appenders return s->error. */
int strbuf_append(struct strbuf *s, const void *data, size_t size);
int strbuf_append_text(struct strbuf *s, const char *text);
int strbuf_append_char(struct strbuf *s, char c);
int strbuf_appendf(struct strbuf *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
int strbuf_appendv(struct strbuf *s, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* Room for `size` more bytes at data + size of the buffer; NULL past the ceiling. The caller then adds to s->size
 * itself and leaves data terminated. */
char *strbuf_reserve(struct strbuf *s, size_t size);
/* Hands the text over to the caller (free()), and empties the buffer. */
char *strbuf_take(struct strbuf *s);
/* A text by itself. Caller frees. */
char *strbuf_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
