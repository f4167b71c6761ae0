/* One pass over the path, one over the query; the decoded text is never longer than what was sent, so each is decoded
 * into one piece of memory of that length. Refuses what two readers could understand differently (dot segments, empty
 * segments, bytes that are not text). */
#include "api/http/uri.h"
#include "common/utf8.h"
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static int uri_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes `size` bytes into `to` and terminates it. The decoded length, or -1 for a bad encoding, a NUL, or what is not
 * UTF-8. */
static ptrdiff_t uri_decode(const char *from, size_t size, bool plus, char *to)
{
    char *at = to;
    if (!memchr(from, '%', size) && !(plus && memchr(from, '+', size))) { /* most texts */
        memcpy(to, from, size);
        to[size] = 0;
        return utf8_valid(to, size) ? (ptrdiff_t)size : -1;
    }
    for (size_t i = 0; i < size; i++) {
        char c = from[i];
        if (c == '+' && plus) {
            c = ' ';
        } else if (c == '%') {
            int high = size - i > 2 ? uri_hex(from[i + 1]) : -1;
            int low = size - i > 2 ? uri_hex(from[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (!c)
            return -1;
        *at++ = c;
    }
    *at = 0;
    return utf8_valid(to, (size_t)(at - to)) ? at - to : -1;
}

static bool uri_has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* Skips "http://authority" of the absolute form. */
static const char *uri_skip_authority(const char *raw)
{
    size_t scheme = !strncasecmp(raw, "http://", 7) ? 7 : !strncasecmp(raw, "https://", 8) ? 8 : 0;
    if (!scheme)
        return raw;
    const char *path = raw + scheme + strcspn(raw + scheme, "/?");
    return *path == '/' ? path : "/";
}

static int uri_parse_path(const char *raw, size_t size, struct arena *a, struct uri *uri, struct error *e)
{
    while (size > 1 && raw[size - 1] == '/')
        size--;
    char *joined = arena_alloc(a, 2 * size + 2), *at = joined, *text = joined + size + 1;
    size_t start = 1;
    while (start < size) {
        const char *slash = memchr(raw + start, '/', size - start);
        size_t length = slash ? (size_t)(slash - raw) - start : size - start;
        if (uri->count == URI_SEGMENTS_MAX)
            return error_set(e, ERR_INVALID, "The path has more than %d segments", URI_SEGMENTS_MAX);
        ptrdiff_t decoded = uri_decode(raw + start, length, false, text);
        if (decoded < 0)
            return error_set(e, ERR_INVALID, "The path has a bad percent-encoding");
        if (!decoded || !strcmp(text, ".") || !strcmp(text, "..") || uri_has_control(text))
            return error_set(e, ERR_INVALID, "The path has a segment that is empty, dots or control characters");
        *at++ = '/';
        uri->offsets[uri->count] = (size_t)(at - joined);
        uri->segments[uri->count++] = text;
        memcpy(at, text, (size_t)decoded);
        at += decoded;
        text += decoded + 1;
        start += length + 1;
    }
    if (at == joined)
        *at++ = '/';
    *at = 0;
    uri->path = joined;
    return 0;
}

static int uri_parse_query(const char *query, struct arena *a, struct uri *uri, struct error *e)
{
    size_t room = 1, size = strlen(query);
    for (size_t i = 0; i < size; i++)
        room += query[i] == '&';
    uri->arguments = arena_array(a, room, sizeof(*uri->arguments));
    char *text = arena_alloc(a, size + 2 * room);
    for (const char *at = query; at < query + size;) {
        size_t length = strcspn(at, "&"), name = 0;
        while (name < length && at[name] != '=')
            name++;
        if (length) {
            size_t value = name < length ? name + 1 : length;
            struct uri_argument *argument = &uri->arguments[uri->argument_count++];
            ptrdiff_t first = uri_decode(at, name, true, text);
            argument->name = text;
            text += first + 1;
            ptrdiff_t second = first < 0 ? -1 : uri_decode(at + value, length - value, true, text);
            argument->value = text;
            text += second + 1;
            if (second < 0)
                return error_set(e, ERR_INVALID, "The query has a bad percent-encoding");
        }
        at += length + 1;
    }
    return 0;
}

int uri_parse(const char *raw, struct arena *a, struct uri *ret, struct error *e)
{
    struct uri uri = {.query = ""};
    raw = uri_skip_authority(raw);
    if (*raw != '/')
        return error_set(e, ERR_INVALID, "The request target is not a path");
    size_t size = strcspn(raw, "?");
    int rc = uri_parse_path(raw, size, a, &uri, e);
    if (!rc && raw[size] && raw[size + 1]) {
        uri.query = arena_strdup(a, raw + size + 1);
        rc = uri_parse_query(uri.query, a, &uri, e);
    }
    if (!rc)
        *ret = uri;
    return rc;
}
