/* Tokens: POST issues one, GET and HEAD look at one, DELETE voids one. */
#include "api/identity/auth.h"
#include "api/identity/access.h"
#include "api/identity/routes.h"
#include "api/identity/token.h"
#include "common/clock.h"
#include "common/log.h"
#include "db/store_token.h"
#include <string.h>
#include <strings.h>

#define LATE_US (48 * 3600 * CLOCK_SECOND_US) /* ?allow_expired=1 looks back so far */

static int refused(struct request *request, const struct auth_context *context)
{
    const struct auth_body *body = request->body;
    const struct auth_user *user = &body->identity.password.user;
    const char *who = context->user.id ? context->user.id : user->id ? user->id : user->name ? user->name : "";
    log_info("login refused", "user=%s client=%s reason=%s", who, request_client_address(request),
             error_text(&request->error));
    return ERR_UNAUTHORIZED;
}

static int auth_create(struct request *request, struct reply *reply)
{
    const struct auth_body *body = request->body;
    struct auth_context context = {0};
    char text[TOKEN_SIZE];
    unsigned methods;
    int rc = auth_methods(request, body, &methods);
    if (!rc)
        rc = store_token_gate(request->conn, &request->error);
    if (!rc)
        rc = auth_user_identify(request, body, methods, &context);
    if (!rc)
        rc = auth_scope_choose(request, body, methods, &context);
    if (!rc)
        rc = auth_scope_roles(request, &context);
    if (rc)
        return rc == ERR_UNAUTHORIZED ? refused(request, &context) : rc;
    context.credential.issued_us = request->now_us;
    token_audit_id(context.credential.audit_id);
    rc = token_issue(request->api->tokens, &context.credential, text, &request->error);
    if (rc)
        return rc;
    reply->status = 201;
    reply_header(reply, "X-Subject-Token", text);
    return auth_view_token(request, reply, &context, !request_query(request, "nocatalog"));
}

/* The token in X-Subject-Token. A bad one is not found, as the caller himself is known. */
static int read_subject(struct request *request, int64_t grace_us, struct credential *ret)
{
    const char *text = request_header(request, "X-Subject-Token");
    struct error err = {0};
    if (!text)
        return error_set(&request->error, ERR_INVALID, "Expecting to find X-Subject-Token in the headers.");
    int rc = token_verify_late(request->api->tokens, text, request->now_us, grace_us, ret, &err);
    if (rc == ERR_UNAUTHORIZED)
        return error_set(&request->error, ERR_NOT_FOUND,
                         "Could not find token: the token is unknown, expired or revoked.");
    return rc ? error_set(&request->error, rc, "%s", error_text(&err)) : 0;
}

/* Anybody may look at his own tokens; those who read the whole cloud at all. */
static int may_see(struct request *request, const struct credential *subject, const char *action)
{
    if (strcmp(request->credential.user_id, subject->user_id) == 0 || access_reads_all(request))
        return 0;
    return access_deny(request, action);
}

static int auth_show(struct request *request, struct reply *reply)
{
    const char *late = request_query(request, "allow_expired");
    bool allow_late = late && *late && strcmp(late, "0") != 0 && strcasecmp(late, "false") != 0;
    struct auth_context context = {0};
    int rc = read_subject(request, allow_late ? LATE_US : 0, &context.credential);
    if (!rc)
        rc = may_see(request, &context.credential, "identity:validate_token");
    if (!rc)
        rc = auth_scope_load(request, &context);
    if (!rc)
        rc = auth_scope_roles(request, &context);
    if (rc == ERR_UNAUTHORIZED) {
        error_clear(&request->error);
        return error_set(&request->error, ERR_NOT_FOUND, "Could not find token: what it was for is gone.");
    }
    if (rc)
        return rc;
    reply_header(reply, "X-Subject-Token", request_header(request, "X-Subject-Token"));
    return auth_view_token(request, reply, &context, !request_query(request, "nocatalog"));
}

static int auth_delete(struct request *request, struct reply *reply)
{
    struct credential subject;
    int rc = read_subject(request, 0, &subject);
    if (!rc && strcmp(request->credential.user_id, subject.user_id) != 0 && !access_is_admin(request))
        rc = access_deny(request, "identity:revoke_token");
    if (!rc)
        rc = token_revoke(request->api->tokens, request->conn, TOKEN_REVOKE_AUDIT, subject.audit_id, "",
                          &request->error);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/auth/tokens",
     .permission = PERMISSION_PUBLIC,
     .kind = ROUTE_WRITE,
     .body = &auth_body_table,
     .body_size = sizeof(struct auth_body),
     .member = "auth",
     .hashes = true,
     .before = auth_user_check,
     .handler = auth_create},
    {.method = "GET", .pattern = "/auth/tokens", .permission = PERMISSION_AUTHENTICATED, .handler = auth_show},
    {.method = "DELETE",
     .pattern = "/auth/tokens",
     .permission = PERMISSION_AUTHENTICATED,
     .kind = ROUTE_WRITE,
     .handler = auth_delete},
};
const struct route_table auth_routes = ROUTE_TABLE(rows);
