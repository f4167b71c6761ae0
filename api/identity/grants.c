/* Granting roles: {project, domain, system} x {user, group}, and the same inherited to the projects below (OS-INHERIT).
 * The rows differ in their patterns only; what a row is about is read off its pattern.
 *
 * Who manages a domain grants roles on it and on its projects to its own users and groups, but nothing from which the
 * role admin on a project would follow: that one runs the whole cloud. */
#include "api/identity/access.h"
#include "api/identity/list.h"
#include "api/identity/role_view.h"
#include "api/identity/routes.h"
#include "api/identity/token.h"
#include "api/identity/users.h"
#include "db/store_assignment.h"
#include "db/store_group.h"
#include "db/store_project.h"
#include <string.h>

struct grant {
    struct assignment_row row;
    const char *actor_domain_id, *target_domain_id; /* "" for the system */
    struct role_row role;                           /* when the pattern names one */
};

static bool names(struct request *request, const char *part)
{
    return strstr(request->route->pattern, part);
}

static int load_target(struct request *request, struct grant *g)
{
    struct project_row project;
    g->target_domain_id = "";
    if (names(request, "/system")) {
        g->row.target_kind = "system";
        g->row.target_id = "all";
        return 0;
    }
    bool is_project = names(request, "{project_id}");
    g->row.target_kind = is_project ? "project" : "domain";
    g->row.target_id = request_param(request, is_project ? "project_id" : "domain_id");
    int rc = store_project_get(request->conn, g->row.target_id, &request->arena, &project, &request->error);
    if (!rc && !is_project && !project.is_domain)
        rc = ERR_NOT_FOUND;
    if (!rc)
        g->target_domain_id = project.is_domain ? project.id : project.domain_id;
    return identity_found(request, rc, g->row.target_kind, g->row.target_id);
}

static int load_actor(struct request *request, struct grant *g)
{
    struct user_row user;
    struct group_row group;
    bool is_user = names(request, "{user_id}");
    g->row.actor_kind = is_user ? "user" : "group";
    g->row.actor_id = request_param(request, is_user ? "user_id" : "group_id");
    int rc = is_user ? store_user_get(request->conn, g->row.actor_id, &request->arena, &user, &request->error)
                     : store_group_get(request->conn, g->row.actor_id, &request->arena, &group, &request->error);
    if (!rc)
        g->actor_domain_id = is_user ? user.domain_id : group.domain_id;
    return identity_found(request, rc, g->row.actor_kind, g->row.actor_id);
}

static int load_role(struct request *request, struct grant *g)
{
    if (!names(request, "{role_id}"))
        return 0;
    g->row.role_id = request_param(request, "role_id");
    int rc = store_role_get(request->conn, g->row.role_id, &request->arena, &g->role, &request->error);
    return identity_found(request, rc, "role", g->row.role_id);
}

static int check_domain_manager(struct request *request, const struct grant *g, const char *action)
{
    struct role_row admin;
    bool reaches = false;
    if (!*g->target_domain_id || !access_manages_domain(request, g->target_domain_id) ||
        strcmp(g->actor_domain_id, g->target_domain_id) != 0)
        return access_deny(request, action);
    int rc = store_role_find(request->conn, "", "admin", &request->arena, &admin, &request->error);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (strcmp(admin.id, g->role.id) != 0)
        rc = store_role_reaches(request->conn, g->role.id, admin.id, &reaches, &request->error);
    else
        reaches = true;
    bool on_domain =
        strcmp(g->row.target_kind, "domain") == 0 && !g->row.inherited && request->credential.roles & ROLE_ADMIN;
    return rc ? rc : reaches && !on_domain ? access_deny(request, action) : 0;
}

static int load(struct request *request, bool change, struct grant *g, const char *action)
{
    *g = (struct grant){.row = {.inherited = names(request, "/OS-INHERIT/")}};
    int rc = load_target(request, g);
    if (!rc)
        rc = load_actor(request, g);
    if (!rc)
        rc = load_role(request, g);
    if ((rc && rc != ERR_NOT_FOUND) || access_is_admin(request))
        return rc;
    if (rc && !access_reads_all(request)) {
        error_clear(&request->error);
        return access_deny(request, action); /* strangers do not learn what exists */
    }
    if (rc)
        return rc;
    return change ? check_domain_manager(request, g, action) : access_read_domain(request, g->target_domain_id, action);
}

static int put_role(void *arg, const struct role_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    if (!list_take(list, row->id))
        return LIST_STOP;
    role_view_put(list->request, list->reply, NULL, row);
    return 0;
}

static int grants_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {NULL};
    struct grant g;
    struct list list;
    int rc = load(request, false, &g, "identity:list_grants");
    if (!rc)
        rc = list_begin(&list, request, reply, "roles", filters);
    if (rc)
        return rc;
    rc = list_rc(store_assignment_each_role(request->conn, &g.row, put_role, &list, &request->error));
    list_end(&list);
    return rc;
}

