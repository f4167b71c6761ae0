/* Who logs in.
 *
 * Whoever fails again and again is slowed down first (login_limit.h).
 *
 * The slow part (auth_user_check, on a worker) hashes the password or secret that was given against the row's hash, or
 * against nothing when there is no such row, so that both take the same time. It leaves the hash that matched. The fast
 * part (auth_user_identify, in the write transaction) loads the row again and wants the same hash to be there still: a
 * password change that committed meanwhile wins, and one that commits later revokes the token. A hash of another cost
 * than the configured one is made anew and written there. */
#include "api/config.h"
#include "api/identity/auth.h"
#include "api/identity/hashing.h"
#include "api/identity/token.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

struct outcome {
    const char *password_hash;   /* the hash that the password matched; NULL: none */
    const char *user_id;         /* whose it is */
    int64_t password_changed_us; /* since when */
    const char *secret_hash;     /* likewise of the application credential */
    const char *application_id;
    const char *fresh_password, *fresh_secret; /* hashes at the present cost, where those were of another; NULL: none */
};

static int refuse(struct request *request, const char *why)
{
    return error_set(&request->error, ERR_UNAUTHORIZED, "%s", why);
}

/* ERR_NOT_FOUND when there is none. */
static int find_domain(struct request *request, const struct auth_name *name, struct project_row *ret)
{
    int rc = name->id ? store_project_get(request->conn, name->id, &request->arena, ret, &request->error)
                      : store_project_find(request->conn, "", name->name, &request->arena, ret, &request->error);
    return rc ? rc : ret->is_domain ? 0 : ERR_NOT_FOUND;
}

/* The user that the body means. ERR_NOT_FOUND when there is none; ERR_INVALID when the body does not say. */
static int find_user(struct request *request, const struct auth_user *user, struct user_row *ret)
{
    struct project_row domain;
    struct error *e = &request->error;
    if (user->id)
        return store_user_get(request->conn, user->id, &request->arena, ret, e);
    if (!user->name)
        return error_set(e, ERR_INVALID, "Invalid input for field identity/password/user: id or name must be present.");
    if (!user->domain.id && !user->domain.name)
        return error_set(e, ERR_INVALID, "Expecting to find domain in user.");
    int rc = find_domain(request, &user->domain, &domain);
    return rc ? rc : store_user_find(request->conn, domain.id, user->name, &request->arena, ret, e);
}

static int find_application(struct request *request, const struct auth_body *body,
                            struct application_credential_row *ret)
{
    struct user_row user;
    struct error *e = &request->error;
    if (body->identity.application_credential.id)
        return store_application_credential_get(request->conn, body->identity.application_credential.id,
                                                &request->arena, ret, e);
    if (!body->identity.application_credential.name)
        return error_set(e, ERR_INVALID, "Expecting to find name or ID in application credential.");
    int rc = find_user(request, &body->identity.application_credential.user, &user);
    if (rc)
        return rc;
    return store_application_credential_find(request->conn, user.id, body->identity.application_credential.name,
                                             &request->arena, ret, e);
}

/* How the client calls the user: the same text for the same call, whether there is such a user or not. */
static const char *name_user(struct request *request, const struct auth_user *user)
{
    struct arena *a = &request->arena;
    if (user->id)
        return arena_join(a, "user ", user->id);
    return arena_join(a, "name ", user->name ? user->name : "", " of ",
                      user->domain.id     ? user->domain.id
                      : user->domain.name ? user->domain.name
                                          : "");
}

static const char *name_application(struct request *request, const struct auth_body *body)
{
    const char *id = body->identity.application_credential.id, *name = body->identity.application_credential.name;
    if (id)
        return arena_join(&request->arena, "application ", id);
    return arena_join(&request->arena, "application ", name ? name : "", " by ",
                      name_user(request, &body->identity.application_credential.user));
}

