/* Projects, domains, users, groups, roles, catalog, credentials: what clients send and get. */
#include "api/identity/access_rules.h"
#include "tests/unit/api/identity_fixture.h"

#define EXPECT(answer, wanted_status, part)                                                                            \
    do {                                                                                                               \
        struct http_answer expect_answer = (answer);                                                                   \
        CHECK_INT(expect_answer.status, wanted_status);                                                                \
        CHECK_CONTAINS(expect_answer.body, part);                                                                      \
        http_answer_done(&expect_answer);                                                                              \
    } while (0)

static const char *path_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *path_of(const char *format, ...)
{
    static char paths[4][256];
    static size_t turn;
    char *path = paths[turn++ % 4];
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof(paths[0]), format, args);
    va_end(args);
    return path;
}

TEST("the versions are there without a token, and their links lead back")
{
    identity_begin();
    struct http_answer answer = http_ask("GET", "/identity", NULL, "", NULL);
    CHECK_INT(answer.status, 300);
    CHECK_CONTAINS(answer.body, "{\"versions\":{\"values\":[{\"id\":\"v3.14\"");
    CHECK_TEXT(http_field(&answer, "Location"), "http://test/identity/v3/");
    http_answer_done(&answer);
    EXPECT(ask("GET", "", NULL, NULL), 200, "{\"version\":{\"id\":\"v3.14\",\"status\":\"stable\"");
    EXPECT(ask("GET", "/", NULL, NULL), 200, "\"href\":\"http://test/identity/v3/\"");
    identity_end();
}

TEST("attributes that nobody foresaw are kept, merged and shown; names are taken once")
{
    identity_begin();
    const char *admin = token_of(ADMIN, "admin", ON_PROJECT);
    struct http_answer answer =
        ask("POST", "/users", admin, "{\"user\":{\"name\":\"n\",\"email\":\"a@b\",\"shoe\":{\"size\":44}}}");
    CHECK_INT(answer.status, 201);
    CHECK_CONTAINS(answer.body, "\"shoe\":{\"size\":44}");
    CHECK(!strstr(answer.body, "extra") && !strstr(answer.body, "default_project_id"));
    const char *user = path_of("/users/%s", id_in(&answer));
    http_answer_done(&answer);
    EXPECT(ask("PATCH", user, admin, "{\"user\":{\"email\":\"c@d\",\"hat\":null}}"), 200,
           "\"extra\":{\"shoe\":{\"size\":44},\"email\":\"c@d\",\"hat\":null}");
    EXPECT(ask("GET", user, admin, NULL), 200, "\"email\":\"c@d\"");
    EXPECT(ask("POST", "/users", admin, "{\"user\":{\"name\":\"n\"}}"), 409,
           "Conflict occurred attempting to store user - Duplicate entry found with name n at domain ID default.");
    EXPECT(ask("POST", "/users", admin, "{\"user\":{\"name\":\"n\",\"domain_id\":\"" DOMAIN "\"}}"), 201,
           "\"" DOMAIN "\"");
    EXPECT(ask("PATCH", "/users/" MEMBER, admin, "{\"user\":{\"name\":\"n\"}}"), 409, "Duplicate entry");
    EXPECT(ask("PATCH", "/users/" MEMBER, admin, "{\"user\":{\"domain_id\":\"" DOMAIN "\"}}"), 400,
           "Cannot change Domain ID");
    EXPECT(ask("POST", "/users", admin, "{\"user\":{\"name\":\"x\",\"domain_id\":\"nowhere\"}}"), 404,
           "Could not find domain: nowhere.");
    EXPECT(ask("POST", "/users", admin, "{\"user\":{\"name\":\"  \"}}"), 400, "name");
    EXPECT(ask("POST", "/users", admin, "{\"user\":{\"name\":\"x\",\"enabled\":\"yes\"}}"), 400, "enabled");
    EXPECT(ask("POST", "/users", admin, "{\"user\":{}}"), 400, "name");
    identity_end();
}

