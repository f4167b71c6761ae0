/* JSON in: text is parsed by json-c, then a table of fields fills a struct and refuses, by name, what is not in it.
 *
 * Everything found is copied into or referenced from memory of the arena; struct json_value stays valid as long as the
 * arena's owner keeps the document (json_in_parse registers the document with the arena holder: see struct json_doc).
 */
#pragma once
#include "common/arena.h"
#include "common/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;                    /* json-c's; only json_in.c looks inside */
typedef struct json_object json_value; /* a parsed value, borrowed from its document */

struct json_doc {
    json_value *root; /* NULL for JSON null */
};

/* Parses `size` bytes. Limits: depth 32, duplicate keys: the last wins, trailing bytes, NaN and invalid UTF-8 are
 * refused. 0, or ERR_INVALID with the place. On success call json_in_done. */
int json_in_parse(const char *text, size_t size, struct json_doc *ret_doc, struct error *e);
void json_in_done(struct json_doc *doc);

enum json_kind {
    JSON_TEXT,   /* const char *      min/max: length in characters */
    JSON_INT,    /* int64_t           min/max: value; also accepts a decimal string when JSON_LENIENT */
    JSON_BOOL,   /* bool              also "true"/"false"/0/1 in text when JSON_LENIENT */
    JSON_NUMBER, /* double            min/max: value */
    JSON_OBJECT, /* embedded struct filled by `sub`; its presence is in the seen mask */
    JSON_LIST,   /* struct json_list of structs of item_size filled by `sub`; min/max: count */
    JSON_TEXTS,  /* struct json_list of const char *; min/max: count; choices: of each */
    JSON_MAP,    /* struct json_map: object whose values are all text (JSON_LENIENT: or scalars); min/max: count */
    JSON_ANY,    /* json_value *      whatever it is */
};
enum json_flag {
    JSON_REQUIRED = 1,
    JSON_NULLABLE = 2, /* null is accepted; leaves the target untouched and sets the null bit */
    JSON_LENIENT = 4,
};
struct json_list {
    void *items;
    size_t count;
};
struct json_pair {
    const char *key, *value;
};
struct json_map {
    struct json_pair *pairs;
    size_t count;
};
struct json_table;
struct json_field {
    const char *name;
    enum json_kind kind;
    size_t offset; /* offsetof the member */
    unsigned flags;
    int64_t min, max;             /* both 0: no limit */
    const struct json_table *sub; /* JSON_OBJECT, JSON_LIST */
    size_t item_size;             /* JSON_LIST */
    const char *const *choices;   /* JSON_TEXT: NULL-terminated allowed values, or NULL */
};
struct json_table {
    const struct json_field *fields;
    size_t count;       /* at most 64 */
    bool open;          /* unknown names are ignored instead of refused */
    size_t seen_offset; /* offsetof a struct json_seen in the target; use JSON_NO_SEEN when there is none */
};
#define JSON_NO_SEEN    ((size_t)-1)
#define JSON_COUNT(arr) (sizeof(arr) / sizeof((arr)[0]))
struct json_seen {
    uint64_t present, null; /* bit i: field i of the table was there / was null */
};

/* Fills `target` from `value` (an object) by `table`. 0, or ERR_INVALID with a sentence naming the field by its path
 * ("server.networks[0].uuid: ..."). Members of absent fields are untouched. Text lives in `arena`. */
int json_in_read(json_value *value, const struct json_table *table, void *target, struct arena *arena, struct error *e);

/* Looking by hand, for bodies whose keys are data. All accept NULL and answer NULL/0/false for the wrong kind. */
json_value *json_in_member(json_value *object, const char *name);
bool json_in_has(json_value *object, const char *name);
const char *json_in_text(json_value *value); /* borrowed */
bool json_in_int(json_value *value, int64_t *ret);
bool json_in_number(json_value *value, double *ret); /* with or without a fraction */
bool json_in_bool(json_value *value, bool *ret);
size_t json_in_count(json_value *array_or_object);
json_value *json_in_item(json_value *array, size_t index);
bool json_in_is_object(json_value *value);
bool json_in_is_array(json_value *value);
bool json_in_is_text(json_value *value);
bool json_in_is_null(json_value *value);
/* Calls `each` for every member in order until it returns non-zero; that value is returned. */
typedef int (*json_in_each_fn)(void *arg, const char *name, json_value *value);
int json_in_each(json_value *object, json_in_each_fn each, void *arg);
/* The value as compact JSON text in the arena. */
char *json_in_print(json_value *value, struct arena *arena);
