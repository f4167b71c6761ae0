/* The hashmap module's thresholds: the tiers of a service's price above its first. Levels count what a project used in
 * the billing month; with a first threshold the price becomes one by volume (all of the quantity at the price of the
 * tier it reaches), as the module's thresholds are. One that was graduated stays so. A threshold of type rate
 * multiplies the price before it. */
#include "api/rating/hashmap.h"
#include "api/rating/rating.h"
#include "common/model/money.h"
#include "common/uuid.h"
#include <string.h>

#define THRESHOLDS "/v1/rating/module_config/hashmap/thresholds"

struct threshold_body {
    json_value *cost, *level;
    const char *id, *service, *field, *group, *tenant, *type;
};
#define TEXT_FIELD(name_, member)                                                                                      \
    {                                                                                                                  \
        .name = name_, .kind = JSON_TEXT, .offset = offsetof(struct threshold_body, member), .flags = JSON_NULLABLE,   \
        .min = 1, .max = 255                                                                                           \
    }
static const struct json_field threshold_fields[] = {
    {.name = "cost", .kind = JSON_ANY, .offset = offsetof(struct threshold_body, cost)},
    {.name = "level", .kind = JSON_ANY, .offset = offsetof(struct threshold_body, level)},
    TEXT_FIELD("threshold_id", id),
    TEXT_FIELD("service_id", service),
    TEXT_FIELD("field_id", field),
    TEXT_FIELD("group_id", group),
    TEXT_FIELD("tenant_id", tenant),
    TEXT_FIELD("type", type),
};
static const struct json_table threshold_table = {
    .fields = threshold_fields, .count = JSON_COUNT(threshold_fields), .open = true, .seen_offset = JSON_NO_SEEN};

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* A price that looks at something has its thresholds shown with the field that it looks at first. */
static const char *field_id(struct request *request, const struct hashmap_price *p)
{
    enum hashmap_field first;
    hashmap_conditions(p, &first);
    return first == FIELD_NONE ? NULL : arena_printf(&request->arena, "%s:%s", p->resource, hashmap_field_name(first));
}

static void write_threshold(struct json_out *out, struct request *request, const struct hashmap_price *p,
                            const struct hashmap_tier *t)
{
    char text[MONEY_TEXT_SIZE];
    const char *field = field_id(request, p);
    json_out_object(out, NULL);
    json_out_text(out, "threshold_id", t->id);
    json_out_text(out, "level", money_text(t->from_nano, text));
    json_out_text(out, "cost", t->price);
    json_out_text(out, "type", hashmap_type(t->rate));
    json_out_text(out, "field_id", field);
    json_out_text(out, "service_id", field ? NULL : p->resource);
    json_out_text(out, "group_id", p->group);
    json_out_text(out, "tenant_id", p->project);
    json_out_object_end(out);
}

static bool is_asked_for(struct request *request, const struct hashmap_price *p)
{
    const char *service = request_query(request, "service_id"), *field = request_query(request, "field_id"),
               *group = request_query(request, "group_id"), *tenant = request_query(request, "tenant_id"),
               *own = field_id(request, p);
    return (!service || (!own && strcmp(p->resource, service) == 0)) && (!field || same(own, field)) &&
           (!group || same(p->group, group)) && (!request_query(request, "no_group") || !p->group) &&
           (!(tenant || request_query(request, "filter_tenant")) || same(p->project, tenant));
}

