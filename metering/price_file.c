/* Price file. YAML is parsed by libyaml into JSON text, then read by field tables like everything else, so that an
 * unknown or bad field is named. */
#include "metering/price_file.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/model/money.h"
#include "common/model/usage.h"
#include "db/store_usage.h"
#include "metering/yaml.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

struct price_in {
    const char *resource, *price, *flavor;
    struct json_list states;
};
struct book_in {
    const char *from;
    struct json_list prices;
};
struct file_in {
    const char *currency;
    struct json_list books;
};

static const struct json_field price_fields[] = {
    {.name = "resource", .kind = JSON_TEXT, .offset = offsetof(struct price_in, resource), .flags = JSON_REQUIRED},
    {.name = "price", .kind = JSON_TEXT, .offset = offsetof(struct price_in, price), .flags = JSON_REQUIRED},
    {.name = "flavor", .kind = JSON_TEXT, .offset = offsetof(struct price_in, flavor), .min = 1, .max = 63},
    {.name = "states", .kind = JSON_TEXTS, .offset = offsetof(struct price_in, states), .min = 1, .max = 16},
};
static const struct json_table price_table = {
    .fields = price_fields, .count = JSON_COUNT(price_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field book_fields[] = {
    {.name = "from", .kind = JSON_TEXT, .offset = offsetof(struct book_in, from), .flags = JSON_REQUIRED},
    {.name = "prices",
     .kind = JSON_LIST,
     .offset = offsetof(struct book_in, prices),
     .flags = JSON_REQUIRED,
     .sub = &price_table,
     .item_size = sizeof(struct price_in),
     .min = 0,
     .max = 10000},
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
    struct usage_book_row *books;
    size_t count;
    int64_t now_us;
};

static int read_states(const struct price_in *in, unsigned *ret, struct error *e)
{
    *ret = in->states.count ? 0 : (1u << SERVER_STATE_COUNT) - 1;
    for (size_t i = 0; i < in->states.count; i++) {
        const char *name = ((const char *const *)in->states.items)[i];
        int state = server_state_parse(name);
        if (state < 0 || state == SERVER_STATE_GONE || state == SERVER_STATE_NONE) {
            return error_set(e, ERR_INVALID, "\"%s\" is not a state that can be priced", name);
        }
        *ret |= 1u << state;
    }
    return 0;
}

static int write_price(struct json_out *out, const struct price_in *in, struct error *e)
{
    int64_t nano;
    unsigned states;
    if (usage_resource_parse(in->resource) < 0) {
        return error_set(e, ERR_INVALID, "\"%s\" is not a resource (server, vcpu, memory_mib, disk_gib)", in->resource);
    }
    if (!money_parse(in->price, &nano) || nano < 0) {
        return error_set(e, ERR_INVALID, "\"%s\" is not a price (digits with at most 9 decimals)", in->price);
    }
    int rc = read_states(in, &states, e);
    if (rc) {
        return rc;
    }
    json_out_object(out, NULL);
    json_out_text(out, "resource", in->resource);
    json_out_int(out, "states", states);
    json_out_text(out, "flavor", in->flavor ? in->flavor : "");
    json_out_int(out, "nano_per_hour", nano);
    json_out_object_end(out);
    return 0;
}

static void write_digest(const char *currency, const char *prices, char ret[72])
{
    crypto_hash_sha256_state state;
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)currency, strlen(currency));
    crypto_hash_sha256_update(&state, (const unsigned char *)prices, strlen(prices));
    crypto_hash_sha256_final(&state, digest);
    sodium_bin2hex(ret, 72, digest, sizeof(digest));
}

static int read_book(struct load *l, const char *currency, const struct book_in *in, struct usage_book_row *ret,
                     struct error *e)
{
    struct strbuf text;
    struct json_out out;
    int rc = 0;
    if (!clock_parse(in->from, &ret->from_us)) {
        return error_set(e, ERR_INVALID, "\"%s\" is not a date", in->from);
    }
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_array(&out, NULL);
    for (size_t i = 0; !rc && i < in->prices.count; i++) {
        rc = write_price(&out, &((const struct price_in *)in->prices.items)[i], e);
        if (rc) {
            error_prefix(e, "book of %s, price %zu", in->from, i + 1);
        }
    }
    json_out_array_end(&out);
    snprintf(ret->currency, sizeof(ret->currency), "%s", currency);
    ret->prices = arena_strdup(&l->arena, text.data);
    write_digest(currency, ret->prices, ret->digest);
    strbuf_done(&text);
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
    json_in_done(&doc);
    if (rc) {
        return rc;
    }
    l->books = arena_array(&l->arena, in.books.count, sizeof(*l->books));
    for (l->count = 0; !rc && l->count < in.books.count; l->count++) {
        const struct book_in *book = &((const struct book_in *)in.books.items)[l->count];
        rc = read_book(l, in.currency, book, &l->books[l->count], e);
        if (!rc && l->count > 0 && l->books[l->count].from_us <= l->books[l->count - 1].from_us) {
            rc = error_set(e, ERR_INVALID, "book of %s: books go by ascending dates", book->from);
        }
    }
    return rc;
}

static int put_books(struct db_conn *c, void *arg, struct error *e)
{
    const struct load *l = arg;
    int rc = 0;
    for (size_t i = 0; !rc && i < l->count; i++) {
        rc = store_usage_put_book(c, &l->books[i], l->now_us, e);
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
    rc = rc ? rc : read_file(&l, text.data, text.size, &detail);
    rc = rc ? rc : db_transact(c, put_books, &l, &detail);
    if (rc) {
        error_set(e, rc, "%s: %s", path, error_text(&detail));
    }
    arena_done(&l.arena);
    strbuf_done(&text);
    return rc;
}
