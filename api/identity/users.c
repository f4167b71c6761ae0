/* Users. Passwords are hashed in `before`, after it has been looked whether the caller may ask for it at all. */
#include "api/identity/users.h"
#include "api/identity/access.h"
#include "api/identity/attributes.h"
#include "api/identity/hashing.h"
#include "api/identity/list.h"
#include "api/identity/routes.h"
#include "api/identity/token.h"
#include "api/identity/user_view.h"
#include "db/store_project.h"
#include <string.h>

struct user_body {
    const char *name, *domain_id, *default_project_id, *password;
    bool enabled;
    json_value *options;
    struct json_seen seen;
};
enum { USER_NAME, USER_DOMAIN_ID, USER_DEFAULT_PROJECT_ID, USER_PASSWORD, USER_ENABLED, USER_OPTIONS };
#define FIELD(member) .offset = offsetof(struct user_body, member)
#define FIELDS(name_flags)                                                                                             \
    {                                                                                                                  \
        [USER_NAME] = {.name = "name", .kind = JSON_TEXT, FIELD(name), .flags = name_flags, .min = 1, .max = 255},     \
        [USER_DOMAIN_ID] = {.name = "domain_id", .kind = JSON_TEXT, FIELD(domain_id), .min = 1, .max = 64},            \
        [USER_DEFAULT_PROJECT_ID] = {.name = "default_project_id",                                                     \
                                     .kind = JSON_TEXT,                                                                \
                                     FIELD(default_project_id),                                                        \
                                     .flags = JSON_NULLABLE,                                                           \
                                     .min = 1,                                                                         \
                                     .max = 64},                                                                       \
        [USER_PASSWORD] = {.name = "password", .kind = JSON_TEXT, FIELD(password), .flags = JSON_NULLABLE},            \
        [USER_ENABLED] = {.name = "enabled", .kind = JSON_BOOL, FIELD(enabled)},                                       \
        [USER_OPTIONS] = {.name = "options", .kind = JSON_ANY, FIELD(options)},                                        \
    }
static const struct json_field create_fields[] = FIELDS(JSON_REQUIRED);
static const struct json_field update_fields[] = FIELDS(0);
static const struct json_table create_table = {.fields = create_fields,
                                               .count = JSON_COUNT(create_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct user_body, seen)};
static const struct json_table update_table = {.fields = update_fields,
                                               .count = JSON_COUNT(update_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct user_body, seen)};
static const char *const known[] = {"id",      "name",  "domain_id", "default_project_id",  "password", "enabled",
                                    "options", "links", "extra",     "password_expires_at", NULL};

static bool has(const struct user_body *body, int field)
{
    return body->seen.present & (uint64_t)1 << field;
}

int users_load(struct request *request, struct user_row *ret, const char *action)
{
    const char *id = request_param(request, "user_id");
    int rc = store_user_get(request->conn, id, &request->arena, ret, &request->error);
    if ((!rc || rc == ERR_NOT_FOUND) && !access_is_self(request, id) &&
        !access_reads_domain(request, rc ? "" : ret->domain_id))
        return access_deny(request, action);
    return identity_found(request, rc, "user", id);
}

static int load_to_change(struct request *request, struct user_row *ret, const char *action)
{
    const char *id = request_param(request, "user_id");
    int rc = store_user_get(request->conn, id, &request->arena, ret, &request->error);
    if (rc == ERR_NOT_FOUND && !access_is_admin(request))
        return access_deny(request, action);
    return rc ? identity_found(request, rc, "user", id)
              : access_manage_actor(request, "user", id, ret->domain_id, action);
}

int users_revoke(struct request *request, const char *user_id)
{
    return token_revoke(request->api->tokens, request->conn, TOKEN_REVOKE_USER, user_id, "", &request->error);
}

static int reply_user(struct request *request, struct reply *reply, const struct user_row *row, bool updated)
{
    json_out_object(&reply->out, NULL);
    user_view_put(request, reply, "user", row, updated);
    json_out_object_end(&reply->out);
    return 0;
}

static int put_item(void *arg, const struct user_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    const char *limit = access_reads_all(list->request) ? NULL : access_domain_limit(list->request);
    if ((limit && strcmp(row->domain_id, limit) != 0) || !list_text(list, "domain_id", row->domain_id) ||
        !list_text(list, "name", row->name) || !list_flag(list, "enabled", row->enabled))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    user_view_put(list->request, list->reply, NULL, row, false);
    return 0;
}

static int users_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"domain_id", "enabled", "name", NULL};
    const char *limit = access_domain_limit(request);
    struct list list;
    int rc = access_read_domain(request, limit ? limit : "", "identity:list_users");
    if (!rc)
        rc = list_begin(&list, request, reply, "users", filters);
    if (rc)
        return rc;
    struct user_filter filter = {.domain_id = list_exact(&list, "domain_id"),
                                 .name = list_exact(&list, "name"),
                                 .enabled = list_exact_flag(&list, "enabled")};
    if (!filter.domain_id && !access_reads_all(request))
        filter.domain_id = limit;
    rc = list_rc(store_user_each(request->conn, &filter, &list.page, put_item, &list, &request->error));
    list_end(&list);
    return rc;
}

static int users_show(struct request *request, struct reply *reply)
{
    struct user_row row;
    int rc = users_load(request, &row, "identity:get_user");
    return rc ? rc : reply_user(request, reply, &row, false);
}

static const char *domain_of(struct request *request)
{
    const struct user_body *body = request->body;
    const char *limit = access_domain_limit(request);
    return body->domain_id ? body->domain_id : limit ? limit : "default";
}

