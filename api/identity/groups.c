/* Groups and who is in them. Who leaves a group may lose roles, so his tokens are void. */
#include "api/identity/access.h"
#include "api/identity/attributes.h"
#include "api/identity/group_view.h"
#include "api/identity/list.h"
#include "api/identity/routes.h"
#include "api/identity/user_view.h"
#include "api/identity/users.h"
#include "db/store_project.h"
#include <string.h>

struct group_body {
    const char *name, *domain_id, *description;
    struct json_seen seen;
};
enum { GROUP_NAME, GROUP_DOMAIN_ID, GROUP_DESCRIPTION };
#define FIELD(member) .offset = offsetof(struct group_body, member)
#define FIELDS(name_flags)                                                                                             \
    {                                                                                                                  \
        [GROUP_NAME] = {.name = "name", .kind = JSON_TEXT, FIELD(name), .flags = name_flags, .min = 1, .max = 255},    \
        [GROUP_DOMAIN_ID] = {.name = "domain_id", .kind = JSON_TEXT, FIELD(domain_id), .min = 1, .max = 64},           \
        [GROUP_DESCRIPTION] = {.name = "description", .kind = JSON_TEXT, FIELD(description), .flags = JSON_NULLABLE},  \
    }
static const struct json_field create_fields[] = FIELDS(JSON_REQUIRED);
static const struct json_field update_fields[] = FIELDS(0);
static const struct json_table create_table = {.fields = create_fields,
                                               .count = JSON_COUNT(create_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct group_body, seen)};
static const struct json_table update_table = {.fields = update_fields,
                                               .count = JSON_COUNT(update_fields),
                                               .open = true,
                                               .seen_offset = offsetof(struct group_body, seen)};
static const char *const known[] = {"id", "name", "domain_id", "description", "links", "extra", NULL};

static int load(struct request *request, bool change, struct group_row *ret, const char *action)
{
    const char *id = request_param(request, "group_id");
    int rc = store_group_get(request->conn, id, &request->arena, ret, &request->error);
    const char *domain_id = rc ? "" : ret->domain_id;
    if ((!rc || rc == ERR_NOT_FOUND) && !access_reads_domain(request, domain_id))
        return access_deny(request, action);
    if (rc)
        return identity_found(request, rc, "group", id);
    return change ? access_manage_actor(request, "group", id, domain_id, action) : 0;
}

static int reply_group(struct request *request, struct reply *reply, const struct group_row *row)
{
    json_out_object(&reply->out, NULL);
    group_view_put(request, reply, "group", row);
    json_out_object_end(&reply->out);
    return 0;
}

static int put_item(void *arg, const struct group_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    const char *limit = access_reads_all(list->request) ? NULL : access_domain_limit(list->request);
    if ((limit && strcmp(row->domain_id, limit) != 0) || !list_text(list, "domain_id", row->domain_id) ||
        !list_text(list, "name", row->name))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    group_view_put(list->request, list->reply, NULL, row);
    return 0;
}

static int groups_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"domain_id", "name", NULL};
    const char *limit = access_domain_limit(request);
    struct list list;
    int rc = access_read_domain(request, limit ? limit : "", "identity:list_groups");
    if (!rc)
        rc = list_begin(&list, request, reply, "groups", filters);
    if (rc)
        return rc;
    rc = list_rc(store_group_each(request->conn, list_exact(&list, "domain_id"), list_exact(&list, "name"), &list.page,
                                  put_item, &list, &request->error));
    list_end(&list);
    return rc;
}

static int groups_show(struct request *request, struct reply *reply)
{
    struct group_row row;
    int rc = load(request, false, &row, "identity:get_group");
    return rc ? rc : reply_group(request, reply, &row);
}

static int check_name_free(struct request *request, const struct group_row *row)
{
    struct group_row other;
    int rc = store_group_find(request->conn, row->domain_id, row->name, &request->arena, &other, &request->error);
    if (rc == ERR_NOT_FOUND || (!rc && strcmp(other.id, row->id) == 0))
        return 0;
    return rc ? rc
              : identity_conflict(request, "group", "Duplicate entry found with name %s at domain ID %s", row->name,
                                  row->domain_id);
}

static int groups_create(struct request *request, struct reply *reply)
{
    const struct group_body *body = request->body;
    const char *limit = access_domain_limit(request);
    struct project_row domain;
    struct group_row row = {.id = identity_id(request),
                            .domain_id = body->domain_id ? body->domain_id
                                         : limit         ? limit
                                                         : "default",
                            .name = body->name,
                            .description = body->description ? body->description : "",
                            .extra = attributes_merge(request, NULL, json_in_member(request->json, "group"), known),
                            .created_us = request->now_us};
    int rc = access_manage_domain(request, row.domain_id, "identity:create_group");
    if (!rc)
        rc = identity_check_name(request, row.name);
    if (!rc)
        rc = store_project_get(request->conn, row.domain_id, &request->arena, &domain, &request->error);
    if (!rc && !domain.is_domain)
        rc = ERR_NOT_FOUND;
    rc = identity_found(request, rc, "domain", row.domain_id);
    if (!rc)
        rc = check_name_free(request, &row);
    if (!rc)
        rc = store_group_insert(request->conn, &row, &request->error);
    reply->status = 201;
    return rc ? rc : reply_group(request, reply, &row);
}

