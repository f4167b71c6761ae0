/* Quotas of the network service: /v2.0/quotas. Only what exists is counted; the limits of other kinds are refused as
 * unknown. */
#include "api/network/network_service.h"
#include "common/json_in.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *path_project(struct request *request)
{
    const char *id = request_param(request, "project");
    size_t length = strlen(id);
    return length > 5 && strcmp(id + length - 5, ".json") == 0 ? arena_strndup(&request->arena, id, length - 5) : id;
}

static int check_may_see(struct request *request, const char *project)
{
    if (entity_is_admin(request) || strcmp(project, request->credential.project_id) == 0)
        return 0;
    return entity_forbid(request, "rule:get_quota");
}

static int write_quota(struct request *request, struct json_out *out, const char *key, const char *project)
{
    int rc = 0;
    json_out_object(out, key);
    for (int i = 0; i < QUOTA_COUNT && rc == 0; i++) {
        int64_t most = 0;
        rc = store_network_quota_get(request->conn, project, (enum network_quota)i, &most, &request->error);
        json_out_int(out, store_network_quota_name((enum network_quota)i), most);
    }
    if (key == NULL) {
        json_out_text(out, "tenant_id", project);
        json_out_text(out, "project_id", project);
    }
    json_out_object_end(out);
    return rc;
}

static int quotas_show(struct request *request, struct reply *reply)
{
    const char *project = path_project(request);
    int rc = check_may_see(request, project);
    if (rc != 0)
        return rc;
    json_out_object(&reply->out, NULL);
    rc = write_quota(request, &reply->out, "quota", project);
    json_out_object_end(&reply->out);
    return rc;
}

static int quotas_defaults(struct request *request, struct reply *reply)
{
    int rc = check_may_see(request, path_project(request));
    if (rc != 0)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "quota");
    for (int i = 0; i < QUOTA_COUNT; i++)
        json_out_int(&reply->out, store_network_quota_name((enum network_quota)i),
                     store_network_quota_default((enum network_quota)i));
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int quotas_details(struct request *request, struct reply *reply)
{
    const char *project = path_project(request);
    int rc = check_may_see(request, project);
    if (rc != 0)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "quota");
    for (int i = 0; i < QUOTA_COUNT && rc == 0; i++) {
        enum network_quota which = (enum network_quota)i;
        int64_t most = 0, used = 0;
        rc = store_network_quota_get(request->conn, project, which, &most, &request->error);
        if (rc == 0)
            rc = store_network_quota_used(request->conn, project, which, -1, &used, &request->error);
        json_out_object(&reply->out, store_network_quota_name(which));
        json_out_int(&reply->out, "used", used);
        json_out_int(&reply->out, "limit", most);
        json_out_int(&reply->out, "reserved", 0);
        json_out_object_end(&reply->out);
    }
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static int quotas_list(struct request *request, struct reply *reply)
{
    const char **projects = NULL;
    size_t count = 0;
    int rc = store_network_quota_projects(request->conn, &request->arena, &projects, &count, &request->error);
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "quotas");
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = write_quota(request, &reply->out, NULL, projects[i]);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static int quotas_tenant(struct request *request, struct reply *reply)
{
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "tenant");
    json_out_text(&reply->out, "tenant_id", request->credential.project_id);
    json_out_text(&reply->out, "project_id", request->credential.project_id);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

struct setting {
    struct request *request;
    const char *project;
};

static int read_limit(struct request *request, const char *name, json_value *value, int64_t *ret)
{
    const char *text = json_in_text(value);
    char *end = NULL;
    errno = 0;
    bool number = text != NULL ? (*ret = strtoll(text, &end, 10), text[0] != 0 && *end == 0 && errno == 0)
                               : json_in_int(value, ret);
    if (!number)
        return entity_invalid(request, "'%s' is not an integer",
                              text != NULL ? text : json_in_print(value, &request->arena));
    if (*ret < -1 || *ret > INT32_MAX)
        return entity_reason(request, name, "'%lld' is not in range -1..2147483647", (long long)*ret);
    return 0;
}

static int set_one(void *arg, const char *name, json_value *value)
{
    struct setting *s = arg;
    int64_t most = 0;
    if (strcmp(name, "tenant_id") == 0 || strcmp(name, "project_id") == 0)
        return 0;
    for (int i = 0; i < QUOTA_COUNT; i++) {
        if (strcmp(store_network_quota_name((enum network_quota)i), name) != 0)
            continue;
        int rc = read_limit(s->request, name, value, &most);
        return rc != 0 ? rc
                       : store_network_quota_set(s->request->conn, s->project, (enum network_quota)i, most,
                                                 &s->request->error);
    }
    return entity_refuse(s->request, "Unrecognized attribute(s) '%s'", name);
}

static int quotas_update(struct request *request, struct reply *reply)
{
    struct setting s = {.request = request, .project = path_project(request)};
    json_value *body = json_in_member(request->json, "quota");
    if (!json_in_is_object(body))
        return entity_refuse(request, "Unable to find 'quota' in request body");
    int rc = json_in_each(body, set_one, &s);
    if (rc != 0)
        return rc;
    json_out_object(&reply->out, NULL);
    rc = write_quota(request, &reply->out, "quota", s.project);
    json_out_object_end(&reply->out);
    return rc;
}

static int quotas_reset(struct request *request, struct reply *reply)
{
    bool any = false;
    const char *project = path_project(request);
    int rc = store_network_quota_reset(request->conn, project, &any, &request->error);
    if (rc == 0 && !any)
        rc = error_set_type(&request->error, ERR_NOT_FOUND, "TenantQuotaNotFound",
                            "Quota for tenant %s could not be found.", project);
    if (rc == 0)
        reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/v2.0/quotas", .permission = PERMISSION_ADMIN, .handler = quotas_list},
    {.method = "GET", .pattern = "/v2.0/quotas.json", .permission = PERMISSION_ADMIN, .handler = quotas_list},
    {.method = "GET", .pattern = "/v2.0/quotas/tenant", .permission = PERMISSION_READER, .handler = quotas_tenant},
    {.method = "GET", .pattern = "/v2.0/quotas/project", .permission = PERMISSION_READER, .handler = quotas_tenant},
    {.method = "GET", .pattern = "/v2.0/quotas/{project}", .permission = PERMISSION_READER, .handler = quotas_show},
    {.method = "PUT",
     .pattern = "/v2.0/quotas/{project}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = quotas_update},
    {.method = "DELETE",
     .pattern = "/v2.0/quotas/{project}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = quotas_reset},
    {.method = "GET",
     .pattern = "/v2.0/quotas/{project}/default",
     .permission = PERMISSION_READER,
     .handler = quotas_defaults},
    {.method = "GET",
     .pattern = "/v2.0/quotas/{project}/details.json",
     .permission = PERMISSION_READER,
     .handler = quotas_details},
    {.method = "GET",
     .pattern = "/v2.0/quotas/{project}/details",
     .permission = PERMISSION_READER,
     .handler = quotas_details},
};
const struct route_table network_quotas_routes = ROUTE_TABLE(rows);