TEST("lists are filtered by attribute, in all of Keystone's ways, and paged by limit and marker")
{
    identity_begin();
    const char *admin = token_of(ADMIN, "admin", ON_PROJECT);
    for (int i = 0; i < 7; i++)
        CHECK_INT(
            ask_status("POST", "/projects", admin,
                       path_of("{\"project\":{\"name\":\"Unit-%d\",\"enabled\":%s}}", i, i % 2 ? "true" : "false")),
            201);
    static const struct {
        const char *query;
        size_t count;
    } queries[] = {
        {"name=Unit-3", 1},
        {"name=unit-3", 0},
        {"name__contains=nit-", 7},
        {"name__startswith=Unit", 7},
        {"name__startswith=unit", 0},
        {"name__istartswith=unit", 7},
        {"name__endswith=-3", 1},
        {"name__icontains=NIT-&enabled=true", 3},
        {"enabled=False&name__startswith=Unit", 4},
        {"enabled=0", 4},
        {"domain_id=" DOMAIN, 1},
        {"is_domain=true", 2},
        {"parent_id=default&name__startswith=Unit", 7},
        {"nonsense=1&name__startswith=Unit", 7},
        {"name=", 0},
    };
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        struct http_answer answer = ask("GET", path_of("/projects?%s", queries[i].query), admin, NULL);
        size_t count = 0;
        for (const char *at = answer.body; (at = strstr(at, "\"is_domain\":")); at++)
            count++;
        if (answer.status != 200 || count != queries[i].count)
            check_fail(__FILE__, __LINE__, "?%s gave %d with %zu projects, not %zu", queries[i].query, answer.status,
                       count, queries[i].count);
        http_answer_done(&answer);
    }
    char path[512] = "/projects?limit=2&name__startswith=Unit";
    size_t pages = 0, items = 0;
    for (bool more = true; more; pages++) {
        struct http_answer answer = ask("GET", path, admin, NULL);
        CHECK_INT(answer.status, 200);
        for (const char *at = answer.body; (at = strstr(at, "\"name\":\"Unit-")); at++)
            items++;
        const char *next = strstr(answer.body, "\"next\":\"http://test/identity/v3");
        more = next;
        if (next)
            snprintf(path, sizeof(path), "%.*s", (int)strcspn(next + 31, "\""), next + 31);
        http_answer_done(&answer);
        CHECK(pages < 10);
    }
    CHECK_INT(pages, 4);
    CHECK_INT(items, 7);
    EXPECT(ask("GET", "/projects?limit=x", admin, NULL), 400, "limit");
    identity_end();
}

TEST("projects form trees within a domain, and leave them leaf first")
{
    identity_begin();
    const char *admin = token_of(ADMIN, "admin", ON_PROJECT);
    struct http_answer answer =
        ask("POST", "/projects", admin, "{\"project\":{\"name\":\"child\",\"parent_id\":\"" PROJECT "\"}}");
    CHECK_INT(answer.status, 201);
    const char *child = id_in(&answer);
    http_answer_done(&answer);
    EXPECT(ask("GET", path_of("/projects/%s?parents_as_ids", child), admin, NULL), 200,
           "\"parents\":{\"" PROJECT "\":{\"default\":null}}");
    EXPECT(ask("GET", "/projects/" PROJECT "?subtree_as_ids", admin, NULL), 200,
           path_of("\"subtree\":{\"%s\":null}", child));
    EXPECT(ask("GET", "/projects/" PROJECT "?subtree_as_ids&subtree_as_list", admin, NULL), 400, "same time");
    EXPECT(ask("DELETE", "/projects/" PROJECT, admin, NULL), 403, "not a leaf");
    EXPECT(ask("PATCH", "/projects/" PROJECT, admin, "{\"project\":{\"enabled\":false}}"), 403,
           "subtree contains enabled");
    EXPECT(ask("PATCH", path_of("/projects/%s", child), admin, "{\"project\":{\"parent_id\":\"default\"}}"), 403,
           "parent_id");
    EXPECT(ask("POST", "/projects", admin,
               "{\"project\":{\"name\":\"x\",\"domain_id\":\"" DOMAIN "\",\"parent_id\":\"" PROJECT "\"}}"),
           400, "different domain");
    CHECK_INT(ask_status("DELETE", path_of("/projects/%s", child), admin, NULL), 204);
    CHECK_INT(ask_status("DELETE", "/projects/" PROJECT, token_of(ADMIN, "admin", ON_SYSTEM), NULL), 204);
    identity_end();
}

