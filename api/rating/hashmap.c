/* From the book's JSON to the view. Ids that a book lacks (it came from a file) are derived from what a price
 * looks at, so that they are the same at each request; a change writes them down. */
#include "api/rating/hashmap.h"
#include "api/rating/rated.h"
#include "api/rating/sight.h"
#include "common/clock.h"
#include "common/model/money.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const field_names[FIELD_COUNT] = {"flavor_name", "state", "zone", "region", "tag", "network"};

const char *hashmap_field_name(enum hashmap_field field)
{
    return field_names[field];
}

enum hashmap_field hashmap_field_parse(const char *name)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(field_names[i], name) == 0) {
            return (enum hashmap_field)i;
        }
    }
    return FIELD_NONE;
}

int hashmap_field_split(struct request *request, const char *id, const char **ret_resource, enum hashmap_field *ret)
{
    const char *colon = strchr(id, ':');
    *ret = colon ? hashmap_field_parse(colon + 1) : FIELD_NONE;
    if (*ret == FIELD_NONE) {
        return error_set(&request->error, ERR_NOT_FOUND, "there is no field %s: fields are called SERVICE:NAME", id);
    }
    *ret_resource = arena_strndup(&request->arena, id, (size_t)(colon - id));
    return 0;
}

int hashmap_id(struct request *request, const char *param, const char *in_body, const char **ret)
{
    bool in_path = strchr(request->route->pattern, '{') != NULL;
    *ret = in_path ? request_param(request, param) : in_body;
    return *ret ? 0 : error_set(&request->error, ERR_INVALID, "%s_id: it is required", param);
}

const char *hashmap_type(bool rate)
{
    return rate ? "rate" : "flat";
}

int hashmap_type_read(struct request *request, const char *text, bool *ret)
{
    if (text && strcmp(text, hashmap_type(true)) != 0 && strcmp(text, hashmap_type(false)) != 0) {
        return error_set(&request->error, ERR_INVALID, "type: %s is none; there are flat and rate", text);
    }
    *ret = text ? strcmp(text, hashmap_type(true)) == 0 : *ret;
    return 0;
}

int hashmap_conditions(const struct hashmap_price *p, enum hashmap_field *ret_first)
{
    int count = 0;
    *ret_first = FIELD_NONE;
    for (int i = FIELD_COUNT - 1; i >= 0; i--) {
        if (p->conditions[i]) {
            *ret_first = (enum hashmap_field)i;
            count++;
        }
    }
    return count;
}

/* ---- names ---- */

bool hashmap_has_name(const struct hashmap_name *list, const char *text)
{
    for (; list; list = list->next) {
        if (strcmp(list->text, text) == 0) {
            return true;
        }
    }
    return false;
}

void hashmap_add_name(struct hashmap_view *v, struct hashmap_name **list, const char *text)
{
    if (hashmap_has_name(*list, text)) {
        return;
    }
    while (*list) {
        list = &(*list)->next;
    }
    *list = arena_alloc(&v->request->arena, sizeof(**list));
    **list = (struct hashmap_name){arena_strdup(&v->request->arena, text), NULL};
}

void hashmap_remove_name(struct hashmap_name **list, const char *text)
{
    while (*list && strcmp((*list)->text, text) != 0) {
        list = &(*list)->next;
    }
    if (*list) {
        *list = (*list)->next;
    }
}

/* ---- reading ---- */

struct reading {
    struct hashmap_view *view;
    struct hashmap_price *price;
    const char *price_text, *free_text; /* of a rate: the rate */
    json_value *tiers;
};

static const char *text_of(struct hashmap_view *v, json_value *value)
{
    const char *text = json_in_text(value);
    return text ? arena_strdup(&v->request->arena, text) : NULL;
}

static const char *join(struct hashmap_view *v, json_value *list)
{
    const char *text = "";
    for (size_t i = 0; i < json_in_count(list); i++) {
        text = arena_printf(&v->request->arena, "%s%s%s", text, i > 0 ? "," : "", json_in_text(json_in_item(list, i)));
    }
    return *text ? text : NULL;
}

static void add_rest(struct hashmap_view *v, struct hashmap_member **list, const char *name, json_value *value)
{
    while (*list) {
        list = &(*list)->next;
    }
    *list = arena_alloc(&v->request->arena, sizeof(**list));
    **list =
        (struct hashmap_member){arena_strdup(&v->request->arena, name), json_in_print(value, &v->request->arena), NULL};
}

