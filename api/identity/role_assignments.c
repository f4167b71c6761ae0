/* GET /role_assignments: who has which role on what, as granted or (effective) as it acts. */
#include "api/identity/access.h"
#include "api/identity/list.h"
#include "api/identity/routes.h"
#include "db/store_assignment.h"
#include "db/store_project.h"
#include <string.h>

static bool asked(struct request *request, const char *name)
{
    const char *value = request_query(request, name);
    return value && strcmp(value, "0") != 0;
}

static const char *given(struct request *request, const char *name)
{
    const char *value = request_query(request, name);
    return value && *value ? value : NULL;
}

static void put_party(struct json_out *o, const char *key, const char *id, const char *name, const char *domain_id,
                      const char *domain_name, bool with_names)
{
    json_out_object(o, key);
    json_out_text(o, "id", id);
    if (with_names) {
        json_out_text(o, "name", name ? name : "");
        if (domain_id && *domain_id) {
            json_out_object(o, "domain");
            json_out_text(o, "id", domain_id);
            json_out_text(o, "name", domain_name);
            json_out_object_end(o);
        }
    }
    json_out_object_end(o);
}

static void put_scope(struct json_out *o, const struct assignment_row *row, const struct assignment_names *names,
                      bool inherited, bool with_names)
{
    json_out_object(o, "scope");
    if (strcmp(row->target_kind, "system") == 0) {
        json_out_object(o, "system");
        json_out_bool(o, "all", true);
        json_out_object_end(o);
    } else {
        put_party(o, row->target_kind, row->target_id, names->target_name, names->target_domain_id,
                  names->target_domain_name, with_names);
    }
    if (inherited)
        json_out_text(o, "OS-INHERIT:inherited_to", "projects");
    json_out_object_end(o);
}

/* The address of the grant that this came from. */
static const char *grant_url(struct request *request, const struct assignment_row *row,
                             const struct assignment_origin *origin, bool inherited)
{
    const char *kind = origin->target_kind ? origin->target_kind : row->target_kind;
    const char *id = origin->target_id ? origin->target_id : row->target_id;
    const char *actor_kind = origin->group_id ? "group" : row->actor_kind,
               *actor = origin->group_id ? origin->group_id : row->actor_id;
    const char *target = strcmp(kind, "system") == 0 ? "/system" : arena_printf(&request->arena, "/%ss/%s", kind, id);
    return identity_url(request, "%s%s/%ss/%s/roles/%s%s", inherited ? "/OS-INHERIT" : "", target, actor_kind, actor,
                        origin->role_id ? origin->role_id : row->role_id, inherited ? "/inherited_to_projects" : "");
}

static void put_links(struct request *request, struct json_out *o, const struct assignment_row *row,
                      const struct assignment_origin *origin, bool inherited)
{
    json_out_object(o, "links");
    json_out_text(o, "assignment", grant_url(request, row, origin, inherited));
    if (origin->group_id)
        json_out_text(o, "membership", identity_url(request, "/groups/%s/users/%s", origin->group_id, row->actor_id));
    if (origin->role_id)
        json_out_text(o, "prior_role",
                      identity_url(request, "/prior_role/%s/implies/%s", row->role_id, origin->role_id));
    json_out_object_end(o);
}

static int put_item(void *arg, const struct assignment_row *row, const struct assignment_names *names,
                    const struct assignment_origin *origin, struct error *e)
{
    (void)e;
    struct list *list = arg;
    struct request *request = list->request;
    struct json_out *o = &list->reply->out;
    const char *limit = access_reads_all(request) ? NULL : access_domain_limit(request);
    bool with_names = asked(request, "include_names"), inherited = row->inherited || origin->target_kind;
    if (limit && strcmp(row->target_id, limit) != 0 &&
        (!names->target_domain_id || strcmp(names->target_domain_id, limit) != 0))
        return 0;
    json_out_object(o, NULL);
    put_links(request, o, row, origin, inherited);
    put_scope(o, row, names, inherited, with_names);
    put_party(o, row->actor_kind, row->actor_id, names->actor_name, names->actor_domain_id, names->actor_domain_name,
              with_names);
    put_party(o, "role", row->role_id, names->role_name, names->role_domain_id, names->role_domain_name, with_names);
    json_out_object_end(o);
    return 0;
}

