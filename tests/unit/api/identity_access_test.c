/* Who may do what, over every route row. A row that is not in the tables below fails the test: whoever adds one says
 * here what it needs. */
#include "tests/unit/api/identity_fixture.h"

/* What stands for the parameters of patterns: things of the default domain, which only the cloud's administrator
 * manages. */
static const struct {
    const char *name, *value;
} params[] = {
    {"project_id", PROJECT},
    {"user_id", ADMIN},
    {"domain_id", "default"},
    {"role_id", ROLE_ID(4)},
    {"implied_role_id", ROLE_ID(3)},
    {"group_id", "00000000000000000000000000000009"},
    {"tag", "blue"},
    {"region_id", "RegionOne"},
    {"service_id", "x"},
    {"endpoint_id", "x"},
    {"access_rule_id", "x"},
    {"application_credential_id", "x"},
    {"credential_id", "x"},
    {"access", "x"},
};

/* A body that the row takes. */
static const struct {
    const char *method, *pattern, *body;
} bodies[] = {
    {"POST", "/auth/tokens", "{\"auth\":{\"identity\":{\"methods\":[\"token\"],\"token\":{\"id\":\"x\"}}}}"},
    {"POST", "/projects", "{\"project\":{\"name\":\"n\",\"domain_id\":\"default\"}}"},
    {"PATCH", "/projects/{project_id}", "{\"project\":{\"description\":\"n\"}}"},
    {"PUT", "/projects/{project_id}/tags", "{\"tags\":[\"a\"]}"},
    {"POST", "/domains", "{\"domain\":{\"name\":\"n\"}}"},
    {"PATCH", "/domains/{domain_id}", "{\"domain\":{\"description\":\"n\"}}"},
    {"POST", "/users", "{\"user\":{\"name\":\"n\",\"domain_id\":\"default\",\"password\":\"p\"}}"},
    {"PATCH", "/users/{user_id}", "{\"user\":{\"password\":\"taken over\"}}"},
    {"POST", "/users/{user_id}/password", "{\"user\":{\"original_password\":\"a\",\"password\":\"b\"}}"},
    {"POST", "/groups", "{\"group\":{\"name\":\"n\",\"domain_id\":\"default\"}}"},
    {"PATCH", "/groups/{group_id}", "{\"group\":{\"name\":\"n\"}}"},
    {"POST", "/roles", "{\"role\":{\"name\":\"n\"}}"},
    {"PATCH", "/roles/{role_id}", "{\"role\":{\"name\":\"n\"}}"},
    {"POST", "/regions", "{\"region\":{\"id\":\"n\"}}"},
    {"PUT", "/regions/{region_id}", "{\"region\":{}}"},
    {"PATCH", "/regions/{region_id}", "{\"region\":{\"description\":\"n\"}}"},
    {"POST", "/services", "{\"service\":{\"type\":\"n\"}}"},
    {"PATCH", "/services/{service_id}", "{\"service\":{\"name\":\"n\"}}"},
    {"POST", "/endpoints", "{\"endpoint\":{\"interface\":\"public\",\"service_id\":\"x\",\"url\":\"http://x\"}}"},
    {"PATCH", "/endpoints/{endpoint_id}", "{\"endpoint\":{\"url\":\"http://y\"}}"},
    {"POST", "/users/{user_id}/application_credentials", "{\"application_credential\":{\"name\":\"n\"}}"},
    {"POST", "/users/{user_id}/credentials/OS-EC2", "{\"tenant_id\":\"" PROJECT "\"}"},
    {"POST", "/credentials", "{\"credential\":{\"type\":\"cert\",\"blob\":\"b\",\"user_id\":\"" ADMIN "\"}}"},
    {"PATCH", "/credentials/{credential_id}", "{\"credential\":{\"blob\":\"b\"}}"},
};

/* Rows that anybody with a token may use, as they show what is his own or no secret. */
static const char *const open_rows[] = {
    "GET /auth/projects", "GET /auth/domains",        "GET /auth/system", "GET /auth/catalog",
    "GET /regions",       "GET /regions/{region_id}", "GET /credentials",
};
/* Rows that a member of the project may read because his token is for it. */
static const char *const own_scope_rows[] = {
    "GET /projects/{project_id}",
    "GET /projects/{project_id}/tags",
    "GET /projects/{project_id}/tags/{tag}",
    "GET /domains/{domain_id}",
};

