/* os-quota-sets: limits of a project, their defaults, and with what is used. Network quotas left this API at 2.36,
 * injected files at 2.57. */
#include "api/compute/compute_routes.h"
#include "api/http/handler.h"
#include "common/model/quota.h"
#include "db/store_quota.h"
#include "db/store_server_group.h"
#include <stdlib.h>
#include <string.h>

static bool shown(enum quota q, int microversion)
{
    switch (q) {
    case QUOTA_FIXED_IPS:
    case QUOTA_FLOATING_IPS:
    case QUOTA_SECURITY_GROUPS:
    case QUOTA_SECURITY_GROUP_RULES:
        return microversion < 36;
    case QUOTA_INJECTED_FILES:
    case QUOTA_INJECTED_FILE_CONTENT_BYTES:
    case QUOTA_INJECTED_FILE_PATH_BYTES:
        return microversion < 57;
    default:
        return true;
    }
}

static void write_set(struct json_out *out, const char *id, const struct quota_set *limit, int microversion)
{
    json_out_object(out, NULL);
    json_out_object(out, "quota_set");
    if (id) {
        json_out_text(out, "id", id);
    }
    for (int q = 0; q < QUOTA_KINDS; q++) {
        if (shown((enum quota)q, microversion)) {
            json_out_int(out, quota_name((enum quota)q), limit->amount[q]);
        }
    }
    json_out_object_end(out);
    json_out_object_end(out);
}

static int check_own(struct request *request, const char *project)
{
    bool own = strcmp(project, request->credential.project_id) == 0;
    if (!own && !(request->credential.roles & ROLE_ADMIN)) {
        return error_set(&request->error, ERR_FORBIDDEN,
                         "Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.");
    }
    return 0;
}

static int quota_sets_show(struct request *request, struct reply *reply)
{
    const char *project = request_param(request, "tenant_id");
    struct quota_set limit;
    int rc = check_own(request, project);
    rc = rc ? rc : store_quota_limits(request->conn, project, &limit, &request->error);
    if (!rc) {
        write_set(&reply->out, project, &limit, request->microversion);
    }
    return rc;
}

static int quota_sets_defaults(struct request *request, struct reply *reply)
{
    struct quota_set limit;
    int rc = store_quota_limits(request->conn, "", &limit, &request->error);
    if (!rc) {
        write_set(&reply->out, request_param(request, "tenant_id"), &limit, request->microversion);
    }
    return rc;
}

static int read_used(struct request *request, const char *project, struct quota_set *ret)
{
    int rc = store_quota_used(request->conn, project, ret, &request->error);
    return rc ? rc
              : store_server_group_count(request->conn, project, &ret->amount[QUOTA_SERVER_GROUPS], &request->error);
}

static int quota_sets_detail(struct request *request, struct reply *reply)
{
    const char *project = request_param(request, "tenant_id");
    struct quota_set limit, used;
    struct json_out *out = &reply->out;
    int rc = check_own(request, project);
    rc = rc ? rc : store_quota_limits(request->conn, project, &limit, &request->error);
    rc = rc ? rc : read_used(request, project, &used);
    if (rc) {
        return rc;
    }
    json_out_object(out, NULL);
    json_out_object(out, "quota_set");
    json_out_text(out, "id", project);
    for (int q = 0; q < QUOTA_KINDS; q++) {
        if (shown((enum quota)q, request->microversion)) {
            json_out_object(out, quota_name((enum quota)q));
            json_out_int(out, "in_use", used.amount[q]);
            json_out_int(out, "limit", limit.amount[q]);
            json_out_int(out, "reserved", 0);
            json_out_object_end(out);
        }
    }
    json_out_object_end(out);
    json_out_object_end(out);
    return 0;
}

struct update {
    struct request *request;
    struct quota_set used;
    bool force;
};

static int read_value(struct request *request, const char *name, json_value *value, int64_t *ret)
{
    const char *text = json_in_text(value);
    char *end = NULL;
    bool valid = json_in_int(value, ret);
    if (text) {
        *ret = strtoll(text, &end, 10);
        valid = *text && !*end;
    }
    if (!valid || *ret < QUOTA_UNLIMITED || *ret > INT32_MAX) {
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute %s. Value: %s.", name,
                         json_in_print(value, &request->arena));
    }
    return 0;
}

static int update_one(void *arg, const char *name, json_value *value)
{
    struct update *u = arg;
    struct request *request = u->request;
    int q = quota_parse(name);
    int64_t limit = 0;
    if (strcmp(name, "force") == 0 || strcmp(name, "tenant_id") == 0) {
        return 0;
    }
    if (q < 0 || !shown((enum quota)q, request->microversion)) {
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute quota_set. Additional properties are not allowed ('%s' was "
                         "unexpected)",
                         name);
    }
    int rc = read_value(request, name, value, &limit);
    if (!rc && limit >= 0 && limit < u->used.amount[q] && !u->force) {
        rc = error_set(&request->error, ERR_INVALID,
                       "Quota limit %lld for %s must be greater than or equal to already used and reserved %lld.",
                       (long long)limit, name, (long long)u->used.amount[q]);
    }
    return rc ? rc
              : store_quota_set(request->conn, request_param(request, "tenant_id"), (enum quota)q, limit,
                                &request->error);
}

static int quota_sets_update(struct request *request, struct reply *reply)
{
    const char *project = request_param(request, "tenant_id");
    json_value *set = json_in_member(request->json, "quota_set");
    struct update u = {.request = request};
    struct quota_set limit;
    if (!json_in_is_object(set)) {
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute quota_set.");
    }
    json_in_bool(json_in_member(set, "force"), &u.force);
    int rc = read_used(request, project, &u.used);
    rc = rc ? rc : json_in_each(set, update_one, &u);
    rc = rc ? rc : store_quota_limits(request->conn, project, &limit, &request->error);
    if (!rc) {
        write_set(&reply->out, NULL, &limit, request->microversion);
    }
    return rc;
}

static int quota_sets_delete(struct request *request, struct reply *reply)
{
    reply->status = 202;
    return store_quota_reset(request->conn, request_param(request, "tenant_id"), &request->error);
}

static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/os-quota-sets/{tenant_id}",
     .permission = PERMISSION_READER,
     .handler = quota_sets_show},
    {.method = "GET",
     .pattern = "/os-quota-sets/{tenant_id}/detail",
     .permission = PERMISSION_READER,
     .handler = quota_sets_detail},
    {.method = "GET",
     .pattern = "/os-quota-sets/{tenant_id}/defaults",
     .permission = PERMISSION_AUTHENTICATED,
     .handler = quota_sets_defaults},
    {.method = "PUT",
     .pattern = "/os-quota-sets/{tenant_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = quota_sets_update},
    {.method = "DELETE",
     .pattern = "/os-quota-sets/{tenant_id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = quota_sets_delete},
};
const struct route_table quota_sets_routes = ROUTE_TABLE(rows);
