/* Access rules: the user's list of them, and their enforcement.
 *
 * A rule names a service by its type, a method and a path as Keystone's middleware sees it, that is below the service
 * ("/v2.1/servers"); the whole path as we serve it ("/compute/v2.1/servers") fits as well. */
#include "api/identity/access_rules.h"
#include "api/identity/access.h"
#include "api/identity/list.h"
#include "api/identity/routes.h"
#include "api/identity/users.h"
#include "db/store_application_credential.h"
#include <string.h>

bool access_rules_match(const char *pattern, const char *path)
{
    while (*pattern) {
        if (strncmp(pattern, "**", 2) == 0) {
            for (;; path++) {
                if (access_rules_match(pattern + 2, path))
                    return true;
                if (!*path)
                    return false;
            }
        }
        if (*pattern == '*' || *pattern == '{') {
            size_t skip = *pattern == '*' ? 1 : strcspn(pattern, "}") + 1;
            size_t segment = strcspn(path, "/");
            if (segment == 0 || skip > strlen(pattern))
                return false;
            pattern += skip;
            path += segment;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == 0;
}

struct checking {
    struct request *request;
    bool allowed;
};

static int check_rule(void *arg, const struct access_rule_row *row, struct error *e)
{
    (void)e;
    struct checking *c = arg;
    const char *path = c->request->path, *below = strchr(path + 1, '/');
    bool method = strcmp(row->method, c->request->method) == 0;
    if (method && c->request->service && strcmp(row->service, c->request->service->name) == 0 &&
        (access_rules_match(row->path, path) || (below && access_rules_match(row->path, below))))
        c->allowed = true;
    return 0;
}

int access_rules_check(struct request *request, struct db_conn *conn)
{
    struct checking checking = {.request = request};
    int rc = store_application_credential_each_rule(conn, request->credential.app_credential_id, check_rule, &checking,
                                                    &request->error);
    if (rc || checking.allowed)
        return rc;
    return error_set(&request->error, ERR_FORBIDDEN,
                     "The access rules of this application credential do not allow %s %s", request->method,
                     request->path);
}

void access_rules_put(struct request *request, struct reply *reply, const char *key, const struct access_rule_row *row,
                      bool with_link)
{
    struct json_out *o = &reply->out;
    json_out_object(o, key);
    json_out_text(o, "id", row->id);
    json_out_text(o, "service", row->service);
    json_out_text(o, "method", row->method);
    json_out_text(o, "path", row->path);
    if (with_link)
        identity_link(request, reply, "access_rules", row->id);
    json_out_object_end(o);
}

static int load_owner(struct request *request, const char *action)
{
    const char *user_id = request_param(request, "user_id");
    if (access_is_self(request, user_id) || access_reads_all(request))
        return 0;
    return access_deny(request, action);
}

static int load(struct request *request, struct access_rule_row *ret)
{
    const char *id = request_param(request, "access_rule_id");
    int rc = store_access_rule_get(request->conn, id, &request->arena, ret, &request->error);
    if (!rc && strcmp(ret->user_id, request_param(request, "user_id")) != 0)
        rc = ERR_NOT_FOUND;
    return identity_found(request, rc, "Access Rule", id);
}

static int put_item(void *arg, const struct access_rule_row *row, struct error *e)
{
    (void)e;
    struct list *list = arg;
    if (!list_text(list, "service", row->service) || !list_text(list, "path", row->path) ||
        !list_text(list, "method", row->method))
        return 0;
    if (!list_take(list, row->id))
        return LIST_STOP;
    access_rules_put(list->request, list->reply, NULL, row, true);
    return 0;
}

static int access_rules_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"service", "path", "method", NULL};
    struct list list;
    int rc = load_owner(request, "identity:list_access_rules");
    if (!rc)
        rc = list_begin(&list, request, reply, "access_rules", filters);
    if (rc)
        return rc;
    rc = list_rc(
        store_access_rule_each(request->conn, request_param(request, "user_id"), put_item, &list, &request->error));
    list_end(&list);
    return rc;
}

static int access_rules_show(struct request *request, struct reply *reply)
{
    struct access_rule_row row;
    int rc = load_owner(request, "identity:get_access_rule");
    if (!rc)
        rc = load(request, &row);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    access_rules_put(request, reply, "access_rule", &row, true);
    json_out_object_end(&reply->out);
    return 0;
}

static int access_rules_delete(struct request *request, struct reply *reply)
{
    struct access_rule_row row;
    bool used = false;
    int rc = access_self_or_admin(request, request_param(request, "user_id"), "identity:delete_access_rule");
    if (!rc)
        rc = access_unrestricted(request, "identity:delete_access_rule");
    if (!rc)
        rc = load(request, &row);
    if (!rc)
        rc = store_access_rule_is_used(request->conn, row.id, &used, &request->error);
    if (!rc && used)
        rc = access_deny(request, "May not delete access rule in use");
    if (!rc)
        rc = store_access_rule_delete(request->conn, row.id, &request->error);
    reply->status = 204;
    return rc;
}

#define ONE "/users/{user_id}/access_rules/{access_rule_id}"
static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/users/{user_id}/access_rules",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = access_rules_list},
    {.method = "GET", .pattern = ONE, .permission = PERMISSION_AUTHENTICATED, .handler = access_rules_show},
    {.method = "DELETE",
     .pattern = ONE,
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = access_rules_delete},
};
const struct route_table access_rules_routes = ROUTE_TABLE(rows);