static bool listed(const char *const *rows, size_t count, const struct route *route)
{
    char text[200];
    snprintf(text, sizeof(text), "%s %s", route->method, route->pattern);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i], text) == 0)
            return true;
    return false;
}

static const char *fill(const char *pattern)
{
    static char path[400];
    size_t size = 0;
    while (*pattern) {
        if (*pattern != '{') {
            path[size++] = *pattern++;
            continue;
        }
        size_t length = strcspn(pattern, "}") - 1, i = 0;
        while (i < sizeof(params) / sizeof(params[0]) &&
               (strlen(params[i].name) != length || strncmp(params[i].name, pattern + 1, length) != 0))
            i++;
        if (i == sizeof(params) / sizeof(params[0]))
            check_fail(__FILE__, __LINE__, "say in `params` what stands for %s", pattern);
        size += (size_t)snprintf(path + size, sizeof(path) - size, "%s", params[i].value);
        pattern += length + 2;
    }
    path[size] = 0;
    return path;
}

static const char *body_of(const struct route *route)
{
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        if (strcmp(bodies[i].method, route->method) == 0 && strcmp(bodies[i].pattern, route->pattern) == 0)
            return bodies[i].body;
    if (route->body)
        check_fail(__FILE__, __LINE__, "say in `bodies` what %s %s takes", route->method, route->pattern);
    return NULL;
}

static void each_row(void (*look)(const struct route *route, const char *token), const char *token)
{
    for (const struct route_table *const *table = identity_service.tables; *table; table++)
        for (size_t i = 0; i < (*table)->count; i++)
            look(&(*table)->rows[i], token);
}

static int call(const struct route *route, const char *token)
{
    return ask_status(route->method, fill(route->pattern), token, body_of(route));
}

static void wants_token(const struct route *route, const char *token)
{
    (void)token;
    int status = call(route, NULL);
    bool good = route->permission == PERMISSION_PUBLIC ? status < 500 : status == 401;
    if (!good)
        check_fail(__FILE__, __LINE__, "%s %s without a token gives %d", route->method, route->pattern, status);
    status = call(route, "AQAAAAEAnonsense");
    if (route->permission != PERMISSION_PUBLIC && status != 401)
        check_fail(__FILE__, __LINE__, "%s %s with nonsense as token gives %d", route->method, route->pattern, status);
}

TEST("no row but the public ones works without a token, or with nonsense as one")
{
    identity_begin();
    each_row(wants_token, NULL);
    identity_end();
}

static bool may_in_own_scope;

static void refuses(const struct route *route, const char *token)
{
    if (route->permission == PERMISSION_PUBLIC || strcmp(route->pattern, "/auth/tokens") == 0)
        return;
    bool open = listed(open_rows, sizeof(open_rows) / sizeof(open_rows[0]), route) ||
                (may_in_own_scope && listed(own_scope_rows, sizeof(own_scope_rows) / sizeof(own_scope_rows[0]), route));
    int status = call(route, token);
    if (open ? status >= 500 : status != 403 && status != 404)
        check_fail(__FILE__, __LINE__, "%s %s gives %d", route->method, route->pattern, status);
}

TEST("somebody without roles does nothing to the cloud on any row")
{
    identity_begin();
    may_in_own_scope = false;
    each_row(refuses, token_of(LOCAL, "local", NULL));
    identity_end();
}

TEST("a member of a project sees his project and changes nothing on any row")
{
    identity_begin();
    may_in_own_scope = true;
    each_row(refuses, token_of(MEMBER, "member", ON_PROJECT));
    identity_end();
}

static void keeps_out(const struct route *route, const char *token)
{
    static const char *const lists[] = {
        "GET /projects",
        "GET /domains",
        "GET /users",
        "GET /groups",
        "GET /roles",
        "GET /roles/{role_id}",
        "GET /roles/{role_id}/implies",
        "GET /roles/{role_id}/implies/{implied_role_id}",
        "GET /role_inferences",
        "GET /role_assignments",
    };
    if (!listed(lists, sizeof(lists) / sizeof(lists[0]), route))
        refuses(route, token);
}

