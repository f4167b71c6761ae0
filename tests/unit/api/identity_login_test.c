/* Logging in: by what, for what, and what ends it. */
#include "api/identity/login_limit.h"
#include "tests/unit/api/identity_fixture.h"

TEST("one logs in by name or id, for a project, a domain, the system or nothing")
{
    char token[TOKEN_SIZE];
    identity_begin();
    CHECK_INT(login_as(MEMBER, "member", ON_PROJECT, token), 201);
    CHECK_INT(login_as(MEMBER, "member", "{\"project\":{\"name\":\"work\",\"domain\":{\"name\":\"Default\"}}}", token),
              201);
    CHECK_INT(login_as(MANAGER, "manager", ON_DOMAIN, token), 201);
    CHECK_INT(login_as(ADMIN, "admin", ON_SYSTEM, token), 201);
    CHECK_INT(login_as(LOCAL, "local", NULL, token), 201);
    CHECK_INT(login_as(LOCAL, "local", "\"unscoped\"", token), 201);
    CHECK_INT(
        ask_status("POST", "/auth/tokens", NULL,
                   "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"name\":\"member\","
                   "\"domain\":{\"id\":\"default\"},\"password\":\"member\"}}}}}"),
        201);
    identity_end();
}

TEST("whatever is wrong with a login, the answer is the same 401")
{
    static const struct {
        const char *user, *password, *scope;
    } wrong[] = {
        {MEMBER, "wrong", ON_PROJECT},
        {MEMBER, "", ON_PROJECT},
        {"ffffffffffffffffffffffffffffffff", "member", ON_PROJECT},
        {MEMBER, "member", "{\"project\":{\"id\":\"" OTHER "\"}}"},
        {MEMBER, "member", "{\"project\":{\"id\":\"ffffffffffffffffffffffffffffffff\"}}"},
        {MEMBER, "member", "{\"project\":{\"id\":\"default\"}}"},
        {MEMBER, "member", "{\"project\":{\"name\":\"work\",\"domain\":{\"name\":\"nowhere\"}}}"},
        {MEMBER, "member", ON_DOMAIN},
        {MEMBER, "member", ON_SYSTEM},
        {LOCAL, "local", ON_DOMAIN},
    };
    identity_begin();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char body[1024];
        snprintf(body, sizeof(body),
                 "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"id\":\"%s\","
                 "\"password\":\"%s\"}}},"
                 "\"scope\":%s}}",
                 wrong[i].user, wrong[i].password, wrong[i].scope);
        struct http_answer answer = ask("POST", "/auth/tokens", NULL, body);
        CHECK_INT(answer.status, 401);
        CHECK_TEXT(
            answer.body,
            "{\"error\":{\"code\":401,\"title\":\"Unauthorized\",\"message\":\"The request you have made requires "
            "authentication.\"}}");
        CHECK_CONTAINS(http_field(&answer, "WWW-Authenticate"), "/identity/v3");
        CHECK(!http_field(&answer, "X-Subject-Token"));
        http_answer_done(&answer);
    }
    identity_end();
}

TEST("a body that does not say enough is a 400 that names the field")
{
    static const struct {
        const char *body, *part;
    } bad[] = {
        {"{\"auth\":{}}", "identity"},
        {"{\"auth\":{\"identity\":{}}}", "methods"},
        {"{\"auth\":{\"identity\":{\"methods\":[\"password\"]}}}", "password"},
        {"{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{}}}}", "user"},
        {"{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"password\":\"x\"}}}}}",
         "id or name"},
        {"{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"name\":\"a\",\"password\":"
         "\"x\"}}}}}",
         "domain"},
        {"{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"id\":\"" MEMBER
         "\",\"password\":\"member\"}}},\"scope\":{}}}",
         "scope"},
        {"{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"id\":\"" MEMBER
         "\",\"password\":\"member\"}}},\"scope\":{\"project\":{\"name\":\"work\"}}}}",
         "domain"},
        {"{\"auth\":{\"identity\":{\"methods\":[\"token\"],\"token\":{}}}}", "id"},
    };
    identity_begin();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct http_answer answer = ask("POST", "/auth/tokens", NULL, bad[i].body);
        CHECK_INT(answer.status, 400);
        CHECK_CONTAINS(answer.body, bad[i].part);
        http_answer_done(&answer);
    }
    CHECK_INT(
        ask_status(
            "POST", "/auth/tokens", NULL,
            "{\"auth\":{\"identity\":{\"methods\":[\"password\",\"totp\"],\"password\":{\"user\":{\"id\":\"" MEMBER
            "\",\"password\":\"member\"}}}}}"),
        401);
    identity_end();
}