TEST("an enabled domain stays, a disabled one goes with all that is in it")
{
    identity_begin();
    const char *admin = token_of(ADMIN, "admin", ON_SYSTEM);
    EXPECT(ask("DELETE", "/domains/" DOMAIN, admin, NULL), 403,
           "Cannot delete a domain that is enabled, please disable it first.");
    EXPECT(ask("DELETE", "/domains/default", admin, NULL), 403, "default");
    CHECK_INT(ask_status("PATCH", "/domains/" DOMAIN, admin, "{\"domain\":{\"enabled\":false}}"), 200);
    CHECK_INT(ask_status("DELETE", "/domains/" DOMAIN, admin, NULL), 204);
    CHECK_INT(ask_status("GET", "/users/" LOCAL, admin, NULL), 404);
    CHECK_INT(ask_status("GET", "/projects/" OTHER, admin, NULL), 404);
    EXPECT(ask("GET", "/role_assignments?user.id=" MANAGER, admin, NULL), 200, "\"role_assignments\":[]");
    identity_end();
}

TEST("what is immutable is neither changed nor deleted until that is switched off")
{
    identity_begin();
    const char *admin = token_of(ADMIN, "admin", ON_PROJECT);
    CHECK_INT(ask_status("PATCH", "/roles/" ROLE_ID(4), admin, "{\"role\":{\"options\":{\"immutable\":true}}}"), 200);
    EXPECT(ask("PATCH", "/roles/" ROLE_ID(4), admin, "{\"role\":{\"name\":\"x\"}}"), 403, "immutable");
    EXPECT(ask("DELETE", "/roles/" ROLE_ID(4), admin, NULL), 403, "immutable");
    CHECK_INT(ask_status("PATCH", "/roles/" ROLE_ID(4), admin, "{\"role\":{\"options\":{\"immutable\":false}}}"), 200);
    CHECK_INT(ask_status("DELETE", "/roles/" ROLE_ID(4), admin, NULL), 204);
    identity_end();
}

TEST("roles come by groups, by inheritance and by implication, and leave with them")
{
    char token[TOKEN_SIZE];
    identity_begin();
    const char *admin = token_of(ADMIN, "admin", ON_SYSTEM), *scope = "{\"project\":{\"id\":\"" OTHER "\"}}";
    struct http_answer answer =
        ask("POST", "/groups", admin, "{\"group\":{\"name\":\"g\",\"domain_id\":\"" DOMAIN "\"}}");
    CHECK_INT(answer.status, 201);
    const char *group = id_in(&answer);
    http_answer_done(&answer);
    CHECK_INT(ask_status("PUT", path_of("/projects/" OTHER "/groups/%s/roles/" ROLE_ID(2), group), admin, NULL), 204);
    CHECK_INT(login_as(LOCAL, "local", scope, token), 401);
    CHECK_INT(ask_status("PUT", path_of("/groups/%s/users/" LOCAL, group), admin, NULL), 204);
    CHECK_INT(login_as(LOCAL, "local", scope, token), 201);
    EXPECT(ask("GET", "/auth/projects", token, NULL), 200, OTHER);
    EXPECT(ask("GET", "/role_assignments?effective&user.id=" LOCAL, admin, NULL), 200, "/groups/");
    CHECK_INT(ask_status("HEAD", path_of("/groups/%s/users/" LOCAL, group), admin, NULL), 204);
    CHECK_INT(ask_status("DELETE", path_of("/groups/%s/users/" LOCAL, group), admin, NULL), 204);
    CHECK_INT(ask_status("GET", "/auth/projects", token, NULL), 401);
    CHECK_INT(login_as(LOCAL, "local", scope, token), 401);
    CHECK_INT(ask_status("PUT",
                         "/OS-INHERIT/domains/" DOMAIN "/users/" LOCAL "/roles/" ROLE_ID(2) "/inherited_to_projects",
                         admin, NULL),
              204);
    CHECK_INT(login_as(LOCAL, "local", scope, token), 201);
    CHECK_INT(login_as(LOCAL, "local", ON_DOMAIN, token), 401); /* below the domain, not on it */
    EXPECT(ask("GET", "/role_assignments?effective&user.id=" LOCAL, admin, NULL), 200,
           "\"OS-INHERIT:inherited_to\":\"projects\"");
    EXPECT(ask("GET", "/role_assignments?effective&user.id=" LOCAL "&role.id=" ROLE_ID(3), admin, NULL), 200,
           "prior_role");
    EXPECT(ask("GET", "/role_assignments?user.id=" LOCAL "&group.id=x", admin, NULL), 400, "not both");
    EXPECT(ask("PUT", "/roles/" ROLE_ID(3) "/implies/" ROLE_ID(2), admin, NULL), 403, "cannot be an implied role");
    EXPECT(ask("PUT", "/roles/" ROLE_ID(4) "/implies/" ROLE_ID(0), admin, NULL), 403, "cannot be an implied role");
    EXPECT(ask("GET", "/roles/" ROLE_ID(2) "/implies", admin, NULL), 200, "\"implies\":[{\"id\":\"" ROLE_ID(3) "\"");
    identity_end();
}

