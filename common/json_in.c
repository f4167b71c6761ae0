/* JSON in. json-c parses in its strict mode; what that lets through and RFC 8259 or we do not (bad UTF-8, control and
 * NUL characters in strings, NaN, 01, 1., numbers beyond 64 bits) is refused by a scan before it. Then a table fills a
 * struct: each member is looked up among the fields, starting after the last one found, since clients tend to keep an
 * order. The path to the place is a chain of frames on the stack, put into words only when something is wrong. */
#include "common/json_in.h"
#include "common/strbuf.h"
#include "common/utf8.h"
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <json-c/json.h>

#define JSON_IN_DEPTH 32

/* ---- text to document ---- */

/* Past the digits at `at`; `at` itself when there is none. */
static size_t json_in_digits(const char *text, size_t size, size_t at)
{
    while (at < size && text[at] >= '0' && text[at] <= '9')
        at++;
    return at;
}

/* Past the number at `at`; 0 when it is none by the grammar of RFC 8259, section 6, or has no place in 64 bits or a
 * double. */
static size_t json_in_scan_number(const char *text, size_t size, size_t at)
{
    char copy[400]; /* longer numbers than a double's 309 digits and its fraction are nobody's */
    size_t start = at, first = at + (text[at] == '-'), end = json_in_digits(text, size, first);
    bool whole = true;
    if (end == first || (text[first] == '0' && end > first + 1))
        return 0;
    if (end < size && text[end] == '.') {
        whole = false;
        at = end + 1;
        if ((end = json_in_digits(text, size, at)) == at)
            return 0;
    }
    if (end < size && (text[end] == 'e' || text[end] == 'E')) {
        whole = false;
        at = end + 1;
        at += at < size && (text[at] == '+' || text[at] == '-');
        if ((end = json_in_digits(text, size, at)) == at)
            return 0;
    }
    if (whole && end - first < 19)
        return end;
    if (end - start >= sizeof(copy))
        return 0;
    memcpy(copy, text + start, end - start);
    copy[end - start] = 0;
    errno = 0;
    if (!whole)
        return isfinite(strtod(copy, NULL)) ? end : 0;
    if (copy[0] == '-')
        strtoll(copy, NULL, 10);
    else
        strtoull(copy, NULL, 10);
    return errno ? 0 : end;
}

/* Past the closing quote of the string whose opening quote is before `at`; 0 when it holds what must not be there. */
static size_t json_in_scan_string(const char *text, size_t size, size_t at)
{
    for (; at < size; at++) {
        unsigned char c = (unsigned char)text[at];
        if (c == '"')
            return at + 1;
        if (c < ' ')
            return 0;
        if (c != '\\')
            continue;
        at++;
        if (size - at >= 5 && memcmp(text + at, "u0000", 5) == 0)
            return 0; /* would cut the text short for everybody who reads it as a C string */
    }
    return size;
}

/* Refuses the lexical liberties that json-c's strict mode still takes. The structure is left to json-c. */
static int json_in_scan(const char *text, size_t size, struct error *e)
{
    for (size_t at = 0, next; at < size; at = next) {
        char c = text[at];
        next = at + 1;
        if (c == '"')
            next = json_in_scan_string(text, size, at + 1);
        else if (c == '-' || (c >= '0' && c <= '9'))
            next = json_in_scan_number(text, size, at);
        else if (!c || !strchr("{}[]:, \t\r\ntruefalsn", c)) /* true, false, null */
            next = 0;
        if (!next)
            return error_set(e, ERR_INVALID, "malformed JSON at byte %zu: %s", at,
                             c == '"' ? "a string with a control or NUL character" : "not a JSON value");
    }
    return 0;
}