/* Logs in by a token. */
static int rescope(const char *token, const char *scope, char ret[TOKEN_SIZE], struct http_answer *ret_answer)
{
    char body[1024];
    snprintf(body, sizeof(body),
             "{\"auth\":{\"identity\":{\"methods\":[\"token\"],\"token\":{\"id\":\"%s\"}},\"scope\":%s}}", token,
             scope);
    *ret_answer = ask("POST", "/auth/tokens", NULL, body);
    if (http_field(ret_answer, "X-Subject-Token"))
        snprintf(ret, TOKEN_SIZE, "%s", http_field(ret_answer, "X-Subject-Token"));
    return ret_answer->status;
}

static const char *cut_expiry(const struct http_answer *answer)
{
    static char texts[2][64];
    static int turn;
    turn = !turn;
    const char *at = strstr(answer->body, "\"expires_at\":\"");
    CHECK(at);
    snprintf(texts[turn], sizeof(texts[turn]), "%.41s", at);
    return texts[turn];
}

TEST("a token buys one for another scope that ends when it ends, and a system one buys no project")
{
    struct http_answer first, second;
    char unscoped[TOKEN_SIZE], scoped[TOKEN_SIZE], none[TOKEN_SIZE];
    identity_begin();
    CHECK_INT(login_as(MEMBER, "member", NULL, unscoped), 201);
    CHECK_INT(rescope(unscoped, ON_PROJECT, scoped, &first), 201);
    CHECK_CONTAINS(first.body, "\"methods\":[\"password\",\"token\"]");
    CHECK_CONTAINS(first.body, "\"catalog\":[");
    CHECK_INT(rescope(scoped, "\"unscoped\"", none, &second), 201);
    CHECK_TEXT(cut_expiry(&first), cut_expiry(&second));
    CHECK(!strstr(second.body, "catalog") && !strstr(second.body, "roles"));
    http_answer_done(&first);
    http_answer_done(&second);
    CHECK_INT(rescope(token_of(ADMIN, "admin", ON_SYSTEM), ON_PROJECT, none, &first), 403);
    http_answer_done(&first);
    identity_end();
}

TEST("looking at a token tells what the login told, and a deleted one is gone at once")
{
    char header[TOKEN_SIZE + 64];
    identity_begin();
    const char *caller = token_of(MEMBER, "member", ON_PROJECT), *subject = token_of(MEMBER, "member", ON_PROJECT);
    const char *stranger = token_of(LOCAL, "local", NULL);
    snprintf(header, sizeof(header), "X-Subject-Token: %s\r\n", subject);
    struct http_answer answer = http_ask("GET", "/identity/v3/auth/tokens", caller, header, NULL);
    CHECK_INT(answer.status, 200);
    CHECK_TEXT(http_field(&answer, "X-Subject-Token"), subject);
    CHECK_CONTAINS(answer.body, "\"name\":\"member\"");
    CHECK_CONTAINS(answer.body, "\"project\":{");
    http_answer_done(&answer);
    answer = http_ask("HEAD", "/identity/v3/auth/tokens", caller, header, NULL);
    CHECK_INT(answer.status, 200);
    http_answer_done(&answer);
    answer = http_ask("GET", "/identity/v3/auth/tokens", stranger, header, NULL);
    CHECK_INT(answer.status, 403);
    http_answer_done(&answer);
    answer = http_ask("DELETE", "/identity/v3/auth/tokens", stranger, header, NULL);
    CHECK_INT(answer.status, 403);
    http_answer_done(&answer);
    answer = http_ask("DELETE", "/identity/v3/auth/tokens", caller, header, NULL);
    CHECK_INT(answer.status, 204);
    http_answer_done(&answer);
    answer = http_ask("GET", "/identity/v3/auth/tokens", caller, header, NULL);
    CHECK_INT(answer.status, 404);
    http_answer_done(&answer);
    CHECK_INT(ask_status("GET", "/auth/projects", subject, NULL), 401);
    CHECK_INT(ask_status("GET", "/auth/projects", caller, NULL), 200);
    identity_end();
}