TEST("who manages one domain reaches nothing of another on any row")
{
    identity_begin();
    may_in_own_scope = false;
    const char *manager = token_of(MANAGER, "manager", ON_DOMAIN);
    each_row(keeps_out, manager);
    static const char *const paths[] = {"/projects", "/users", "/groups", "/domains",
                                        "/role_assignments?include_names=1"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct http_answer answer = ask("GET", paths[i], manager, NULL);
        CHECK_INT(answer.status, 200);
        CHECK(!strstr(answer.body, ADMIN) && !strstr(answer.body, PROJECT));
        http_answer_done(&answer);
    }
    identity_end();
}

static void reads(const struct route *route, const char *token)
{
    int status = call(route, token);
    bool is_get = strcmp(route->method, "GET") == 0;
    if (route->permission == PERMISSION_PUBLIC || strcmp(route->pattern, "/auth/tokens") == 0)
        return;
    if (is_get ? status == 401 || status == 403 || status >= 500 : status != 403 && status != 404)
        check_fail(__FILE__, __LINE__, "%s %s gives %d", route->method, route->pattern, status);
}

TEST("a reader of the system reads every row and writes none")
{
    identity_begin();
    each_row(reads, token_of(READER, "reader", ON_SYSTEM));
    identity_end();
}

static void runs(const struct route *route, const char *token)
{
    int status = call(route, token);
    if (strcmp(route->method, "DELETE") != 0 && (status == 401 || status == 403 || status >= 500) &&
        strcmp(route->pattern, "/auth/tokens") != 0 && route->permission != PERMISSION_PUBLIC &&
        !strstr(route->pattern, "implies"))
        check_fail(__FILE__, __LINE__, "%s %s gives %d", route->method, route->pattern, status);
}

static void runs_reading(const struct route *route, const char *token)
{
    if (strcmp(route->method, "GET") == 0)
        runs(route, token);
}

TEST("the administrator is refused on no row")
{
    identity_begin();
    each_row(runs_reading, token_of(ADMIN, "admin", ON_SYSTEM));
    each_row(runs_reading, token_of(ADMIN, "admin", ON_PROJECT));
    static const struct {
        const char *method, *path, *body;
        int status;
    } deeds[] = {
        {"POST", "/projects", "{\"project\":{\"name\":\"n\"}}", 201},
        {"POST", "/users", "{\"user\":{\"name\":\"n\"}}", 201},
        {"POST", "/groups", "{\"group\":{\"name\":\"n\"}}", 201},
        {"POST", "/roles", "{\"role\":{\"name\":\"n\"}}", 201},
        {"POST", "/domains", "{\"domain\":{\"name\":\"n\"}}", 201},
        {"PUT", "/regions/North", "{\"region\":{}}", 201},
        {"POST", "/services", "{\"service\":{\"type\":\"n\"}}", 201},
        {"PUT", "/projects/" PROJECT "/tags/blue", NULL, 201},
        {"PUT", "/projects/" PROJECT "/users/" MEMBER "/roles/" ROLE_ID(4), NULL, 204},
        {"PUT", "/domains/default/users/" MEMBER "/roles/" ROLE_ID(4), NULL, 204},
        {"PUT", "/system/users/" MEMBER "/roles/" ROLE_ID(4), NULL, 204},
        {"PUT", "/OS-INHERIT/domains/default/users/" MEMBER "/roles/" ROLE_ID(4) "/inherited_to_projects", NULL, 204},
        {"PUT", "/roles/" ROLE_ID(4) "/implies/" ROLE_ID(3), NULL, 201},
    };
    const char *admin = token_of(ADMIN, "admin", ON_PROJECT);
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
        if (ask_status(deeds[i].method, deeds[i].path, admin, deeds[i].body) != deeds[i].status)
            check_fail(__FILE__, __LINE__, "%s %s", deeds[i].method, deeds[i].path);
    identity_end();
}