static int groups_update(struct request *request, struct reply *reply)
{
    const struct group_body *body = request->body;
    struct group_row row;
    int rc = load(request, true, &row, "identity:update_group");
    if (!rc && body->domain_id && strcmp(body->domain_id, row.domain_id) != 0)
        rc = error_set(&request->error, ERR_INVALID, "Cannot change Domain ID");
    if (!rc && body->name)
        rc = identity_check_name(request, body->name);
    if (rc)
        return rc;
    if (body->name)
        row.name = body->name;
    if (body->seen.present & (uint64_t)1 << GROUP_DESCRIPTION)
        row.description = body->description ? body->description : "";
    row.extra = attributes_merge(request, row.extra, json_in_member(request->json, "group"), known);
    rc = check_name_free(request, &row);
    if (!rc)
        rc = store_group_update(request->conn, &row, &request->error);
    return rc ? rc : reply_group(request, reply, &row);
}

struct members {
    struct arena *arena;
    const char **ids;
    size_t count, room;
};

static int keep_member(void *arg, const struct user_row *row, struct error *e)
{
    (void)e;
    struct members *m = arg;
    if (m->count == m->room) {
        const char **more = arena_array(m->arena, m->room * 2 + 16, sizeof(*more));
        if (m->count)
            memcpy(more, m->ids, m->count * sizeof(*more));
        m->ids = more;
        m->room = m->room * 2 + 16;
    }
    m->ids[m->count++] = arena_strdup(m->arena, row->id);
    return 0;
}

static int groups_delete(struct request *request, struct reply *reply)
{
    struct members members = {.arena = &request->arena};
    struct group_row row;
    int rc = load(request, true, &row, "identity:delete_group");
    if (!rc)
        rc = store_user_each_of_group(request->conn, row.id, keep_member, &members, &request->error);
    for (size_t i = 0; !rc && i < members.count; i++)
        rc = users_revoke(request, members.ids[i]);
    if (!rc)
        rc = store_group_delete(request->conn, row.id, &request->error);
    reply->status = 204;
    return rc;
}

static int put_user(void *arg, const struct user_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    if (!list_text(list, "domain_id", row->domain_id) || !list_text(list, "name", row->name) ||
        !list_flag(list, "enabled", row->enabled))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    user_view_put(list->request, list->reply, NULL, row, false);
    return 0;
}

static int groups_list_users(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"domain_id", "enabled", "name", NULL};
    struct group_row row;
    struct list list;
    int rc = load(request, false, &row, "identity:list_users_in_group");
    if (!rc)
        rc = list_begin(&list, request, reply, "users", filters);
    if (rc)
        return rc;
    rc = list_rc(store_user_each_of_group(request->conn, row.id, put_user, &list, &request->error));
    list_end(&list);
    return rc;
}

/* Group and user of the path; a domain's manager only moves users of his domain. */
static int load_both(struct request *request, bool change, struct group_row *group, struct user_row *user,
                     const char *action)
{
    const char *id = request_param(request, "user_id");
    int rc = load(request, change, group, action);
    if (!rc)
        rc = identity_found(request, store_user_get(request->conn, id, &request->arena, user, &request->error), "user",
                            id);
    if (!rc && change && !access_manages_domain(request, user->domain_id))
        rc = access_deny(request, action);
    return rc;
}

static int groups_add_user(struct request *request, struct reply *reply)
{
    struct group_row group;
    struct user_row user;
    int rc = load_both(request, true, &group, &user, "identity:add_user_to_group");
    if (!rc)
        rc = store_group_add_user(request->conn, group.id, user.id, &request->error);
    reply->status = 204;
    return rc;
}

static int groups_remove_user(struct request *request, struct reply *reply)
{
    struct group_row group;
    struct user_row user;
    int rc = load_both(request, true, &group, &user, "identity:remove_user_from_group");
    if (!rc)
        rc = store_group_remove_user(request->conn, group.id, user.id, &request->error);
    if (rc == ERR_NOT_FOUND)
        rc = error_set(&request->error, rc, "User '%s' not found in group '%s'", request_param(request, "user_id"),
                       request_param(request, "group_id"));
    if (!rc)
        rc = users_revoke(request, user.id);
    reply->status = 204;
    return rc;
}

static int groups_check_user(struct request *request, struct reply *reply)
{
    struct group_row group;
    struct user_row user;
    bool member = false;
    int rc = load_both(request, false, &group, &user, "identity:check_user_in_group");
    if (!rc)
        rc = store_group_has_user(request->conn, group.id, user.id, &member, &request->error);
    if (!rc && !member)
        rc = error_set(&request->error, ERR_NOT_FOUND, "User '%s' not found in group '%s'", user.id, group.id);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/groups", .permission = PERMISSION_AUTHENTICATED, .handler = groups_list},
    {.method = "POST",
     .pattern = "/groups",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .body = &create_table,
     .body_size = sizeof(struct group_body),
     .member = "group",
     .handler = groups_create},
    {.method = "GET", .pattern = "/groups/{group_id}", .permission = PERMISSION_AUTHENTICATED, .handler = groups_show},
    {.method = "PATCH",
     .pattern = "/groups/{group_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .body = &update_table,
     .body_size = sizeof(struct group_body),
     .member = "group",
     .handler = groups_update},
    {.method = "DELETE",
     .pattern = "/groups/{group_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = groups_delete},
    {.method = "GET",
     .pattern = "/groups/{group_id}/users",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = groups_list_users},
    {.method = "GET",
     .pattern = "/groups/{group_id}/users/{user_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = groups_check_user},
    {.method = "PUT",
     .pattern = "/groups/{group_id}/users/{user_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = groups_add_user},
    {.method = "DELETE",
     .pattern = "/groups/{group_id}/users/{user_id}",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = groups_remove_user},
};
const struct route_table groups_routes = ROUTE_TABLE(rows);