static int missing(struct request *request, const struct grant *g)
{
    return error_set(&request->error, ERR_NOT_FOUND,
                     "Could not find role assignment with role: %s, user or group: %s, project, domain, or system: %s.",
                     g->row.role_id, g->row.actor_id, g->row.target_id);
}

static int grants_check(struct request *request, struct reply *reply)
{
    struct grant g;
    bool exists = false;
    int rc = load(request, false, &g, "identity:check_grant");
    if (!rc)
        rc = store_assignment_exists(request->conn, &g.row, &exists, &request->error);
    if (!rc && !exists)
        rc = missing(request, &g);
    reply->status = 204;
    return rc;
}

static int grants_create(struct request *request, struct reply *reply)
{
    struct grant g;
    int rc = load(request, true, &g, "identity:create_grant");
    if (!rc && *g.role.domain_id && strcmp(g.role.domain_id, g.target_domain_id) != 0)
        rc = error_set(&request->error, ERR_FORBIDDEN,
                       "Project %s must be in the same domain as the role %s being assigned.", g.row.target_id,
                       g.row.role_id);
    if (!rc)
        rc = store_assignment_insert(request->conn, &g.row, &request->error);
    reply->status = 204;
    return rc;
}

struct losers {
    struct arena *arena;
    struct loser {
        const char *user_id;
        struct loser *next;
    } * first;
};

static int keep_loser(void *arg, const struct user_row *row, struct error *e)
{
    (void)e;
    struct losers *losers = arg;
    struct loser *loser = arena_alloc(losers->arena, sizeof(*loser));
    *loser = (struct loser){arena_strdup(losers->arena, row->id), losers->first};
    losers->first = loser;
    return 0;
}

/* An inherited role counts in many projects: all tokens of its user go. */
static int revoke_user(struct request *request, const struct grant *g, const char *user_id)
{
    const char *target = strcmp(g->row.target_kind, "system") == 0
                             ? "system"
                             : arena_printf(&request->arena, "%s/%s", g->row.target_kind, g->row.target_id);
    if (g->row.inherited)
        return users_revoke(request, user_id);
    return token_revoke(request->api->tokens, request->conn, TOKEN_REVOKE_GRANT, user_id, target, &request->error);
}

static int revoke_all(struct request *request, const struct grant *g)
{
    struct losers losers = {.arena = &request->arena};
    if (strcmp(g->row.actor_kind, "user") == 0)
        return revoke_user(request, g, g->row.actor_id);
    int rc = store_user_each_of_group(request->conn, g->row.actor_id, keep_loser, &losers, &request->error);
    for (const struct loser *loser = losers.first; !rc && loser; loser = loser->next)
        rc = revoke_user(request, g, loser->user_id);
    return rc;
}

static int grants_delete(struct request *request, struct reply *reply)
{
    struct grant g;
    int rc = load(request, true, &g, "identity:revoke_grant");
    if (!rc)
        rc = store_assignment_delete(request->conn, &g.row, &request->error);
    if (rc == ERR_NOT_FOUND && !request->error.code)
        return missing(request, &g);
    if (!rc)
        rc = revoke_all(request, &g);
    reply->status = 204;
    return rc;
}

#define ONE(path)                                                                                                      \
    {.method = "GET", .pattern = path, .permission = PERMISSION_AUTHENTICATED, .handler = grants_check},               \
        {.method = "PUT",                                                                                              \
         .pattern = path,                                                                                              \
         .permission = PERMISSION_AUTHENTICATED,                                                                       \
         .kind = ROUTE_WRITE,                                                                                          \
         .handler = grants_create},                                                                                    \
    {                                                                                                                  \
        .method = "DELETE", .pattern = path, .permission = PERMISSION_AUTHENTICATED, .kind = ROUTE_WRITE,              \
        .handler = grants_delete                                                                                       \
    }
#define LIST(path)                                                                                                     \
    {                                                                                                                  \
        .method = "GET", .pattern = path, .permission = PERMISSION_AUTHENTICATED, .handler = grants_list               \
    }
#define BOTH(base)                                                                                                     \
    LIST(base "/users/{user_id}/roles"), ONE(base "/users/{user_id}/roles/{role_id}"),                                 \
        LIST(base "/groups/{group_id}/roles"), ONE(base "/groups/{group_id}/roles/{role_id}")
#define INHERITED(base)                                                                                                \
    LIST("/OS-INHERIT" base "/users/{user_id}/roles/inherited_to_projects"),                                           \
        ONE("/OS-INHERIT" base "/users/{user_id}/roles/{role_id}/inherited_to_projects"),                              \
        LIST("/OS-INHERIT" base "/groups/{group_id}/roles/inherited_to_projects"),                                     \
        ONE("/OS-INHERIT" base "/groups/{group_id}/roles/{role_id}/inherited_to_projects")

static const struct route rows[] = {
    BOTH("/projects/{project_id}"),      BOTH("/domains/{domain_id}"),      BOTH("/system"),
    INHERITED("/projects/{project_id}"), INHERITED("/domains/{domain_id}"),
};
const struct route_table grants_routes = ROUTE_TABLE(rows);
