/* The tries: what wins over what, what is refused at start, and that our own tables compile. */
#include "api/http/router.h"
#include "api/services.h"
#include "tests/unit/check.h"

static int handler(struct request *request, struct reply *reply)
{
    (void)request;
    (void)reply;
    return 0;
}

#define ROW(verb, text)                                                                                                \
    {                                                                                                                  \
        .method = verb, .pattern = text, .permission = PERMISSION_PUBLIC, .handler = handler                           \
    }
static const struct route rows[] = {
    ROW("GET", ""),
    ROW("GET", "/servers"),
    ROW("POST", "/servers"),
    ROW("GET", "/servers/detail"),
    ROW("GET", "/servers/{id}"),
    ROW("HEAD", "/servers/{id}"),
    ROW("DELETE", "/servers/{id}"),
    ROW("GET", "/servers/{server_id}/tags/{tag}"),
    ROW("GET", "/servers/detail/all"),
    ROW("GET", "/{type}/{id}/tags"),
    ROW("GET", "/files/{name*}"),
    ROW("GET", "/files/{name}/info"),
    {.method = "GET",
     .pattern = "/window",
     .permission = PERMISSION_PUBLIC,
     .handler = handler,
     .since = 2,
     .until = 5},
    {.method = "GET", .pattern = "/window", .permission = PERMISSION_READER, .handler = handler, .since = 6},
    {.method = "PUT", .pattern = "/window", .permission = PERMISSION_READER, .handler = handler, .since = 6},
    {.method = "GET", .pattern = "/agent", .permission = PERMISSION_AGENT, .handler = handler},
};
static const struct route_table table = ROUTE_TABLE(rows);
static const struct route_table *const tables[] = {&table, NULL};
static const struct service compute = {.name = "compute", .prefix = "/compute/v2.1", .tables = tables};
static const struct service versions = {.name = "versions", .prefix = "/compute", .tables = tables};
static const struct service root = {.name = "root", .prefix = "", .tables = tables};
static const struct service *const services[] = {&root, &compute, &versions, NULL};

static struct router *router;
static struct arena arena;
static struct uri uri;
static struct router_match match;

static void begin(enum router_port port)
{
    struct error e = {0};
    CHECK_OK(router_new(services, port, &router, &e), &e);
    arena_init(&arena);
}

static void end(void)
{
    arena_done(&arena);
    router_free(&router);
}

/* The name of the service that has the path, its row in `match`. */
static int find(const char *method, const char *path, int microversion, const char **ret_service)
{
    struct error e = {0};
    size_t skip = 0;
    CHECK_OK(uri_parse(path, &arena, &uri, &e), &e);
    const struct service *service = router_service(router, &uri, &skip);
    CHECK(service);
    *ret_service = service->name;
    return router_match(router, service, skip, &uri, router_method(method), microversion, &match);
}

#define FINDS(method, path, wanted_service, wanted_pattern)                                                            \
    do {                                                                                                               \
        const char *finds_service = NULL;                                                                              \
        CHECK_INT(find(method, path, 1, &finds_service), 0);                                                           \
        CHECK_TEXT(finds_service, wanted_service);                                                                     \
        CHECK_TEXT(match.row->route->pattern, wanted_pattern);                                                         \
    } while (0)

TEST("static segments beat parameters, parameters beat the rest")
{
    begin(ROUTER_TENANTS);
    FINDS("GET", "/servers/detail", "root", "/servers/detail");
    FINDS("GET", "/servers/7", "root", "/servers/{id}");
    CHECK_TEXT(match.values[0], "7");
    FINDS("GET", "/servers/detail/all", "root", "/servers/detail/all");
    FINDS("GET", "/files/a", "root", "/files/{name*}");
    FINDS("GET", "/files/a/info", "root", "/files/{name}/info");
    FINDS("GET", "/files/a/b/c", "root", "/files/{name*}");
    CHECK_TEXT(match.values[0], "a/b/c");
    end();
}

TEST("a branch without a row for the method or the path gives way")
{
    begin(ROUTER_TENANTS);
    FINDS("DELETE", "/servers/detail", "root", "/servers/{id}");
    CHECK_TEXT(match.values[0], "detail");
    FINDS("GET", "/servers/detail/tags/x", "root", "/servers/{server_id}/tags/{tag}");
    CHECK_TEXT(match.row->parameters[0], "server_id");
    CHECK_TEXT(match.values[0], "detail");
    CHECK_TEXT(match.values[1], "x");
    FINDS("GET", "/servers/1/tags", "root", "/{type}/{id}/tags");
    CHECK_TEXT(match.values[0], "servers");
    end();
}

TEST("the longest prefix has the path, by whole segments")
{
    begin(ROUTER_TENANTS);
    FINDS("GET", "/compute/v2.1/servers", "compute", "/servers");
    FINDS("GET", "/compute/v2.1", "compute", "");
    FINDS("GET", "/compute/v2.1/", "compute", "");
    FINDS("GET", "/compute/servers", "versions", "/servers");
    FINDS("GET", "/compute", "versions", "");
    FINDS("GET", "/", "root", "");
    const char *service = NULL;
    CHECK_INT(find("GET", "/compute/v2.11/servers", 1, &service), ERR_NOT_FOUND);
    CHECK_TEXT(service, "versions");
    end();
}

TEST("HEAD is GET unless it has a row")
{
    begin(ROUTER_TENANTS);
    FINDS("HEAD", "/servers", "root", "/servers");
    CHECK_TEXT(match.row->route->method, "GET");
    FINDS("HEAD", "/servers/1", "root", "/servers/{id}");
    CHECK_TEXT(match.row->route->method, "HEAD");
    end();
}

