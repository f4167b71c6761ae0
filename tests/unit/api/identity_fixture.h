/* A cloud of identity alone: the default domain with an administrator, a member, a reader of a project and the usual
 * roles; a second domain with a manager. Requests go over HTTP, and tokens are those that logging in gives. Password
 * hashes are as cheap as libsodium lets them be. */
#pragma once
#include "api/config.h"
#include "api/identity/identity.h"
#include "common/password.h"
#include "db/store_assignment.h"
#include "db/store_project.h"
#include "db/store_role.h"
#include "db/store_user.h"
#include "tests/unit/api/http_fixture.h"

/* Another service: to it an administrator of a domain is nobody. */
static int elsewhere_answer(struct request *request, struct reply *reply)
{
    (void)request;
    reply->status = 204;
    return 0;
}
static const struct route elsewhere_rows[] = {
    {.method = "GET", .pattern = "/admin", .permission = PERMISSION_ADMIN, .handler = elsewhere_answer},
    {.method = "GET", .pattern = "/member", .permission = PERMISSION_MEMBER, .handler = elsewhere_answer},
};
static const struct route_table elsewhere_routes = ROUTE_TABLE(elsewhere_rows);
static const struct route_table *const elsewhere_tables[] = {&elsewhere_routes, NULL};
static const struct service elsewhere = {.name = "elsewhere", .prefix = "/elsewhere", .tables = elsewhere_tables};

const struct service *const http_services[] = {&identity_service, &identity_root_service, &elsewhere, NULL};

#define ADMIN      "00000000000000000000000000000001"
#define MEMBER     "00000000000000000000000000000002"
#define READER     "00000000000000000000000000000003"
#define MANAGER    "00000000000000000000000000000004" /* of DOMAIN */
#define LOCAL      "00000000000000000000000000000005" /* a user of DOMAIN without roles */
#define PROJECT    "0000000000000000000000000000000a"
#define OTHER      "0000000000000000000000000000000b" /* project in DOMAIN */
#define DOMAIN     "0000000000000000000000000000000d"
#define ROLE_ID(n) "000000000000000000000000000000f" #n /* 0 admin, 1 manager, 2 member, 3 reader, 4 plain */

static struct api_config identity_config;

static void seed_project(struct db_conn *c, const char *id, const char *domain_id, const char *name)
{
    struct error e = {0};
    struct project_row row = {.id = id,
                              .domain_id = domain_id,
                              .parent_id = *domain_id ? domain_id : NULL,
                              .is_domain = !*domain_id,
                              .enabled = true,
                              .name = name,
                              .description = "",
                              .tags = "[]",
                              .options = "{}",
                              .extra = "{}",
                              .created_us = 1};
    CHECK_OK(store_project_insert(c, &row, &e), &e);
}

/* The password is the name. */
static void seed_user(struct db_conn *c, const char *id, const char *domain_id, const char *name)
{
    struct error e = {0};
    char hash[PASSWORD_HASH_SIZE];
    struct password_cost cost = {identity_config.password_passes, identity_config.password_memory};
    CHECK(password_hash(name, &cost, hash));
    struct user_row row = {.id = id,
                           .domain_id = domain_id,
                           .name = name,
                           .enabled = true,
                           .password_hash = hash,
                           .options = "{}",
                           .extra = "{}",
                           .created_us = 1};
    CHECK_OK(store_user_insert(c, &row, &e), &e);
}

static void seed_grant(struct db_conn *c, const char *user_id, const char *kind, const char *target_id,
                       const char *role_id)
{
    struct error e = {0};
    struct assignment_row row = {"user", user_id, kind, target_id, role_id, false};
    CHECK_OK(store_assignment_insert(c, &row, &e), &e);
}

