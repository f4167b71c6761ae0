/* From the book's JSON to the view and back. Ids that a book lacks (it came from a file) are derived from what a price
 * looks at, so that they are the same at each request; a change writes them down. */
#include "api/rating/hashmap.h"
#include "api/rating/rated.h"
#include "api/rating/sight.h"
#include "common/clock.h"
#include "common/model/money.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIEW_MEMBER "hashmap"

static const char *const field_names[FIELD_COUNT] = {"flavor_name", "state", "zone", "region", "tag", "network"};
/* As prices call them; states are a list. */
static const char *const price_members[FIELD_COUNT] = {"flavor", "states", "zone", "region", "tag", "network"};

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
    const char *price_text, *free_text;
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
    static const char *const names[] = {"id",     "resource", "project", "name", "price",  "free",
                                        "flavor", "zone",     "region",  "tag",  "network"};
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

static void add_tier(struct hashmap_price *p, const char *id, int64_t from_nano, const char *price)
{
    if (p->tier_count < HASHMAP_TIERS_MAX) {
        p->tiers[p->tier_count++] = (struct hashmap_tier){id, from_nano, price};
    }
}

/* A tier's JSON tells where it ends; here it tells where it begins. */
static void read_tiers(struct reading *r)
{
    struct hashmap_price *p = r->price;
    int64_t from = 0;
    if (r->free_text) {
        add_tier(p, NULL, 0, "0");
        money_parse(r->free_text, &from);
    }
    for (size_t i = 0; i < json_in_count(r->tiers); i++) {
        json_value *tier = json_in_item(r->tiers, i);
        const char *up_to = json_in_text(json_in_member(tier, "up_to"));
        add_tier(p, text_of(r->view, json_in_member(tier, "id")), from,
                 text_of(r->view, json_in_member(tier, "price")));
        if (up_to) {
            money_parse(up_to, &from);
        }
    }
    if (r->price_text) {
        add_tier(p, NULL, from, r->price_text);
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
    const char *hex = book_digest(v->name, arena_printf(a, "%s|%zu", text, place), a);
    return arena_printf(a, "%.8s-%.4s-5%.3s-8%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15, hex + 18);
}

static void give_ids(struct hashmap_view *v, struct hashmap_price *p)
{
    size_t place = 0;
    for (const struct hashmap_price *q = v->prices; q != p; q = q->next) {
        place += strcmp(q->resource, p->resource) == 0;
    }
    p->id = p->id ? p->id : derive_id(v, p, place);
    for (size_t i = 1; i < p->tier_count; i++) {
        struct hashmap_tier *t = &p->tiers[i];
        t->id = t->id ? t->id : arena_printf(&v->request->arena, "%.34s%02zx", p->id, i);
    }
}

static void read_prices(struct hashmap_view *v, json_value *list)
{
    struct hashmap_price **last = &v->prices;
    for (size_t i = 0; i < json_in_count(list); i++) {
        struct reading r = {.view = v, .price = arena_alloc(&v->request->arena, sizeof(struct hashmap_price))};
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
    if (strcmp(name, "prices") == 0) {
        read_prices(v, value);
    } else if (strcmp(name, VIEW_MEMBER) == 0) {
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

/* ---- writing ---- */

static void write_optional(struct json_out *out, const char *name, const char *text)
{
    if (text) {
        json_out_text(out, name, text);
    }
}

static void write_states(struct json_out *out, const char *states)
{
    json_out_array(out, price_members[FIELD_STATE]);
    while (*states) {
        size_t size = strcspn(states, ",");
        json_out_text_n(out, NULL, states, size);
        states += size + (states[size] == ',');
    }
    json_out_array_end(out);
}

static void write_tiers(struct json_out *out, const struct hashmap_price *p)
{
    char text[MONEY_TEXT_SIZE];
    if (p->tier_count == 1) {
        json_out_text(out, "price", p->tiers[0].price);
        return;
    }
    json_out_text(out, "tiering", p->volume ? "volume" : "graduated");
    json_out_array(out, "tiers");
    for (size_t i = 0; i < p->tier_count; i++) {
        json_out_object(out, NULL);
        write_optional(out, "id", p->tiers[i].id);
        if (i + 1 < p->tier_count) {
            json_out_text(out, "up_to", money_text(p->tiers[i + 1].from_nano, text));
        }
        json_out_text(out, "price", p->tiers[i].price);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static void write_price(struct json_out *out, const struct hashmap_price *p)
{
    json_out_object(out, NULL);
    json_out_text(out, "id", p->id);
    json_out_text(out, "resource", p->resource);
    write_optional(out, "project", p->project);
    write_optional(out, "name", p->group);
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (i != FIELD_STATE) {
            write_optional(out, price_members[i], p->conditions[i]);
        } else if (p->conditions[i]) {
            write_states(out, p->conditions[i]);
        }
    }
    write_tiers(out, p);
    for (const struct hashmap_member *m = p->rest; m; m = m->next) {
        json_out_raw(out, m->name, m->raw);
    }
    json_out_object_end(out);
}

static void write_names(struct json_out *out, const char *name, const struct hashmap_name *list)
{
    json_out_array(out, name);
    for (; list; list = list->next) {
        json_out_text(out, NULL, list->text);
    }
    json_out_array_end(out);
}

static void write_book(struct json_out *out, const struct hashmap_view *v, int64_t from_us)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_text(out, "from", clock_text(from_us, CLOCK_ISO_MICRO_Z, text));
    json_out_array(out, "prices");
    for (const struct hashmap_price *p = v->prices; p; p = p->next) {
        write_price(out, p);
    }
    json_out_array_end(out);
    for (const struct hashmap_member *m = v->rest; m; m = m->next) {
        json_out_raw(out, m->name, m->raw);
    }
    json_out_object(out, VIEW_MEMBER);
    write_names(out, "services", v->services);
    write_names(out, "fields", v->fields);
    write_names(out, "groups", v->groups);
    json_out_object_end(out);
    json_out_object_end(out);
}

static int put(struct hashmap_view *v, const char *text)
{
    struct request *request = v->request;
    struct json_doc doc;
    struct rate_book book;
    struct billing_book_row row;
    int rc = json_in_parse(text, strlen(text), &doc, &request->error);
    if (rc) {
        return rc;
    }
    rc = book_read(doc.root, v->name, v->currency, &v->resources, &request->arena, &book, &request->error);
    if (!rc) {
        book_row(doc.root, &book, &request->arena, &row);
        rc = store_billing_put_book(request->conn, &row, request->now_us, &request->error);
    }
    json_in_done(&doc);
    return rc;
}

int hashmap_save(struct hashmap_view *v)
{
    struct strbuf text;
    struct json_out out;
    int64_t from_us = v->request->now_us > v->from_us ? v->request->now_us : v->from_us + 1;
    if (!v->currency) {
        return error_set(&v->request->error, ERR_CONFLICT,
                         "there is no price book \"%s\" yet: add its first version, which says the currency, with POST "
                         "/rating/v3/books",
                         v->name);
    }
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    write_book(&out, v, from_us);
    int rc = put(v, text.data);
    strbuf_done(&text);
    return rc;
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
    while (*at && (strcmp((*at)->resource, like->resource) != 0 || weight(*at) >= weight(like))) {
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