TEST("endpoints fill the catalog, with our own address where they say so, and a region in use stays")
{
    char body[300];
    identity_begin();
    const char *admin = token_of(ADMIN, "admin", ON_PROJECT);
    struct http_answer answer =
        ask("POST", "/services", admin, "{\"service\":{\"type\":\"metric\",\"name\":\"gnocchi\"}}");
    CHECK_INT(answer.status, 201);
    CHECK(!strstr(answer.body, "description"));
    const char *service = id_in(&answer);
    http_answer_done(&answer);
    CHECK_INT(ask_status("PUT", "/regions/North", admin, "{\"region\":{}}"), 201);
    EXPECT(ask("PUT", "/regions/North", admin, "{\"region\":{}}"), 409, "Duplicate ID, North.");
    snprintf(body, sizeof(body),
             "{\"endpoint\":{\"interface\":\"public\",\"region_id\":\"North\",\"service_id\":\"%s\",\"url\":\"$(base)s/"
             "metric/%%(project_id)s\"}}",
             service);
    EXPECT(ask("POST", "/endpoints", admin, body), 201, "\"url\":\"http://test/metric/%(project_id)s\"");
    EXPECT(ask("GET", "/auth/catalog", admin, NULL), 200, "\"url\":\"http://test/metric/" PROJECT "\"");
    answer = ask("GET", "/auth/catalog", token_of(ADMIN, "admin", ON_SYSTEM),
                 NULL); /* no project: that URL cannot be made */
    CHECK(!strstr(answer.body, "/metric/"));
    http_answer_done(&answer);
    EXPECT(ask("GET", "/endpoints?interface=admin", admin, NULL), 200, "\"endpoints\":[]");
    EXPECT(ask("DELETE", "/regions/North", admin, NULL), 403, "associated endpoints");
    EXPECT(ask("POST", "/endpoints", admin,
               "{\"endpoint\":{\"interface\":\"outside\",\"service_id\":\"x\",\"url\":\"http://x\"}}"),
           400, "interface");
    EXPECT(ask("POST", "/endpoints", admin,
               "{\"endpoint\":{\"interface\":\"public\",\"service_id\":\"x\",\"url\":\"no url\"}}"),
           400, "invalid URL");
    CHECK_INT(ask_status("DELETE", path_of("/services/%s", service), admin, NULL), 204);
    CHECK_INT(ask_status("DELETE", "/regions/North", admin, NULL), 204);
    identity_end();
}

/* The catalog is kept by each thread that shows it. */
TEST("what changes in the catalog is seen by the next request, whatever was kept")
{
    char body[300];
    identity_begin();
    const char *admin = token_of(ADMIN, "admin", ON_PROJECT);
    struct http_answer answer = ask("POST", "/services", admin, "{\"service\":{\"type\":\"metric\",\"name\":\"m\"}}");
    const char *service = id_in(&answer);
    http_answer_done(&answer);
    EXPECT(ask("GET", "/auth/catalog", admin, NULL), 200, "{\"catalog\":[]");
    snprintf(body, sizeof(body),
             "{\"endpoint\":{\"interface\":\"public\",\"service_id\":\"%s\",\"url\":\"http://%s\"}}", service,
             "$(user_id)s/\\\"/$(project_id)s$(tenant_id)s");
    answer = ask("POST", "/endpoints", admin, body);
    CHECK_INT(answer.status, 201);
    const char *endpoint = id_in(&answer);
    http_answer_done(&answer);
    for (int i = 0; i < 3; i++)
        EXPECT(ask("GET", "/auth/catalog", admin, NULL), 200,
               "\"url\":\"http://" ADMIN "/\\\"/" PROJECT PROJECT "\"}]}],\"links\"");
    EXPECT(ask("PATCH", path_of("/endpoints/%s", endpoint), admin, "{\"endpoint\":{\"url\":\"http://$(base\"}}"), 200,
           "$(base");
    EXPECT(ask("GET", "/auth/catalog", admin, NULL), 200, "\"url\":\"http://$(base\"}]}]");
    EXPECT(ask("PATCH", path_of("/services/%s", service), admin, "{\"service\":{\"name\":\"other\"}}"), 200, "other");
    EXPECT(ask("GET", "/auth/catalog", admin, NULL), 200, "\"name\":\"other\"");
    CHECK_INT(ask_status("DELETE", path_of("/endpoints/%s", endpoint), admin, NULL), 204);
    EXPECT(ask("GET", "/auth/catalog", admin, NULL), 200, "{\"catalog\":[]");
    identity_end();
}

