/* /groups/{id}/policies and what feeds them: metrics that are posted, and hooks, whose secret is all that their caller
 * shows. It is told once, kept as a hash, and stands in the query, which no log shows. */
#include "api/elastic/elastic.h"
#include "api/elastic/groups.h"
#include "api/elastic/scaling.h"
#include "common/clock.h"
#include "common/uuid.h"
#include <math.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>

#define POLICIES_MAX  50
#define METRIC_MAX    1e12
#define HOOK_EVERY_US (6 * CLOCK_SECOND_US)  /* calls of a hook, on average ... */
#define HOOK_BURST_US (60 * CLOCK_SECOND_US) /* ... and ten at once */

static void write_policy(struct request *request, struct json_out *out, const char *key,
                         const struct elastic_policy_row *row, const char *secret)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_object(out, key);
    json_out_text(out, "id", row->id);
    json_out_text(out, "kind", row->kind);
    json_out_raw(out, "body", row->body);
    json_out_text(out, "fired_at", row->fired_us == 0 ? NULL : clock_text(row->fired_us, CLOCK_ISO_Z, text));
    json_out_text(out, "created_at", clock_text(row->created_us, CLOCK_ISO_Z, text));
    if (secret != NULL)
        json_out_textf(out, "hook_url", "%s" ELASTIC_PREFIX "/hooks/%s?secret=%s", request_base_url(request), row->id,
                       secret);
    json_out_object_end(out);
}

static const char *hash_of(struct request *request, const char *secret)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char *hex = arena_alloc(&request->arena, 2 * sizeof(digest) + 1);
    crypto_hash_sha256(digest, (const unsigned char *)secret, strlen(secret));
    return sodium_bin2hex(hex, 2 * sizeof(digest) + 1, digest, sizeof(digest));
}

static const char *make_secret(struct request *request)
{
    unsigned char bytes[24];
    char *hex = arena_alloc(&request->arena, 2 * sizeof(bytes) + 1);
    randombytes_buf(bytes, sizeof(bytes));
    return sodium_bin2hex(hex, 2 * sizeof(bytes) + 1, bytes, sizeof(bytes));
}

static int policies_create(struct request *request, struct reply *reply)
{
    json_value *body = json_in_member(request->json, "policy");
    struct elastic_policy_row row = {.created_us = request->now_us}, *others;
    struct elastic_group_row group;
    struct scaling_policy policy;
    const char *secret = NULL;
    char id[UUID_SIZE];
    size_t count = 0;
    int rc = groups_load_living(request, &group);
    if (!rc && (!json_in_is_object(body) || json_in_count(request->json) != 1))
        rc = error_set(&request->error, ERR_INVALID, "policy: it is an object, and nothing is beside it");
    if (!rc)
        rc = scaling_read(body, &request->arena, &policy, &request->error);
    if (!rc)
        rc = store_elastic_policy_list(request->conn, group.id, &request->arena, &others, &count, &request->error);
    if (!rc && count >= POLICIES_MAX)
        rc = error_set(&request->error, ERR_QUOTA, "Quota exceeded: a group has at most %d policies", POLICIES_MAX);
    if (rc)
        return rc;
    row.id = uuid_ordered(id);
    row.group_id = group.id;
    row.kind = policy.kind;
    row.body = json_in_print(body, &request->arena);
    if (strcmp(policy.kind, "hook") == 0) {
        secret = make_secret(request);
        row.hook_hash = hash_of(request, secret);
    }
    rc = store_elastic_policy_insert(request->conn, &row, &request->error);
    if (!rc)
        rc = groups_save(request, &group);
    reply->status = 201;
    json_out_object(&reply->out, NULL);
    write_policy(request, &reply->out, "policy", &row, secret);
    json_out_object_end(&reply->out);
    return rc;
}