static int users_hash(struct request *request, struct reply *reply)
{
    (void)reply;
    const struct user_body *body = request->body;
    const char *hash = NULL;
    struct user_row row;
    bool creating = strcmp(request->method, "POST") == 0;
    int rc = creating ? access_manage_domain(request, domain_of(request), "identity:create_user")
                      : load_to_change(request, &row, "identity:update_user");
    if (!rc && body->password)
        rc = hashing_make(request, body->password, &hash);
    request->state = (void *)hash;
    return rc;
}

static int check_name_free(struct request *request, const struct user_row *row)
{
    struct user_row other;
    int rc = store_user_find(request->conn, row->domain_id, row->name, &request->arena, &other, &request->error);
    if (rc == ERR_NOT_FOUND || (!rc && strcmp(other.id, row->id) == 0))
        return 0;
    return rc ? rc
              : identity_conflict(request, "user", "Duplicate entry found with name %s at domain ID %s", row->name,
                                  row->domain_id);
}

static int check_default_project(struct request *request, const char *id)
{
    struct project_row project;
    int rc = id ? store_project_get(request->conn, id, &request->arena, &project, &request->error) : ERR_NOT_FOUND;
    if (!rc && project.is_domain)
        return error_set(&request->error, ERR_INVALID, "User's default project ID cannot be a domain ID: %s", id);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int check_body(struct request *request)
{
    const struct user_body *body = request->body;
    int rc = body->name ? identity_check_name(request, body->name) : 0;
    if (!rc && has(body, USER_OPTIONS) && !json_in_is_object(body->options))
        rc = identity_invalid(request, "options", "it is not an object");
    return rc ? rc : check_default_project(request, body->default_project_id);
}

/* What the body says goes into the row; a password in its hashed form. */
static void apply(struct request *request, struct user_row *row)
{
    const struct user_body *body = request->body;
    const char *hash = request->state;
    if (body->name)
        row->name = body->name;
    if (has(body, USER_ENABLED))
        row->enabled = body->enabled;
    if (has(body, USER_DEFAULT_PROJECT_ID))
        row->default_project_id = body->default_project_id;
    if (has(body, USER_PASSWORD)) {
        row->password_hash = hash;
        row->password_changed_us = request->now_us;
        row->password_expires_us = 0;
    }
    row->options = attributes_update(request, row->options, body->options);
    row->extra = attributes_merge(request, row->extra, json_in_member(request->json, "user"), known);
}

static int users_create(struct request *request, struct reply *reply)
{
    struct project_row domain;
    struct user_row row = {
        .id = identity_id(request), .domain_id = domain_of(request), .enabled = true, .created_us = request->now_us};
    int rc = access_manage_domain(request, row.domain_id, "identity:create_user");
    if (!rc)
        rc = check_body(request);
    if (!rc)
        rc = store_project_get(request->conn, row.domain_id, &request->arena, &domain, &request->error);
    if (!rc && !domain.is_domain)
        rc = ERR_NOT_FOUND;
    rc = identity_found(request, rc, "domain", row.domain_id);
    if (rc)
        return rc;
    apply(request, &row);
    rc = check_name_free(request, &row);
    if (!rc)
        rc = store_user_insert(request->conn, &row, &request->error);
    reply->status = 201;
    return rc ? rc : reply_user(request, reply, &row, false);
}

static int users_update(struct request *request, struct reply *reply)
{
    const struct user_body *body = request->body;
    const char *id = json_in_text(json_in_member(json_in_member(request->json, "user"), "id"));
    struct user_row row;
    int rc = load_to_change(request, &row, "identity:update_user");
    if (!rc && id && strcmp(id, row.id) != 0)
        rc = error_set(&request->error, ERR_INVALID, "Cannot change user ID");
    if (!rc && body->domain_id && strcmp(body->domain_id, row.domain_id) != 0)
        rc = error_set(&request->error, ERR_INVALID, "Cannot change Domain ID");
    if (!rc)
        rc = check_body(request);
    if (rc)
        return rc;
    bool revoke = has(body, USER_PASSWORD) || (row.enabled && has(body, USER_ENABLED) && !body->enabled);
    apply(request, &row);
    rc = check_name_free(request, &row);
    if (!rc)
        rc = store_user_update(request->conn, &row, &request->error);
    if (!rc && revoke)
        rc = users_revoke(request, row.id);
    return rc ? rc : reply_user(request, reply, &row, true);
}

static int users_delete(struct request *request, struct reply *reply)
{
    struct user_row row;
    int rc = load_to_change(request, &row, "identity:delete_user");
    if (!rc)
        rc = store_user_delete(request->conn, row.id, &request->error);
    if (!rc)
        rc = users_revoke(request, row.id);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/users", .permission = PERMISSION_AUTHENTICATED, .handler = users_list},
    {.method = "POST",
     .pattern = "/users",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .body = &create_table,
     .body_size = sizeof(struct user_body),
     .member = "user",
     .hashes = true,
     .before = users_hash,
     .handler = users_create},
    {.method = "GET", .pattern = "/users/{user_id}", .permission = PERMISSION_AUTHENTICATED, .handler = users_show},
    {.method = "PATCH",
     .pattern = "/users/{user_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .body = &update_table,
     .body_size = sizeof(struct user_body),
     .member = "user",
     .hashes = true,
     .before = users_hash,
     .handler = users_update},
    {.method = "DELETE",
     .pattern = "/users/{user_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = users_delete},
};
const struct route_table users_routes = ROUTE_TABLE(rows);
