/* Who may use a private flavor: os-flavor-access, and the actions addTenantAccess and removeTenantAccess. */
#include "api/compute/compute.h"
#include "api/compute/flavors.h"
#include "db/store_project.h"
#include <string.h>

struct listing {
    struct json_out *out;
    const char *flavor_id;
};

static int add_row(void *arg, const char *project_id, struct error *e)
{
    struct listing *l = arg;
    (void)e;
    json_out_object(l->out, NULL);
    json_out_text(l->out, "flavor_id", l->flavor_id);
    json_out_text(l->out, "tenant_id", project_id);
    json_out_object_end(l->out);
    return 0;
}

static int write_access(struct request *request, struct reply *reply, const struct flavor_row *row)
{
    struct listing l = {.out = &reply->out, .flavor_id = row->id};
    int rc;
    json_out_object(l.out, NULL);
    json_out_array(l.out, "flavor_access");
    rc = store_flavor_list_access(request->conn, row->id, add_row, &l, &request->error);
    json_out_array_end(l.out);
    json_out_object_end(l.out);
    return rc;
}

static int flavor_access_list(struct request *request, struct reply *reply)
{
    struct flavor_row row;
    int rc = flavors_load(request, request_param(request, "flavor_id"), &row);
    if (!rc && row.is_public)
        rc = error_set(&request->error, ERR_NOT_FOUND, "Access list not available for public flavors.");
    return rc ? rc : write_access(request, reply, &row);
}

static int check_project(struct request *request, const char *project_id)
{
    struct project_row project;
    int rc = store_project_get(request->conn, project_id, &request->arena, &project, &request->error);
    if (rc != ERR_NOT_FOUND)
        return rc;
    error_clear(&request->error);
    return error_set(&request->error, ERR_INVALID, "Project ID %s is not a valid project.", project_id);
}

static int allow(struct request *request, const struct flavor_row *row, const char *project_id)
{
    int rc = check_project(request, project_id);
    if (!rc && row->is_public && compute_since(request, 7))
        rc = error_set(&request->error, ERR_CONFLICT, "Can not add access to a public flavor.");
    return rc ? rc : store_flavor_allow(request->conn, row->id, project_id, &request->error);
}

/* The one member of the body names the action. */
static int flavor_access_act(struct request *request, struct reply *reply)
{
    json_value *add = json_in_member(request->json, "addTenantAccess");
    json_value *value = add != NULL ? add : json_in_member(request->json, "removeTenantAccess");
    const char *tenant = json_in_text(json_in_member(value, "tenant"));
    struct flavor_row row;
    int rc;
    if (value == NULL || json_in_count(request->json) != 1)
        return error_set(&request->error, ERR_INVALID, "There is no such action");
    if (tenant == NULL || *tenant == '\0' || strlen(tenant) > 255 || json_in_count(value) != 1)
        return error_set(&request->error, ERR_INVALID, "tenant: is required, and nothing else is known here");
    rc = flavors_load(request, request_param(request, "flavor_id"), &row);
    if (!rc && add != NULL)
        rc = allow(request, &row, tenant);
    else if (!rc)
        rc = store_flavor_deny(request->conn, row.id, tenant, &request->error);
    return rc ? rc : write_access(request, reply, &row);
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/flavors/{flavor_id}/os-flavor-access",
     .permission = PERMISSION_ADMIN,
     .handler = flavor_access_list},
    {.method = "POST",
     .pattern = "/flavors/{flavor_id}/action",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = flavor_access_act},
};
const struct route_table flavor_access_routes = ROUTE_TABLE(rows);
