/* What a version of a price book says, from its JSON. Field tables name what is wrong; rules that cannot be rated (a
 * tier below the one before it, a limit that is no whole number of base units) are refused here, so that rating itself
 * cannot fail on them. */
#include "common/clock.h"
#include "common/model/money.h"
#include "common/model/server.h"
#include "metering/bill/book.h"
#include <string.h>

#define STATE_HELD "held"
#define FACTOR_MAX (1000 * MONEY_UNIT)

struct tier_in {
    const char *id, *up_to, *price, *rate;
};
struct spot_in {
    const char *from, *price;
};
/* What usage must be for a price or a rate to count. */
struct when_in {
    const char *flavor, *zone, *region, *project, *tag, *network, *market;
    struct json_list states;
};
struct price_in {
    const char *id, *resource, *price, *name, *free, *tiering, *per;
    struct when_in when;
    struct json_list tiers, spot;
    int64_t minimum, granularity;
};
struct factor_in {
    const char *id, *resource, *name, *rate;
    struct when_in when;
};
struct discount_in {
    const char *name, *percent, *amount, *resource, *project;
};
struct book_in {
    const char *from;
    struct json_list prices, rates, discounts;
    json_value *hashmap;
};

static const char *const tierings[] = {"graduated", "volume", NULL};
static const char *const markets[] = {"regular", "spot", NULL};
static const char *const scopes[] = {"project", "account", NULL};
#define NAMED(type, text, member, flag)                                                                                \
    {                                                                                                                  \
        .name = (text), .kind = JSON_TEXT, .offset = offsetof(type, member), .flags = (flag), .min = 1, .max = 255     \
    }