static int login_application(const char *id, const char *secret, char ret[TOKEN_SIZE])
{
    char body[512];
    snprintf(body, sizeof(body),
             "{\"auth\":{\"identity\":{\"methods\":[\"application_credential\"],\"application_credential\":{\"id\":\"%"
             "s\",\"secret\":\"%s\"}}}}",
             id, secret);
    struct http_answer answer = ask("POST", "/auth/tokens", NULL, body);
    int status = answer.status;
    if (http_field(&answer, "X-Subject-Token"))
        snprintf(ret, TOKEN_SIZE, "%s", http_field(&answer, "X-Subject-Token"));
    http_answer_done(&answer);
    return status;
}

#define MINE "/users/" MEMBER "/application_credentials"

TEST("an application credential logs in for its project with what its user still has, and makes no further ones")
{
    char token[TOKEN_SIZE], secret[128] = "";
    identity_begin();
    const char *member = token_of(MEMBER, "member", ON_PROJECT), *admin = token_of(ADMIN, "admin", ON_PROJECT);
    struct http_answer answer = ask("POST", MINE, member, "{\"application_credential\":{\"name\":\"a\"}}");
    CHECK_INT(answer.status, 201);
    const char *id = id_in(&answer), *at = strstr(answer.body, "\"secret\":\"");
    CHECK(at && sscanf(at, "\"secret\":\"%127[^\"]", secret) == 1);
    http_answer_done(&answer);
    CHECK_INT(login_application(id, secret, token), 201);
    CHECK_INT(login_application(id, "wrong", token), 401);
    CHECK_INT(login_application("ffffffffffffffffffffffffffffffff", secret, token), 401);
    EXPECT(ask("POST", MINE, token, "{\"application_credential\":{\"name\":\"b\"}}"), 403, "application");
    EXPECT(ask("POST", MINE, member, "{\"application_credential\":{\"name\":\"a\"}}"), 409, "Duplicate");
    EXPECT(ask("POST", MINE, member, "{\"application_credential\":{\"name\":\"b\",\"roles\":[{\"name\":\"admin\"}]}}"),
           400, "unassigned role");
    EXPECT(ask("POST", MINE, member,
               "{\"application_credential\":{\"name\":\"b\",\"expires_at\":\"2001-01-01T00:00:00Z\"}}"),
           400, "before now");
    EXPECT(ask("POST", MINE, member, "{\"application_credential\":{\"name\":\"b\",\"expires_at\":\"soon\"}}"), 400,
           "expected format");
    EXPECT(ask("POST", MINE, admin, "{\"application_credential\":{\"name\":\"b\"}}"), 403, "another user");
    answer = ask("GET", path_of(MINE "/%s", id), member, NULL);
    CHECK_INT(answer.status, 200);
    CHECK(!strstr(answer.body, "secret"));
    http_answer_done(&answer);
    CHECK_INT(ask_status("GET", "/auth/projects", token, NULL), 200);
    CHECK_INT(ask_status("DELETE", "/projects/" PROJECT "/users/" MEMBER "/roles/" ROLE_ID(2), admin, NULL), 204);
    CHECK_INT(login_application(id, secret, token), 401);
    CHECK_INT(ask_status("PUT", "/projects/" PROJECT "/users/" MEMBER "/roles/" ROLE_ID(2), admin, NULL), 204);
    CHECK_INT(login_application(id, secret, token), 201);
    CHECK_INT(ask_status("DELETE", path_of(MINE "/%s", id), token_of(MEMBER, "member", ON_PROJECT), NULL), 204);
    CHECK_INT(ask_status("GET", "/auth/projects", token, NULL), 401);
    identity_end();
}

