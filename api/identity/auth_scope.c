/* What a token is for: a project, a domain, the system or nothing, and the roles that its user has there. */
#include "api/identity/auth.h"
#include "db/store_assignment.h"
#include <stdio.h>
#include <string.h>

static int refuse(struct request *request, const char *why)
{
    return error_set(&request->error, ERR_UNAUTHORIZED, "%s", why);
}

/* A bare not-found becomes a refusal: strangers do not learn what exists. */
static int or_refuse(struct request *request, int rc, const char *why)
{
    return rc == ERR_NOT_FOUND ? refuse(request, why) : rc;
}

static int read_name(struct request *request, json_value *object, const char *path, struct auth_name *ret)
{
    if (!json_in_is_object(object))
        return error_set(&request->error, ERR_INVALID, "Invalid input for field '%s': it is not an object", path);
    ret->id = json_in_text(json_in_member(object, "id"));
    ret->name = json_in_text(json_in_member(object, "name"));
    if (!ret->id && !ret->name)
        return error_set(&request->error, ERR_INVALID, "Invalid input for field %s: id or name must be present.", path);
    return 0;
}

static int load_domain(struct request *request, const struct auth_name *name, struct project_row *ret)
{
    int rc = name->name ? store_project_find(request->conn, "", name->name, &request->arena, ret, &request->error)
                        : store_project_get(request->conn, name->id, &request->arena, ret, &request->error);
    if (!rc && (!ret->is_domain || !ret->enabled))
        rc = ERR_NOT_FOUND;
    return or_refuse(request, rc, "Could not find the domain.");
}

/* Whether it and all above it is enabled. Most projects hang on their domain, which is at hand. */
static int check_above(struct request *request, const struct auth_context *context, bool *ret)
{
    const struct project_row *project = &context->project, *domain = &context->project_domain;
    *ret = project->enabled && domain->enabled;
    if (!*ret || (project->parent_id && strcmp(project->parent_id, domain->id) == 0))
        return 0;
    return store_project_usable(request->conn, project->id, ret, &request->error);
}

/* The project's domain, and whether all above it is enabled. */
static int settle_project(struct request *request, struct auth_context *ret)
{
    bool usable = false;
    if (ret->project.is_domain)
        return refuse(request, "Could not find the project.");
    int rc = store_project_get(request->conn, ret->project.domain_id, &request->arena, &ret->project_domain,
                               &request->error);
    if (!rc)
        rc = check_above(request, ret, &usable);
    if (!rc && !usable)
        rc = ERR_NOT_FOUND;
    if (rc)
        return or_refuse(request, rc, "The project is disabled.");
    ret->has_project = true;
    snprintf(ret->credential.project_id, sizeof(ret->credential.project_id), "%s", ret->project.id);
    snprintf(ret->credential.project_domain_id, sizeof(ret->credential.project_domain_id), "%s",
             ret->project.domain_id);
    return 0;
}

static int load_project(struct request *request, const char *id, struct auth_context *ret)
{
    int rc = store_project_get(request->conn, id, &request->arena, &ret->project, &request->error);
    return rc ? or_refuse(request, rc, "Could not find the project.") : settle_project(request, ret);
}

static int scope_to_project(struct request *request, json_value *scope, struct auth_context *ret)
{
    struct auth_name name, domain_name;
    struct project_row domain;
    int rc = read_name(request, scope, "scope/project", &name);
    if (rc)
        return rc;
    if (!name.name)
        return load_project(request, name.id, ret);
    if (!json_in_has(scope, "domain"))
        return error_set(&request->error, ERR_INVALID, "Expecting to find domain in project.");
    rc = read_name(request, json_in_member(scope, "domain"), "scope/project/domain", &domain_name);
    if (!rc)
        rc = load_domain(request, &domain_name, &domain);
    if (rc)
        return rc;
    rc = store_project_find(request->conn, domain.id, name.name, &request->arena, &ret->project, &request->error);
    return rc ? or_refuse(request, rc, "Could not find the project.") : settle_project(request, ret);
}

static int scope_to_domain(struct request *request, json_value *scope, struct auth_context *ret)
{
    struct auth_name name;
    int rc = read_name(request, scope, "scope/domain", &name);
    if (!rc)
        rc = load_domain(request, &name, &ret->domain);
    if (rc)
        return rc;
    ret->has_domain = true;
    snprintf(ret->credential.domain_id, sizeof(ret->credential.domain_id), "%s", ret->domain.id);
    return 0;
}

/* Takes the default project if it can be used and the user has a role there; otherwise the token has no scope. */
static int scope_by_default(struct request *request, struct auth_context *ret)
{
    struct auth_context attempt = *ret;
    if (!ret->user.default_project_id)
        return 0;
    int rc = load_project(request, ret->user.default_project_id, &attempt);
    if (!rc)
        rc = auth_scope_roles(request, &attempt);
    if (!rc)
        *ret = attempt;
    else if (rc == ERR_UNAUTHORIZED)
        error_clear(&request->error);
    return rc == ERR_UNAUTHORIZED ? 0 : rc;
}

