/* Price books. Field tables name what is wrong; rules that cannot be rated (a tier below the one before it, a limit
 * that is no whole number of base units) are refused here, so that rating itself cannot fail on them. */
#include "metering/bill/book.h"
#include "common/clock.h"
#include "common/model/money.h"
#include "common/model/server.h"
#include "db/store_counter.h"
#include "db/store_ledger.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define STATE_HELD "held"

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

/* ---- the JSON ---- */

struct tier_in {
    const char *id, *up_to, *price;
};
struct spot_in {
    const char *from, *price;
};
struct price_in {
    const char *id, *resource, *price, *flavor, *zone, *region, *project, *tag, *network, *name, *free, *tiering, *per,
        *market;
    struct json_list states, tiers, spot;
    int64_t minimum, granularity;
};
struct discount_in {
    const char *name, *percent, *amount, *resource, *project;
};
struct book_in {
    const char *from;
    struct json_list prices, discounts;
    json_value *hashmap;
};

static const char *const tierings[] = {"graduated", "volume", NULL};
static const char *const markets[] = {"regular", "spot", NULL};
static const char *const scopes[] = {"project", "account", NULL};
#define TEXT(type, member, flag)                                                                                       \
    {                                                                                                                  \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(type, member), .flags = (flag), .min = 1, .max = 255    \
    }