TEST("a changed password voids old tokens and the old password at once, and new logins work at once")
{
    char token[TOKEN_SIZE];
    identity_begin();
    const char *old = token_of(MEMBER, "member", ON_PROJECT), *other = token_of(READER, "reader", ON_PROJECT);
    CHECK_INT(ask_status("POST", "/users/" MEMBER "/password", NULL,
                         "{\"user\":{\"original_password\":\"wrong\",\"password\":\"new\"}}"),
              401);
    CHECK_INT(ask_status("GET", "/auth/projects", old, NULL), 200);
    CHECK_INT(ask_status("POST", "/users/" MEMBER "/password", NULL,
                         "{\"user\":{\"original_password\":\"member\",\"password\":\"new\"}}"),
              204);
    CHECK_INT(ask_status("GET", "/auth/projects", old, NULL), 401);
    CHECK_INT(ask_status("GET", "/auth/projects", other, NULL), 200);
    CHECK_INT(login_as(MEMBER, "member", ON_PROJECT, token), 401);
    CHECK_INT(login_as(MEMBER, "new", ON_PROJECT, token), 201);
    CHECK_INT(ask_status("GET", "/auth/projects", token, NULL), 200);
    const char *admin = token_of(ADMIN, "admin", ON_PROJECT);
    CHECK_INT(ask_status("PATCH", "/users/" MEMBER, admin, "{\"user\":{\"password\":\"third\"}}"), 200);
    CHECK_INT(ask_status("GET", "/auth/projects", token, NULL), 401);
    CHECK_INT(login_as(MEMBER, "third", ON_PROJECT, token), 201);
    identity_end();
}

/* What is done, whether the member's project token survives, and whether he can log in to the project afterwards. */
static const struct {
    const char *method, *path, *body;
    bool survives, logs_in;
} deeds[] = {
    {"PATCH", "/users/" MEMBER, "{\"user\":{\"description\":\"x\"}}", true, true},
    {"PATCH", "/users/" MEMBER, "{\"user\":{\"enabled\":false}}", false, false},
    {"DELETE", "/users/" MEMBER, NULL, false, false},
    {"PATCH", "/projects/" PROJECT, "{\"project\":{\"enabled\":false}}", false, false},
    {"DELETE", "/projects/" PROJECT, NULL, false, false},
    {"PATCH", "/domains/default", "{\"domain\":{\"enabled\":false}}", false, false},
    {"DELETE", "/projects/" PROJECT "/users/" MEMBER "/roles/" ROLE_ID(2), NULL, false, false},
    {"DELETE", "/roles/" ROLE_ID(2), NULL, false, false},
    {"DELETE", "/projects/" PROJECT "/users/" READER "/roles/" ROLE_ID(3), NULL, true, true},
    {"DELETE", "/users/" READER, NULL, true, true},
    {"PATCH", "/projects/" OTHER, "{\"project\":{\"enabled\":false}}", true, true},
};

TEST("each deed ends the tokens and logins that it should end, and no others")
{
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        char token[TOKEN_SIZE];
        identity_begin();
        const char *member = token_of(MEMBER, "member", ON_PROJECT), *admin = token_of(ADMIN, "admin", ON_SYSTEM);
        int status = ask_status(deeds[i].method, deeds[i].path, admin, deeds[i].body);
        if (status != 200 && status != 204)
            check_fail(__FILE__, __LINE__, "%s %s gave %d", deeds[i].method, deeds[i].path, status);
        if (ask_status("GET", "/auth/projects", member, NULL) != (deeds[i].survives ? 200 : 401))
            check_fail(__FILE__, __LINE__, "after %s %s the token is %s", deeds[i].method, deeds[i].path,
                       deeds[i].survives ? "void" : "alive");
        if (login_as(MEMBER, "member", ON_PROJECT, token) != (deeds[i].logs_in ? 201 : 401))
            check_fail(__FILE__, __LINE__, "after %s %s the login is wrong", deeds[i].method, deeds[i].path);
        identity_end();
    }
}