int auth_scope_choose(struct request *request, const struct auth_body *body, unsigned methods, struct auth_context *ret)
{
    static const char *const kinds[] = {"project", "domain", "system", "unscoped", "OS-TRUST:trust"};
    json_value *scope = body->scope;
    size_t count = 0;
    if (methods & AUTH_APPLICATION) {
        if (scope)
            return refuse(request, "Application credentials cannot request a scope.");
        return load_project(request, ret->application.project_id, ret);
    }
    if (!scope || json_in_is_null(scope))
        return scope_by_default(request, ret);
    if (json_in_is_text(scope) && strcmp(json_in_text(scope), "unscoped") == 0)
        return 0;
    for (size_t i = 0; i < JSON_COUNT(kinds); i++)
        count += json_in_has(scope, kinds[i]);
    if (count != 1)
        return error_set(&request->error, ERR_INVALID,
                         "Expecting to find system, project, domain, OS-TRUST:trust or unscoped in scope.");
    if (json_in_has(scope, "project"))
        return scope_to_project(request, json_in_member(scope, "project"), ret);
    if (json_in_has(scope, "domain"))
        return scope_to_domain(request, json_in_member(scope, "domain"), ret);
    if (json_in_has(scope, "OS-TRUST:trust"))
        return refuse(request, "There are no trusts here.");
    ret->credential.system = json_in_has(scope, "system");
    return 0;
}

int auth_scope_load(struct request *request, struct auth_context *ret)
{
    const struct credential *c = &ret->credential;
    int rc = store_user_get(request->conn, c->user_id, &request->arena, &ret->user, &request->error);
    if (!rc)
        rc = store_project_get(request->conn, ret->user.domain_id, &request->arena, &ret->user_domain, &request->error);
    if (!rc && *c->app_credential_id) {
        rc = store_application_credential_get(request->conn, c->app_credential_id, &request->arena, &ret->application,
                                              &request->error);
        ret->has_application = !rc;
    }
    if (!rc && *c->domain_id) {
        rc = store_project_get(request->conn, c->domain_id, &request->arena, &ret->domain, &request->error);
        ret->has_domain = !rc;
    }
    if (rc)
        return or_refuse(request, rc, "What the token is about is gone.");
    return *c->project_id ? load_project(request, c->project_id, ret) : 0;
}

struct gathering {
    struct arena *arena;
    struct auth_role *first, **last;
    const struct auth_role *within; /* only these, unless `all` */
    bool all;
};

static bool contains(const struct auth_role *roles, const char *id)
{
    for (; roles; roles = roles->next)
        if (strcmp(roles->id, id) == 0)
            return true;
    return false;
}

static int gather(void *arg, const struct role_row *row, struct error *e)
{
    (void)e;
    struct gathering *g = arg;
    if (!g->all && !contains(g->within, row->id))
        return 0;
    struct auth_role *role = arena_alloc(g->arena, sizeof(*role));
    role->id = arena_strdup(g->arena, row->id);
    role->name = arena_strdup(g->arena, row->name);
    *g->last = role;
    g->last = &role->next;
    return 0;
}

static unsigned role_bits(const struct auth_role *roles)
{
    static const struct {
        const char *name;
        unsigned bit;
    } known[] = {{"reader", ROLE_READER},
                 {"member", ROLE_MEMBER},
                 {"manager", ROLE_MANAGER},
                 {"admin", ROLE_ADMIN},
                 {"billing", ROLE_BILLING}};
    unsigned bits = 0;
    for (; roles; roles = roles->next)
        for (size_t i = 0; i < JSON_COUNT(known); i++)
            if (strcmp(roles->name, known[i].name) == 0)
                bits |= known[i].bit;
    return bits;
}

int auth_scope_roles(struct request *request, struct auth_context *ret)
{
    struct credential *c = &ret->credential;
    const char *kind = *c->project_id ? "project" : *c->domain_id ? "domain" : "system";
    const char *id = *c->project_id ? c->project_id : *c->domain_id ? c->domain_id : "all";
    struct gathering allowed = {.arena = &request->arena, .all = true}, has = {.arena = &request->arena};
    allowed.last = &allowed.first;
    has.last = &has.first;
    if (!*c->project_id && !*c->domain_id && !c->system)
        return 0;
    int rc = 0;
    if (ret->has_application)
        rc = store_application_credential_each_implied(request->conn, ret->application.id, gather, &allowed,
                                                       &request->error);
    has.all = !ret->has_application;
    has.within = allowed.first;
    if (!rc)
        rc = store_assignment_each_effective(request->conn, c->user_id, kind, id, gather, &has, &request->error);
    if (rc)
        return rc;
    if (!has.first)
        return error_set(&request->error, ERR_UNAUTHORIZED, "User %s has no access to %s %s", c->user_id, kind, id);
    ret->roles = has.first;
    c->roles = role_bits(has.first);
    return 0;
}
