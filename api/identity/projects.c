/* Projects. */
#include "api/identity/access.h"
#include "api/identity/list.h"
#include "api/identity/project_edit.h"
#include "api/identity/project_tree.h"
#include "api/identity/project_view.h"
#include "api/identity/routes.h"
#include "api/identity/token.h"
#include <string.h>

/* Loads the project of the path; who may read its domain, or is scoped to it, may read it. */
static int load(struct request *request, struct project_row *ret, const char *action)
{
    const char *id = request_param(request, "project_id");
    int rc = store_project_get(request->conn, id, &request->arena, ret, &request->error);
    const char *domain_id = rc ? "" : ret->is_domain ? ret->id : ret->domain_id;
    if ((!rc || rc == ERR_NOT_FOUND) && !access_reads_domain(request, domain_id) &&
        strcmp(request->credential.project_id, id) != 0)
        return access_deny(request, action);
    return identity_found(request, rc, "project", id);
}

static int load_to_change(struct request *request, struct project_row *ret, const char *action)
{
    const char *id = request_param(request, "project_id");
    int rc = store_project_get(request->conn, id, &request->arena, ret, &request->error);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    bool may = rc || ret->is_domain ? access_is_admin(request) : access_manages_domain(request, ret->domain_id);
    return may ? identity_found(request, rc, "project", id) : access_deny(request, action);
}

static int reply_project(struct request *request, struct reply *reply, const struct project_row *row,
                         enum project_view view)
{
    json_out_object(&reply->out, NULL);
    project_view_put(request, reply, "project", row, view);
    json_out_object_end(&reply->out);
    return 0;
}

static int put_item(void *arg, const struct project_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    const char *limit = access_domain_limit(list->request);
    if (limit && strcmp(row->domain_id, limit) != 0 && strcmp(row->id, limit) != 0)
        return 0;
    if (!list_text(list, "domain_id", row->domain_id) || !list_text(list, "name", row->name) ||
        !list_text(list, "parent_id", row->parent_id) || !list_flag(list, "enabled", row->enabled) ||
        !list_flag(list, "is_domain", row->is_domain) || !project_tree_tags_match(list->request, row->tags))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    project_view_put(list->request, list->reply, NULL, row, PROJECT_VIEW_PROJECT);
    return 0;
}

static int projects_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"domain_id", "enabled", "name", "parent_id", "is_domain", "tags", NULL};
    const char *limit = access_domain_limit(request);
    struct list list;
    int rc = access_read_domain(request, limit ? limit : "", "identity:list_projects");
    if (!rc)
        rc = list_begin(&list, request, reply, "projects", filters);
    if (rc)
        return rc;
    struct project_filter filter = {.domain_id = list_exact(&list, "domain_id"),
                                    .parent_id = list_exact(&list, "parent_id"),
                                    .name = list_exact(&list, "name"),
                                    .enabled = list_exact_flag(&list, "enabled"),
                                    .is_domain =
                                        request_query(request, "is_domain") ? list_exact_flag(&list, "is_domain") : 0};
    if (project_tree_has_tag_filter(request))
        list.page.limit = 0;
    list.filter_count = project_tree_drop_tag_filters(&list);
    rc = list_rc(store_project_each(request->conn, &filter, &list.page, put_item, &list, &request->error));
    list_end(&list);
    return rc;
}

static int projects_show(struct request *request, struct reply *reply)
{
    struct project_row row;
    int rc = load(request, &row, "identity:get_project");
    return rc ? rc : project_tree_show(request, reply, &row);
}

/* The place of a new project: its domain, and its parent within it. All above must be enabled. */
static int settle_parent(struct request *request, struct project_row *row)
{
    const struct project_body *body = request->body;
    const char *limit = access_domain_limit(request), *domain_id = body->domain_id ? body->domain_id
                                                                   : limit         ? limit
                                                                                   : "default";
    const char *parent_id = body->parent_id ? body->parent_id : domain_id;
    struct project_row domain, parent;
    bool usable = false;
    int rc = store_project_get(request->conn, domain_id, &request->arena, &domain, &request->error);
    if (rc == ERR_NOT_FOUND || (!rc && !domain.is_domain))
        return error_set(&request->error, ERR_INVALID, "Could not find domain: %s.", domain_id);
    if (!rc)
        rc = store_project_get(request->conn, parent_id, &request->arena, &parent, &request->error);
    if (rc == ERR_NOT_FOUND)
        return error_set(&request->error, ERR_INVALID, "Could not find project: %s.", parent_id);
    if (!rc && strcmp(parent.is_domain ? parent.id : parent.domain_id, domain_id) != 0)
        return error_set(&request->error, ERR_INVALID,
                         "Cannot create project, since it specifies its domain_id %s, but specifies a parent in a "
                         "different domain (%s).",
                         domain_id, parent.is_domain ? parent.id : parent.domain_id);
    if (!rc)
        rc = store_project_usable(request->conn, parent_id, &usable, &request->error);
    if (!rc && !usable)
        return error_set(&request->error, ERR_INVALID,
                         "cannot create a project in a branch containing a disabled project: %s", parent_id);
    row->domain_id = domain_id;
    row->parent_id = parent_id;
    return rc ? rc : project_tree_check_depth(request, parent_id);
}

static int projects_create(struct request *request, struct reply *reply)
{
    struct project_row row;
    int rc = project_edit_start(request, &row);
    if (rc)
        return rc;
    if (row.is_domain) {
        const struct project_body *body = request->body;
        row.domain_id = "";
        rc = access_admin(request, "identity:create_domain");
        if (!rc && (body->parent_id || body->domain_id))
            rc = error_set(&request->error, ERR_INVALID, "only root projects are allowed to act as domains.");
    } else {
        const struct project_body *body = request->body;
        const char *limit = access_domain_limit(request);
        rc = access_manage_domain(request,
                                  body->domain_id ? body->domain_id
                                  : limit         ? limit
                                                  : "default",
                                  "identity:create_project");
        if (!rc)
            rc = settle_parent(request, &row);
    }
    if (!rc)
        rc = project_edit_insert(request, &row);
    reply->status = 201;
    return rc ? rc : reply_project(request, reply, &row, PROJECT_VIEW_PROJECT);
}

static int projects_update(struct request *request, struct reply *reply)
{
    struct project_row row;
    int rc = load_to_change(request, &row, "identity:update_project");
    if (!rc)
        rc = project_edit_update(request, &row);
    return rc ? rc : reply_project(request, reply, &row, PROJECT_VIEW_UPDATED);
}

static int projects_delete(struct request *request, struct reply *reply)
{
    struct project_row row;
    int rc = load_to_change(request, &row, "identity:delete_project");
    if (!rc)
        rc = project_edit_check_mutable(request, &row, "delete");
    if (!rc && row.is_domain)
        rc = project_tree_delete_domain(request, &row);
    else if (!rc)
        rc = project_tree_delete_leaf(request, &row);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/projects", .permission = PERMISSION_AUTHENTICATED, .handler = projects_list},
    {.method = "POST",
     .pattern = "/projects",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .body = &project_create_table,
     .body_size = sizeof(struct project_body),
     .member = "project",
     .handler = projects_create},
    {.method = "GET",
     .pattern = "/projects/{project_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = projects_show},
    {.method = "PATCH",
     .pattern = "/projects/{project_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .body = &project_update_table,
     .body_size = sizeof(struct project_body),
     .member = "project",
     .handler = projects_update},
    {.method = "DELETE",
     .pattern = "/projects/{project_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = projects_delete},
};
const struct route_table projects_routes = ROUTE_TABLE(rows);
