/* os-server-groups. Until 2.63 a group has "policies" (a list of one) and "metadata"; from 2.64 "policy" and "rules".
 */
#include "api/compute/compute_routes.h"
#include "api/http/handler.h"
#include "common/clock.h"
#include "common/model/quota.h"
#include "common/uuid.h"
#include "db/store_quota.h"
#include "db/store_server_group.h"
#include <stdlib.h>
#include <string.h>

#define POLICY_SINCE 64
#define PAGE_MOST    1000

static const char *const policies[] = {"affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity", NULL};

struct group_body {
    const char *name, *policy;
    struct json_list policies;
    struct {
        int64_t max_server_per_host;
    } rules;
    struct json_seen seen;
};

static const struct json_field old_fields[] = {
    {.name = "name",
     .kind = JSON_TEXT,
     .offset = offsetof(struct group_body, name),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 255},
    {.name = "policies",
     .kind = JSON_TEXTS,
     .offset = offsetof(struct group_body, policies),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 1},
};
static const struct json_table old_table = {
    .fields = old_fields, .count = JSON_COUNT(old_fields), .seen_offset = offsetof(struct group_body, seen)};

static const struct json_field rule_fields[] = {
    {.name = "max_server_per_host", .kind = JSON_INT, .offset = 0, .flags = JSON_LENIENT, .min = 1, .max = INT32_MAX},
};
static const struct json_table rule_table = {
    .fields = rule_fields, .count = JSON_COUNT(rule_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field new_fields[] = {
    {.name = "name",
     .kind = JSON_TEXT,
     .offset = offsetof(struct group_body, name),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 255},
    {.name = "policy",
     .kind = JSON_TEXT,
     .offset = offsetof(struct group_body, policy),
     .flags = JSON_REQUIRED,
     .choices = policies},
    {.name = "rules", .kind = JSON_OBJECT, .offset = offsetof(struct group_body, rules), .sub = &rule_table},
};
static const struct json_table new_table = {
    .fields = new_fields, .count = JSON_COUNT(new_fields), .seen_offset = offsetof(struct group_body, seen)};

struct listing {
    struct request *request;
    struct reply *reply;
    int64_t skip;
};

static int write_member(void *arg, const char *server_id, struct error *e)
{
    (void)e;
    json_out_text(arg, NULL, server_id);
    return 0;
}

static int write_group(struct request *request, struct json_out *out, const char *key,
                       const struct server_group_row *row)
{
    json_out_object(out, key);
    json_out_text(out, "id", row->id);
    json_out_text(out, "name", row->name);
    if (request->microversion >= POLICY_SINCE) {
        json_out_text(out, "policy", row->policy);
        json_out_object(out, "rules");
        if (strcmp(row->policy, "anti-affinity") == 0) {
            json_out_int(out, "max_server_per_host", row->max_per_host);
        }
        json_out_object_end(out);
    } else {
        json_out_array(out, "policies");
        json_out_text(out, NULL, row->policy);
        json_out_array_end(out);
        json_out_object(out, "metadata");
        json_out_object_end(out);
    }
    json_out_array(out, "members");
    int rc = store_server_group_members(request->conn, row->id, write_member, out, &request->error);
    json_out_array_end(out);
    if (request->microversion >= 13) {
        json_out_text(out, "project_id", row->project_id);
        json_out_text(out, "user_id", row->user_id);
    }
    json_out_object_end(out);
    return rc;
}

static bool known_policy(const char *name, int microversion)
{
    for (size_t i = 0; policies[i]; i++) {
        bool soft = strncmp(policies[i], "soft-", 5) == 0;
        if (strcmp(policies[i], name) == 0) {
            return !soft || microversion >= 15;
        }
    }
    return false;
}

static int read_policy(struct request *request, const struct group_body *body, const char **ret)
{
    *ret = body->policy ? body->policy : ((const char *const *)body->policies.items)[0];
    if (!known_policy(*ret, request->microversion)) {
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute 0. Value: %s.", *ret);
    }
    bool anti = strcmp(*ret, "anti-affinity") == 0;
    if (body->rules.max_server_per_host > 0 && !anti) {
        return error_set(&request->error, ERR_INVALID, "Only anti-affinity policy supports rules.");
    }
    return 0;
}

static int check_quota(struct request *request)
{
    struct quota_set limits;
    int64_t count = 0;
    const char *project = request->credential.project_id;
    int rc = store_quota_limits(request->conn, project, &limits, &request->error);
    rc = rc ? rc : store_server_group_count(request->conn, project, &count, &request->error);
    int64_t limit = limits.amount[QUOTA_SERVER_GROUPS];
    if (!rc && limit >= 0 && count >= limit) {
        rc = error_set(&request->error, ERR_QUOTA, "Quota exceeded, too many server groups.");
    }
    return rc;
}

static int server_groups_create(struct request *request, struct reply *reply)
{
    const struct group_body *body = request->body;
    char id[UUID_SIZE];
    struct server_group_row row = {
        .id = uuid_ordered(id),
        .project_id = request->credential.project_id,
        .user_id = request->credential.user_id,
        .name = body->name,
        .max_per_host = body->rules.max_server_per_host > 0 ? body->rules.max_server_per_host : 1,
        .created_us = request->now_us,
    };
    int rc = read_policy(request, body, &row.policy);
    rc = rc ? rc : check_quota(request);
    rc = rc ? rc : store_server_group_insert(request->conn, &row, &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    rc = write_group(request, &reply->out, "server_group", &row);
    json_out_object_end(&reply->out);
    return rc;
}

static const char *scope_of(const struct request *request)
{
    return request->credential.roles & ROLE_ADMIN ? NULL : request->credential.project_id;
}

static int server_groups_show(struct request *request, struct reply *reply)
{
    struct server_group_row row;
    int rc = store_server_group_get(request->conn, request_param(request, "id"), scope_of(request), &request->arena,
                                    &row, &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    rc = write_group(request, &reply->out, "server_group", &row);
    json_out_object_end(&reply->out);
    return rc;
}

static int list_one(void *arg, const struct server_group_row *row, struct error *e)
{
    (void)e;
    struct listing *l = arg;
    if (l->skip > 0) {
        l->skip--;
        return 0;
    }
    return write_group(l->request, &l->reply->out, NULL, row);
}

static int read_number(struct request *request, const char *name, int64_t fallback, int64_t *ret)
{
    const char *text = request_query(request, name);
    char *end = NULL;
    *ret = text ? strtoll(text, &end, 10) : fallback;
    if (text && (!*text || *end || *ret < 0)) {
        return error_set(&request->error, ERR_INVALID, "Invalid input for query parameters %s. Value: %s.", name, text);
    }
    return 0;
}

/* Nova pages this one list by limit and offset. */
static int server_groups_list(struct request *request, struct reply *reply)
{
    struct listing l = {.request = request, .reply = reply};
    int64_t limit;
    bool all = request_query(request, "all_projects") && request->credential.roles & ROLE_ADMIN;
    int rc = read_number(request, "limit", PAGE_MOST, &limit);
    rc = rc ? rc : read_number(request, "offset", 0, &l.skip);
    if (rc) {
        return rc;
    }
    limit = limit > PAGE_MOST ? PAGE_MOST : limit;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "server_groups");
    rc = store_server_group_list(request->conn, all ? NULL : request->credential.project_id, limit + l.skip, NULL,
                                 list_one, &l, &request->error);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return rc;
}

static int server_groups_delete(struct request *request, struct reply *reply)
{
    reply->status = 204;
    return store_server_group_delete(request->conn, request_param(request, "id"), scope_of(request), &request->error);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/os-server-groups", .permission = PERMISSION_READER, .handler = server_groups_list},
    {.method = "POST",
     .pattern = "/os-server-groups",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &old_table,
     .body_size = sizeof(struct group_body),
     .member = "server_group",
     .until = POLICY_SINCE - 1,
     .handler = server_groups_create},
    {.method = "POST",
     .pattern = "/os-server-groups",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &new_table,
     .body_size = sizeof(struct group_body),
     .member = "server_group",
     .since = POLICY_SINCE,
     .handler = server_groups_create},
    {.method = "GET",
     .pattern = "/os-server-groups/{id}",
     .permission = PERMISSION_READER,
     .handler = server_groups_show},
    {.method = "DELETE",
     .pattern = "/os-server-groups/{id}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = server_groups_delete},
};
const struct route_table server_groups_routes = ROUTE_TABLE(rows);
