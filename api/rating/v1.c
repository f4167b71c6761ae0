/* CloudKitty's v1, as the stock `openstack rating` commands ask for it, and what of v2 is no summary: what is metered,
 * sums by project and resource, frames, and the price book shown as the one rating module that there is. Prices are
 * changed by adding a book (/v3/books), so the module's rows are read-only. */
#include "api/rating/rated.h"
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include <string.h>

#define MODULE      "hashmap"
#define MODULE_RANK 1

/* ---- info ---- */

static void write_metric(struct json_out *out, const struct rate_resource *r)
{
    json_out_object(out, NULL);
    json_out_text(out, "metric_id", r->name);
    json_out_text(out, "unit", r->unit);
    json_out_array(out, "metadata");
    json_out_text(out, NULL, "flavor_name");
    json_out_text(out, NULL, "state");
    json_out_text(out, NULL, "zone");
    json_out_text(out, NULL, "tags");
    json_out_array_end(out);
    json_out_object_end(out);
}

static int metrics_list(struct request *request, struct reply *reply)
{
    struct book_resources resources;
    int rc = book_resources_load(request->conn, &request->arena, &resources, &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "metrics");
    for (size_t i = 0; i < resources.count; i++) {
        write_metric(&reply->out, &resources.items[i]);
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int metrics_show(struct request *request, struct reply *reply)
{
    struct book_resources resources;
    const char *name = request_param(request, "metric");
    int rc = book_resources_load(request->conn, &request->arena, &resources, &request->error);
    int index = rc ? -1 : book_resource(&resources, name);
    if (!rc && index < 0) {
        return error_set(&request->error, ERR_NOT_FOUND, "%s is not metered", name);
    }
    if (!rc) {
        write_metric(&reply->out, &resources.items[index]);
    }
    return rc;
}

static int config_show(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "amounts", "lines are rounded once, half to even, to a billionth of the currency");
    json_out_text(&reply->out, "usage", "intervals from lifecycle events, to the microsecond");
    json_out_object_end(&reply->out);
    return 0;
}

/* ---- report ---- */

struct v1_sum {
    char *project, *resource;
    int64_t nano;
    struct v1_sum *next;
};
struct v1_report {
    struct request *request;
    const char *only_resource;
    bool by_resource, by_project;
    struct v1_sum *sums, **last;
    int64_t nano;
};

static void add_sum(struct v1_report *x, const char *project, const char *resource, int64_t nano)
{
    struct v1_sum *s = x->sums;
    project = x->by_project ? project : "";
    resource = x->by_resource ? resource : "";
    while (s && (strcmp(s->project, project) != 0 || strcmp(s->resource, resource) != 0)) {
        s = s->next;
    }
    if (!s) {
        s = arena_alloc(&x->request->arena, sizeof(*s));
        s->project = arena_strdup(&x->request->arena, project);
        s->resource = arena_strdup(&x->request->arena, resource);
        *x->last = s;
        x->last = &s->next;
    }
    s->nano += nano;
}

static int add_rated(void *arg, const struct rated *r)
{
    struct v1_report *x = arg;
    for (size_t i = 0; i < r->lines.count; i++) {
        const char *resource = r->bill.resources.items[r->lines.items[i].resource].name;
        if (!x->only_resource || strcmp(x->only_resource, resource) == 0) {
            add_sum(x, r->project, resource, r->lines.items[i].amount_nano);
            x->nano += r->lines.items[i].amount_nano;
        }
    }
    return 0;
}

/* v1 names all projects by "all_tenants". */
static int read_report(struct request *request, struct v1_report *x, struct period *period)
{
    const char *project = NULL, *groups = request_query(request, "groupby"),
               *all = request_query(request, "all_tenants");
    *x = (struct v1_report){.request = request, .only_resource = request_query(request, "service")};
    x->last = &x->sums;
    x->by_resource = groups && strstr(groups, "res_type");
    x->by_project = groups && strstr(groups, "tenant_id");
    int rc = period_read(request, period);
    rc = rc ? rc : rating_project(request, &project);
    if (!rc && all && (strcmp(all, "True") == 0 || strcmp(all, "true") == 0)) {
        if (!(request->credential.roles & (ROLE_ADMIN | ROLE_BILLING))) {
            return error_set(&request->error, ERR_FORBIDDEN, "all_tenants is for administrators");
        }
        project = NULL;
    }
    return rc ? rc : rated_each(request, project, period, false, NULL, add_rated, x);
}

static int report_summary(struct request *request, struct reply *reply)
{
    struct v1_report x;
    struct period period;
    struct json_out *out = &reply->out;
    char text[CLOCK_TEXT_SIZE], money[MONEY_TEXT_SIZE];
    int rc = read_report(request, &x, &period);
    if (rc) {
        return rc;
    }
    json_out_object(out, NULL);
    json_out_array(out, "summary");
    for (const struct v1_sum *s = x.sums; s; s = s->next) {
        json_out_object(out, NULL);
        json_out_text(out, "tenant_id", *s->project ? s->project : "ALL");
        json_out_text(out, "res_type", *s->resource ? s->resource : "ALL");
        json_out_text(out, "rate", money_text(s->nano, money));
        json_out_text(out, "begin", clock_text(period.from_us, CLOCK_ISO, text));
        json_out_text(out, "end", clock_text(period.to_us, CLOCK_ISO, text));
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_object_end(out);
    return 0;
}

static int report_total(struct request *request, struct reply *reply)
{
    struct v1_report x;
    struct period period;
    char money[MONEY_TEXT_SIZE];
    int rc = read_report(request, &x, &period);
    if (!rc) {
        json_out_text(&reply->out, NULL, money_text(x.nano, money));
    }
    return rc;
}

static int report_tenants(struct request *request, struct reply *reply)
{
    struct v1_report x = {.request = request, .by_project = true};
    struct period period;
    x.last = &x.sums;
    int rc = period_read(request, &period);
    rc = rc ? rc : rated_each(request, NULL, &period, false, NULL, add_rated, &x);
    if (rc) {
        return rc;
    }
    json_out_array(&reply->out, NULL);
    for (const struct v1_sum *s = x.sums; s; s = s->next) {
        json_out_text(&reply->out, NULL, s->project);
    }
    json_out_array_end(&reply->out);
    return 0;
}

/* ---- storage ---- */

struct v1_frames {
    struct json_out *out;
    const struct period *period;
    const char *only_resource;
};

static int write_frames(void *arg, const struct rated *r)
{
    struct v1_frames *x = arg;
    struct json_out *out = x->out;
    char text[CLOCK_TEXT_SIZE], money[MONEY_TEXT_SIZE];
    json_out_object(out, NULL);
    json_out_text(out, "begin", clock_text(x->period->from_us, CLOCK_ISO, text));
    json_out_text(out, "end", clock_text(x->period->to_us, CLOCK_ISO, text));
    json_out_text(out, "tenant_id", r->project);
    json_out_array(out, "resources");
    for (size_t i = 0; i < r->lines.count; i++) {
        const struct bill_line *l = &r->lines.items[i];
        const struct rate_resource *resource = &r->bill.resources.items[l->resource];
        if (x->only_resource && strcmp(x->only_resource, resource->name) != 0) {
            continue;
        }
        json_out_object(out, NULL);
        json_out_text(out, "service", resource->name);
        json_out_object(out, "desc");
        json_out_text(out, "id", l->subject);
        json_out_text(out, "flavor_name", l->shape->facts.flavor);
        json_out_text(out, "state", l->shape->facts.state);
        json_out_object_end(out);
        rating_write_quantity(out, "volume", l->quantity, rate_unit_base(resource));
        json_out_text(out, "rating", money_text(l->amount_nano, money));
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_object_end(out);
    return 0;
}

static int storage_frames(struct request *request, struct reply *reply)
{
    struct period period;
    const char *project = NULL;
    struct v1_frames x = {&reply->out, &period, request_query(request, "resource_type")};
    int rc = period_read(request, &period);
    rc = rc ? rc : rating_project(request, &project);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "dataframes");
    rc = rated_each(request, project, &period, false, NULL, write_frames, &x);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

/* ---- the module: the price book that holds now ---- */

static void write_module(struct json_out *out)
{
    json_out_object(out, NULL);
    json_out_text(out, "module_id", MODULE);
    json_out_text(out, "description", "The price book in effect; change it by adding a version (/rating/v3/books).");
    json_out_bool(out, "enabled", true);
    json_out_bool(out, "hot_config", false);
    json_out_bool(out, "hot-config", false);
    json_out_int(out, "priority", MODULE_RANK);
    json_out_object_end(out);
}

static int modules_list(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "modules");
    write_module(&reply->out);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int modules_show(struct request *request, struct reply *reply)
{
    if (strcmp(request_param(request, "module"), MODULE) != 0) {
        return error_set(&request->error, ERR_NOT_FOUND, "there is no rating module %s",
                         request_param(request, "module"));
    }
    write_module(&reply->out);
    return 0;
}

static int types_list(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_array(&reply->out, NULL);
    json_out_text(&reply->out, NULL, "flat");
    json_out_text(&reply->out, NULL, "rate");
    json_out_array_end(&reply->out);
    return 0;
}

/* The version of the caller's book that holds now; NULL when none does. */
static int present_book(struct request *request, struct book_resources *resources, const struct rate_book **ret)
{
    struct book_versions books;
    const char *name = NULL;
    int rc = rated_book(request, request->conn, request->credential.project_id, &name);
    rc = rc ? rc : book_resources_load(request->conn, &request->arena, resources, &request->error);
    rc = rc ? rc : book_load(request->conn, name, resources, &request->arena, &books, &request->error);
    *ret = NULL;
    for (size_t i = 0; !rc && i < books.count && books.items[i].from_us <= request->now_us; i++) {
        *ret = &books.items[i];
    }
    return rc;
}

static bool is_priced(const struct rate_book *book, size_t resource)
{
    for (size_t i = 0; book && i < book->rule_count; i++) {
        if (book->rules[i].resource == resource) {
            return true;
        }
    }
    return false;
}

static void write_service(struct json_out *out, const struct rate_resource *r)
{
    json_out_object(out, NULL);
    json_out_text(out, "service_id", r->name);
    json_out_text(out, "name", r->name);
    json_out_object_end(out);
}

static int services_list(struct request *request, struct reply *reply)
{
    struct book_resources resources;
    const struct rate_book *book = NULL;
    int rc = present_book(request, &resources, &book);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "services");
    for (size_t i = 0; i < resources.count; i++) {
        if (is_priced(book, i)) {
            write_service(&reply->out, &resources.items[i]);
        }
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int services_show(struct request *request, struct reply *reply)
{
    struct book_resources resources;
    const struct rate_book *book = NULL;
    const char *name = request_param(request, "service");
    int rc = present_book(request, &resources, &book);
    int index = rc ? -1 : book_resource(&resources, name);
    if (!rc && (index < 0 || !is_priced(book, (size_t)index))) {
        return error_set(&request->error, ERR_NOT_FOUND, "no service %s has a price", name);
    }
    if (!rc) {
        write_service(&reply->out, &resources.items[index]);
    }
    return rc;
}

/* Each price of the book is a mapping of its resource; its value says what else it is for. */
static void write_mapping(struct json_out *out, const struct rate_rule *rule, size_t index, const char *service)
{
    char money[MONEY_TEXT_SIZE];
    const char *value = rule->flavor ? rule->flavor : rule->tag ? rule->tag : rule->zone ? rule->zone : NULL;
    json_out_object(out, NULL);
    json_out_textf(out, "mapping_id", "%s-%zu", service, index + 1);
    json_out_text(out, "value", value);
    json_out_text(out, "cost", money_text(rule->tiers[rule->tier_count - 1].nano, money));
    json_out_text(out, "type", "flat");
    json_out_null(out, "field_id");
    json_out_text(out, "service_id", service);
    json_out_null(out, "group_id");
    json_out_text(out, "tenant_id", rule->project);
    json_out_object_end(out);
}

static int mappings_list(struct request *request, struct reply *reply)
{
    struct book_resources resources;
    const struct rate_book *book = NULL;
    const char *only = request_query(request, "service_id");
    int rc = present_book(request, &resources, &book);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "mappings");
    for (size_t i = 0; book && i < book->rule_count; i++) {
        const char *service = resources.items[book->rules[i].resource].name;
        if (!only || strcmp(only, service) == 0) {
            write_mapping(&reply->out, &book->rules[i], i, service);
        }
    }
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

/* What the book has no words for is empty. */
static int nothing(struct reply *reply, const char *list)
{
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, list);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int fields_list(struct request *request, struct reply *reply)
{
    (void)request;
    return nothing(reply, "fields");
}

static int groups_list(struct request *request, struct reply *reply)
{
    (void)request;
    return nothing(reply, "groups");
}

static int thresholds_list(struct request *request, struct reply *reply)
{
    (void)request;
    return nothing(reply, "thresholds");
}

#define READ(path, function)                                                                                           \
    {                                                                                                                  \
        .method = "GET", .pattern = (path), .permission = PERMISSION_BILLED, .handler = (function)                     \
    }
#define HASHMAP "/v1/rating/module_config/hashmap"
static const struct route rows[] = {
    READ("/v1/info/metrics", metrics_list),
    READ("/v1/info/metrics/{metric}", metrics_show),
    READ("/v1/info/config", config_show),
    READ("/v1/report/summary", report_summary),
    READ("/v1/report/total", report_total),
    {.method = "GET", .pattern = "/v1/report/tenants", .permission = PERMISSION_BILLING, .handler = report_tenants},
    READ("/v1/storage/dataframes", storage_frames),
    READ("/v1/rating/modules", modules_list),
    READ("/v1/rating/modules/{module}", modules_show),
    READ("/v2/rating/modules", modules_list),
    READ("/v2/rating/modules/{module}", modules_show),
    READ(HASHMAP "/types", types_list),
    READ(HASHMAP "/services", services_list),
    READ(HASHMAP "/services/{service}", services_show),
    READ(HASHMAP "/fields", fields_list),
    READ(HASHMAP "/mappings", mappings_list),
    READ(HASHMAP "/groups", groups_list),
    READ(HASHMAP "/thresholds", thresholds_list),
};
const struct route_table rating_v1_routes = ROUTE_TABLE(rows);