static int json_in_parse_with(struct json_tokener *tok, const char *text, size_t size, json_value **ret_root,
                              struct error *e)
{
    json_value *root = json_tokener_parse_ex(tok, text, (int)size);
    enum json_tokener_error status = json_tokener_get_error(tok);
    size_t place = json_tokener_get_parse_end(tok);
    if (status == json_tokener_continue) { /* a number at the top ends only with the text */
        root = json_tokener_parse_ex(tok, "", 1);
        status = json_tokener_get_error(tok);
        place = size;
    }
    if (status == json_tokener_continue)
        return error_set(e, ERR_INVALID, "malformed JSON: the text ends too early");
    if (status == json_tokener_error_depth)
        return error_set(e, ERR_INVALID, "malformed JSON: nested deeper than %d levels", JSON_IN_DEPTH);
    if (status != json_tokener_success)
        return error_set(e, ERR_INVALID, "malformed JSON at byte %zu: %s", place, json_tokener_error_desc(status));
    while (place < size && memchr(" \t\r\n", text[place], 4))
        place++;
    if (place == size) {
        *ret_root = root;
        return 0;
    }
    json_object_put(root);
    return error_set(e, ERR_INVALID, "malformed JSON at byte %zu: something follows the value", place);
}

int json_in_parse(const char *text, size_t size, struct json_doc *ret_doc, struct error *e)
{
    if (size > INT_MAX)
        return error_set(e, ERR_INVALID, "malformed JSON: too large");
    if (!utf8_valid(text, size))
        return error_set(e, ERR_INVALID, "malformed JSON: the text is not UTF-8");
    int rc = json_in_scan(text, size, e);
    if (rc)
        return rc;
    struct json_tokener *tok = json_tokener_new_ex(JSON_IN_DEPTH);
    if (!tok)
        abort();
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
    json_value *root = NULL;
    rc = json_in_parse_with(tok, text, size, &root, e);
    json_tokener_free(tok);
    if (!rc)
        ret_doc->root = root;
    return rc;
}

void json_in_done(struct json_doc *doc)
{
    json_object_put(doc->root);
    doc->root = NULL;
}

/* ---- document to struct ---- */

struct json_place {
    const struct json_place *up;
    const char *name; /* NULL: an item */
    size_t index;
};

struct json_reader {
    struct arena *arena;
    struct error *e;
};

static void json_in_spell(struct strbuf *s, const struct json_place *place)
{
    if (!place)
        return;
    json_in_spell(s, place->up);
    if (place->name)
        strbuf_appendf(s, "%s%s", place->up ? "." : "", place->name);
    else
        strbuf_appendf(s, "[%zu]", place->index);
}

static int json_in_refuse(const struct json_reader *r, const struct json_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int json_in_refuse(const struct json_reader *r, const struct json_place *place, const char *format, ...)
{
    struct strbuf s;
    va_list args;
    strbuf_init(&s, 0);
    json_in_spell(&s, place);
    strbuf_append_text(&s, place ? ": " : "the body ");
    va_start(args, format);
    strbuf_appendv(&s, format, args);
    va_end(args);
    error_set(r->e, ERR_INVALID, "%s", s.data);
    strbuf_done(&s);
    return ERR_INVALID;
}

static bool json_in_outside(const struct json_field *f, int64_t value)
{
    return (f->min || f->max) && (value < f->min || value > f->max);
}

static int json_in_check_range(const struct json_reader *r, const struct json_place *place, const struct json_field *f,
                               int64_t value, const char *unit)
{
    if (!json_in_outside(f, value))
        return 0;
    if (f->max == INT64_MAX)
        return json_in_refuse(r, place, "must be at least %lld%s", (long long)f->min, unit);
    return json_in_refuse(r, place, "must be from %lld to %lld%s", (long long)f->min, (long long)f->max, unit);
}

static int json_in_check_choice(const struct json_reader *r, const struct json_place *place, const struct json_field *f,
                                const char *text)
{
    if (!f->choices)
        return 0;
    struct strbuf s;
    strbuf_init(&s, 300);
    for (size_t i = 0; f->choices[i]; i++) {
        if (strcmp(f->choices[i], text) == 0) {
            strbuf_done(&s);
            return 0;
        }
        strbuf_appendf(&s, "%s%s", i ? ", " : "", f->choices[i]);
    }
    int rc = json_in_refuse(r, place, "must be one of %s", s.data);
    strbuf_done(&s);
    return rc;
}

static int json_in_copy_text(const struct json_reader *r, const struct json_place *place, json_value *value,
                             const char **ret)
{
    if (!json_object_is_type(value, json_type_string))
        return json_in_refuse(r, place, "must be text");
    *ret = arena_strndup(r->arena, json_object_get_string(value), (size_t)json_object_get_string_len(value));
    return 0;
}

static int json_in_take_text(const struct json_reader *r, const struct json_place *place, const struct json_field *f,
                             json_value *value, void *member)
{
    const char *text;
    int rc = json_in_copy_text(r, place, value, &text);
    if (!rc && (f->min || f->max))
        rc = json_in_check_range(r, place, f, (int64_t)utf8_count(text, strlen(text)), " characters long");
    if (!rc)
        rc = json_in_check_choice(r, place, f, text);
    if (!rc)
        *(const char **)member = text;
    return rc;
}

/* A decimal number in text, all of it. */
static bool json_in_decimal(const char *text, int64_t *ret)
{
    char *end;
    const char *digits = text + (*text == '-');
    if (*digits < '0' || *digits > '9')
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end)
        return false;
    *ret = value;
    return true;
}

