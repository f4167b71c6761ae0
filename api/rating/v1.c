/* CloudKitty's v1, as the stock `openstack rating` commands ask for it, and what of v2 is no summary: what is metered,
 * sums by project and resource, frames, and the price book as the one rating module that there is; what it holds is in
 * hashmap_*.c. */
#include "api/rating/rated.h"
#include "api/rating/rating.h"
#include "common/clock.h"
#include "common/model/money.h"
#include <string.h>

#define MODULE      "hashmap"
#define MODULE_RANK 1
#define FRAMES_MAX  10000 /* v1 knows no pages */

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
    struct error *error;
    size_t count;
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
        if (x->count++ == FRAMES_MAX) {
            return error_set(x->error, ERR_TOO_LARGE,
                             "more than %d rows: ask for a shorter period, one project or one resource_type, or page "
                             "through /rating/v2/dataframes",
                             FRAMES_MAX);
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
    struct v1_frames x = {.out = &reply->out,
                          .period = &period,
                          .only_resource = request_query(request, "resource_type"),
                          .error = &request->error};
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
    json_out_text(out, "description", "The price book in effect; each change is a new version (/rating/v3/books).");
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

/* The one module cannot be switched off, nor have another rank. */
struct module_body {
    bool enabled;
    int64_t priority;
    struct json_seen seen;
};
static const struct json_field module_fields[] = {
    {.name = "enabled", .kind = JSON_BOOL, .offset = offsetof(struct module_body, enabled)},
    {.name = "priority", .kind = JSON_INT, .offset = offsetof(struct module_body, priority)},
};
static const struct json_table module_table = {.fields = module_fields,
                                               .count = JSON_COUNT(module_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct module_body, seen)};

static int modules_change(struct request *request, struct reply *reply)
{
    const struct module_body *b = request->body;
    int rc = modules_show(request, reply);
    if (!rc && (b->seen.present & 1) && !b->enabled) {
        rc = error_set(&request->error, ERR_CONFLICT,
                       "the price book is always on; a version without prices charges nothing (/rating/v3/books)");
    }
    if (!rc && (b->seen.present & 2) && b->priority != MODULE_RANK) {
        rc = error_set(&request->error, ERR_CONFLICT, "there is one module: its priority is %d", MODULE_RANK);
    }
    return rc;
}

static int modules_reload(struct request *request, struct reply *reply)
{
    (void)request;
    reply->status = 204; /* what is changed holds at once */
    return 0;
}

#define READ(path, function)                                                                                           \
    {                                                                                                                  \
        .method = "GET", .pattern = (path), .permission = PERMISSION_BILLED, .handler = (function)                     \
    }
#define CHANGE(path)                                                                                                   \
    {                                                                                                                  \
        .method = "PUT", .pattern = (path), .permission = PERMISSION_BILLING, .body = &module_table,                   \
        .body_size = sizeof(struct module_body), .handler = modules_change                                             \
    }
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
    CHANGE("/v1/rating/modules/{module}"),
    CHANGE("/v2/rating/modules/{module}"),
    {.method = "GET",
     .pattern = "/v1/rating/reload_modules",
     .permission = PERMISSION_BILLING,
     .handler = modules_reload},
};
const struct route_table rating_v1_routes = ROUTE_TABLE(rows);
