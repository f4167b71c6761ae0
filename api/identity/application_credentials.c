/* Application credentials. Their tokens act for their user on one project with roles that he had when he made them and
 * still has.
 *
 * A secret that we make is random and kept as a plain BLAKE2b; one that a user brings is treated like a password. */
#include "api/identity/access.h"
#include "api/identity/access_rules.h"
#include "api/identity/auth.h"
#include "api/identity/hashing.h"
#include "api/identity/list.h"
#include "api/identity/routes.h"
#include "api/identity/token.h"
#include "common/clock.h"
#include "common/password.h"
#include "common/uuid.h"
#include <sodium.h>
#include <string.h>

struct role_ref {
    const char *id, *name;
};
struct rule_ref {
    const char *id, *path, *method, *service;
};
struct application_body {
    const char *name, *description, *secret, *expires_at;
    bool unrestricted;
    struct json_list roles, access_rules;
};

static const char *const methods[] = {"POST", "GET", "HEAD", "PATCH", "PUT", "DELETE", NULL};
static const struct json_field role_fields[] = {
    {.name = "id", .kind = JSON_TEXT, .offset = offsetof(struct role_ref, id), .min = 1, .max = 64},
    {.name = "name", .kind = JSON_TEXT, .offset = offsetof(struct role_ref, name), .min = 1, .max = 255},
};
static const struct json_table role_table = {
    .fields = role_fields, .count = JSON_COUNT(role_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field rule_fields[] = {
    {.name = "id", .kind = JSON_TEXT, .offset = offsetof(struct rule_ref, id), .min = 1, .max = 64},
    {.name = "path", .kind = JSON_TEXT, .offset = offsetof(struct rule_ref, path), .max = 225},
    {.name = "method", .kind = JSON_TEXT, .offset = offsetof(struct rule_ref, method), .choices = methods},
    {.name = "service", .kind = JSON_TEXT, .offset = offsetof(struct rule_ref, service), .min = 1, .max = 64},
};
static const struct json_table rule_table = {
    .fields = rule_fields, .count = JSON_COUNT(rule_fields), .seen_offset = JSON_NO_SEEN};
#define FIELD(member) .offset = offsetof(struct application_body, member)
static const struct json_field fields[] = {
    {.name = "name", .kind = JSON_TEXT, FIELD(name), .flags = JSON_REQUIRED, .min = 1, .max = 255},
    {.name = "description", .kind = JSON_TEXT, FIELD(description), .flags = JSON_NULLABLE},
    {.name = "secret", .kind = JSON_TEXT, FIELD(secret), .flags = JSON_NULLABLE},
    {.name = "expires_at", .kind = JSON_TEXT, FIELD(expires_at), .flags = JSON_NULLABLE},
    {.name = "unrestricted", .kind = JSON_BOOL, FIELD(unrestricted)},
    {.name = "roles", .kind = JSON_LIST, FIELD(roles), .sub = &role_table, .item_size = sizeof(struct role_ref)},
    {.name = "access_rules",
     .kind = JSON_LIST,
     FIELD(access_rules),
     .sub = &rule_table,
     .item_size = sizeof(struct rule_ref)},
};
static const struct json_table table = {
    .fields = fields, .count = JSON_COUNT(fields), .open = true, .seen_offset = JSON_NO_SEEN};

struct putting {
    struct request *request;
    struct reply *reply;
};

static int put_role(void *arg, const struct role_row *row, struct error *e)
{
    (void)e;
    struct json_out *o = &((struct putting *)arg)->reply->out;
    json_out_object(o, NULL);
    json_out_text(o, "id", row->id);
    json_out_text(o, "name", row->name);
    json_out_text(o, "domain_id", *row->domain_id ? row->domain_id : NULL);
    json_out_text(o, "description", row->description);
    json_out_raw(o, "options", row->options);
    json_out_object_end(o);
    return 0;
}

static int put_rule(void *arg, const struct access_rule_row *row, struct error *e)
{
    (void)e;
    struct putting *p = arg;
    access_rules_put(p->request, p->reply, NULL, row, false);
    return 0;
}

static int note_rule(void *arg, const struct access_rule_row *row, struct error *e)
{
    (void)row, (void)e;
    *(bool *)arg = true;
    return 0;
}

/* `secret` is shown once, to who made it. */
static int put_application(struct request *request, struct reply *reply, const char *key,
                           const struct application_credential_row *row, const char *secret)
{
    struct json_out *o = &reply->out;
    struct putting p = {request, reply};
    char time[CLOCK_TEXT_SIZE];
    bool ruled = false;
    json_out_object(o, key);
    json_out_text(o, "id", row->id);
    json_out_text(o, "name", row->name);
    json_out_text(o, "description", row->description);
    json_out_text(o, "user_id", row->user_id);
    json_out_text(o, "project_id", row->project_id);
    json_out_null(o, "system");
    json_out_text(o, "expires_at", row->expires_us ? clock_text(row->expires_us, CLOCK_ISO_MICRO, time) : NULL);
    json_out_bool(o, "unrestricted", row->unrestricted);
    json_out_array(o, "roles");
    int rc = store_application_credential_each_role(request->conn, row->id, put_role, &p, &request->error);
    json_out_array_end(o);
    if (!rc)
        rc = store_application_credential_each_rule(request->conn, row->id, note_rule, &ruled, &request->error);
    if (!rc && ruled) {
        json_out_array(o, "access_rules");
        rc = store_application_credential_each_rule(request->conn, row->id, put_rule, &p, &request->error);
        json_out_array_end(o);
    }
    if (secret)
        json_out_text(o, "secret", secret);
    identity_link(request, reply, arena_printf(&request->arena, "users/%s/application_credentials", row->user_id),
                  row->id);
    json_out_object_end(o);
    return rc;
}

static int reply_application(struct request *request, struct reply *reply, const struct application_credential_row *row,
                             const char *secret)
{
    json_out_object(&reply->out, NULL);
    int rc = put_application(request, reply, "application_credential", row, secret);
    json_out_object_end(&reply->out);
    return rc;
}

static int check_reader(struct request *request, const char *action)
{
    if (access_is_self(request, request_param(request, "user_id")) || access_reads_all(request))
        return 0;
    return access_deny(request, action);
}

static int load(struct request *request, struct application_credential_row *ret)
{
    const char *id = request_param(request, "application_credential_id");
    int rc = store_application_credential_get(request->conn, id, &request->arena, ret, &request->error);
    if (!rc && strcmp(ret->user_id, request_param(request, "user_id")) != 0)
        rc = ERR_NOT_FOUND;
    return identity_found(request, rc, "Application Credential", id);
}

static int application_credentials_list(struct request *request, struct reply *reply)
{
    static const char *const filters[] = {"name", NULL};
    struct application_credential_row *all;
    struct list list;
    size_t count;
    int rc = check_reader(request, "identity:list_application_credentials");
    if (!rc)
        rc = store_application_credential_list(request->conn, request_param(request, "user_id"), &request->arena, &all,
                                               &count, &request->error);
    if (!rc)
        rc = list_begin(&list, request, reply, "application_credentials", filters);
    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < count; i++) {
        if (list.page.after && strcmp(all[i].id, list.page.after) <= 0)
            continue;
        if (list_text(&list, "name", all[i].name) && list_take(&list, all[i].id))
            rc = put_application(request, reply, NULL, &all[i], NULL);
    }
    list_end(&list);
    return rc;
}

static int application_credentials_show(struct request *request, struct reply *reply)
{
    struct application_credential_row row;
    int rc = check_reader(request, "identity:get_application_credential");
    if (!rc)
        rc = load(request, &row);
    return rc ? rc : reply_application(request, reply, &row, NULL);
}

/* Only for oneself, with a token for a project. */
static int check_maker(struct request *request)
{
    if (!access_is_self(request, request_param(request, "user_id")))
        return access_deny(request, "Cannot create an application credential for another user.");
    if (!*request->credential.project_id)
        return error_set(&request->error, ERR_INVALID,
                         "Invalid application credential: a token for a project is needed");
    return access_unrestricted(
        request,
        "Using method 'application_credential' is not allowed for managing additional application credentials.");
}

static int application_credentials_hash(struct request *request, struct reply *reply)
{
    (void)reply;
    const struct application_body *body = request->body;
    const char *hash = NULL;
    int rc = check_maker(request);
    if (!rc && body->secret && *body->secret)
        rc = hashing_make(request, body->secret, &hash);
    request->state = (void *)hash;
    return rc;
}

/* 86 characters, and their hash. */
static const char *make_secret(struct request *request, const char **ret_hash)
{
    unsigned char raw[64];
    char *secret = arena_alloc(&request->arena, 96), *hash = arena_alloc(&request->arena, PASSWORD_HASH_SIZE);
    randombytes_buf(raw, sizeof(raw));
    sodium_bin2base64(secret, 96, raw, sizeof(raw), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(raw, sizeof(raw));
    password_hash_random(secret, hash);
    *ret_hash = hash;
    return secret;
}

static int read_expiry(struct request *request, int64_t *ret)
{
    const struct application_body *body = request->body;
    if (!body->expires_at || !*body->expires_at)
        return 0;
    if (!clock_parse(body->expires_at, ret))
        return error_set(&request->error, ERR_INVALID,
                         "Timestamp not in expected format. The server could not comply with the request since it is "
                         "either malformed or "
                         "otherwise incorrect. The client is assumed to be in error.");
    if (*ret <= request->now_us)
        return error_set(
            &request->error, ERR_INVALID,
            "The 'expires_at' must not be before now. The server could not comply with the request since it is either "
            "malformed or otherwise incorrect. The client is assumed to be in error.");
    return 0;
}

static int add_roles(struct request *request, const char *id)
{
    const struct application_body *body = request->body;
    const struct role_ref *asked = body->roles.items;
    struct auth_context context = {.credential = request->credential};
    int rc = auth_scope_load(request, &context);
    if (!rc)
        rc = auth_scope_roles(request, &context);
    if (!rc && !body->roles.count)
        for (const struct auth_role *role = context.roles; !rc && role; role = role->next)
            rc = store_application_credential_add_role(request->conn, id, role->id, &request->error);
    for (size_t i = 0; !rc && i < body->roles.count; i++) {
        const struct auth_role *role = context.roles;
        while (role &&
               (asked[i].id ? strcmp(role->id, asked[i].id) : !asked[i].name || strcmp(role->name, asked[i].name)) != 0)
            role = role->next;
        rc = role ? store_application_credential_add_role(request->conn, id, role->id, &request->error)
                  : error_set(
                        &request->error, ERR_INVALID,
                        "Invalid application credential: Cannot create an application credential with unassigned role");
    }
    return rc;
}

/* The user's rule that the body means, made if need be. */
static int find_rule(struct request *request, const struct rule_ref *ref, const char **ret_id)
{
    struct access_rule_row like = {
        .user_id = request->credential.user_id, .service = ref->service, .method = ref->method, .path = ref->path};
    struct access_rule_row row;
    int rc;
    if (ref->id) {
        rc = store_access_rule_get(request->conn, ref->id, &request->arena, &row, &request->error);
        rc = identity_found(request, !rc && strcmp(row.user_id, like.user_id) != 0 ? ERR_NOT_FOUND : rc, "Access Rule",
                            ref->id);
    } else if (!ref->path || *ref->path != '/' || !ref->method || !ref->service) {
        rc = identity_invalid(request, "access_rules", "service, method and a path that begins with / are needed");
    } else {
        rc = store_access_rule_find(request->conn, &like, &request->arena, &row, &request->error);
        if (rc == ERR_NOT_FOUND) {
            row = like;
            row.id = identity_id(request);
            rc = store_access_rule_insert(request->conn, &row, &request->error);
        }
    }
    if (!rc)
        *ret_id = row.id;
    return rc;
}

static int add_rules(struct request *request, const char *id)
{
    const struct application_body *body = request->body;
    const struct rule_ref *refs = body->access_rules.items;
    const char *rule_id = NULL;
    int rc = 0;
    for (size_t i = 0; !rc && i < body->access_rules.count; i++) {
        rc = find_rule(request, &refs[i], &rule_id);
        if (!rc)
            rc = store_application_credential_add_rule(request->conn, id, rule_id, &request->error);
    }
    return rc;
}

static int check_name_free(struct request *request, const char *name)
{
    struct application_credential_row other;
    int rc = store_application_credential_find(request->conn, request->credential.user_id, name, &request->arena,
                                               &other, &request->error);
    if (rc == ERR_NOT_FOUND)
        return 0;
    return rc ? rc : identity_conflict(request, "application_credential", "Duplicate entry found with name %s", name);
}

static int application_credentials_create(struct request *request, struct reply *reply)
{
    const struct application_body *body = request->body;
    const char *secret = body->secret && *body->secret ? body->secret : NULL;
    struct application_credential_row row = {.id = identity_id(request),
                                             .user_id = request->credential.user_id,
                                             .project_id = request->credential.project_id,
                                             .name = body->name,
                                             .secret_hash = request->state,
                                             .description = body->description,
                                             .unrestricted = body->unrestricted,
                                             .created_us = request->now_us};
    int rc = check_maker(request);
    if (!rc)
        rc = identity_check_name(request, body->name);
    if (!rc)
        rc = read_expiry(request, &row.expires_us);
    if (!rc)
        rc = check_name_free(request, row.name);
    if (rc)
        return rc;
    if (!secret)
        secret = make_secret(request, &row.secret_hash);
    rc = store_application_credential_insert(request->conn, &row, &request->error);
    if (!rc)
        rc = add_roles(request, row.id);
    if (!rc)
        rc = add_rules(request, row.id);
    reply->status = 201;
    return rc ? rc : reply_application(request, reply, &row, secret);
}

static int application_credentials_delete(struct request *request, struct reply *reply)
{
    struct application_credential_row row;
    int rc = access_self_or_admin(request, request_param(request, "user_id"), "identity:delete_application_credential");
    if (!rc)
        rc = access_unrestricted(request, "identity:delete_application_credential");
    if (!rc)
        rc = load(request, &row);
    if (!rc)
        rc = store_application_credential_delete(request->conn, row.id, &request->error);
    if (!rc)
        rc = token_revoke(request->api->tokens, request->conn, TOKEN_REVOKE_APPLICATION, row.id, "", &request->error);
    reply->status = 204;
    return rc;
}

#define ALL "/users/{user_id}/application_credentials"
#define ONE ALL "/{application_credential_id}"
static const struct route rows[] = {
    {.method = "GET", .pattern = ALL, .permission = PERMISSION_AUTHENTICATED, .handler = application_credentials_list},
    {.method = "POST",
     .pattern = ALL,
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct application_body),
     .member = "application_credential",
     .hashes = true,
     .before = application_credentials_hash,
     .handler = application_credentials_create},
    {.method = "GET", .pattern = ONE, .permission = PERMISSION_AUTHENTICATED, .handler = application_credentials_show},
    {.method = "DELETE",
     .pattern = ONE,
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = application_credentials_delete},
};
const struct route_table application_credentials_routes = ROUTE_TABLE(rows);