static int seed(struct db_conn *c, void *arg, struct error *e)
{
    static const char *const names[] = {"admin", "manager", "member", "reader", "plain"};
    static const char *const ids[] = {ROLE_ID(0), ROLE_ID(1), ROLE_ID(2), ROLE_ID(3), ROLE_ID(4)};
    (void)arg;
    seed_project(c, "default", "", "Default");
    seed_project(c, DOMAIN, "", "Branch");
    seed_project(c, PROJECT, "default", "work");
    seed_project(c, OTHER, DOMAIN, "branch-work");
    seed_user(c, ADMIN, "default", "admin");
    seed_user(c, MEMBER, "default", "member");
    seed_user(c, READER, "default", "reader");
    seed_user(c, MANAGER, DOMAIN, "manager");
    seed_user(c, LOCAL, DOMAIN, "local");
    for (size_t i = 0; i < 5; i++) {
        struct role_row row = {
            .id = ids[i], .name = names[i], .domain_id = "", .options = "{}", .extra = "{}", .created_us = 1};
        CHECK_OK(store_role_insert(c, &row, e), e);
        if (i > 0 && i < 4)
            CHECK_OK(store_role_imply(c, ids[i - 1], ids[i], e), e);
    }
    seed_grant(c, ADMIN, "project", PROJECT, ROLE_ID(0));
    seed_grant(c, ADMIN, "system", "all", ROLE_ID(0));
    seed_grant(c, MEMBER, "project", PROJECT, ROLE_ID(2));
    seed_grant(c, READER, "project", PROJECT, ROLE_ID(3));
    seed_grant(c, READER, "system", "all", ROLE_ID(3));
    seed_grant(c, MANAGER, "domain", DOMAIN, ROLE_ID(1));
    return 0;
}

__attribute__((unused)) static void identity_begin(void)
{
    struct error e = {0};
    identity_config = (struct api_config){.token_life_ms = 3600000, .password_passes = 1, .password_memory = 8192};
    api.config = &identity_config;
    http_begin();
    struct db_conn *c = fixture_conn(api.db);
    CHECK_OK(db_transact(c, seed, NULL, &e), &e);
    db_conn_close(&c);
}

__attribute__((unused)) static void identity_end(void)
{
    http_end();
    api.config = NULL;
}

__attribute__((unused)) static struct http_answer ask(const char *method, const char *path, const char *token,
                                                      const char *body)
{
    char whole[1024];
    snprintf(whole, sizeof(whole), "/identity/v3%s", path);
    return http_ask(method, whole, token, body ? JSON_TYPE : "", body);
}

/* The status alone. */
__attribute__((unused)) static int ask_status(const char *method, const char *path, const char *token, const char *body)
{
    struct http_answer answer = ask(method, path, token, body);
    int status = answer.status;
    http_answer_done(&answer);
    return status;
}

/* `scope`: JSON of "scope", or NULL. The status; the token in `ret` when it is 201. */
__attribute__((unused)) static int login_as(const char *user_id, const char *password, const char *scope,
                                            char ret[TOKEN_SIZE])
{
    char body[1024];
    snprintf(body, sizeof(body),
             "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"id\":\"%s\",\"password\":"
             "\"%s\"}}}%s%s}}",
             user_id, password, scope ? ",\"scope\":" : "", scope ? scope : "");
    struct http_answer answer = ask("POST", "/auth/tokens", NULL, body);
    int status = answer.status;
    const char *token = http_field(&answer, "X-Subject-Token");
    if (token)
        snprintf(ret, TOKEN_SIZE, "%s", token);
    http_answer_done(&answer);
    return status;
}

#define ON_PROJECT "{\"project\":{\"id\":\"" PROJECT "\"}}"
#define ON_DOMAIN  "{\"domain\":{\"id\":\"" DOMAIN "\"}}"
#define ON_SYSTEM  "{\"system\":{\"all\":true}}"

__attribute__((unused)) static const char *token_of(const char *user_id, const char *password, const char *scope)
{
    static char tokens[16][TOKEN_SIZE];
    static size_t turn;
    char *token = tokens[turn++ % 16];
    CHECK_INT(login_as(user_id, password, scope, token), 201);
    return token;
}

/* The first "id" in the answer, in a static buffer. */
__attribute__((unused)) static const char *id_in(const struct http_answer *answer)
{
    static char ids[8][65];
    static size_t turn;
    char *id = ids[turn++ % 8];
    const char *at = answer->body ? strstr(answer->body, "\"id\":\"") : NULL;
    CHECK(at && sscanf(at, "\"id\":\"%64[0-9a-zA-Z-]\"", id) == 1);
    return id;
}