static int policies_list(struct request *request, struct reply *reply)
{
    struct elastic_policy_row *list = NULL;
    struct elastic_group_row group;
    size_t count = 0;
    int rc = groups_load(request, &group);
    if (!rc)
        rc = store_elastic_policy_list(request->conn, group.id, &request->arena, &list, &count, &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_array(&reply->out, "policies");
    for (size_t i = 0; i < count; i++)
        write_policy(request, &reply->out, NULL, &list[i], NULL);
    json_out_array_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int policies_delete(struct request *request, struct reply *reply)
{
    struct elastic_group_row group;
    int rc = groups_load(request, &group);
    reply->status = 204;
    return rc ? rc
              : store_elastic_policy_delete(request->conn, request_param(request, "policy_id"), group.id,
                                            &request->error);
}

struct metric_body {
    const char *name, *server_id;
    double value;
};
static const struct json_field metric_fields[] = {
    {.name = "name",
     .kind = JSON_TEXT,
     .offset = offsetof(struct metric_body, name),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 64},
    {.name = "value", .kind = JSON_NUMBER, .offset = offsetof(struct metric_body, value), .flags = JSON_REQUIRED},
    {.name = "server_id", .kind = JSON_TEXT, .offset = offsetof(struct metric_body, server_id), .max = 64},
};
static const struct json_table metric_table = {
    .fields = metric_fields, .count = JSON_COUNT(metric_fields), .seen_offset = JSON_NO_SEEN};

static int metrics_post(struct request *request, struct reply *reply)
{
    const struct metric_body *b = request->body;
    struct elastic_group_row group;
    int rc = groups_load_living(request, &group);
    if (!rc && !(fabs(b->value) < METRIC_MAX))
        rc = error_set(&request->error, ERR_INVALID, "metric.value: it is too large");
    if (!rc && strcmp(b->name, "cpu") == 0)
        rc = error_set(&request->error, ERR_INVALID, "metric.name: cpu is measured");
    if (!rc)
        rc = store_elastic_policy_metric_purge(request->conn, group.id, request->now_us - SCALING_FRESH_US,
                                               &request->error);
    if (!rc)
        rc = store_elastic_policy_metric_put(request->conn, group.id, b->name, b->server_id ? b->server_id : "",
                                             llround(b->value * 1000), request->now_us, &request->error);
    if (!rc)
        rc = store_elastic_postpone(request->conn, group.id, request->now_us, &request->error);
    reply->status = 204;
    return rc;
}

/* Who has the wrong secret learns nothing about the hook. */
static int load_hook(struct request *request, struct elastic_policy_row *ret)
{
    const char *secret = request_query(request, "secret");
    struct error gone = {0};
    int rc = store_elastic_policy_get(request->conn, request_param(request, "id"), &request->arena, ret, &gone);
    if (rc && rc != ERR_NOT_FOUND)
        return error_set(&request->error, rc, "%s", error_text(&gone));
    if (!rc && ret->hook_hash != NULL && secret != NULL) {
        const char *hash = hash_of(request, secret);
        if (strlen(hash) == strlen(ret->hook_hash) && sodium_memcmp(hash, ret->hook_hash, strlen(hash)) == 0)
            return 0;
    }
    return error_set(&request->error, ERR_NOT_FOUND, "There is no such hook, or its secret is another");
}

/* Each call takes HOOK_EVERY_US of a budget that fills up with time. */
static int take_turn(struct request *request, const struct elastic_policy_row *row, int64_t *ret_busy_us)
{
    int64_t begin_us = row->hook_busy_us > request->now_us ? row->hook_busy_us : request->now_us;
    int64_t late_us = begin_us + HOOK_EVERY_US - request->now_us - HOOK_BURST_US;
    *ret_busy_us = begin_us + HOOK_EVERY_US;
    if (late_us <= 0)
        return 0;
    request->retry_after_s = (late_us + CLOCK_SECOND_US - 1) / CLOCK_SECOND_US;
    return error_set(&request->error, ERR_RATE, "The hook is called too often. Try again in %lld seconds.",
                     (long long)request->retry_after_s);
}

static int hooks_call(struct request *request, struct reply *reply)
{
    int64_t busy_us = 0;
    struct elastic_policy_row row;
    struct scaling_policy policy;
    struct elastic_group_row group;
    struct json_doc doc;
    int rc = load_hook(request, &row);
    rc = rc ? rc : take_turn(request, &row, &busy_us);
    if (!rc)
        rc = store_elastic_get(request->conn, row.group_id, NULL, &request->arena, &group, &request->error);
    if (!rc && group.deleting)
        rc = error_set(&request->error, ERR_CONFLICT, "The group is being deleted");
    if (!rc)
        rc = json_in_parse(row.body, strlen(row.body), &doc, &request->error);
    if (rc)
        return rc;
    rc = scaling_read(doc.root, &request->arena, &policy, &request->error);
    json_in_done(&doc);
    struct turn t = groups_turn(request, &group);
    if (!rc)
        rc = scaling_set(&t, policy.desired >= 0 ? policy.desired : group.desired + policy.add,
                         arena_printf(&request->arena, "its hook was called (policy %s)", row.id), &request->error);
    if (!rc)
        rc = store_elastic_policy_fired(request->conn, row.id, request->now_us, busy_us, &request->error);
    if (!rc)
        rc = groups_save(request, &t.group);
    if (rc)
        return rc;
    reply->status = 202;
    json_out_object(&reply->out, NULL);
    json_out_int(&reply->out, "desired", t.group.desired);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/groups/{id}/policies", .permission = PERMISSION_READER, .handler = policies_list},
    {.method = "POST",
     .pattern = "/groups/{id}/policies",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = policies_create},
    {.method = "DELETE",
     .pattern = "/groups/{id}/policies/{policy_id}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = policies_delete},
    {.method = "POST",
     .pattern = "/groups/{id}/metrics",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &metric_table,
     .body_size = sizeof(struct metric_body),
     .member = "metric",
     .handler = metrics_post},
    {.method = "POST",
     .pattern = "/hooks/{id}",
     .permission = PERMISSION_PUBLIC,
     .kind = ROUTE_WRITE,
     .handler = hooks_call},
};
const struct route_table elastic_policies_routes = ROUTE_TABLE(rows);
