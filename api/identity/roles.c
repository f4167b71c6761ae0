/* Roles. What a token may do follows from the names reader, member, manager and admin; further roles carry names for
 * others to look at. */
#include "api/identity/access.h"
#include "api/identity/attributes.h"
#include "api/identity/list.h"
#include "api/identity/role_view.h"
#include "api/identity/routes.h"
#include "api/identity/token.h"
#include "db/store_assignment.h"
#include "db/store_project.h"
#include <string.h>

struct role_body {
    const char *name, *domain_id, *description;
    json_value *options;
    struct json_seen seen;
};
enum { ROLE_FIELD_NAME, ROLE_FIELD_DOMAIN_ID, ROLE_FIELD_DESCRIPTION, ROLE_FIELD_OPTIONS };
#define FIELD(member) .offset = offsetof(struct role_body, member)
#define FIELDS(name_flags)                                                                                             \
    {                                                                                                                  \
        [ROLE_FIELD_NAME] =                                                                                            \
            {.name = "name", .kind = JSON_TEXT, FIELD(name), .flags = name_flags, .min = 1, .max = 255},               \
        [ROLE_FIELD_DOMAIN_ID] =                                                                                       \
            {.name = "domain_id", .kind = JSON_TEXT, FIELD(domain_id), .flags = JSON_NULLABLE, .min = 1, .max = 64},   \
        [ROLE_FIELD_DESCRIPTION] = {.name = "description",                                                             \
                                    .kind = JSON_TEXT,                                                                 \
                                    FIELD(description),                                                                \
                                    .flags = JSON_NULLABLE},                                                           \
        [ROLE_FIELD_OPTIONS] = {.name = "options", .kind = JSON_ANY, FIELD(options)},                                  \
    }
static const struct json_field create_fields[] = FIELDS(JSON_REQUIRED);
static const struct json_field update_fields[] = FIELDS(0);
static const struct json_table create_table = {.fields = create_fields,
                                               .count = JSON_COUNT(create_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct role_body, seen)};
static const struct json_table update_table = {.fields = update_fields,
                                               .count = JSON_COUNT(update_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct role_body, seen)};
static const char *const known[] = {"id", "name", "domain_id", "description", "options", "links", "extra", NULL};

static int load(struct request *request, struct role_row *ret)
{
    const char *id = request_param(request, "role_id");
    return identity_found(request, store_role_get(request->conn, id, &request->arena, ret, &request->error), "role",
                          id);
}

static int reply_role(struct request *request, struct reply *reply, const struct role_row *row)
{
    json_out_object(&reply->out, NULL);
    role_view_put(request, reply, "role", row);
    json_out_object_end(&reply->out);
    return 0;
}

static int put_item(void *arg, const struct role_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    if (!list_text(list, "name", row->name))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    role_view_put(list->request, list->reply, NULL, row);
    return 0;
}

/* Whoever manages or reads a domain needs to know the roles. */
static int check_read(struct request *request, const char *action)
{
    const char *limit = access_domain_limit(request);
    return access_read_domain(request, limit ? limit : "", action);
}

static int roles_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"name", NULL};
    const char *domain_id = request_query(request, "domain_id");
    struct list list;
    int rc = check_read(request, domain_id ? "identity:list_domain_roles" : "identity:list_roles");
    if (!rc)
        rc = list_begin(&list, request, reply, "roles", filters);
    if (rc)
        return rc;
    rc = list_rc(store_role_each(request->conn, domain_id ? domain_id : "", list_exact(&list, "name"), &list.page,
                                 put_item, &list, &request->error));
    list_end(&list);
    return rc;
}

static int roles_show(struct request *request, struct reply *reply)
{
    struct role_row row;
    int rc = check_read(request, "identity:get_role");
    if (!rc)
        rc = load(request, &row);
    return rc ? rc : reply_role(request, reply, &row);
}

static int check_name_free(struct request *request, const struct role_row *row)
{
    struct role_row other;
    int rc = store_role_find(request->conn, row->domain_id, row->name, &request->arena, &other, &request->error);
    if (rc == ERR_NOT_FOUND || (!rc && strcmp(other.id, row->id) == 0))
        return 0;
    if (rc || !*row->domain_id)
        return rc ? rc : identity_conflict(request, "role", "Duplicate entry found with name %s", row->name);
    return identity_conflict(request, "role", "Duplicate entry found with name %s at domain ID %s", row->name,
                             row->domain_id);
}

static int check_body(struct request *request)
{
    const struct role_body *body = request->body;
    int rc = body->name ? identity_check_name(request, body->name) : 0;
    if (!rc && body->options && !json_in_is_object(body->options))
        rc = identity_invalid(request, "options", "it is not an object");
    return rc;
}