/* Checks, counts, and renews the hash of what is good: *ret_hash NULL for what is not. */
static int check(struct request *request, const char *who, const char *given, const char *hash, const char **ret_hash,
                 const char **ret_fresh)
{
    struct login_attempt attempt;
    bool good = false;
    int rc = hashing_enter(request, who, &attempt);
    if (!rc)
        rc = hashing_check(request, given ? given : "", hash, &good);
    if (!rc)
        hashing_leave(request, &attempt, good);
    if (rc || !good)
        return rc;
    *ret_hash = hash;
    return hashing_renew(request, given, hash, ret_fresh);
}

static int check_password(struct request *request, const struct auth_body *body, struct outcome *ret)
{
    const struct auth_user *given = &body->identity.password.user;
    struct user_row user = {0};
    int rc = find_user(request, given, &user);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    ret->user_id = user.id;
    ret->password_changed_us = user.password_changed_us;
    return check(request, name_user(request, given), given->password, rc ? NULL : user.password_hash,
                 &ret->password_hash, &ret->fresh_password);
}

static int check_secret(struct request *request, const struct auth_body *body, struct outcome *ret)
{
    struct application_credential_row row = {0};
    int rc = find_application(request, body, &row);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    ret->application_id = row.id;
    return check(request, name_application(request, body), body->identity.application_credential.secret,
                 rc ? NULL : row.secret_hash, &ret->secret_hash, &ret->fresh_secret);
}

int auth_user_check(struct request *request, struct reply *reply)
{
    (void)reply;
    const struct auth_body *body = request->body;
    struct outcome *outcome = arena_alloc(&request->arena, sizeof(*outcome));
    unsigned methods;
    int rc = auth_methods(request, body, &methods);
    if (!rc && methods & AUTH_PASSWORD)
        rc = check_password(request, body, outcome);
    if (!rc && methods & AUTH_APPLICATION)
        rc = check_secret(request, body, outcome);
    request->state = outcome;
    return rc;
}

/* The row has the hash that was checked, or one that another login has made of the same password since then. */
static bool is_still(const char *checked, const char *now, bool is_same_secret)
{
    return checked && now && (strcmp(checked, now) == 0 || is_same_secret);
}

static bool is_same_user(const struct outcome *outcome, const struct user_row *user)
{
    return outcome->user_id && strcmp(outcome->user_id, user->id) == 0 &&
           outcome->password_changed_us == user->password_changed_us;
}

static bool is_same_application(const struct outcome *outcome, const struct application_credential_row *row)
{
    return outcome->application_id && strcmp(outcome->application_id, row->id) == 0;
}

/* Adopts the user; several methods must agree. */
static int adopt(struct request *request, const struct user_row *user, struct auth_context *ret)
{
    if (ret->user.id && strcmp(ret->user.id, user->id) != 0)
        return refuse(request, "The methods do not agree on who logs in.");
    ret->user = *user;
    return 0;
}

static int by_password(struct request *request, const struct auth_body *body, struct auth_context *ret)
{
    const struct outcome *outcome = request->state;
    struct user_row user;
    int rc = find_user(request, &body->identity.password.user, &user);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (rc || !is_still(outcome->password_hash, user.password_hash, is_same_user(outcome, &user)))
        return refuse(request, "Invalid username or password");
    if (user.password_expires_us && user.password_expires_us <= request->now_us)
        return refuse(request, "The password is expired and needs to be changed.");
    rc = outcome->fresh_password ? store_user_renew_hash(request->conn, user.id, outcome->password_hash,
                                                         outcome->fresh_password, &request->error)
                                 : 0;
    return rc ? rc : adopt(request, &user, ret);
}

static int note_rule(void *arg, const struct access_rule_row *row, struct error *e)
{
    (void)row, (void)e;
    *(bool *)arg = true;
    return 0;
}