TEST("the default project is the scope of a login that names none, as long as it can be used")
{
    identity_begin();
    const char *admin = token_of(ADMIN, "admin", ON_PROJECT),
               *login = "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{"
                        "\"user\":{\"id\":\"" MEMBER "\",\"password\":\"member\"}}}}}";
    CHECK_INT(ask_status("PATCH", "/users/" MEMBER, admin, "{\"user\":{\"default_project_id\":\"" PROJECT "\"}}"), 200);
    struct http_answer answer = ask("POST", "/auth/tokens", NULL, login);
    CHECK_INT(answer.status, 201);
    CHECK_CONTAINS(answer.body, "\"project\":{");
    http_answer_done(&answer);
    CHECK_INT(ask_status("PATCH", "/users/" MEMBER, admin, "{\"user\":{\"default_project_id\":\"" OTHER "\"}}"), 200);
    answer = ask("POST", "/auth/tokens", NULL, login);
    CHECK_INT(answer.status, 201);
    CHECK(!strstr(answer.body, "\"project\":{"));
    http_answer_done(&answer);
    CHECK_INT(ask_status("PATCH", "/users/" MEMBER, admin, "{\"user\":{\"default_project_id\":\"default\"}}"), 400);
    identity_end();
}

/* Sends a login without waiting for its answer. */
static int send_login(void)
{
    static const char body[] =
        "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"id\":\"" MEMBER
        "\",\"password\":\"member\"}}}}}";
    int fd = http_connect();
    http_send(fd, "POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: test\r\n" JSON_TYPE "Content-Length: %zu\r\n\r\n%s",
              strlen(body), body);
    return fd;
}

TEST("a storm of logins is cut by 503 with Retry-After, and does not hold up others")
{
    enum { STORM = 24 };
    int fds[STORM], good = 0, busy = 0;
    http_options.hashers = 1;
    http_options.hash_queue = 2;
    identity_begin();
    const char *reader = token_of(READER, "reader", ON_PROJECT);
    identity_config.password_memory = 8 << 20; /* from here on each unknown user costs so much */
    identity_config.password_passes = 3;
    for (int i = 0; i < STORM; i++) {
        static const char body[] =
            "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"id\":\"nobody\","
            "\"password\":\"x\"}}}}}";
        fds[i] = http_connect();
        http_send(fds[i],
                  "POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: test\r\n" JSON_TYPE "Content-Length: %zu\r\n\r\n%s",
                  strlen(body), body);
    }
    CHECK_INT(ask_status("GET", "/auth/projects", reader, NULL), 200); /* answered while they wait */
    for (int i = 0; i < STORM; i++) {
        struct http_answer answer;
        http_receive(fds[i], &answer);
        good += answer.status == 401;
        busy += answer.status == 503 && http_field(&answer, "Retry-After");
        http_answer_done(&answer);
        close(fds[i]);
    }
    CHECK_INT(good + busy, STORM);
    CHECK(good >= 1 && busy >= 1);
    identity_end();
}

TEST("logins at the same time all get in")
{
    enum { COUNT = 16 };
    int fds[COUNT];
    identity_begin();
    for (int i = 0; i < COUNT; i++)
        fds[i] = send_login();
    for (int i = 0; i < COUNT; i++) {
        struct http_answer answer;
        http_receive(fds[i], &answer);
        CHECK_INT(answer.status, 201);
        http_answer_done(&answer);
        close(fds[i]);
    }
    identity_end();
}

/* The user's hash in the database; free it. */
static char *hash_of(const char *user_id)
{
    struct error e = {0};
    struct arena arena;
    struct user_row row = {0};
    struct db_conn *c = fixture_conn(api.db);
    arena_init(&arena);
    CHECK_OK(store_user_get(c, user_id, &arena, &row, &e), &e);
    char *hash = strdup(row.password_hash);
    db_conn_close(&c);
    arena_done(&arena);
    return hash;
}

