/* Price file. YAML is parsed by libyaml into JSON text, then read by field tables like everything else, so that an
 * unknown or bad field is named. */
#include "metering/price_file.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "metering/bill/book.h"
#include "metering/yaml.h"
#include <stdlib.h>
#include <string.h>

struct book_in {
    const char *name, *from;
    json_value *prices, *rates, *discounts;
};
struct file_in {
    const char *currency;
    struct json_list books;
};

static const struct json_field book_fields[] = {
    {.name = "name", .kind = JSON_TEXT, .offset = offsetof(struct book_in, name), .min = 1, .max = 63},
    {.name = "from", .kind = JSON_TEXT, .offset = offsetof(struct book_in, from), .flags = JSON_REQUIRED},
    {.name = "prices", .kind = JSON_ANY, .offset = offsetof(struct book_in, prices), .flags = JSON_REQUIRED},
    {.name = "rates", .kind = JSON_ANY, .offset = offsetof(struct book_in, rates)},
    {.name = "discounts", .kind = JSON_ANY, .offset = offsetof(struct book_in, discounts)},
};
static const struct json_table book_table = {
    .fields = book_fields, .count = JSON_COUNT(book_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field file_fields[] = {
    {.name = "currency",
     .kind = JSON_TEXT,
     .offset = offsetof(struct file_in, currency),
     .flags = JSON_REQUIRED,
     .min = 3,
     .max = 3},
    {.name = "books",
     .kind = JSON_LIST,
     .offset = offsetof(struct file_in, books),
     .flags = JSON_REQUIRED,
     .sub = &book_table,
     .item_size = sizeof(struct book_in),
     .min = 1,
     .max = 1000},
};
static const struct json_table file_table = {
    .fields = file_fields, .count = JSON_COUNT(file_fields), .seen_offset = JSON_NO_SEEN};

struct load {
    struct arena arena;
    struct book_resources resources;
    struct billing_book_row *rows;
    size_t count;
    int64_t now_us;
};

/* The version as book_read wants it: without its name. */
static int print_book(struct load *l, const struct book_in *in, struct json_doc *ret, struct error *e)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_text(&out, "from", in->from);
    json_out_raw(&out, "prices", json_in_print(in->prices, &l->arena));
    if (in->rates) {
        json_out_raw(&out, "rates", json_in_print(in->rates, &l->arena));
    }
    if (in->discounts) {
        json_out_raw(&out, "discounts", json_in_print(in->discounts, &l->arena));
    }
    json_out_object_end(&out);
    int rc = json_in_parse(text.data, text.size, ret, e);
    strbuf_done(&text);
    return rc;
}

static int read_one(struct load *l, const struct file_in *file, size_t index, struct error *e)
{
    const struct book_in *in = &((const struct book_in *)file->books.items)[index];
    struct rate_book book;
    struct json_doc doc;
    int rc = print_book(l, in, &doc, e);
    if (rc) {
        return rc;
    }
    rc = book_read(doc.root, in->name ? in->name : "default", file->currency, &l->resources, &l->arena, &book, e);
    if (!rc) {
        book_row(doc.root, &book, &l->arena, &l->rows[index]);
    }
    for (size_t i = 0; !rc && i < index; i++) {
        if (strcmp(l->rows[i].name, l->rows[index].name) == 0 && l->rows[i].from_us >= l->rows[index].from_us) {
            rc = error_set(e, ERR_INVALID, "book of %s: books go by ascending dates", in->from);
        }
    }
    json_in_done(&doc);
    return rc;
}

static int read_file(struct load *l, const char *yaml, size_t size, struct error *e)
{
    struct file_in in = {0};
    struct json_doc doc;
    int rc = yaml_parse(yaml, size, &doc, e);
    if (rc) {
        return rc;
    }
    rc = json_in_read(doc.root, &file_table, &in, &l->arena, e);
    l->rows = arena_array(&l->arena, in.books.count + 1, sizeof(*l->rows));
    for (l->count = 0; !rc && l->count < in.books.count; l->count++) {
        rc = read_one(l, &in, l->count, e);
    }
    json_in_done(&doc);
    return rc;
}

static int put_books(struct db_conn *c, void *arg, struct error *e)
{
    const struct load *l = arg;
    int rc = 0;
    for (size_t i = 0; !rc && i < l->count; i++) {
        rc = store_billing_put_book(c, &l->rows[i], l->now_us, e);
    }
    return rc;
}

int price_file_load(struct db_conn *c, const char *path, struct error *e)
{
    struct strbuf text;
    struct load l = {.now_us = clock_now_us()};
    struct error detail = {0};
    strbuf_init(&text, 1 << 20);
    arena_init(&l.arena);
    int rc = file_read(path, &text, &detail);
    rc = rc ? rc : book_resources_load(c, &l.arena, &l.resources, &detail);
    rc = rc ? rc : read_file(&l, text.data, text.size, &detail);
    rc = rc ? rc : db_transact(c, put_books, &l, &detail);
    if (rc) {
        error_set(e, rc, "%s: %s", path, error_text(&detail));
    }
    arena_done(&l.arena);
    strbuf_done(&text);
    return rc;
}