static int roles_create(struct request *request, struct reply *reply)
{
    const struct role_body *body = request->body;
    struct project_row domain;
    struct role_row row = {.id = identity_id(request),
                           .name = body->name,
                           .domain_id = body->domain_id ? body->domain_id : "",
                           .description = body->description,
                           .options = attributes_update(request, NULL, body->options),
                           .extra = attributes_merge(request, NULL, json_in_member(request->json, "role"), known),
                           .created_us = request->now_us};
    int rc = access_admin(request, "identity:create_role");
    if (!rc)
        rc = check_body(request);
    if (!rc && body->domain_id) {
        rc = store_project_get(request->conn, body->domain_id, &request->arena, &domain, &request->error);
        rc = identity_found(request, !rc && !domain.is_domain ? ERR_NOT_FOUND : rc, "domain", body->domain_id);
    }
    if (!rc)
        rc = check_name_free(request, &row);
    if (!rc)
        rc = store_role_insert(request->conn, &row, &request->error);
    reply->status = 201;
    return rc ? rc : reply_role(request, reply, &row);
}

static int check_mutable(struct request *request, const struct role_row *row, const char *verb)
{
    if (!attributes_flag(row->options, "immutable"))
        return 0;
    return error_set(&request->error, ERR_FORBIDDEN,
                     "Unable to %s immutable role resource: `%s. Set resource option \"immutable\" to false first.",
                     verb, row->id);
}

static int roles_update(struct request *request, struct reply *reply)
{
    const struct role_body *body = request->body;
    struct role_row row;
    bool on = true;
    int rc = access_admin(request, "identity:update_role");
    if (!rc)
        rc = load(request, &row);
    if (!rc && (!json_in_bool(json_in_member(body->options, "immutable"), &on) || on))
        rc = check_mutable(request, &row, "update");
    if (!rc && body->domain_id && strcmp(body->domain_id, row.domain_id) != 0)
        rc = error_set(&request->error, ERR_INVALID, "Update of `domain_id` is not allowed.");
    if (!rc)
        rc = check_body(request);
    if (rc)
        return rc;
    if (body->name)
        row.name = body->name;
    if (body->seen.present & (uint64_t)1 << ROLE_FIELD_DESCRIPTION)
        row.description = body->description;
    row.options = attributes_update(request, row.options, body->options);
    row.extra = attributes_merge(request, row.extra, json_in_member(request->json, "role"), known);
    rc = check_name_free(request, &row);
    if (!rc)
        rc = store_role_update(request->conn, &row, &request->error);
    return rc ? rc : reply_role(request, reply, &row);
}

struct holder {
    const char *user_id;
    struct holder *next;
};
struct holders {
    struct arena *arena;
    struct holder *first;
};

static int keep_holder(void *arg, const char *user_id, const char *target_kind, const char *target_id, bool inherited,
                       struct error *e)
{
    (void)target_kind, (void)target_id, (void)inherited, (void)e;
    struct holders *holders = arg;
    for (const struct holder *holder = holders->first; holder; holder = holder->next)
        if (strcmp(holder->user_id, user_id) == 0)
            return 0;
    struct holder *holder = arena_alloc(holders->arena, sizeof(*holder));
    *holder = (struct holder){arena_strdup(holders->arena, user_id), holders->first};
    holders->first = holder;
    return 0;
}

static int roles_delete(struct request *request, struct reply *reply)
{
    struct holders holders = {.arena = &request->arena};
    struct role_row row;
    int rc = access_admin(request, "identity:delete_role");
    if (!rc)
        rc = load(request, &row);
    if (!rc)
        rc = check_mutable(request, &row, "delete");
    if (!rc)
        rc = store_assignment_each_holder(request->conn, row.id, keep_holder, &holders, &request->error);
    for (const struct holder *holder = holders.first; !rc && holder; holder = holder->next)
        rc = token_revoke(request->api->tokens, request->conn, TOKEN_REVOKE_USER, holder->user_id, "", &request->error);
    if (!rc)
        rc = store_role_delete(request->conn, row.id, &request->error);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/roles", .permission = PERMISSION_AUTHENTICATED, .handler = roles_list},
    {.method = "POST",
     .pattern = "/roles",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &create_table,
     .body_size = sizeof(struct role_body),
     .member = "role",
     .handler = roles_create},
    {.method = "GET", .pattern = "/roles/{role_id}", .permission = PERMISSION_AUTHENTICATED, .handler = roles_show},
    {.method = "PATCH",
     .pattern = "/roles/{role_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &update_table,
     .body_size = sizeof(struct role_body),
     .member = "role",
     .handler = roles_update},
    {.method = "DELETE",
     .pattern = "/roles/{role_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = roles_delete},
};
const struct route_table roles_routes = ROUTE_TABLE(rows);
