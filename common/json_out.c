/* JSON out. Strings are copied and judged sixteen bytes at a time; one with anything that is not plain is done again,
 * byte by byte: quotes, backslashes, control characters are escaped, bytes that are not UTF-8 become U+FFFD. Numbers
 * are written by hand. */
#include "common/json_out.h"
#include "common/error.h"
#include "common/utf8.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_out_init(struct json_out *o, struct strbuf *buf)
{
    *o = (struct json_out){.buf = buf};
}

/* 0: plain; 'u': \u00XX; 'm': a byte of a longer UTF-8 sequence; else the letter after the backslash. */
#define U5 'u', 'u', 'u', 'u', 'u'
#define M8 'm', 'm', 'm', 'm', 'm', 'm', 'm', 'm'
static const char json_out_escapes[256] = {
    U5,          'u',
    'u',         'u',
    'b',         't',
    'n',         'u',
    'f',         'r',
    'u',         'u', /* 00 to 0f */
    U5,          U5,
    U5,          'u', /* 10 to 1f */
    ['"'] = '"', ['\\'] = '\\',
    [0x80] = M8, M8,
    M8,          M8,
    M8,          M8,
    M8,          M8,
    M8,          M8,
    M8,          M8,
    M8,          M8,
    M8,          M8,
};

static void json_out_escape(struct strbuf *s, unsigned char c, char letter)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\', letter, '0', '0', digits[c >> 4], digits[c & 15]};
    strbuf_append(s, text, letter == 'u' ? 6 : 2);
}

#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Zero when all of eight bytes are plain: none is below a space, a quote, a backslash, or above ASCII. The subtractions
 * set the top bit of a byte that is below the one subtracted (Anderson, "Bit Twiddling Hacks", hasless and haszero);
 * they may wrongly set it beyond such a byte, never without one. */
static inline uint64_t json_out_marks8(uint64_t v)
{
    uint64_t quote = v ^ EIGHT('"'), slash = v ^ EIGHT('\\');
    return (((v - EIGHT(' ')) & ~v) | ((quote - EIGHT(1)) & ~quote) | ((slash - EIGHT(1)) & ~slash) | v) & EIGHT(0x80);
}

/* Sixteen bytes at once, in a register. As signed numbers, controls and what is above ASCII are both below a space. */
typedef signed char json_out_block __attribute__((vector_size(16)));
typedef uint64_t json_out_pair __attribute__((vector_size(16)));

static inline json_out_block json_out_copy16(char *to, const char *from)
{
    json_out_block v;
    memcpy(&v, from, sizeof(v));
    memcpy(to, &v, sizeof(v));
    return (json_out_block)((v < ' ') | (v == '"') | (v == '\\'));
}

static inline uint64_t json_out_copy8(char *to, const char *from)
{
    uint64_t v;
    memcpy(&v, from, sizeof(v));
    memcpy(to, &v, sizeof(v));
    return json_out_marks8(v);
}

static inline uint32_t json_out_copy4(char *to, const char *from)
{
    uint32_t v;
    memcpy(&v, from, sizeof(v));
    memcpy(to, &v, sizeof(v));
    return v;
}

/* Copies, and tells whether all was plain. The last step may do some bytes once more, which saves a loop. */
static inline bool json_out_copy(char *to, const char *from, size_t size)
{
    if (size >= 16) {
        json_out_block marks = json_out_copy16(to + size - 16, from + size - 16);
        for (size_t i = 0; i + 16 < size; i += 16)
            marks |= json_out_copy16(to + i, from + i);
        json_out_pair pair = (json_out_pair)marks;
        return !(pair[0] | pair[1]);
    }
    if (size >= 8)
        return !(json_out_copy8(to, from) | json_out_copy8(to + size - 8, from + size - 8));
    if (size >= 4) {
        uint64_t high = json_out_copy4(to, from);
        return !json_out_marks8(high << 32 | json_out_copy4(to + size - 4, from + size - 4));
    }
    bool plain = true;
    for (size_t i = 0; i < size; i++) {
        plain &= !json_out_escapes[(unsigned char)from[i]];
        to[i] = from[i];
    }
    return plain;
}

/* As strbuf_reserve, without a call in the usual case. */
static inline char *json_out_room(struct strbuf *s, size_t size)
{
    return !s->error && s->capacity - s->size >= size ? s->data + s->size : strbuf_reserve(s, size);
}

/* A string that is not all plain; without quotes. */
static __attribute__((noinline)) void json_out_escaped(struct strbuf *s, const char *text, size_t size)
{
    size_t plain = 0; /* start of the run not yet copied */
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)text[i];
        char escape = json_out_escapes[c];
        size_t step = escape == 'm' ? utf8_step(text + i, size - i) : !escape;
        if (step) {
            i += step;
            continue;
        }
        strbuf_append(s, text + plain, i - plain);
        if (escape == 'm')
            strbuf_append(s, "\xef\xbf\xbd", 3);
        else
            json_out_escape(s, c, escape);
        plain = ++i;
    }
    strbuf_append(s, text + plain, size - plain);
}

/* `before` unless it is 0, `text` and `more` as one string in quotes, then `after` unless it is 0. */
static inline void json_out_strings(struct strbuf *s, char before, const char *text, size_t size, const char *more,
                                    size_t more_size, char after)
{
    char *at = json_out_room(s, size + more_size + 4), *start = at;
    if (!at)
        return;
    if (before)
        *at++ = before;
    *at++ = '"';
    if (json_out_copy(at, text, size) && json_out_copy(at + size, more, more_size)) {
        at += size + more_size;
    } else {
        *at = 0;
        s->size += (size_t)(at - start);
        json_out_escaped(s, text, size);
        json_out_escaped(s, more, more_size);
        at = start = json_out_room(s, 2);
        if (!at)
            return;
    }
    *at++ = '"';
    if (after)
        *at++ = after;
    *at = 0;
    s->size += (size_t)(at - start);
}

