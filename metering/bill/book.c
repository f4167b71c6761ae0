/* Price books as rows hold them: what can be metered, versions read and written, and cut into parts within which every
 * price stays the same. book_read.c reads what a version says. */
#include "metering/bill/book.h"
#include "db/store_counter.h"
#include "db/store_ledger.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- what can be metered ---- */

static bool is_traffic(const char *resource)
{
    return strcmp(resource, store_counter_resource(COUNTER_NET_IN_BYTES)) == 0 ||
           strcmp(resource, store_counter_resource(COUNTER_NET_OUT_BYTES)) == 0;
}

int book_resources_load(struct db_conn *c, struct arena *a, struct book_resources *ret, struct error *e)
{
    struct ledger_resource *rows = NULL;
    size_t count = 0;
    int rc = store_ledger_resources(c, a, &rows, &count, e);
    if (rc) {
        return rc;
    }
    ret->items = arena_array(a, count + 1, sizeof(*ret->items));
    ret->count = count;
    for (size_t i = 0; i < count; i++) {
        ret->items[i] = (struct rate_resource){.name = rows[i].name,
                                               .source = rows[i].source,
                                               .unit = rows[i].unit,
                                               .timed = strcmp(rows[i].kind, "time") == 0,
                                               .by_network = is_traffic(rows[i].name),
                                               .scale = rows[i].scale};
    }
    return 0;
}

int book_resource(const struct book_resources *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->items[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* ---- rows ---- */

const char *book_digest(const char *first, const char *second, struct arena *a)
{
    crypto_hash_sha256_state state;
    unsigned char digest[crypto_hash_sha256_BYTES];
    char *text = arena_alloc(a, 2 * sizeof(digest) + 1);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)first, strlen(first));
    crypto_hash_sha256_update(&state, (const unsigned char *)second, strlen(second));
    crypto_hash_sha256_final(&state, digest);
    return sodium_bin2hex(text, 2 * sizeof(digest) + 1, digest, sizeof(digest));
}

void book_row(json_value *value, const struct rate_book *book, struct arena *a, struct billing_book_row *ret)
{
    *ret = (struct billing_book_row){
        .name = book->name, .currency = book->currency, .from_us = book->from_us, .body = json_in_print(value, a)};
    ret->digest = book_digest(ret->currency, ret->body, a);
}

static int load_version(const struct billing_book_row *row, const struct book_resources *resources, struct arena *a,
                        struct rate_book *ret, struct error *e)
{
    struct json_doc doc;
    struct error detail = {0};
    int rc = json_in_parse(row->body, strlen(row->body), &doc, &detail);
    if (!rc) {
        rc = book_read(doc.root, row->name, row->currency, resources, a, ret, &detail);
        json_in_done(&doc);
    }
    if (rc) {
        return error_set(e, ERR_CORRUPT, "stored price book %s, version %lld: %s", row->name, (long long)row->version,
                         error_text(&detail));
    }
    ret->version = row->version;
    ret->from_us = ret->version_us = row->from_us;
    ret->digest = row->digest;
    return 0;
}

/* ---- cutting ---- */

struct cuts {
    int64_t *items;
    size_t count, room;
    struct arena *arena;
};

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void add_cut(struct cuts *c, int64_t at_us)
{
    c->items = arena_more(c->arena, c->items, c->count, &c->room, sizeof(*c->items));
    c->items[c->count++] = at_us;
}

/* The prices that hold from at_us on. */
static const struct rate_rule *rules_at(const struct rate_book *b, int64_t at_us, struct arena *a)
{
    struct rate_rule *rules = arena_array(a, b->rule_count + 1, sizeof(*rules));
    for (size_t i = 0; i < b->rule_count; i++) {
        rules[i] = b->rules[i];
        for (size_t k = rules[i].spot_count; k > 0; k--) {
            if (rules[i].spots[k - 1].from_us <= at_us) {
                struct rate_tier *tier = arena_alloc(a, sizeof(*tier));
                *tier = (struct rate_tier){.last = true, .nano = rules[i].spots[k - 1].nano};
                rules[i].tiers = tier;
                break;
            }
        }
    }
    return rules;
}

/* The version from each cut within its time on, those of `cuts` and its own begin. */
static void cut_version(const struct rate_book *b, int64_t end_us, struct cuts *cuts, bool spot,
                        struct book_versions *to, size_t *room, struct arena *a)
{
    int64_t at_us = b->from_us;
    if (cuts->count > 1) {
        qsort(cuts->items, cuts->count, sizeof(*cuts->items), ascending);
    }
    for (size_t i = 0; i <= cuts->count; i++) {
        bool again = i > 0 && (cuts->items[i - 1] <= at_us || cuts->items[i - 1] >= end_us);
        if (again) {
            continue;
        }
        at_us = i > 0 ? cuts->items[i - 1] : at_us;
        to->items = arena_more(a, to->items, to->count, room, sizeof(*to->items));
        to->items[to->count] = *b;
        to->items[to->count].from_us = at_us;
        to->items[to->count].rules = spot ? rules_at(b, at_us, a) : b->rules;
        to->count++;
    }
}

void book_expand(const struct rate_book *list, size_t count, struct arena *a, struct book_versions *ret)
{
    size_t room = 0;
    *ret = (struct book_versions){.count = 0};
    for (size_t i = 0; i < count; i++) {
        struct cuts cuts = {.arena = a};
        for (size_t k = 0; k < list[i].rule_count; k++) {
            for (size_t n = 0; n < list[i].rules[k].spot_count; n++) {
                add_cut(&cuts, list[i].rules[k].spots[n].from_us);
            }
        }
        cut_version(&list[i], i + 1 < count ? list[i + 1].from_us : INT64_MAX, &cuts, cuts.count > 0, ret, &room, a);
    }
}

void book_cut(struct book_versions *books, struct arena *a)
{
    struct book_versions result = *books;
    size_t count = books->commitment_count;
    size_t room = 0;
    result.items = NULL;
    result.count = 0;
    for (size_t i = 0; count > 0 && i < books->count; i++) {
        struct cuts cuts = {.arena = a};
        for (size_t k = 0; k < count; k++) {
            add_cut(&cuts, books->commitments[k].from_us);
            add_cut(&cuts, books->commitments[k].to_us);
        }
        cut_version(&books->items[i], i + 1 < books->count ? books->items[i + 1].from_us : INT64_MAX, &cuts, false,
                    &result, &room, a);
    }
    if (count > 0) {
        *books = result;
    }
}

const struct rate_book *book_last(const struct book_versions *books, int64_t to_us)
{
    const struct rate_book *last = NULL;
    for (size_t i = 0; i < books->count && books->items[i].from_us < to_us; i++) {
        last = &books->items[i];
    }
    return last;
}

int book_load(struct db_conn *c, const char *name, const struct book_resources *resources, struct arena *a,
              struct book_versions *ret, struct error *e)
{
    struct billing_book_row *rows = NULL;
    size_t count = 0;
    int rc = store_billing_books(c, name, a, &rows, &count, e);
    struct rate_book *items = arena_array(a, count + 1, sizeof(*items));
    for (size_t i = 0; !rc && i < count; i++) {
        rc = load_version(&rows[i], resources, a, &items[i], e);
    }
    if (!rc) {
        book_expand(items, count, a, ret);
    }
    return rc;
}
