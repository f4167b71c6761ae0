/* What a user can reach: his projects, domains and groups; /auth/... the same for the caller himself, and his catalog.
 */
#include "api/identity/access.h"
#include "api/identity/auth.h"
#include "api/identity/catalog.h"
#include "api/identity/group_view.h"
#include "api/identity/list.h"
#include "api/identity/project_view.h"
#include "api/identity/routes.h"
#include "api/identity/users.h"
#include "db/store_assignment.h"
#include <string.h>

static int put_project(void *arg, const struct project_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    if (!row->enabled && !strstr(list->request->route->pattern, "{user_id}"))
        return 0; /* nobody can log in to it */
    if (!list_text(list, "domain_id", row->domain_id) || !list_text(list, "name", row->name) ||
        !list_flag(list, "enabled", row->enabled))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    project_view_put(list->request, list->reply, NULL, row,
                     row->is_domain ? PROJECT_VIEW_DOMAIN : PROJECT_VIEW_PROJECT);
    return 0;
}

static int list_projects(struct request *request, struct reply *reply, const char *user_id)
{
    static const char *const filters[] = {"domain_id", "enabled", "name", NULL};
    struct list list;
    int rc = list_begin(&list, request, reply, "projects", filters);
    if (rc)
        return rc;
    rc = list_rc(store_project_each_of_user(request->conn, user_id, put_project, &list, &request->error));
    list_end(&list);
    return rc;
}

static int user_lists_projects(struct request *request, struct reply *reply)
{
    struct user_row row;
    int rc = users_load(request, &row, "identity:list_user_projects");
    return rc ? rc : list_projects(request, reply, row.id);
}

static int put_group(void *arg, const struct group_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    const char *limit = access_is_self(list->request, request_param(list->request, "user_id"))
                            ? NULL
                            : access_domain_limit(list->request);
    if ((limit && strcmp(limit, row->domain_id) != 0) || !list_text(list, "name", row->name))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    group_view_put(list->request, list->reply, NULL, row);
    return 0;
}

static int user_lists_groups(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"name", NULL};
    struct user_row row;
    struct list list;
    int rc = users_load(request, &row, "identity:list_groups_for_user");
    if (!rc)
        rc = list_begin(&list, request, reply, "groups", filters);
    if (rc)
        return rc;
    rc = list_rc(store_group_each_of_user(request->conn, row.id, put_group, &list, &request->error));
    list_end(&list);
    return rc;
}

static int user_lists_own_projects(struct request *request, struct reply *reply)
{
    return list_projects(request, reply, request->credential.user_id);
}

static int user_lists_own_domains(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"name", NULL};
    struct list list;
    int rc = list_begin(&list, request, reply, "domains", filters);
    if (rc)
        return rc;
    rc = list_rc(store_project_each_domain_of_user(request->conn, request->credential.user_id, put_project, &list,
                                                   &request->error));
    list_end(&list);
    return rc;
}

static int note_role(void *arg, const struct role_row *row, struct error *e)
{
    (void)row, (void)e;
    *(bool *)arg = true;
    return 0;
}

static int user_lists_own_system(struct request *request, struct reply *reply)
{
    struct json_out *o = &reply->out;
    bool any = false;
    int rc = store_assignment_each_effective(request->conn, request->credential.user_id, "system", "all", note_role,
                                             &any, &request->error);
    if (rc)
        return rc;
    json_out_object(o, NULL);
    json_out_array(o, "system");
    if (any) {
        json_out_object(o, NULL);
        json_out_bool(o, "all", true);
        json_out_object_end(o);
    }
    json_out_array_end(o);
    json_out_object(o, "links");
    json_out_text(o, "self", identity_url(request, "/auth/system"));
    json_out_object_end(o);
    json_out_object_end(o);
    return 0;
}

static int user_lists_catalog(struct request *request, struct reply *reply)
{
    const struct credential *c = &request->credential;
    if (!*c->project_id && !*c->domain_id && !c->system)
        return error_set(&request->error, ERR_FORBIDDEN,
                         "A project-scoped token is required to produce a service catalog.");
    json_out_object(&reply->out, NULL);
    int rc = catalog_write(request, &reply->out, *c->project_id ? c->project_id : NULL, c->user_id);
    json_out_object(&reply->out, "links");
    json_out_text(&reply->out, "self", identity_url(request, "/auth/catalog"));
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/users/{user_id}/projects",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = user_lists_projects},
    {.method = "GET",
     .pattern = "/users/{user_id}/groups",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = user_lists_groups},
    {.method = "GET",
     .pattern = "/auth/projects",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = user_lists_own_projects},
    {.method = "GET",
     .pattern = "/auth/domains",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = user_lists_own_domains},
    {.method = "GET",
     .pattern = "/auth/system",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = user_lists_own_system},
    {.method = "GET",
     .pattern = "/auth/catalog",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = user_lists_catalog},
};
const struct route_table user_lists_routes = ROUTE_TABLE(rows);