static int read_filter(struct request *request, struct assignment_filter *ret)
{
    const char *user = given(request, "user.id"), *group = given(request, "group.id"),
               *project = given(request, "scope.project.id"), *domain = given(request, "scope.domain.id"),
               *system = given(request, "scope.system"), *inherited = given(request, "scope.OS-INHERIT:inherited_to");
    struct error *e = &request->error;
    bool effective = asked(request, "effective");
    if (domain && project)
        return error_set(e, ERR_INVALID, "Specify a domain or project, not both");
    if (domain && system)
        return error_set(e, ERR_INVALID, "Specify system or domain, not both");
    if (project && system)
        return error_set(e, ERR_INVALID, "Specify system or project, not both");
    if (user && group)
        return error_set(e, ERR_INVALID, "Specify a user or group, not both");
    if (effective && group)
        return error_set(e, ERR_INVALID, "Combining effective and group filter will always result in an empty list.");
    if (effective && inherited && domain)
        return error_set(e, ERR_INVALID,
                         "Combining effective, domain and inherited filters will always result in an empty list.");
    *ret = (struct assignment_filter){.actor_kind = user    ? "user"
                                                    : group ? "group"
                                                            : NULL,
                                      .actor_id = user ? user : group,
                                      .target_kind = project  ? "project"
                                                     : domain ? "domain"
                                                     : system ? "system"
                                                              : NULL,
                                      .target_id = project  ? project
                                                   : domain ? domain
                                                   : system ? "all"
                                                            : NULL,
                                      .role_id = given(request, "role.id"),
                                      .inherited = inherited ? strcmp(inherited, "projects") == 0 : -1,
                                      .effective = effective};
    return 0;
}

struct tree {
    struct arena *arena;
    struct branch {
        const char *id;
        struct branch *next;
    } * first;
};

static int keep_branch(void *arg, const struct project_row *row, struct error *e)
{
    (void)e;
    struct tree *tree = arg;
    struct branch *branch = arena_alloc(tree->arena, sizeof(*branch));
    *branch = (struct branch){arena_strdup(tree->arena, row->id), tree->first};
    tree->first = branch;
    return 0;
}

static int role_assignments_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {NULL};
    const char *limit = access_domain_limit(request);
    bool tree_asked = asked(request, "include_subtree");
    struct tree tree = {.arena = &request->arena};
    struct assignment_filter filter;
    struct list list;
    int rc = read_filter(request, &filter);
    if (!rc)
        rc = access_read_domain(request, limit ? limit : "", "identity:list_role_assignments");
    if (!rc && tree_asked && !given(request, "scope.project.id"))
        rc = error_set(&request->error, ERR_INVALID,
                       "scope.project.id must be specified if include_subtree is also specified");
    if (!rc && tree_asked)
        rc = store_project_each_below(request->conn, filter.target_id, keep_branch, &tree, &request->error);
    if (!rc)
        rc = list_begin(&list, request, reply, "role_assignments", filters);
    if (rc)
        return rc;
    rc = store_assignment_each(request->conn, &filter, put_item, &list, &request->error);
    for (const struct branch *branch = tree.first; !rc && branch; branch = branch->next) {
        filter.target_id = branch->id;
        rc = store_assignment_each(request->conn, &filter, put_item, &list, &request->error);
    }
    list_end(&list);
    return rc;
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/role_assignments",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = role_assignments_list},
};
const struct route_table role_assignments_routes = ROUTE_TABLE(rows);
