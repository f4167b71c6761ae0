/* A user changes his own password. He proves himself by the old one, so the row wants no token; whoever has none yet,
 * or an expired one, can do it too. */
#include "api/identity/hashing.h"
#include "api/identity/routes.h"
#include "api/identity/users.h"
#include <string.h>

struct password_body {
    const char *original_password, *password;
};
static const struct json_field fields[] = {
    {.name = "original_password",
     .kind = JSON_TEXT,
     .offset = offsetof(struct password_body, original_password),
     .flags = JSON_REQUIRED},
    {.name = "password", .kind = JSON_TEXT, .offset = offsetof(struct password_body, password), .flags = JSON_REQUIRED},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

struct outcome {
    int64_t changed_us; /* of the old password, which matched */
    const char *fresh;  /* the new one's hash */
};

static int refuse(struct request *request)
{
    return error_set(&request->error, ERR_UNAUTHORIZED,
                     "Error when changing user password: Invalid user ID or password");
}

static int user_password_check(struct request *request, struct reply *reply)
{
    (void)reply;
    const struct password_body *body = request->body;
    struct outcome *outcome = arena_alloc(&request->arena, sizeof(*outcome));
    struct user_row row = {0};
    struct login_attempt attempt;
    bool good;
    const char *id = request_param(request, "user_id");
    int rc = store_user_get(request->conn, id, &request->arena, &row, &request->error);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    const char *hash = rc ? NULL : row.password_hash;
    rc = hashing_enter(request, arena_join(&request->arena, "user ", id), &attempt);
    if (!rc)
        rc = hashing_check(request, body->original_password, hash, &good);
    if (rc)
        return rc;
    hashing_leave(request, &attempt, good);
    if (!good)
        return refuse(request);
    outcome->changed_us = row.password_changed_us;
    request->state = outcome;
    return hashing_make(request, body->password, &outcome->fresh);
}

static int user_password_change(struct request *request, struct reply *reply)
{
    const struct outcome *outcome = request->state;
    struct user_row row;
    int rc = store_user_get(request->conn, request_param(request, "user_id"), &request->arena, &row, &request->error);
    if (rc == ERR_NOT_FOUND ||
        (!rc && (!row.enabled || !row.password_hash || row.password_changed_us != outcome->changed_us)))
        return refuse(request);
    if (rc)
        return rc;
    row.password_hash = outcome->fresh;
    row.password_changed_us = request->now_us;
    row.password_expires_us = 0;
    rc = store_user_update(request->conn, &row, &request->error);
    if (!rc)
        rc = users_revoke(request, row.id);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/users/{user_id}/password",
     .permission = PERMISSION_PUBLIC,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct password_body),
     .member = "user",
     .hashes = true,
     .before = user_password_check,
     .handler = user_password_change},
};
const struct route_table user_password_routes = ROUTE_TABLE(rows);