TEST("with access rules a token does what they allow, and nothing else")
{
    char token[TOKEN_SIZE];
    identity_begin();
    const char *member = token_of(MEMBER, "member", ON_PROJECT);
    struct http_answer answer =
        ask("POST", MINE, member,
            "{\"application_credential\":{\"name\":\"a\",\"secret\":\"s\",\"access_rules\":[{\"service\":\"identity\","
            "\"method\":\"GET\",\"path\":\"/v3/auth/*\"}]}}");
    CHECK_INT(answer.status, 201);
    CHECK_INT(login_application(id_in(&answer), "s", token), 201);
    http_answer_done(&answer);
    CHECK_INT(ask_status("GET", "/auth/projects", token, NULL), 200);
    CHECK_INT(ask_status("GET", "/regions", token, NULL), 403);
    CHECK_INT(ask_status("DELETE", "/auth/tokens", token, NULL), 403);
    EXPECT(ask("GET", "/users/" MEMBER "/access_rules", member, NULL), 200, "/v3/auth/*");
    identity_end();
}

TEST("a rule's pattern fits the paths that it should")
{
    static const struct {
        const char *pattern, *path;
        bool fits;
    } cases[] = {
        {"/v2.1/servers", "/v2.1/servers", true},
        {"/v2.1/servers", "/v2.1/servers/1", false},
        {"/v2.1/servers/*", "/v2.1/servers/1", true},
        {"/v2.1/servers/*", "/v2.1/servers/1/x", false},
        {"/v2.1/servers/*", "/v2.1/servers/", false},
        {"/v2.1/servers/{id}/ips", "/v2.1/servers/1/ips", true},
        {"/v2.1/**", "/v2.1/servers/1/ips", true},
        {"/v2.1/**/ips", "/v2.1/servers/1/ips", true},
        {"/v2.1/**/ips", "/v2.1/servers/1/ip", false},
        {"**", "/anything/at/all", true},
        {"/a{", "/ab", false},
        {"", "", true},
        {"/v2.1", "/v2.1/", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (access_rules_match(cases[i].pattern, cases[i].path) != cases[i].fits)
            check_fail(__FILE__, __LINE__, "%s against %s", cases[i].pattern, cases[i].path);
}

DB_STATEMENT(identity_blobs, "SELECT blob FROM credential");

TEST("further credentials are their owner's, and their secrets are not in the rows")
{
    identity_begin();
    const char *member = token_of(MEMBER, "member", ON_PROJECT), *local = token_of(LOCAL, "local", NULL);
    struct http_answer answer =
        ask("POST", "/credentials", member,
            "{\"credential\":{\"type\":\"totp\",\"blob\":\"s3cret\",\"user_id\":\"" MEMBER "\"}}");
    CHECK_INT(answer.status, 201);
    const char *path = path_of("/credentials/%s", id_in(&answer));
    http_answer_done(&answer);
    EXPECT(ask("GET", path, member, NULL), 200, "\"blob\":\"s3cret\"");
    CHECK_INT(ask_status("GET", path, local, NULL), 403);
    EXPECT(ask("GET", "/credentials", local, NULL), 200, "\"credentials\":[]");
    CHECK_INT(ask_status("POST", "/credentials", local,
                         "{\"credential\":{\"type\":\"totp\",\"blob\":\"x\",\"user_id\":\"" MEMBER "\"}}"),
              403);
    struct db_rows rows;
    struct error e = {0};
    CHECK_OK(db_query(db_reader(api.db), &identity_blobs, &rows, &e, DB_NO_ARGS), &e);
    CHECK(db_next(&rows) && !strstr(db_get_text(&rows, 0), "s3cret"));
    CHECK_OK(db_rows_done(&rows, &e), &e);
    EXPECT(ask("POST", "/users/" MEMBER "/credentials/OS-EC2", member, "{\"tenant_id\":\"" PROJECT "\"}"), 201,
           "\"secret\":");
    EXPECT(ask("GET", "/credentials?type=ec2", member, NULL), 200, "\"type\":\"ec2\"");
    CHECK_INT(ask_status("DELETE", path, member, NULL), 204);
    identity_end();
}
