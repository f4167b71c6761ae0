/* Domains: the rows are those of projects that act as domains. */
#include "api/identity/access.h"
#include "api/identity/list.h"
#include "api/identity/project_edit.h"
#include "api/identity/project_tree.h"
#include "api/identity/project_view.h"
#include "api/identity/routes.h"
#include <string.h>

static int load(struct request *request, struct project_row *ret)
{
    const char *id = request_param(request, "domain_id");
    int rc = store_project_get(request->conn, id, &request->arena, ret, &request->error);
    if (!rc && !ret->is_domain)
        rc = ERR_NOT_FOUND;
    return identity_found(request, rc, "domain", id);
}

static int reply_domain(struct request *request, struct reply *reply, const struct project_row *row)
{
    json_out_object(&reply->out, NULL);
    project_view_put(request, reply, "domain", row, PROJECT_VIEW_DOMAIN);
    json_out_object_end(&reply->out);
    return 0;
}

static int put_item(void *arg, const struct project_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    const char *limit = access_reads_all(list->request) ? NULL : access_domain_limit(list->request);
    if ((limit && strcmp(row->id, limit) != 0) || !list_text(list, "name", row->name) ||
        !list_flag(list, "enabled", row->enabled))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    project_view_put(list->request, list->reply, NULL, row, PROJECT_VIEW_DOMAIN);
    return 0;
}

static int domains_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"enabled", "name", NULL};
    const char *limit = access_domain_limit(request);
    struct list list;
    int rc = access_read_domain(request, limit ? limit : "", "identity:list_domains");
    if (!rc)
        rc = list_begin(&list, request, reply, "domains", filters);
    if (rc)
        return rc;
    struct project_filter filter = {.domain_id = "",
                                    .name = list_exact(&list, "name"),
                                    .enabled = list_exact_flag(&list, "enabled"),
                                    .is_domain = 1};
    rc = list_rc(store_project_each(request->conn, &filter, &list.page, put_item, &list, &request->error));
    list_end(&list);
    return rc;
}

/* Anybody who is scoped to a domain, or to a project in it, may read it. */
static int domains_show(struct request *request, struct reply *reply)
{
    const char *id = request_param(request, "domain_id");
    struct project_row row;
    int rc = 0;
    if (!access_reads_domain(request, id) && strcmp(request->credential.project_domain_id, id) != 0)
        rc = access_deny(request, "identity:get_domain");
    if (!rc)
        rc = load(request, &row);
    return rc ? rc : reply_domain(request, reply, &row);
}

static int domains_create(struct request *request, struct reply *reply)
{
    struct project_row row;
    int rc = access_admin(request, "identity:create_domain");
    if (!rc)
        rc = project_edit_start(request, &row);
    if (rc)
        return rc;
    row.is_domain = true;
    row.domain_id = "";
    rc = project_edit_insert(request, &row);
    reply->status = 201;
    return rc ? rc : reply_domain(request, reply, &row);
}

static int domains_update(struct request *request, struct reply *reply)
{
    struct project_row row;
    int rc = access_admin(request, "identity:update_domain");
    if (!rc)
        rc = load(request, &row);
    if (!rc)
        rc = project_edit_update(request, &row);
    return rc ? rc : reply_domain(request, reply, &row);
}

static int domains_delete(struct request *request, struct reply *reply)
{
    struct project_row row;
    int rc = access_admin(request, "identity:delete_domain");
    if (!rc)
        rc = load(request, &row);
    if (!rc)
        rc = project_edit_check_mutable(request, &row, "delete");
    if (!rc)
        rc = project_tree_delete_domain(request, &row);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/domains", .permission = PERMISSION_AUTHENTICATED, .handler = domains_list},
    {.method = "POST",
     .pattern = "/domains",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &project_create_table,
     .body_size = sizeof(struct project_body),
     .member = "domain",
     .handler = domains_create},
    {.method = "GET",
     .pattern = "/domains/{domain_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = domains_show},
    {.method = "PATCH",
     .pattern = "/domains/{domain_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &project_update_table,
     .body_size = sizeof(struct project_body),
     .member = "domain",
     .handler = domains_update},
    {.method = "DELETE",
     .pattern = "/domains/{domain_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = domains_delete},
};
const struct route_table domains_routes = ROUTE_TABLE(rows);
