/* JSON in: what is taken prints to text that is taken again and prints the same; a table with every kind of field never
 * reads past anything. */
#include "common/json_in.h"
#include "common/utf8.h"
#include <assert.h>
#include <string.h>

struct item {
    const char *text;
    int64_t number;
};
struct target {
    const char *text;
    int64_t number;
    bool truth;
    double ratio;
    struct item inner;
    struct json_list items, texts;
    struct json_map map;
    json_value *any;
    struct json_seen seen;
};
static const struct json_field item_fields[] = {
    {.name = "t", .kind = JSON_TEXT, .offset = offsetof(struct item, text), .flags = JSON_REQUIRED, .max = 4},
    {.name = "n", .kind = JSON_INT, .offset = offsetof(struct item, number), .flags = JSON_LENIENT | JSON_NULLABLE},
};
static const struct json_table item_table = {item_fields, 2, false, JSON_NO_SEEN};
static const struct json_field fields[] = {
    {.name = "t", .kind = JSON_TEXT, .offset = offsetof(struct target, text)},
    {.name = "n", .kind = JSON_INT, .offset = offsetof(struct target, number), .flags = JSON_LENIENT},
    {.name = "b", .kind = JSON_BOOL, .offset = offsetof(struct target, truth), .flags = JSON_LENIENT},
    {.name = "r", .kind = JSON_NUMBER, .offset = offsetof(struct target, ratio)},
    {.name = "o", .kind = JSON_OBJECT, .offset = offsetof(struct target, inner), .sub = &item_table},
    {.name = "l",
     .kind = JSON_LIST,
     .offset = offsetof(struct target, items),
     .sub = &item_table,
     .item_size = sizeof(struct item)},
    {.name = "s", .kind = JSON_TEXTS, .offset = offsetof(struct target, texts)},
    {.name = "m", .kind = JSON_MAP, .offset = offsetof(struct target, map), .flags = JSON_LENIENT},
    {.name = "a", .kind = JSON_ANY, .offset = offsetof(struct target, any)},
};
static const struct json_table table = {fields, JSON_COUNT(fields), true, offsetof(struct target, seen)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_doc doc = {0}, again = {0};
    struct error e = {0};
    struct arena arena;
    if (json_in_parse((const char *)data, size, &doc, &e)) {
        assert(e.code == ERR_INVALID && e.text[0] && !doc.root);
        return 0;
    }
    arena_init(&arena);
    char *text = json_in_print(doc.root, &arena);
    assert(utf8_valid(text, strlen(text)));
    assert(json_in_parse(text, strlen(text), &again, &e) == 0);
    assert(strcmp(text, json_in_print(again.root, &arena)) == 0);
    struct target target = {0};
    if (json_in_read(doc.root, &table, &target, &arena, &e))
        assert(e.code == ERR_INVALID && e.text[0]);
    json_in_done(&doc);
    json_in_done(&again);
    arena_done(&arena);
    return 0;
}