TEST("a login renews a hash of another cost, tokens live on, and a wrong password renews nothing")
{
    char token[TOKEN_SIZE];
    identity_begin();
    char *old = hash_of(MEMBER);
    const char *before = token_of(MEMBER, "member", ON_PROJECT);
    char *same = hash_of(MEMBER);
    CHECK_TEXT(same, old);
    identity_config.password_passes = 2;
    CHECK_INT(login_as(MEMBER, "wrong", ON_PROJECT, token), 401);
    char *still = hash_of(MEMBER);
    CHECK_TEXT(still, old);
    CHECK_INT(login_as(MEMBER, "member", ON_PROJECT, token), 201);
    char *renewed = hash_of(MEMBER);
    CHECK_CONTAINS(old, "t=1,");
    CHECK_CONTAINS(renewed, "t=2,");
    CHECK_INT(ask_status("GET", "/auth/projects", before, NULL), 200);
    CHECK_INT(login_as(MEMBER, "member", ON_PROJECT, token), 201);
    CHECK_INT(login_as(MEMBER, "wrong", ON_PROJECT, token), 401);
    free(old);
    free(same);
    free(still);
    free(renewed);
    identity_end();
}

TEST("a login whose hash another login renews meanwhile succeeds")
{
    identity_begin();
    identity_config.password_passes = 2;
    const char body[] = "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"id\":\"" MEMBER
                        "\",\"password\":\"member\"}}}}}";
    int fds[16];
    for (size_t i = 0; i < 16; i++) {
        char text[1024];
        fds[i] = http_connect();
        snprintf(text, sizeof(text),
                 "POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: "
                 "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 sizeof(body) - 1, body);
        http_send(fds[i], "%s", text);
    }
    for (size_t i = 0; i < 16; i++) {
        struct http_answer answer;
        http_receive(fds[i], &answer);
        CHECK_INT(answer.status, 201);
        http_answer_done(&answer);
        close(fds[i]);
    }
    identity_end();
}

TEST("who fails again and again is slowed down, whether there is such a user or not")
{
    static const char *const users[] = {MEMBER, "ffffffffffffffffffffffffffffffff"};
    char token[TOKEN_SIZE], texts[2][400];
    identity_begin();
    api.logins = login_limit_new();
    for (size_t k = 0; k < 2; k++) {
        char body[1024];
        for (int i = 0; i < LOGIN_LIMIT_FREE; i++)
            CHECK_INT(login_as(users[k], "wrong", ON_PROJECT, token), 401);
        snprintf(body, sizeof(body),
                 "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"id\":\"%s\","
                 "\"password\":\"member\"}}}}}",
                 users[k]);
        struct http_answer answer = ask("POST", "/auth/tokens", NULL, body);
        CHECK_INT(answer.status, 429);
        CHECK_TEXT(http_field(&answer, "Retry-After"), "1");
        snprintf(texts[k], sizeof(texts[k]), "%s", answer.body);
        http_answer_done(&answer);
    }
    CHECK_TEXT(texts[0], texts[1]);
    CHECK_CONTAINS(texts[0], "Too Many Requests");
    CHECK_INT(login_as(READER, "reader", ON_PROJECT, token), 201);
    CHECK_INT(ask_status("POST", "/users/" MEMBER "/password", NULL,
                         "{\"user\":{\"original_password\":\"member\",\"password\":\"new\"}}"),
              429);
    login_limit_free(&api.logins);
    identity_end();
}

/* The status of a login through a proxy that names its client. */
static int login_through(const char *client, const char *password)
{
    char headers[200], body[300];
    snprintf(headers, sizeof(headers), JSON_TYPE "X-Forwarded-For: 192.0.2.99\r\nX-Forwarded-For: %s\r\n", client);
    snprintf(body, sizeof(body),
             "{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"id\":\"" MEMBER
             "\",\"password\":\"%s\"}}}}}",
             password);
    struct http_answer answer = http_ask("POST", "/identity/v3/auth/tokens", NULL, headers, body);
    int status = answer.status;
    http_answer_done(&answer);
    return status;
}

TEST("behind a trusted proxy each client is counted by its own address")
{
    http_options.proxies = "127.0.0.0/8";
    identity_begin();
    api.logins = login_limit_new();
    for (int i = 0; i < LOGIN_LIMIT_FREE; i++)
        CHECK_INT(login_through("198.51.100.7", "wrong"), 401);
    CHECK_INT(login_through("198.51.100.7", "member"), 429);
    CHECK_INT(login_through("203.0.113.9", "member"), 201);
    login_limit_free(&api.logins);
    identity_end();
    http_options.proxies = NULL;
}