static const struct json_field tier_fields[] = {
    TEXT(struct tier_in, id, 0),
    TEXT(struct tier_in, up_to, 0),
    TEXT(struct tier_in, price, JSON_REQUIRED),
};
static const struct json_table tier_table = {
    .fields = tier_fields, .count = JSON_COUNT(tier_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field spot_fields[] = {
    TEXT(struct spot_in, from, JSON_REQUIRED),
    TEXT(struct spot_in, price, JSON_REQUIRED),
};
static const struct json_table spot_table = {
    .fields = spot_fields, .count = JSON_COUNT(spot_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field price_fields[] = {
    TEXT(struct price_in, id, 0),
    TEXT(struct price_in, resource, JSON_REQUIRED),
    TEXT(struct price_in, price, 0),
    TEXT(struct price_in, flavor, 0),
    TEXT(struct price_in, zone, 0),
    TEXT(struct price_in, region, 0),
    TEXT(struct price_in, project, 0),
    TEXT(struct price_in, tag, 0),
    TEXT(struct price_in, network, 0),
    TEXT(struct price_in, name, 0),
    TEXT(struct price_in, free, 0),
    {.name = "tiering", .kind = JSON_TEXT, .offset = offsetof(struct price_in, tiering), .choices = tierings},
    {.name = "market", .kind = JSON_TEXT, .offset = offsetof(struct price_in, market), .choices = markets},
    {.name = "per", .kind = JSON_TEXT, .offset = offsetof(struct price_in, per), .choices = scopes},
    {.name = "spot",
     .kind = JSON_LIST,
     .offset = offsetof(struct price_in, spot),
     .sub = &spot_table,
     .item_size = sizeof(struct spot_in),
     .min = 1,
     .max = 10000},
    {.name = "states", .kind = JSON_TEXTS, .offset = offsetof(struct price_in, states), .min = 1, .max = 16},
    {.name = "tiers",
     .kind = JSON_LIST,
     .offset = offsetof(struct price_in, tiers),
     .sub = &tier_table,
     .item_size = sizeof(struct tier_in),
     .min = 1,
     .max = 32},
    {.name = "minimum_seconds",
     .kind = JSON_INT,
     .offset = offsetof(struct price_in, minimum),
     .flags = JSON_LENIENT,
     .min = 0,
     .max = 31536000},
    {.name = "granularity_seconds",
     .kind = JSON_INT,
     .offset = offsetof(struct price_in, granularity),
     .flags = JSON_LENIENT,
     .min = 0,
     .max = 31536000},
};
static const struct json_table price_table = {
    .fields = price_fields, .count = JSON_COUNT(price_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field discount_fields[] = {
    TEXT(struct discount_in, name, JSON_REQUIRED), TEXT(struct discount_in, percent, 0),
    TEXT(struct discount_in, amount, 0),           TEXT(struct discount_in, resource, 0),
    TEXT(struct discount_in, project, 0),
};
static const struct json_table discount_table = {
    .fields = discount_fields, .count = JSON_COUNT(discount_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field book_fields[] = {
    TEXT(struct book_in, from, JSON_REQUIRED),
    {.name = "hashmap", .kind = JSON_ANY, .offset = offsetof(struct book_in, hashmap)},
    {.name = "prices",
     .kind = JSON_LIST,
     .offset = offsetof(struct book_in, prices),
     .flags = JSON_REQUIRED,
     .sub = &price_table,
     .item_size = sizeof(struct price_in),
     .min = 0,
     .max = 10000},
    {.name = "discounts",
     .kind = JSON_LIST,
     .offset = offsetof(struct book_in, discounts),
     .sub = &discount_table,
     .item_size = sizeof(struct discount_in),
     .min = 0,
     .max = 100},
};
static const struct json_table book_table = {
    .fields = book_fields, .count = JSON_COUNT(book_fields), .seen_offset = JSON_NO_SEEN};

/* What one version is read with. */
struct reading {
    const struct book_resources *resources;
    struct arena *arena;
    struct rate_book *book;
    struct error *error;
};

static int read_price(struct reading *r, const char *text, int64_t *ret)
{
    if (!money_parse(text, ret) || *ret < 0) {
        return error_set(r->error, ERR_INVALID, "\"%s\" is not a price (digits with at most 9 decimals)", text);
    }
    return 0;
}

static int read_resource(struct reading *r, const char *name, size_t *ret)
{
    int index = book_resource(r->resources, name);
    if (index < 0) {
        return error_set(r->error, ERR_INVALID, "\"%s\" is not a resource that is metered", name);
    }
    *ret = (size_t)index;
    return 0;
}

static int read_states(struct reading *r, const struct price_in *in, struct rate_rule *rule)
{
    const char *const *names = in->states.items;
    for (size_t i = 0; i < in->states.count; i++) {
        int state = server_state_parse(names[i]);
        if (strcmp(names[i], STATE_HELD) != 0 &&
            (state < 0 || state == SERVER_STATE_GONE || state == SERVER_STATE_NONE)) {
            return error_set(r->error, ERR_INVALID, "\"%s\" is not a state that can be priced", names[i]);
        }
    }
    rule->states = in->states.count > 0 ? names : NULL;
    rule->state_count = in->states.count;
    return 0;
}

/* A limit in units as base units, which must come out whole. */
static int read_limit(struct reading *r, const struct rate_rule *rule, const char *text, __int128 *ret)
{
    int64_t nano;
    if (!money_parse(text, &nano) || nano <= 0) {
        return error_set(r->error, ERR_INVALID, "\"%s\" is not a quantity (digits with at most 9 decimals)", text);
    }
    __int128 product = (__int128)nano * rate_unit_base(&r->resources->items[rule->resource]);
    if (product % MONEY_UNIT != 0) {
        return error_set(r->error, ERR_INVALID, "\"%s\" is no whole number of what is counted", text);
    }
    *ret = product / MONEY_UNIT;
    return 0;
}

static int add_tier(struct reading *r, struct rate_rule *rule, struct rate_tier *tiers, const char *up_to, int64_t nano)
{
    struct rate_tier *t = &tiers[rule->tier_count];
    int rc = 0;
    t->nano = nano;
    t->last = !up_to;
    if (up_to) {
        rc = read_limit(r, rule, up_to, &t->up_to);
    }
    if (!rc && rule->tier_count > 0 && (tiers[rule->tier_count - 1].last || (up_to && t->up_to <= (t - 1)->up_to))) {
        rc = error_set(r->error, ERR_INVALID, "tiers go by ascending \"up_to\"; the last one has none");
    }
    rule->tier_count++;
    return rc;
}

static int read_tiers(struct reading *r, const struct price_in *in, struct rate_rule *rule)
{
    const struct tier_in *tiers_in = in->tiers.items;
    struct rate_tier *tiers = arena_array(r->arena, in->tiers.count + 2, sizeof(*tiers));
    int64_t nano = 0;
    int rc = 0;
    if ((in->price != NULL) == (in->tiers.count > 0)) {
        return error_set(r->error, ERR_INVALID, "a price has either \"price\" or \"tiers\"");
    }
    rule->tiers = tiers;
    rule->kind = in->tiers.count == 0 && !in->free ? RATE_LINEAR : RATE_GRADUATED;
    if (in->tiering && strcmp(in->tiering, "volume") == 0) {
        rule->kind = RATE_VOLUME;
    }
    if (in->free && rule->kind == RATE_VOLUME) {
        return error_set(r->error, ERR_INVALID,
                         "\"free\" goes with graduated tiers; of volume tiers make the first \"0\"");
    }
    if (in->free) {
        rc = add_tier(r, rule, tiers, in->free, 0);
    }
    for (size_t i = 0; !rc && i < in->tiers.count; i++) {
        rc = read_price(r, tiers_in[i].price, &nano);
        rc = rc ? rc : add_tier(r, rule, tiers, tiers_in[i].up_to, nano);
    }
    if (!rc && in->price) {
        rc = read_price(r, in->price, &nano);
        rc = rc ? rc : add_tier(r, rule, tiers, NULL, nano);
    }
    if (!rc && !tiers[rule->tier_count - 1].last) {
        rc = error_set(r->error, ERR_INVALID, "the last tier must have no \"up_to\"");
    }
    return rc;
}

static int read_rounding(struct reading *r, const struct price_in *in, struct rate_rule *rule)
{
    struct rate_rounding wanted = {in->minimum * CLOCK_SECOND_US, in->granularity * CLOCK_SECOND_US};
    struct rate_book *b = r->book;
    for (size_t i = 0; i < b->rounding_count; i++) {
        if (memcmp(&b->roundings[i], &wanted, sizeof(wanted)) == 0) {
            rule->rounding = i;
            return 0;
        }
    }
    if (b->rounding_count == RATE_ROUNDINGS_MAX) {
        return error_set(r->error, ERR_INVALID,
                         "a book has at most %d pairs of minimum_seconds and granularity_seconds", RATE_ROUNDINGS_MAX);
    }
    rule->rounding = b->rounding_count;
    b->roundings[b->rounding_count++] = wanted;
    return 0;
}

/* Prices that follow "price" at their instants. */
static int read_spots(struct reading *r, const struct price_in *in, struct rate_rule *rule)
{
    const struct spot_in *from = in->spot.items;
    struct rate_spot *spots = arena_array(r->arena, in->spot.count + 1, sizeof(*spots));
    int rc = 0;
    if (in->spot.count > 0 && (rule->kind != RATE_LINEAR || in->tiers.count > 0)) {
        return error_set(r->error, ERR_INVALID, "\"spot\" goes with a plain \"price\": it has no tiers");
    }
    for (size_t i = 0; !rc && i < in->spot.count; i++) {
        rc = read_price(r, from[i].price, &spots[i].nano);
        if (!rc && !clock_parse(from[i].from, &spots[i].from_us)) {
            rc = error_set(r->error, ERR_INVALID, "\"%s\" is not a time", from[i].from);
        }
        if (!rc && i > 0 && spots[i].from_us <= spots[i - 1].from_us) {
            rc = error_set(r->error, ERR_INVALID, "spot prices go by ascending \"from\"");
        }
    }
    rule->spots = spots;
    rule->spot_count = in->spot.count;
    return rc;
}

static int read_rule(struct reading *r, const struct price_in *in, struct rate_rule *rule)
{
    int rc = read_resource(r, in->resource, &rule->resource);
    rc = rc ? rc : read_states(r, in, rule);
    rc = rc ? rc : read_tiers(r, in, rule);
    rc = rc ? rc : read_rounding(r, in, rule);
    rc = rc ? rc : read_spots(r, in, rule);
    if (!rc && in->network && !r->resources->items[rule->resource].by_network) {
        rc = error_set(r->error, ERR_INVALID, "\"network\" goes with traffic (net_in_gb, net_out_gb), not with %s",
                       in->resource);
    }
    rule->market = !in->market ? RATE_ANY_MARKET : strcmp(in->market, "spot") == 0 ? RATE_SPOT : RATE_REGULAR;
    rule->per_account = in->per && strcmp(in->per, "account") == 0;
    rule->label = in->name ? in->name : in->resource;
    rule->flavor = in->flavor;
    rule->zone = in->zone;
    rule->region = in->region;
    rule->project = in->project;
    rule->tag = in->tag;
    rule->network = in->network;
    return rc;
}

static int read_discount(struct reading *r, const struct discount_in *in, struct rate_discount *d)
{
    int64_t nano = 0;
    if ((in->percent != NULL) == (in->amount != NULL)) {
        return error_set(r->error, ERR_INVALID, "a discount has either \"percent\" or \"amount\"");
    }
    if (in->amount && (in->resource || in->project)) {
        return error_set(r->error, ERR_INVALID, "a discount by amount is for the whole invoice");
    }
    int rc = read_price(r, in->percent ? in->percent : in->amount, &nano);
    if (!rc && in->percent && (nano > 100 * MONEY_UNIT || nano % (MONEY_UNIT / 10000) != 0)) {
        rc = error_set(r->error, ERR_INVALID, "\"%s\" is not a percentage of 0 to 100 with at most 4 decimals",
                       in->percent);
    }
    d->label = in->name;
    d->project = in->project;
    d->any_resource = !in->resource;
    d->ppm = in->percent ? nano / (MONEY_UNIT / 10000) : 0;
    d->nano = in->percent ? 0 : nano;
    return rc || !in->resource ? rc : read_resource(r, in->resource, &d->resource);
}

static int read_rules(struct reading *r, const struct book_in *in)
{
    struct rate_rule *rules = arena_array(r->arena, in->prices.count + 1, sizeof(*rules));
    struct rate_discount *discounts = arena_array(r->arena, in->discounts.count + 1, sizeof(*discounts));
    int rc = 0;
    for (size_t i = 0; !rc && i < in->prices.count; i++) {
        rc = read_rule(r, &((const struct price_in *)in->prices.items)[i], &rules[i]);
        if (rc) {
            error_prefix(r->error, "book of %s, price %zu", in->from, i + 1);
        }
    }
    for (size_t i = 0; !rc && i < in->discounts.count; i++) {
        rc = read_discount(r, &((const struct discount_in *)in->discounts.items)[i], &discounts[i]);
        if (rc) {
            error_prefix(r->error, "book of %s, discount %zu", in->from, i + 1);
        }
    }
    r->book->rules = rules;
    r->book->rule_count = in->prices.count;
    r->book->discounts = discounts;
    r->book->discount_count = in->discounts.count;
    return rc;
}

int book_read(json_value *value, const char *name, const char *currency, const struct book_resources *resources,
              struct arena *a, struct rate_book *ret, struct error *e)
{
    struct book_in in = {0};
    struct reading r = {.resources = resources, .arena = a, .book = ret, .error = e};
    *ret = (struct rate_book){.name = name, .currency = currency};
    int rc = json_in_read(value, &book_table, &in, a, e);
    if (rc) {
        return rc;
    }
    if (!clock_parse(in.from, &ret->from_us)) {
        return error_set(e, ERR_INVALID, "\"%s\" is not a date", in.from);
    }
    return read_rules(&r, &in);
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
