/* The elastic service: its tables, its faults {"error": {"code", "message"}}, who sees what. Bodies that hold a server
 * are Nova's of the newest microversion, unless the caller's headers name one. */
#include "api/elastic/elastic.h"
#include "api/compute/compute.h"
#include "api/http/openapi.h"
#include <string.h>

static void fault(struct request *request, struct reply *reply, int status, const char *message)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "error");
    json_out_int(&reply->out, "code", status);
    json_out_text(&reply->out, "message", message);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
}

static int negotiate(struct request *request, struct reply *reply)
{
    if (request_header(request, "openstack-api-version") != NULL ||
        request_header(request, "x-openstack-nova-api-version") != NULL)
        return compute_service.negotiate(request, reply);
    request->microversion = COMPUTE_VERSION_MAX;
    return 0;
}

bool elastic_is_admin(const struct request *request)
{
    return (request->credential.roles & ROLE_ADMIN) != 0;
}

int elastic_project(struct request *request, const char **ret_project)
{
    const char *own = request->credential.project_id, *asked = request_query(request, "project_id");
    bool all = asked == NULL && request_query(request, "all_projects") != NULL;
    if (!elastic_is_admin(request) && (all || (asked != NULL && strcmp(asked, own) != 0)))
        return error_set(&request->error, ERR_FORBIDDEN, "Other projects are for administrators to see");
    *ret_project = all ? NULL : asked != NULL ? asked : own;
    return 0;
}

int elastic_list(struct request *request, struct reply *reply, const char *name, elastic_read_fn read)
{
    const char *project = NULL;
    struct page page = {0};
    int rc = elastic_project(request, &project);
    if (!rc)
        rc = request_page(request, ELASTIC_PAGE_MAX, &page.limit, &page.after);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, name);
    rc = read(request, project, &page, &reply->out);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

int elastic_own_project(struct request *request, const char **ret_project)
{
    if (request->credential.project_id[0] == '\0')
        return error_set(&request->error, ERR_FORBIDDEN, "This is made in a project: the token has none");
    *ret_project = request->credential.project_id;
    return 0;
}

static int openapi_show(struct request *request, struct reply *reply)
{
    openapi_write(&reply->out, &elastic_service, "Virga elastic",
                  arena_printf(&request->arena, "%s" ELASTIC_PREFIX, request_base_url(request)));
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/openapi.json", .permission = PERMISSION_PUBLIC, .handler = openapi_show},
};
static const struct route_table openapi_routes = ROUTE_TABLE(rows);

static const struct route_table *const tables[] = {&openapi_routes,
                                                   &elastic_dry_run_routes,
                                                   &elastic_queue_routes,
                                                   &elastic_groups_routes,
                                                   &elastic_policies_routes,
                                                   &elastic_dedicated_hosts_routes,
                                                   &elastic_reservations_routes,
                                                   &elastic_preemptions_routes,
                                                   &elastic_clones_routes,
                                                   NULL};
const struct service elastic_service = {
    .name = "elastic", .prefix = ELASTIC_PREFIX, .tables = tables, .fault = fault, .negotiate = negotiate};