static int by_application(struct request *request, const struct auth_body *body, struct auth_context *ret)
{
    const struct outcome *outcome = request->state;
    struct application_credential_row *row = &ret->application;
    struct credential *c = &ret->credential;
    struct user_row user;
    int rc = find_application(request, body, row);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (rc || !is_still(outcome->secret_hash, row->secret_hash, is_same_application(outcome, row)) ||
        (row->expires_us && row->expires_us <= request->now_us))
        return refuse(request, "Invalid application credential");
    rc = store_user_get(request->conn, row->user_id, &request->arena, &user, &request->error);
    if (rc)
        return rc == ERR_NOT_FOUND ? refuse(request, "The application credential's user is gone") : rc;
    rc = store_application_credential_each_rule(request->conn, row->id, note_rule, &c->ruled, &request->error);
    if (!rc && outcome->fresh_secret)
        rc = store_application_credential_renew_hash(request->conn, row->id, outcome->secret_hash,
                                                     outcome->fresh_secret, &request->error);
    if (rc)
        return rc;
    ret->has_application = true;
    c->restricted = !row->unrestricted;
    snprintf(c->app_credential_id, sizeof(c->app_credential_id), "%s", row->id);
    if (row->expires_us && row->expires_us < c->expires_us)
        c->expires_us = row->expires_us;
    return adopt(request, &user, ret);
}

/* What a system token, or one that a program has, may not become. */
static int check_rescope(struct request *request, const struct auth_body *body, const struct credential *old)
{
    const char *action = NULL;
    if (*old->app_credential_id)
        action = "Using a delegated token to create another token is not allowed.";
    else if (old->system && (json_in_has(body->scope, "project") || json_in_has(body->scope, "domain")))
        action = "Using a system-scoped token to create a project-scoped or domain-scoped token is not allowed.";
    if (!action)
        return 0;
    return error_set(&request->error, ERR_FORBIDDEN, "You are not authorized to perform the requested action: %s",
                     action);
}

static int by_token(struct request *request, const struct auth_body *body, struct auth_context *ret)
{
    struct credential old, *c = &ret->credential;
    struct user_row user;
    int rc = token_verify(request->api->tokens, body->identity.token.id, request->now_us, &old, &request->error);
    if (!rc)
        rc = check_rescope(request, body, &old);
    if (!rc)
        rc = store_user_get(request->conn, old.user_id, &request->arena, &user, &request->error);
    if (rc)
        return rc == ERR_NOT_FOUND ? refuse(request, "The token's user is gone") : rc;
    c->methods |= old.methods;
    c->expires_us = old.expires_us < c->expires_us ? old.expires_us : c->expires_us;
    memcpy(c->chain_id, *old.chain_id ? old.chain_id : old.audit_id, sizeof(c->chain_id));
    return adopt(request, &user, ret);
}

int auth_user_identify(struct request *request, const struct auth_body *body, unsigned methods,
                       struct auth_context *ret)
{
    struct credential *c = &ret->credential;
    c->methods = methods;
    c->expires_us = request->now_us + config_now(request->api->config->token_life_ms) * 1000;
    int rc = 0;
    if (methods & AUTH_PASSWORD)
        rc = by_password(request, body, ret);
    if (!rc && methods & AUTH_APPLICATION)
        rc = by_application(request, body, ret);
    if (!rc && methods & AUTH_TOKEN)
        rc = by_token(request, body, ret);
    if (!rc)
        rc = store_project_get(request->conn, ret->user.domain_id, &request->arena, &ret->user_domain, &request->error);
    if (rc)
        return rc == ERR_NOT_FOUND ? refuse(request, "The user's domain is gone") : rc;
    if (!ret->user.enabled || !ret->user_domain.enabled)
        return refuse(request, "The account is disabled.");
    snprintf(c->user_id, sizeof(c->user_id), "%s", ret->user.id);
    snprintf(c->user_domain_id, sizeof(c->user_domain_id), "%s", ret->user.domain_id);
    return 0;
}