static inline void json_out_string(struct strbuf *s, char before, const char *text, size_t size, char after)
{
    json_out_strings(s, before, text, size, "", 0, after);
}

/* The expected key, with or without its comma. */
static inline void json_out_ready(struct json_out *o, bool comma)
{
    const struct json_out_key *key = o->expected;
    size_t skip = !comma;
    char *at = json_out_room(o->buf, sizeof(key->text));
    o->expected = NULL;
    if (!at)
        return;
    memcpy(at, key->text + skip, sizeof(key->text) - 1); /* all of it: a copy of known length needs no loop */
    at[key->size - skip] = 0;
    o->buf->size += key->size - skip;
}

/* The key before a value. Returns the comma that the value itself has to begin with, 0 for none. */
static inline char json_out_begin(struct json_out *o, const char *key)
{
    if (!o->depth) {
        assert(!key && "a key at the top");
        assert(!o->comma[0] && "a second value at the top");
        o->comma[0] = true;
        return 0;
    }
    assert((o->kind[o->depth - 1] == 'o') == (key != NULL));
    char comma = o->comma[o->depth] ? ',' : 0;
    o->comma[o->depth] = true;
    if (!key)
        return comma;
    if (o->expected && o->expected->name == key) {
        json_out_ready(o, comma != 0);
        return 0;
    }
    json_out_string(o->buf, comma, key, strlen(key), ':');
    return 0;
}

/* `before` unless it is 0, then the bytes as they are. */
static inline void json_out_bytes(struct strbuf *s, char before, const char *text, size_t size)
{
    char *at = json_out_room(s, size + 1), *start = at;
    if (!at)
        return;
    if (before)
        *at++ = before;
    memcpy(at, text, size);
    at += size;
    *at = 0;
    s->size += (size_t)(at - start);
}

static void json_out_open(struct json_out *o, const char *key, char kind, char bracket)
{
    char comma = json_out_begin(o, key);
    assert(o->depth < JSON_OUT_DEPTH);
    o->kind[o->depth++] = (unsigned char)kind;
    o->comma[o->depth] = false;
    json_out_bytes(o->buf, comma, &bracket, 1);
}

static void json_out_close(struct json_out *o, char kind, char bracket)
{
    assert(o->depth && o->kind[o->depth - 1] == (unsigned char)kind);
    o->depth--;
    json_out_bytes(o->buf, 0, &bracket, 1);
}

void json_out_object(struct json_out *o, const char *key)
{
    json_out_open(o, key, 'o', '{');
}

void json_out_object_end(struct json_out *o)
{
    json_out_close(o, 'o', '}');
}

void json_out_array(struct json_out *o, const char *key)
{
    json_out_open(o, key, 'a', '[');
}

void json_out_array_end(struct json_out *o)
{
    json_out_close(o, 'a', ']');
}

void json_out_text(struct json_out *o, const char *key, const char *value)
{
    if (value)
        json_out_text_n(o, key, value, strlen(value));
    else
        json_out_null(o, key);
}

void json_out_text_n(struct json_out *o, const char *key, const char *value, size_t size)
{
    json_out_string(o->buf, json_out_begin(o, key), value, size, 0);
}

void json_out_text2(struct json_out *o, const char *key, const char *value, const char *more)
{
    json_out_strings(o->buf, json_out_begin(o, key), value, strlen(value), more, strlen(more), 0);
}

void json_out_textf(struct json_out *o, const char *key, const char *format, ...)
{
    struct strbuf text;
    va_list args;
    strbuf_init(&text, o->buf->ceiling);
    va_start(args, format);
    strbuf_appendv(&text, format, args);
    va_end(args);
    if (text.error)
        o->buf->error = text.error;
    json_out_text_n(o, key, text.data, text.size);
    strbuf_done(&text);
}

static void json_out_digits(struct json_out *o, const char *key, uint64_t value, bool negative)
{
    char text[21];
    size_t at = sizeof(text);
    do
        text[--at] = (char)('0' + value % 10);
    while (value /= 10);
    if (negative)
        text[--at] = '-';
    json_out_bytes(o->buf, json_out_begin(o, key), text + at, sizeof(text) - at);
}

void json_out_int(struct json_out *o, const char *key, int64_t value)
{
    json_out_digits(o, key, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

void json_out_uint(struct json_out *o, const char *key, uint64_t value)
{
    json_out_digits(o, key, value, false);
}

void json_out_number(struct json_out *o, const char *key, double value)
{
    char text[32] = "null";
    for (int precision = 15; isfinite(value) && precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    json_out_bytes(o->buf, json_out_begin(o, key), text, strlen(text));
}

void json_out_bool(struct json_out *o, const char *key, bool value)
{
    json_out_bytes(o->buf, json_out_begin(o, key), value ? "true" : "false", value ? 4 : 5);
}

void json_out_null(struct json_out *o, const char *key)
{
    json_out_bytes(o->buf, json_out_begin(o, key), "null", 4);
}

void json_out_raw(struct json_out *o, const char *key, const char *json)
{
    json = json && *json ? json : "null";
    json_out_bytes(o->buf, json_out_begin(o, key), json, strlen(json));
}

int json_out_error(const struct json_out *o)
{
    assert(!o->depth && "an object or array was not closed");
    return o->buf->error;
}