static int read_member(void *arg, const char *name, json_value *value)
{
    struct reading *r = arg;
    struct hashmap_price *p = r->price;
    const char **const texts[] = {&p->id,
                                  &p->resource,
                                  &p->project,
                                  &p->group,
                                  &r->price_text,
                                  &r->free_text,
                                  &p->conditions[FIELD_FLAVOR],
                                  &p->conditions[FIELD_ZONE],
                                  &p->conditions[FIELD_REGION],
                                  &p->conditions[FIELD_TAG],
                                  &p->conditions[FIELD_NETWORK]};
    const char *const names[] = {"id",   "resource", "project", "name",   p->rate ? "rate" : "price", "free", "flavor",
                                 "zone", "region",   "tag",     "network"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            *texts[i] = text_of(r->view, value);
            return 0;
        }
    }
    if (strcmp(name, "states") == 0) {
        p->conditions[FIELD_STATE] = join(r->view, value);
    } else if (strcmp(name, "tiers") == 0) {
        r->tiers = value;
    } else if (strcmp(name, "tiering") == 0) {
        p->volume = strcmp(json_in_text(value), "volume") == 0;
    } else {
        add_rest(r->view, &p->rest, name, value);
    }
    return 0;
}

static void add_tier(struct hashmap_price *p, const char *id, int64_t from_nano, const char *price, bool rate)
{
    if (p->tier_count < HASHMAP_TIERS_MAX) {
        p->tiers[p->tier_count++] = (struct hashmap_tier){id, from_nano, price, rate};
    }
}

/* A tier's JSON tells where it ends; here it tells where it begins. */
static void read_tiers(struct reading *r)
{
    struct hashmap_price *p = r->price;
    int64_t from = 0;
    if (r->free_text) {
        add_tier(p, NULL, 0, "0", false);
        money_parse(r->free_text, &from);
    }
    for (size_t i = 0; i < json_in_count(r->tiers); i++) {
        json_value *tier = json_in_item(r->tiers, i);
        const char *up_to = json_in_text(json_in_member(tier, "up_to"));
        json_value *rate = json_in_member(tier, "rate");
        add_tier(p, text_of(r->view, json_in_member(tier, "id")), from,
                 text_of(r->view, rate ? rate : json_in_member(tier, "price")), rate != NULL);
        if (up_to) {
            money_parse(up_to, &from);
        }
    }
    if (r->price_text) {
        add_tier(p, NULL, from, r->price_text, false);
    }
}

