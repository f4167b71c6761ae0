/* The rating service: CloudKitty's paths and fault shape {"code", "message"}. */
#include "api/http/openapi.h"
#include "api/rating/rating.h"
#include <stdlib.h>
#include <string.h>

static void fault(struct request *request, struct reply *reply, int status, const char *message)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_int(&reply->out, "code", status);
    json_out_text(&reply->out, "message", message);
    json_out_object_end(&reply->out);
}

int rating_project(struct request *request, const char **ret_project)
{
    const struct credential *c = &request->credential;
    bool admin = c->roles & (ROLE_ADMIN | ROLE_BILLING);
    const char *asked = rating_filter(request, "project_id");
    asked = asked ? asked : request_query(request, "tenant_id");
    if (asked && !admin && strcmp(asked, c->project_id) != 0) {
        return error_set(&request->error, ERR_FORBIDDEN, "the usage of another project is not yours to see");
    }
    if (request_query(request, "all_projects") && !asked) {
        if (!admin) {
            return error_set(&request->error, ERR_FORBIDDEN, "all_projects is for administrators");
        }
        *ret_project = NULL;
        return 0;
    }
    *ret_project = asked ? asked : c->project_id;
    return 0;
}

int rating_offset(struct request *request, int64_t *ret)
{
    const char *text = request_query(request, "offset");
    char *end = NULL;
    *ret = text ? strtoll(text, &end, 10) : 0;
    if (text && (!*text || *end || *ret < 0)) {
        return error_set(&request->error, ERR_INVALID, "offset: \"%s\" is not a number of rows", text);
    }
    return 0;
}

const char *rating_filter(struct request *request, const char *name)
{
    const char *value = request_query(request, name), *filters = NULL;
    size_t size = strlen(name);
    for (size_t i = 0; !value && (filters = request_query_at(request, "filters", i)) != NULL; i++) {
        while (!value && *filters) {
            size_t length = strcspn(filters, ",");
            if (length > size && strncmp(filters, name, size) == 0 && filters[size] == ':') {
                value = arena_strndup(&request->arena, filters + size + 1, length - size - 1);
            }
            filters += length + (filters[length] == ',');
        }
    }
    return value;
}

static int root_show(struct request *request, struct reply *reply)
{
    const char *base = request_base_url(request);
    struct json_out *out = &reply->out;
    json_out_object(out, NULL);
    json_out_array(out, "versions");
    json_out_object(out, NULL);
    json_out_text(out, "id", "v2");
    json_out_text(out, "status", "CURRENT");
    json_out_array(out, "links");
    json_out_object(out, NULL);
    json_out_text(out, "rel", "self");
    json_out_textf(out, "href", "%s/rating/v2", base);
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object_end(out);
    json_out_array_end(out);
    json_out_object_end(out);
    return 0;
}

static int openapi_show(struct request *request, struct reply *reply)
{
    openapi_write(&reply->out, &rating_service, "Virga rating",
                  arena_printf(&request->arena, "%s/rating", request_base_url(request)));
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v3/openapi.json", .permission = PERMISSION_PUBLIC, .handler = openapi_show},
    {.method = "GET", .pattern = "/", .permission = PERMISSION_PUBLIC, .handler = root_show},
};
const struct route_table rating_root_routes = ROUTE_TABLE(rows);

static const struct route_table *const tables[] = {
    &rating_root_routes,
    &summary_routes,
    &dataframes_routes,
    &rating_books_routes,
    &rating_accounts_routes,
    &rating_commitments_routes,
    &rating_invoices_routes,
    &rating_v1_routes,
    &rating_forecast_routes,
    &rating_budgets_routes,
    &rating_closes_routes,
    &rating_corrections_routes,
    &rating_hosts_routes,
    &rating_hashmap_names_routes,
    &rating_hashmap_mappings_routes,
    &rating_hashmap_thresholds_routes,
    &rating_cloudkitty_rest_routes,
    &rating_exports_routes,
    NULL,
};
const struct service rating_service = {.name = "rating", .prefix = "/rating", .tables = tables, .fault = fault};