#define TEXT(type, member, flag) NAMED(type, #member, member, flag)
static const struct json_field tier_fields[] = {
    TEXT(struct tier_in, id, 0),
    TEXT(struct tier_in, up_to, 0),
    TEXT(struct tier_in, price, 0),
    TEXT(struct tier_in, rate, 0),
};
static const struct json_table tier_table = {
    .fields = tier_fields, .count = JSON_COUNT(tier_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field spot_fields[] = {
    TEXT(struct spot_in, from, JSON_REQUIRED),
    TEXT(struct spot_in, price, JSON_REQUIRED),
};
static const struct json_table spot_table = {
    .fields = spot_fields, .count = JSON_COUNT(spot_fields), .seen_offset = JSON_NO_SEEN};
#define WHEN(type)                                                                                                     \
    NAMED(type, "flavor", when.flavor, 0), NAMED(type, "zone", when.zone, 0), NAMED(type, "region", when.region, 0),   \
        NAMED(type, "project", when.project, 0), NAMED(type, "tag", when.tag, 0),                                      \
        NAMED(type, "network", when.network, 0),                                                                       \
        {.name = "market", .kind = JSON_TEXT, .offset = offsetof(type, when.market), .choices = markets},              \
    {                                                                                                                  \
        .name = "states", .kind = JSON_TEXTS, .offset = offsetof(type, when.states), .min = 1, .max = 16               \
    }
static const struct json_field price_fields[] = {
    TEXT(struct price_in, id, 0),
    TEXT(struct price_in, resource, JSON_REQUIRED),
    TEXT(struct price_in, price, 0),
    WHEN(struct price_in),
    TEXT(struct price_in, name, 0),
    TEXT(struct price_in, free, 0),
    {.name = "tiering", .kind = JSON_TEXT, .offset = offsetof(struct price_in, tiering), .choices = tierings},
    {.name = "per", .kind = JSON_TEXT, .offset = offsetof(struct price_in, per), .choices = scopes},
    {.name = "spot",
     .kind = JSON_LIST,
     .offset = offsetof(struct price_in, spot),
     .sub = &spot_table,
     .item_size = sizeof(struct spot_in),
     .min = 1,
     .max = 10000},
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
static const struct json_field factor_fields[] = {
    TEXT(struct factor_in, id, 0),   TEXT(struct factor_in, resource, JSON_REQUIRED), WHEN(struct factor_in),
    TEXT(struct factor_in, name, 0), TEXT(struct factor_in, rate, JSON_REQUIRED),
};
static const struct json_table factor_table = {
    .fields = factor_fields, .count = JSON_COUNT(factor_fields), .seen_offset = JSON_NO_SEEN};
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
    {.name = "rates",
     .kind = JSON_LIST,
     .offset = offsetof(struct book_in, rates),
     .sub = &factor_table,
     .item_size = sizeof(struct factor_in),
     .min = 0,
     .max = 100},
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

static int read_factor_text(struct reading *r, const char *text, int64_t *ret)
{
    if (!money_parse(text, ret) || *ret < 0 || *ret > FACTOR_MAX) {
        return error_set(r->error, ERR_INVALID, "\"%s\" is not a rate (0 to 1000 with at most 9 decimals)", text);
    }
    return 0;
}

static int read_states(struct reading *r, const struct when_in *in, struct rate_conditions *ret)
{
    const char *const *names = in->states.items;
    for (size_t i = 0; i < in->states.count; i++) {
        int state = server_state_parse(names[i]);
        if (strcmp(names[i], STATE_HELD) != 0 &&
            (state < 0 || state == SERVER_STATE_GONE || state == SERVER_STATE_NONE)) {
            return error_set(r->error, ERR_INVALID, "\"%s\" is not a state that can be priced", names[i]);
        }
    }
    ret->states = in->states.count > 0 ? names : NULL;
    ret->state_count = in->states.count;
    return 0;
}

static int read_when(struct reading *r, const struct when_in *in, size_t resource, struct rate_conditions *ret)
{
    *ret = (struct rate_conditions){.flavor = in->flavor,
                                    .zone = in->zone,
                                    .region = in->region,
                                    .project = in->project,
                                    .tag = in->tag,
                                    .network = in->network};
    ret->market = !in->market ? RATE_ANY_MARKET : strcmp(in->market, "spot") == 0 ? RATE_SPOT : RATE_REGULAR;
    int rc = read_states(r, in, ret);
    if (!rc && in->network && !r->resources->items[resource].by_network) {
        rc = error_set(r->error, ERR_INVALID, "\"network\" goes with traffic (net_in_gb, net_out_gb), not with %s",
                       r->resources->items[resource].name);
    }
    return rc;
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

/* A tier says its price, or what the price that was told last before it is multiplied by. */
static int read_tier_price(struct reading *r, const struct tier_in *tier, const char **told, int64_t *ret)
{
    int64_t nano = 0, factor = MONEY_UNIT;
    *told = tier->price ? tier->price : *told;
    if ((tier->price != NULL) == (tier->rate != NULL) || !*told) {
        return error_set(r->error, ERR_INVALID, "a tier has either \"price\" or \"rate\"; the first has \"price\"");
    }
    int rc = read_price(r, *told, &nano);
    rc = rc || !tier->rate ? rc : read_factor_text(r, tier->rate, &factor);
    if (!rc) {
        *ret = money_divide((__int128)nano * factor, MONEY_UNIT);
    }
    return rc;
}

static int read_tiers(struct reading *r, const struct price_in *in, struct rate_rule *rule)
{
    const struct tier_in *tiers_in = in->tiers.items;
    struct rate_tier *tiers = arena_array(r->arena, in->tiers.count + 2, sizeof(*tiers));
    const char *told = NULL;
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
        rc = read_tier_price(r, &tiers_in[i], &told, &nano);
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
    rc = rc ? rc : read_when(r, &in->when, rule->resource, &rule->when);
    rc = rc ? rc : read_tiers(r, in, rule);
    rc = rc ? rc : read_rounding(r, in, rule);
    rc = rc ? rc : read_spots(r, in, rule);
    rule->per_account = in->per && strcmp(in->per, "account") == 0;
    rule->label = in->name ? in->name : in->resource;
    return rc;
}

static int read_factor(struct reading *r, const struct factor_in *in, struct rate_factor *ret)
{
    int rc = read_resource(r, in->resource, &ret->resource);
    rc = rc ? rc : read_when(r, &in->when, ret->resource, &ret->when);
    ret->label = in->name ? in->name : in->resource;
    return rc ? rc : read_factor_text(r, in->rate, &ret->nano);
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
    struct rate_factor *factors = arena_array(r->arena, in->rates.count + 1, sizeof(*factors));
    int rc = 0;
    for (size_t i = 0; !rc && i < in->prices.count; i++) {
        rc = read_rule(r, &((const struct price_in *)in->prices.items)[i], &rules[i]);
        if (rc) {
            error_prefix(r->error, "book of %s, price %zu", in->from, i + 1);
        }
    }
    for (size_t i = 0; !rc && i < in->rates.count; i++) {
        rc = read_factor(r, &((const struct factor_in *)in->rates.items)[i], &factors[i]);
        if (rc) {
            error_prefix(r->error, "book of %s, rate %zu", in->from, i + 1);
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
    r->book->factors = factors;
    r->book->factor_count = in->rates.count;
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
