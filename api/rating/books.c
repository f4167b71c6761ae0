/* Books. Rows were checked when they were written; damage is ERR_CORRUPT. */
#include "api/rating/books.h"
#include "common/json_in.h"
#include "db/store_usage.h"
#include <stdio.h>
#include <string.h>

struct price_in {
    const char *resource, *flavor;
    int64_t states, nano_per_hour;
};
static const struct json_field price_fields[] = {
    {.name = "resource", .kind = JSON_TEXT, .offset = offsetof(struct price_in, resource), .flags = JSON_REQUIRED},
    {.name = "states", .kind = JSON_INT, .offset = offsetof(struct price_in, states), .flags = JSON_REQUIRED},
    {.name = "flavor", .kind = JSON_TEXT, .offset = offsetof(struct price_in, flavor), .flags = JSON_REQUIRED},
    {.name = "nano_per_hour",
     .kind = JSON_INT,
     .offset = offsetof(struct price_in, nano_per_hour),
     .flags = JSON_REQUIRED},
};
static const struct json_table price_table = {
    .fields = price_fields, .count = JSON_COUNT(price_fields), .seen_offset = JSON_NO_SEEN};

static int read_prices(json_value *list, struct arena *a, struct usage_book *ret, struct error *e)
{
    size_t count = json_in_count(list);
    struct usage_price *prices = arena_array(a, count + 1, sizeof(*prices));
    for (size_t i = 0; i < count; i++) {
        struct price_in in = {0};
        int rc = json_in_read(json_in_item(list, i), &price_table, &in, a, e);
        int resource = rc ? -1 : usage_resource_parse(in.resource);
        if (rc || resource < 0) {
            return error_set(e, ERR_CORRUPT, "a stored price cannot be read");
        }
        prices[i].resource = (enum usage_resource)resource;
        prices[i].states = (unsigned)in.states;
        prices[i].nano_per_hour = in.nano_per_hour;
        snprintf(prices[i].flavor, sizeof(prices[i].flavor), "%s", in.flavor);
    }
    ret->prices = prices;
    ret->count = count;
    return 0;
}

int books_load(struct db_conn *c, struct arena *a, struct books *ret, struct error *e)
{
    struct usage_book_row *rows = NULL;
    size_t count = 0;
    int rc = store_usage_books(c, a, &rows, &count, e);
    struct usage_book *items = arena_array(a, count + 1, sizeof(*items));
    for (size_t i = 0; !rc && i < count; i++) {
        struct json_doc doc;
        items[i].from_us = rows[i].from_us;
        rc = json_in_parse(rows[i].prices, strlen(rows[i].prices), &doc, e);
        if (!rc) {
            rc = read_prices(doc.root, a, &items[i], e);
            json_in_done(&doc);
        }
    }
    if (!rc) {
        ret->items = items;
        ret->count = count;
        ret->currency = count ? rows[count - 1].currency : "";
    }
    return rc;
}
