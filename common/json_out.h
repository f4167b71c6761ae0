/* JSON out: a streaming writer into a strbuf that cannot emit bad JSON: misuse (a key in an array, an unclosed object)
 * is asserted, text is escaped and repaired to valid UTF-8, overflow of the buffer is sticky and seen once, at
 * json_out_error. `key` is the member's name inside an object and NULL inside an array or at the top. */
#pragma once
#include "common/strbuf.h"
#include <stdbool.h>
#include <stdint.h>

/* A key that is written often, with all that is written for it: JSON_OUT_KEY("name"), of plain characters only. */
struct json_out_key {
    const char *name;
    size_t size;
    char text[48]; /* with a comma before */
};
#define JSON_OUT_KEY(literal)                                                                                          \
    {                                                                                                                  \
        literal, sizeof(",\"" literal "\":") - 1, ",\"" literal "\":"                                                  \
    }

#define JSON_OUT_DEPTH 32
struct json_out {
    struct strbuf *buf;
    const struct json_out_key *expected;
    unsigned depth;
    unsigned char kind[JSON_OUT_DEPTH]; /* 'o' or 'a' per open level */
    bool comma[JSON_OUT_DEPTH + 1];     /* something was written at this level; 0 is the top */
};

void json_out_init(struct json_out *o, struct strbuf *buf);
/* The next value that is written under key->name, that very pointer, takes the key from here. */
static inline void json_out_expect(struct json_out *o, const struct json_out_key *key)
{
    o->expected = key;
}
void json_out_object(struct json_out *o, const char *key);
void json_out_object_end(struct json_out *o);
void json_out_array(struct json_out *o, const char *key);
void json_out_array_end(struct json_out *o);
void json_out_text(struct json_out *o, const char *key, const char *value); /* NULL writes null */
void json_out_text_n(struct json_out *o, const char *key, const char *value, size_t size);
void json_out_text2(struct json_out *o, const char *key, const char *value, const char *more); /* both as one text */
void json_out_textf(struct json_out *o, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
void json_out_int(struct json_out *o, const char *key, int64_t value);
void json_out_uint(struct json_out *o, const char *key, uint64_t value);
void json_out_number(struct json_out *o, const char *key,
                     double value); /* 15 to 17 digits, as few as read back; null for NaN and infinity */
void json_out_bool(struct json_out *o, const char *key, bool value);
void json_out_null(struct json_out *o, const char *key);
/* Text that is JSON already (a stored column that was validated on its way in); NULL or "" writes null. */
void json_out_raw(struct json_out *o, const char *key, const char *json);
/* 0 when everything fitted; asserts that all levels are closed. */
int json_out_error(const struct json_out *o);