static int json_in_take_int(const struct json_reader *r, const struct json_place *place, const struct json_field *f,
                            json_value *value, void *member)
{
    int64_t number;
    bool lenient = (f->flags & JSON_LENIENT) && json_object_is_type(value, json_type_string);
    if (!json_in_int(value, &number) && !(lenient && json_in_decimal(json_object_get_string(value), &number)))
        return json_in_refuse(r, place, "must be an integer");
    int rc = json_in_check_range(r, place, f, number, "");
    if (!rc)
        *(int64_t *)member = number;
    return rc;
}

/* What OpenStack's services take for a boolean where they are lenient. */
static bool json_in_lenient_bool(json_value *value, bool *ret)
{
    static const char *const yes[] = {"true", "1", "yes", "on", "t", "y"}, *const no[] = {"false", "0", "no",
                                                                                          "off",   "f", "n"};
    int64_t number;
    if (json_in_int(value, &number) && (number == 0 || number == 1)) {
        *ret = number;
        return true;
    }
    const char *text = json_in_text(value);
    for (size_t i = 0; text && i < JSON_COUNT(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *ret = strcasecmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static int json_in_take_bool(const struct json_reader *r, const struct json_place *place, const struct json_field *f,
                             json_value *value, void *member)
{
    bool truth;
    if (!json_in_bool(value, &truth) && !((f->flags & JSON_LENIENT) && json_in_lenient_bool(value, &truth)))
        return json_in_refuse(r, place, "must be true or false");
    *(bool *)member = truth;
    return 0;
}

static int json_in_take_number(const struct json_reader *r, const struct json_place *place, const struct json_field *f,
                               json_value *value, void *member)
{
    if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
        return json_in_refuse(r, place, "must be a number");
    double number = json_object_get_double(value);
    if (!isfinite(number))
        return json_in_refuse(r, place, "is out of range");
    if ((f->min || f->max) && (number < (double)f->min || number > (double)f->max))
        return json_in_refuse(r, place, "must be from %lld to %lld", (long long)f->min, (long long)f->max);
    *(double *)member = number;
    return 0;
}

static int json_in_take_object(const struct json_reader *r, const struct json_place *place,
                               const struct json_table *table, json_value *value, void *target);

static int json_in_take_list(const struct json_reader *r, const struct json_place *place, const struct json_field *f,
                             json_value *value, void *member)
{
    if (!json_object_is_type(value, json_type_array))
        return json_in_refuse(r, place, "must be a list");
    size_t count = json_object_array_length(value);
    int rc = json_in_check_range(r, place, f, (int64_t)count, " items");
    if (rc)
        return rc;
    bool texts = f->kind == JSON_TEXTS;
    size_t size = texts ? sizeof(const char *) : f->item_size;
    char *items = arena_array(r->arena, count, size);
    for (size_t i = 0; !rc && i < count; i++) {
        struct json_place here = {.up = place, .index = i};
        json_value *item = json_object_array_get_idx(value, i);
        if (!texts) {
            rc = json_in_take_object(r, &here, f->sub, item, items + i * size);
            continue;
        }
        const char **text = (const char **)(void *)(items + i * size);
        rc = json_in_copy_text(r, &here, item, text);
        if (!rc)
            rc = json_in_check_choice(r, &here, f, *text);
    }
    if (!rc)
        *(struct json_list *)member = (struct json_list){.items = items, .count = count};
    return rc;
}

static int json_in_take_map(const struct json_reader *r, const struct json_place *place, const struct json_field *f,
                            json_value *value, void *member)
{
    if (!json_object_is_type(value, json_type_object))
        return json_in_refuse(r, place, "must be an object whose values are text");
    size_t count = (size_t)json_object_object_length(value);
    int rc = json_in_check_range(r, place, f, (int64_t)count, " items");
    if (rc)
        return rc;
    struct json_pair *pairs = arena_array(r->arena, count, sizeof(*pairs));
    size_t at = 0;
    json_object_object_foreach(value, key, item)
    {
        struct json_place here = {.up = place, .name = key};
        bool scalar = json_object_is_type(item, json_type_int) || json_object_is_type(item, json_type_double) ||
                      json_object_is_type(item, json_type_boolean);
        if ((f->flags & JSON_LENIENT) && scalar)
            pairs[at].value = json_in_print(item, r->arena);
        else if ((rc = json_in_copy_text(r, &here, item, &pairs[at].value)))
            return rc;
        pairs[at++].key = arena_strdup(r->arena, key);
    }
    *(struct json_map *)member = (struct json_map){.pairs = pairs, .count = count};
    return 0;
}

static int json_in_take(const struct json_reader *r, const struct json_place *place, const struct json_field *f,
                        json_value *value, void *member)
{
    switch (f->kind) {
    case JSON_TEXT:
        return json_in_take_text(r, place, f, value, member);
    case JSON_INT:
        return json_in_take_int(r, place, f, value, member);
    case JSON_BOOL:
        return json_in_take_bool(r, place, f, value, member);
    case JSON_NUMBER:
        return json_in_take_number(r, place, f, value, member);
    case JSON_OBJECT:
        return json_in_take_object(r, place, f->sub, value, member);
    case JSON_LIST:
    case JSON_TEXTS:
        return json_in_take_list(r, place, f, value, member);
    case JSON_MAP:
        return json_in_take_map(r, place, f, value, member);
    case JSON_ANY:
        *(json_value **)member = value;
        return 0;
    }
    abort();
}

/* The field called `name`, looked for from *at on and around; table->count when there is none. */
static size_t json_in_find(const struct json_table *table, const char *name, size_t *at)
{
    for (size_t tried = 0; tried < table->count; tried++) {
        size_t i = *at;
        *at = i + 1 < table->count ? i + 1 : 0;
        if (strcmp(table->fields[i].name, name) == 0)
            return i;
    }
    return table->count;
}

static int json_in_check_required(const struct json_reader *r, const struct json_place *place,
                                  const struct json_table *table, uint64_t present)
{
    for (size_t i = 0; i < table->count; i++) {
        if (!(table->fields[i].flags & JSON_REQUIRED) || (present >> i & 1))
            continue;
        struct json_place here = {.up = place, .name = table->fields[i].name};
        return json_in_refuse(r, &here, "is required");
    }
    return 0;
}

static int json_in_take_object(const struct json_reader *r, const struct json_place *place,
                               const struct json_table *table, json_value *value, void *target)
{
    assert(table->count <= 64);
    if (!json_object_is_type(value, json_type_object))
        return json_in_refuse(r, place, "must be an object");
    struct json_seen seen = {0};
    size_t next = 0;
    json_object_object_foreach(value, name, member)
    {
        struct json_place here = {.up = place, .name = name};
        size_t i = json_in_find(table, name, &next);
        if (i == table->count) {
            if (table->open)
                continue;
            return json_in_refuse(r, &here, "is not known here");
        }
        const struct json_field *f = &table->fields[i];
        seen.present |= (uint64_t)1 << i;
        if (!member && (f->flags & JSON_NULLABLE)) {
            seen.null |= (uint64_t)1 << i;
            continue;
        }
        int rc = json_in_take(r, &here, f, member, (char *)target + f->offset);
        if (rc)
            return rc;
    }
    if (table->seen_offset != JSON_NO_SEEN)
        *(struct json_seen *)(void *)((char *)target + table->seen_offset) = seen;
    return json_in_check_required(r, place, table, seen.present);
}

int json_in_read(json_value *value, const struct json_table *table, void *target, struct arena *arena, struct error *e)
{
    const struct json_reader r = {.arena = arena, .e = e};
    return json_in_take_object(&r, NULL, table, value, target);
}

/* ---- looking by hand ---- */

json_value *json_in_member(json_value *object, const char *name)
{
    json_value *member = NULL;
    if (json_in_is_object(object))
        json_object_object_get_ex(object, name, &member);
    return member;
}

bool json_in_has(json_value *object, const char *name)
{
    return json_in_is_object(object) && json_object_object_get_ex(object, name, NULL);
}

const char *json_in_text(json_value *value)
{
    return json_in_is_text(value) ? json_object_get_string(value) : NULL;
}

bool json_in_int(json_value *value, int64_t *ret)
{
    if (!json_object_is_type(value, json_type_int))
        return false;
    int64_t number = json_object_get_int64(value);
    if (number == INT64_MAX && json_object_get_uint64(value) != (uint64_t)INT64_MAX)
        return false; /* json-c keeps what is larger as unsigned */
    *ret = number;
    return true;
}

bool json_in_number(json_value *value, double *ret)
{
    if (!json_object_is_type(value, json_type_double) && !json_object_is_type(value, json_type_int))
        return false;
    *ret = json_object_get_double(value);
    return true;
}

bool json_in_bool(json_value *value, bool *ret)
{
    if (!json_object_is_type(value, json_type_boolean))
        return false;
    *ret = json_object_get_boolean(value);
    return true;
}

size_t json_in_count(json_value *array_or_object)
{
    if (json_in_is_array(array_or_object))
        return json_object_array_length(array_or_object);
    return json_in_is_object(array_or_object) ? (size_t)json_object_object_length(array_or_object) : 0;
}

json_value *json_in_item(json_value *array, size_t index)
{
    return json_in_is_array(array) ? json_object_array_get_idx(array, index) : NULL;
}

bool json_in_is_object(json_value *value)
{
    return json_object_is_type(value, json_type_object);
}

bool json_in_is_array(json_value *value)
{
    return json_object_is_type(value, json_type_array);
}

bool json_in_is_text(json_value *value)
{
    return json_object_is_type(value, json_type_string);
}

bool json_in_is_null(json_value *value)
{
    return !value;
}

int json_in_each(json_value *object, json_in_each_fn each, void *arg)
{
    if (!json_in_is_object(object))
        return 0;
    json_object_object_foreach(object, name, member)
    {
        int rc = each(arg, name, member);
        if (rc)
            return rc;
    }
    return 0;
}

char *json_in_print(json_value *value, struct arena *arena)
{
    size_t size = 0;
    const char *text =
        json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    return text ? arena_strdup(arena, text) : arena_strdup(arena, "null");
}
