/* The rating service: CloudKitty's paths and fault shape {"code", "message"}. */
#include "api/rating/rating.h"
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
    const char *asked = request_query(request, "project_id");
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

static const struct route rows[] = {
    {.method = "GET", .pattern = "/", .permission = PERMISSION_PUBLIC, .handler = root_show},
};
const struct route_table rating_root_routes = ROUTE_TABLE(rows);

static const struct route_table *const tables[] = {
    &rating_root_routes,     &summary_routes,
    &dataframes_routes,      &rating_books_routes,
    &rating_accounts_routes, &rating_commitments_routes,
    &rating_invoices_routes, &rating_v1_routes,
    &rating_forecast_routes, &rating_budgets_routes,
    &rating_closes_routes,   &rating_corrections_routes,
    &rating_hosts_routes,    NULL,
};
const struct service rating_service = {.name = "rating", .prefix = "/rating", .tables = tables, .fault = fault};