static int thresholds_list(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    int rc = hashmap_load(request, &v);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "thresholds");
    for (const struct hashmap_price *p = v.prices; p; p = p->next) {
        for (size_t i = 1; i < p->tier_count && is_asked_for(request, p); i++) {
            write_threshold(&reply->out, request, p, &p->tiers[i]);
        }
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

struct found {
    struct hashmap_price *price;
    size_t tier;
};

static int find(struct hashmap_view *v, const char *in_body, struct found *ret)
{
    const char *id = NULL;
    int rc = hashmap_id(v->request, "threshold", in_body, &id);
    if (rc) {
        return rc;
    }
    for (struct hashmap_price *p = v->prices; p; p = p->next) {
        for (size_t i = 1; i < p->tier_count; i++) {
            if (strcmp(p->tiers[i].id, id) == 0) {
                *ret = (struct found){p, i};
                return 0;
            }
        }
    }
    return error_set(&v->request->error, ERR_NOT_FOUND, "there is no threshold %s", id);
}

static int thresholds_show(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    struct found f = {0};
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : find(&v, NULL, &f);
    if (!rc) {
        write_threshold(&reply->out, request, f.price, &f.price->tiers[f.tier]);
    }
    return rc;
}

static int thresholds_group(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    struct found f = {0};
    const char *id = request_query(request, "threshold_id");
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : find(&v, id, &f);
    if (!rc && !f.price->group) {
        rc = error_set(&request->error, ERR_NOT_FOUND, "threshold %s is in no group", id);
    }
    if (!rc) {
        json_out_object(&reply->out, NULL);
        json_out_text(&reply->out, "group_id", f.price->group);
        json_out_text(&reply->out, "name", f.price->group);
        json_out_object_end(&reply->out);
    }
    return rc;
}

/* ---- writes ---- */

static int read_tier(struct request *request, const struct threshold_body *b, struct hashmap_tier *ret)
{
    const char *level = NULL;
    int rc = hashmap_type_read(request, b->type, &ret->rate);
    if (rc) {
        return rc;
    }
    rc = hashmap_cost(request, b->level, &level);
    if (rc || !money_parse(level, &ret->from_nano) || ret->from_nano <= 0) {
        error_clear(&request->error);
        return error_set(&request->error, ERR_INVALID, "level: it is a quantity above 0 with at most 9 decimals");
    }
    return hashmap_cost(request, b->cost, &ret->price);
}

/* Puts the tier at its place. */
static int insert(struct request *request, struct hashmap_price *p, struct hashmap_tier tier, size_t *ret_place)
{
    size_t at = 1;
    while (at < p->tier_count && p->tiers[at].from_nano < tier.from_nano) {
        at++;
    }
    if (p->tier_count == HASHMAP_TIERS_MAX) {
        return error_set(&request->error, ERR_CONFLICT, "a price has at most %d tiers", HASHMAP_TIERS_MAX);
    }
    if (at < p->tier_count && p->tiers[at].from_nano == tier.from_nano) {
        return error_set(&request->error, ERR_CONFLICT, "threshold %s has that level", p->tiers[at].id);
    }
    memmove(&p->tiers[at + 1], &p->tiers[at], (p->tier_count - at) * sizeof(tier));
    p->tiers[at] = tier;
    p->tier_count++;
    *ret_place = at;
    return 0;
}

static void take_out(struct hashmap_price *p, size_t at)
{
    p->tier_count--;
    memmove(&p->tiers[at], &p->tiers[at + 1], (p->tier_count - at) * sizeof(p->tiers[0]));
}

/* The service's own price for that project and group; made free when there is none. */
static struct hashmap_price *base_of(struct hashmap_view *v, const struct threshold_body *b)
{
    enum hashmap_field first;
    struct hashmap_price like = {.resource = b->service, .project = b->tenant, .group = b->group, .tier_count = 1};
    for (struct hashmap_price *p = v->prices; p; p = p->next) {
        if (!p->rate && strcmp(p->resource, b->service) == 0 && hashmap_conditions(p, &first) == 0 &&
            same(p->project, b->tenant) && same(p->group, b->group)) {
            return p;
        }
    }
    char *id = arena_alloc(&v->request->arena, UUID_SIZE);
    like.id = uuid_random(id);
    like.tiers[0].price = "0";
    return hashmap_add(v, &like);
}

static int thresholds_add(struct request *request, struct reply *reply)
{
    const struct threshold_body *b = request->body;
    struct hashmap_view v;
    struct hashmap_tier tier = {0};
    size_t at = 0;
    char *id = arena_alloc(&request->arena, UUID_SIZE);
    tier.id = uuid_random(id);
    int rc = hashmap_load(request, &v);
    if (!rc && (b->field || !b->service)) {
        return error_set(&request->error, ERR_INVALID,
                         "a threshold is of a service_id: it counts what was used, not what a field says");
    }
    if (!rc && !hashmap_has_name(v.services, b->service)) {
        return error_set(&request->error, ERR_NOT_FOUND, "there is no service %s", b->service);
    }
    if (!rc && b->group && !hashmap_has_name(v.groups, b->group)) {
        return error_set(&request->error, ERR_NOT_FOUND, "there is no group %s", b->group);
    }
    rc = rc ? rc : read_tier(request, b, &tier);
    if (rc) {
        return rc;
    }
    struct hashmap_price *p = base_of(&v, b);
    p->volume = p->volume || p->tier_count == 1;
    rc = insert(request, p, tier, &at);
    rc = rc ? rc : hashmap_save(&v);
    if (!rc) {
        reply->status = 201;
        write_threshold(&reply->out, request, p, &p->tiers[at]);
    }
    return rc;
}

static int thresholds_change(struct request *request, struct reply *reply)
{
    const struct threshold_body *b = request->body;
    struct hashmap_view v;
    struct found f = {0};
    struct hashmap_tier tier = {0};
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : find(&v, b->id, &f);
    tier.rate = !rc && f.price->tiers[f.tier].rate;
    rc = rc ? rc : read_tier(request, b, &tier);
    if (!rc &&
        ((b->service && !same(b->service, f.price->resource)) || (b->tenant && !same(b->tenant, f.price->project)) ||
         (b->group && !same(b->group, f.price->group)) || (b->field && !same(b->field, field_id(request, f.price))))) {
        rc = error_set(&request->error, ERR_CONFLICT,
                       "a threshold stays with its price: make another and delete this one");
    }
    if (!rc) {
        tier.id = f.price->tiers[f.tier].id;
        take_out(f.price, f.tier);
        rc = insert(request, f.price, tier, &f.tier);
    }
    rc = rc ? rc : hashmap_save(&v);
    if (!rc) {
        write_threshold(&reply->out, request, f.price, &f.price->tiers[f.tier]);
    }
    return rc;
}

static int thresholds_delete(struct request *request, struct reply *reply)
{
    struct hashmap_view v;
    struct found f = {0};
    const struct threshold_body *b = request->body;
    int rc = hashmap_load(request, &v);
    rc = rc ? rc : find(&v, b ? b->id : NULL, &f);
    if (rc) {
        return rc;
    }
    take_out(f.price, f.tier);
    reply->status = 204;
    return hashmap_save(&v);
}

/* The module's own client names what it changes in the body, others do in the path. */
#define WRITE(verb, path, function)                                                                                    \
    {                                                                                                                  \
        .method = (verb), .pattern = (path), .permission = PERMISSION_BILLING, .kind = ROUTE_WRITE,                    \
        .body = &threshold_table, .body_size = sizeof(struct threshold_body), .handler = (function)                    \
    }
static const struct route rows[] = {
    {.method = "GET", .pattern = THRESHOLDS, .permission = PERMISSION_BILLED, .handler = thresholds_list},
    {.method = "GET",
     .pattern = "/v1/rating/module_config/hashmap/groups/thresholds",
     .permission = PERMISSION_BILLED,
     .handler = thresholds_list},
    {.method = "GET", .pattern = THRESHOLDS "/group", .permission = PERMISSION_BILLED, .handler = thresholds_group},
    {.method = "GET",
     .pattern = THRESHOLDS "/{threshold}",
     .permission = PERMISSION_BILLED,
     .handler = thresholds_show},
    WRITE("POST", THRESHOLDS, thresholds_add),
    WRITE("PUT", THRESHOLDS, thresholds_change),
    WRITE("PUT", THRESHOLDS "/{threshold}", thresholds_change),
    WRITE("DELETE", THRESHOLDS, thresholds_delete),
    {.method = "DELETE",
     .pattern = THRESHOLDS "/{threshold}",
     .permission = PERMISSION_BILLING,
     .kind = ROUTE_WRITE,
     .handler = thresholds_delete},
};
const struct route_table rating_hashmap_thresholds_routes = ROUTE_TABLE(rows);