TEST("a known path with another method says what it serves")
{
    const char *service;
    char methods[ROUTER_METHODS_SIZE];
    begin(ROUTER_TENANTS);
    CHECK_INT(find("PATCH", "/servers", 1, &service), ERR_METHOD);
    CHECK_TEXT(router_methods_text(match.methods, methods), "GET, HEAD, POST");
    CHECK_INT(find("BREW", "/servers/1", 1, &service), ERR_METHOD);
    CHECK_TEXT(router_methods_text(match.methods, methods), "GET, HEAD, DELETE");
    CHECK_INT(find("GET", "/nothing", 1, &service), ERR_NOT_FOUND);
    end();
}

TEST("a row exists within its microversions only")
{
    const char *service;
    char methods[ROUTER_METHODS_SIZE];
    begin(ROUTER_TENANTS);
    CHECK_INT(find("GET", "/window", 1, &service), ERR_NOT_FOUND);
    CHECK_INT(find("GET", "/window", 2, &service), 0);
    CHECK_INT(match.row->route->permission, PERMISSION_PUBLIC);
    CHECK_INT(find("GET", "/window", 6, &service), 0);
    CHECK_INT(match.row->route->permission, PERMISSION_READER);
    CHECK_INT(find("PUT", "/window", 5, &service), ERR_METHOD);
    CHECK_TEXT(router_methods_text(match.methods, methods), "GET, HEAD");
    end();
}

TEST("each port has its own rows")
{
    const char *service;
    begin(ROUTER_TENANTS);
    CHECK_INT(find("GET", "/agent", 1, &service), ERR_NOT_FOUND);
    end();
    begin(ROUTER_AGENTS);
    FINDS("GET", "/agent", "root", "/agent");
    CHECK_INT(find("GET", "/servers", 1, &service), ERR_NOT_FOUND);
    end();
}

/* A service of one table must be refused with a sentence that contains `why`. */
static void refuses_rows(const struct route *list, size_t count, const char *why)
{
    struct error e = {0};
    struct router *none = NULL;
    const struct route_table bad = {list, count};
    const struct route_table *const bad_tables[] = {&bad, NULL};
    const struct service service = {.name = "bad", .prefix = "/bad", .tables = bad_tables};
    const struct service *const list_of_one[] = {&service, NULL};
    CHECK_INT(router_new(list_of_one, ROUTER_TENANTS, &none, &e), ERR_INVALID);
    CHECK_CONTAINS(e.text, "bad");
    CHECK_CONTAINS(e.text, why);
}

TEST("rows that cannot be meant are refused at start")
{
    static const struct json_table body = {.seen_offset = JSON_NO_SEEN};
    static const struct {
        struct route rows[2];
        size_t count;
        const char *why;
    } bad[] = {
        {{{.method = "GET", .pattern = "/a", .handler = handler}}, 1, "permission"},
        {{{.method = "GET", .pattern = "/a", .permission = PERMISSION_PUBLIC}}, 1, "handler"},
        {{ROW("BREW", "/a")}, 1, "method"},
        {{ROW("GET", "a")}, 1, "slash"},
        {{ROW("GET", "/a/{id")}, 1, "malformed"},
        {{ROW("GET", "/a/{}")}, 1, "malformed"},
        {{ROW("GET", "/a//b")}, 1, "malformed"},
        {{ROW("GET", "/a/{rest*}/b")}, 1, "malformed"},
        {{ROW("GET", "/a"), ROW("GET", "/a")}, 2, "twice"},
        {{ROW("GET", "/a/{x}"), ROW("GET", "/a/{y}")}, 2, "twice"},
        {{{.method = "GET", .pattern = "/a", .permission = PERMISSION_PUBLIC, .handler = handler, .until = 5},
          {.method = "GET", .pattern = "/a", .permission = PERMISSION_PUBLIC, .handler = handler, .since = 5}},
         2,
         "twice"},
        {{{.method = "POST", .pattern = "/a", .permission = PERMISSION_PUBLIC, .handler = handler, .body = &body}},
         1,
         "size"},
        {{{.method = "GET",
           .pattern = "/a",
           .permission = PERMISSION_PUBLIC,
           .handler = handler,
           .since = 5,
           .until = 4}},
         1,
         "ends"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refuses_rows(bad[i].rows, bad[i].count, bad[i].why);
}

TEST("two services with one prefix are refused")
{
    struct error e = {0};
    struct router *none = NULL;
    const struct service twin = {.name = "twin", .prefix = "/compute", .tables = tables};
    const struct service *const list[] = {&versions, &twin, NULL};
    CHECK_INT(router_new(list, ROUTER_TENANTS, &none, &e), ERR_INVALID);
    CHECK_CONTAINS(e.text, "same prefix");
}

TEST("the tables of all our services compile for both ports, and every row is found by its own pattern")
{
    for (enum router_port port = ROUTER_TENANTS; port <= ROUTER_AGENTS; port++) {
        struct error e = {0};
        CHECK_OK(router_new(services_all, port, &router, &e), &e);
        CHECK(router_count(router) > 0);
        arena_init(&arena);
        for (size_t i = 0; i < router_count(router); i++) {
            const struct router_row *row = router_at(router, i);
            char path[256], *to = path;
            for (const char *at = row->label; *at; at++) /* braces and star become plain text */
                *to++ = *at == '{' || *at == '}' || *at == '*' ? 'x' : *at;
            *to = 0;
            size_t skip = 0;
            CHECK_OK(uri_parse(path, &arena, &uri, &e), &e);
            CHECK(router_service(router, &uri, &skip) == row->service);
            int version = row->route->since ? row->route->since : 1;
            CHECK_INT(router_match(router, row->service, skip, &uri, row->method, version, &match), 0);
            CHECK_TEXT(match.row->label, row->label);
        }
        end();
    }
}
