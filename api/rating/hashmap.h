/* The price book as CloudKitty's hashmap module shows it. A service is a metered resource, a field what a price may
 * look at, a mapping one price or rate, a threshold a tier of a price above its first, a group the name that prices
 * share. A change
 * is a new version of the book from now on; whatever of a price the view has no word for stays as it was. */
#pragma once
#include "api/http/handler.h"
#include "metering/bill/book.h"

#define HASHMAP_TIERS_MAX 32
#define HASHMAP_MEMBER    "hashmap" /* of the book's JSON: what was declared */

enum hashmap_field {
    FIELD_FLAVOR,
    FIELD_STATE,
    FIELD_ZONE,
    FIELD_REGION,
    FIELD_TAG,
    FIELD_NETWORK,
    FIELD_COUNT,
    FIELD_NONE = -1
};

struct hashmap_tier {
    const char *id;
    int64_t from_nano; /* the quantity, in millionths of a thousandth of its unit, from which its price counts */
    const char *price;
    bool rate; /* `price` multiplies the price before it */
};
/* A price, or a rate that multiplies prices: one tier, whose `price` is the factor. Everything of its JSON but what is
 * told here stands in `rest`. */
struct hashmap_price {
    const char *id, *resource, *project, *group; /* NULL for none */
    const char *conditions[FIELD_COUNT];         /* value by field, NULL for none; states joined by commas */
    struct hashmap_tier tiers[HASHMAP_TIERS_MAX];
    size_t tier_count; /* at least 1 */
    bool volume, rate;
    struct hashmap_member {
        const char *name, *raw;
        struct hashmap_member *next;
    } * rest;
    struct hashmap_price *next;
};
struct hashmap_name {
    const char *text;
    struct hashmap_name *next;
};
struct hashmap_view {
    struct request *request;
    const char *name, *currency; /* of the book; currency NULL: there is no version in effect */
    int64_t from_us;             /* of that version */
    struct book_resources resources;
    struct hashmap_price *prices;
    struct hashmap_name *services, *fields, *groups; /* declared; fields as "vcpu:flavor_name" */
    struct hashmap_member *rest;
};

/* The book of the caller's project as it holds now, as far as the caller may see it (sight.h); everything in the
 * request's arena. */
int hashmap_load(struct request *request, struct hashmap_view *ret);
/* Makes what was changed the version that holds from now on. ERR_INVALID when the book would not be one; ERR_CONFLICT
 * without a book, whose currency nobody has told then. */
int hashmap_save(struct hashmap_view *v);

/* "flavor_name", ...; and back, FIELD_NONE for what cannot be looked at. */
const char *hashmap_field_name(enum hashmap_field field);
enum hashmap_field hashmap_field_parse(const char *name);
/* "vcpu:flavor_name" taken apart; ERR_NOT_FOUND when it is none. */
int hashmap_field_split(struct request *request, const char *id, const char **ret_resource, enum hashmap_field *ret);
/* The id that a request is about: the path's `param`, or, where the client asks the collection, the body's. ERR_INVALID
 * without one. */
int hashmap_id(struct request *request, const char *param, const char *in_body, const char **ret);
/* How many of the conditions a price has; *ret_first: the first of them, FIELD_NONE for none. */
int hashmap_conditions(const struct hashmap_price *p, enum hashmap_field *ret_first);
struct hashmap_price *hashmap_find(struct hashmap_view *v, const char *id);
/* "rate" or "flat", and back: ERR_INVALID for anything else; NULL leaves *ret. */
const char *hashmap_type(bool rate);
int hashmap_type_read(struct request *request, const char *text, bool *ret);
/* A new price or rate of a resource, in front of those that look at less. */
struct hashmap_price *hashmap_add(struct hashmap_view *v, const struct hashmap_price *like);
void hashmap_remove(struct hashmap_view *v, const struct hashmap_price *p);
bool hashmap_has_name(const struct hashmap_name *list, const char *text);
void hashmap_add_name(struct hashmap_view *v, struct hashmap_name **list, const char *text);
void hashmap_remove_name(struct hashmap_name **list, const char *text);
/* A cost as clients send it, text or number, as decimal text in the arena. ERR_INVALID. */
int hashmap_cost(struct request *request, json_value *value, const char **ret);