TEST("who manages a domain runs it, and cannot become more than that")
{
    identity_begin();
    const char *admin = token_of(ADMIN, "admin", ON_PROJECT), *manager = token_of(MANAGER, "manager", ON_DOMAIN);
    static const struct {
        const char *method, *path, *body;
        int status;
    } deeds[] = {
        {"POST", "/users", "{\"user\":{\"name\":\"n\"}}", 201},
        {"POST", "/users", "{\"user\":{\"name\":\"m\",\"domain_id\":\"default\"}}", 403},
        {"POST", "/projects", "{\"project\":{\"name\":\"n\"}}", 201},
        {"POST", "/projects", "{\"project\":{\"name\":\"n\",\"is_domain\":true}}", 403},
        {"PUT", "/projects/" OTHER "/users/" LOCAL "/roles/" ROLE_ID(2), NULL, 204},
        {"PUT", "/domains/" DOMAIN "/users/" LOCAL "/roles/" ROLE_ID(3), NULL, 204},
        {"PUT", "/projects/" OTHER "/users/" LOCAL "/roles/" ROLE_ID(0), NULL, 403},
        {"PUT", "/domains/" DOMAIN "/users/" LOCAL "/roles/" ROLE_ID(0), NULL, 403},
        {"PUT", "/OS-INHERIT/domains/" DOMAIN "/users/" LOCAL "/roles/" ROLE_ID(0) "/inherited_to_projects", NULL, 403},
        {"PUT", "/system/users/" LOCAL "/roles/" ROLE_ID(3), NULL, 403},
        {"PUT", "/projects/" OTHER "/users/" MEMBER "/roles/" ROLE_ID(2), NULL, 403},
        {"PUT", "/projects/" PROJECT "/users/" LOCAL "/roles/" ROLE_ID(2), NULL, 403},
        {"PATCH", "/users/" LOCAL, "{\"user\":{\"password\":\"reset\"}}", 200},
    };
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        int status = ask_status(deeds[i].method, deeds[i].path, manager, deeds[i].body);
        if (status != deeds[i].status)
            check_fail(__FILE__, __LINE__, "%s %s %s gives %d", deeds[i].method, deeds[i].path,
                       deeds[i].body ? deeds[i].body : "", status);
    }
    /* A user of his domain who runs the cloud is beyond him. */
    CHECK_INT(ask_status("PUT", "/projects/" PROJECT "/users/" LOCAL "/roles/" ROLE_ID(0), admin, NULL), 204);
    CHECK_INT(ask_status("PATCH", "/users/" LOCAL, manager, "{\"user\":{\"password\":\"mine\"}}"), 403);
    CHECK_INT(ask_status("DELETE", "/users/" LOCAL, manager, NULL), 403);
    identity_end();
}

TEST("an administrator of a domain is one there and nowhere else")
{
    identity_begin();
    const char *admin = token_of(ADMIN, "admin", ON_PROJECT);
    CHECK_INT(ask_status("PUT", "/domains/" DOMAIN "/users/" MANAGER "/roles/" ROLE_ID(0), admin, NULL), 204);
    const char *local = token_of(MANAGER, "manager", ON_DOMAIN);
    CHECK_INT(ask_status("PUT", "/domains/" DOMAIN "/users/" LOCAL "/roles/" ROLE_ID(0), local, NULL), 204);
    CHECK_INT(ask_status("PUT", "/projects/" OTHER "/users/" LOCAL "/roles/" ROLE_ID(0), local, NULL), 403);
    CHECK_INT(ask_status("POST", "/roles", local, "{\"role\":{\"name\":\"n\"}}"), 403);
    CHECK_INT(ask_status("POST", "/domains", local, "{\"domain\":{\"name\":\"n\"}}"), 403);
    CHECK_INT(ask_status("PATCH", "/domains/" DOMAIN, local, "{\"domain\":{\"enabled\":false}}"), 403);
    CHECK_INT(ask_status("PATCH", "/users/" MEMBER, local, "{\"user\":{\"password\":\"mine\"}}"), 403);
    CHECK_INT(ask_status("GET", "/services", local, NULL), 403);
    static const char *const paths[] = {"/elsewhere/admin", "/elsewhere/member"};
    for (size_t i = 0; i < 2; i++) {
        struct http_answer theirs = http_ask("GET", paths[i], local, "", NULL),
                           ours = http_ask("GET", paths[i], admin, "", NULL);
        CHECK_INT(theirs.status, 403);
        CHECK_INT(ours.status, 204);
        http_answer_done(&theirs);
        http_answer_done(&ours);
    }
    identity_end();
}
