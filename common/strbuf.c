/* A buffer that doubles up to its ceiling. `capacity` excludes the terminator; 0 means that data points to the shared
 * empty text. */
#include "common/strbuf.h"
#include "common/error.h"
#include "common/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRBUF_FIRST   120
#define STRBUF_CEILING ((size_t)64 << 20)

static char strbuf_empty[1]; /* never written: every writer reserves first */

void strbuf_init(struct strbuf *s, size_t ceiling)
{
    *s = (struct strbuf){.data = strbuf_empty, .ceiling = ceiling ? ceiling : STRBUF_CEILING};
}

void strbuf_done(struct strbuf *s)
{
    if (s->capacity)
        free(s->data);
    strbuf_init(s, s->ceiling);
}

void strbuf_reset(struct strbuf *s)
{
    s->size = 0;
    s->error = 0;
    if (s->capacity)
        s->data[0] = 0;
}

char *strbuf_reserve(struct strbuf *s, size_t size)
{
    if (s->error)
        return NULL;
    if (size > s->ceiling - s->size) {
        s->error = ERR_TOO_LARGE;
        return NULL;
    }
    size_t needed = s->size + size;
    if (needed > s->capacity || !s->capacity) {
        size_t capacity = s->capacity ? s->capacity * 2 : STRBUF_FIRST;
        if (capacity < needed)
            capacity = needed;
        if (capacity > s->ceiling)
            capacity = s->ceiling ? s->ceiling : 1;
        s->data = memory_resize(s->capacity ? s->data : NULL, capacity + 1);
        s->capacity = capacity;
        s->data[s->size] = 0;
    }
    return s->data + s->size;
}

int strbuf_append(struct strbuf *s, const void *data, size_t size)
{
    if (!size)
        return s->error;
    char *at = strbuf_reserve(s, size);
    if (!at)
        return s->error;
    memcpy(at, data, size);
    at[size] = 0;
    s->size += size;
    return 0;
}

int strbuf_append_text(struct strbuf *s, const char *text)
{
    return strbuf_append(s, text, strlen(text));
}

int strbuf_append_char(struct strbuf *s, char c)
{
    return strbuf_append(s, &c, 1);
}

int strbuf_appendf(struct strbuf *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int rc = strbuf_appendv(s, format, args);
    va_end(args);
    return rc;
}

int strbuf_appendv(struct strbuf *s, const char *format, va_list args)
{
    if (s->error)
        return s->error;
    va_list again;
    va_copy(again, args);
    size_t room = s->capacity ? s->capacity - s->size + 1 : 0;
    int length = vsnprintf(room ? s->data + s->size : NULL, room, format, args);
    size_t size = length < 0 ? 0 : (size_t)length;
    if (size >= room) {
        if (room)
            s->data[s->size] = 0; /* what was cut off is not there */
        char *at = strbuf_reserve(s, size);
        if (at)
            vsnprintf(at, size + 1, format, again);
    }
    va_end(again);
    if (!s->error)
        s->size += size;
    return s->error;
}

char *strbuf_take(struct strbuf *s)
{
    char *text = s->capacity ? s->data : memory_strdup("");
    strbuf_init(s, s->ceiling);
    return text;
}

char *strbuf_print(const char *format, ...)
{
    struct strbuf text;
    va_list args;
    strbuf_init(&text, 0);
    va_start(args, format);
    strbuf_appendv(&text, format, args);
    va_end(args);
    return strbuf_take(&text);
}