/* An id in a UUID's form from the price's conditions; prices with the same ones are told apart by their place. */
static const char *derive_id(struct hashmap_view *v, const struct hashmap_price *p, size_t place)
{
    struct arena *a = &v->request->arena;
    const char *text = arena_printf(a, "%s|%s|%s", p->resource, p->project ? p->project : "", p->group ? p->group : "");
    for (int i = 0; i < FIELD_COUNT; i++) {
        text = arena_printf(a, "%s|%s", text, p->conditions[i] ? p->conditions[i] : "");
    }
    text = p->rate ? arena_printf(a, "%s|rate", text) : text;
    const char *hex = book_digest(v->name, arena_printf(a, "%s|%zu", text, place), a);
    return arena_printf(a, "%.8s-%.4s-5%.3s-8%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15, hex + 18);
}

static void give_ids(struct hashmap_view *v, struct hashmap_price *p)
{
    size_t place = 0;
    for (const struct hashmap_price *q = v->prices; q != p; q = q->next) {
        place += q->rate == p->rate && strcmp(q->resource, p->resource) == 0;
    }
    p->id = p->id ? p->id : derive_id(v, p, place);
    for (size_t i = 1; i < p->tier_count; i++) {
        struct hashmap_tier *t = &p->tiers[i];
        t->id = t->id ? t->id : arena_printf(&v->request->arena, "%.34s%02zx", p->id, i);
    }
}

static void read_prices(struct hashmap_view *v, json_value *list, bool rate)
{
    struct hashmap_price **last = &v->prices;
    while (*last) {
        last = &(*last)->next;
    }
    for (size_t i = 0; i < json_in_count(list); i++) {
        struct reading r = {.view = v, .price = arena_alloc(&v->request->arena, sizeof(struct hashmap_price))};
        r.price->rate = rate;
        json_in_each(json_in_item(list, i), read_member, &r);
        read_tiers(&r);
        *last = r.price;
        last = &r.price->next;
    }
    for (struct hashmap_price *p = v->prices; p; p = p->next) {
        give_ids(v, p);
    }
}

static void read_names(struct hashmap_view *v, struct hashmap_name **list, json_value *names)
{
    for (size_t i = 0; i < json_in_count(names); i++) {
        hashmap_add_name(v, list, json_in_text(json_in_item(names, i)));
    }
}

static int read_book_member(void *arg, const char *name, json_value *value)
{
    struct hashmap_view *v = arg;
    if (strcmp(name, "prices") == 0 || strcmp(name, "rates") == 0) {
        read_prices(v, value, strcmp(name, "rates") == 0);
    } else if (strcmp(name, HASHMAP_MEMBER) == 0) {
        read_names(v, &v->services, json_in_member(value, "services"));
        read_names(v, &v->fields, json_in_member(value, "fields"));
        read_names(v, &v->groups, json_in_member(value, "groups"));
    } else if (strcmp(name, "from") != 0) {
        add_rest(v, &v->rest, name, value);
    }
    return 0;
}

/* What prices use is there, also where nobody has declared it. */
static void declare_used(struct hashmap_view *v)
{
    for (const struct hashmap_price *p = v->prices; p; p = p->next) {
        hashmap_add_name(v, &v->services, p->resource);
        for (int i = 0; i < FIELD_COUNT; i++) {
            if (p->conditions[i]) {
                hashmap_add_name(v, &v->fields, arena_printf(&v->request->arena, "%s:%s", p->resource, field_names[i]));
            }
        }
        if (p->group) {
            hashmap_add_name(v, &v->groups, p->group);
        }
    }
}

/* Prices that the caller may not see, and the groups of such prices alone. */
static void hide(struct hashmap_view *v, const struct sight *sight)
{
    for (struct hashmap_price **at = &v->prices; *at;) {
        struct hashmap_price *p = *at;
        if (sight_allows(sight, p->project)) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        if (p->group) {
            hashmap_remove_name(&v->groups, p->group);
        }
    }
}

int hashmap_load(struct request *request, struct hashmap_view *ret)
{
    struct billing_book_row *rows = NULL, *now = NULL;
    size_t count = 0;
    struct json_doc doc;
    struct sight sight;
    *ret = (struct hashmap_view){.request = request};
    int rc = rated_book(request, request->conn, request->credential.project_id, &ret->name);
    rc = rc ? rc : sight_read(request, &sight);
    rc = rc ? rc : book_resources_load(request->conn, &request->arena, &ret->resources, &request->error);
    rc = rc ? rc : store_billing_books(request->conn, ret->name, &request->arena, &rows, &count, &request->error);
    for (size_t i = 0; !rc && i < count && rows[i].from_us <= request->now_us; i++) {
        now = &rows[i];
    }
    if (rc || !now) {
        return rc;
    }
    if (json_in_parse(now->body, strlen(now->body), &doc, NULL)) {
        return error_set(&request->error, ERR_CORRUPT, "price book %s cannot be read", ret->name);
    }
    ret->currency = now->currency;
    ret->from_us = now->from_us;
    json_in_each(doc.root, read_book_member, ret);
    json_in_done(&doc);
    hide(ret, &sight);
    declare_used(ret);
    return 0;
}

/* ---- changing ---- */

struct hashmap_price *hashmap_find(struct hashmap_view *v, const char *id)
{
    struct hashmap_price *p = v->prices;
    while (p && strcmp(p->id, id) != 0) {
        p = p->next;
    }
    return p;
}

static int weight(const struct hashmap_price *p)
{
    enum hashmap_field first;
    return 2 * hashmap_conditions(p, &first) + (p->project != NULL);
}

struct hashmap_price *hashmap_add(struct hashmap_view *v, const struct hashmap_price *like)
{
    struct hashmap_price **at = &v->prices, *p = arena_alloc(&v->request->arena, sizeof(*p));
    while (*at &&
           ((*at)->rate != like->rate || strcmp((*at)->resource, like->resource) != 0 || weight(*at) >= weight(like))) {
        at = &(*at)->next;
    }
    *p = *like;
    p->next = *at;
    *at = p;
    return p;
}

void hashmap_remove(struct hashmap_view *v, const struct hashmap_price *p)
{
    struct hashmap_price **at = &v->prices;
    while (*at && *at != p) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = p->next;
    }
}

int hashmap_cost(struct request *request, json_value *value, const char **ret)
{
    const char *text = json_in_text(value);
    char *end = NULL, plain[64];
    int64_t nano;
    text = text ? text : value ? json_in_print(value, &request->arena) : "";
    if (!money_parse(text, &nano)) { /* 1e-05, as Python writes small numbers */
        snprintf(plain, sizeof(plain), "%.9Lf", strtold(text, &end));
        if (!*text || !end || *end || !money_parse(plain, &nano)) {
            return error_set(&request->error, ERR_INVALID, "cost: \"%s\" is not a price with at most 9 decimals", text);
        }
    }
    if (nano < 0) {
        return error_set(&request->error, ERR_INVALID,
                         "cost: %s is below 0; what is taken off is a discount of the book (/rating/v3/books)", text);
    }
    *ret = arena_strdup(&request->arena, money_text(nano, plain));
    return 0;
}
