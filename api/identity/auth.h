/* Logging in, in parts: what was asked (auth_body), who it is (auth_user), for what (auth_scope), and what the token
 * then says (auth_view). */
#pragma once
#include "api/identity/identity.h"
#include "db/store_application_credential.h"
#include "db/store_project.h"
#include "db/store_user.h"

enum auth_method { AUTH_PASSWORD = 1, AUTH_TOKEN = 2, AUTH_APPLICATION = 4 };

struct auth_name {
    const char *id, *name;
};
struct auth_user {
    const char *id, *name, *password;
    struct auth_name domain;
};
struct auth_body {
    struct {
        struct json_list methods;
        struct {
            struct auth_user user;
        } password;
        struct {
            const char *id;
        } token;
        struct {
            const char *id, *name, *secret;
            struct auth_user user;
        } application_credential;
        struct json_seen seen;
    } identity;
    json_value *scope;
};
extern const struct json_table auth_body_table;

/* A role as tokens show it. */
struct auth_role {
    const char *id, *name;
    struct auth_role *next;
};

/* All that a token says, with the rows behind it; in the arena. */
struct auth_context {
    struct credential credential;
    struct user_row user;
    struct project_row user_domain;
    bool has_project, has_domain, has_application;
    struct project_row project, project_domain; /* project scope */
    struct project_row domain;                  /* domain scope */
    struct application_credential_row application;
    struct auth_role *roles;
};

/* The methods that were asked for, as bits. ERR_INVALID, ERR_UNAUTHORIZED for an unknown one. */
int auth_methods(struct request *request, const struct auth_body *body, unsigned *ret);

/* The slow part, for `before`: checks passwords and secrets and leaves the outcome in request->state. */
int auth_user_check(struct request *request, struct reply *reply);
/* The rest, inside the transaction: who it is by all methods. Fills user, user_domain, application and, of the
 * credential, everything but scope, roles, issue time and audit id. ERR_UNAUTHORIZED for whatever does not fit. */
int auth_user_identify(struct request *request, const struct auth_body *body, unsigned methods,
                       struct auth_context *ret);

/* Fills project, domain and the scope in the credential from the body, the application credential or the user's default
 * project. ERR_UNAUTHORIZED for what does not exist or is disabled. */
int auth_scope_choose(struct request *request, const struct auth_body *body, unsigned methods,
                      struct auth_context *ret);
/* Loads the rows of the scope that credential names; for tokens that exist already. */
int auth_scope_load(struct request *request, struct auth_context *ret);
/* Fills roles and the credential's role bits from rows. ERR_UNAUTHORIZED when there is a scope and no role. */
int auth_scope_roles(struct request *request, struct auth_context *ret);

/* {"token": {...}} */
int auth_view_token(struct request *request, struct reply *reply, const struct auth_context *context,
                    bool with_catalog);
