/* The request target and the router: whatever comes in, what comes out is text, and the row that was found fits it. */
#include "api/http/router.h"
#include "common/utf8.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

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
    ROW("GET", "/"),
    ROW("GET", "/servers"),
    ROW("POST", "/servers"),
    ROW("GET", "/servers/detail"),
    ROW("GET", "/servers/{id}"),
    ROW("DELETE", "/servers/{id}"),
    ROW("GET", "/servers/{server}/metadata/{key}"),
    ROW("PUT", "/{type}/{id}/tags"),
    ROW("GET", "/{project}/files/{name*}"),
    ROW("GET", "/a/b/c/{d}/{e}/{f*}"),
};
static const struct route_table table = ROUTE_TABLE(rows);
static const struct route_table *const tables[] = {&table, NULL};
static const struct service v1 = {.name = "v1", .prefix = "/v1", .tables = tables};
static const struct service v11 = {.name = "v11", .prefix = "/v1/1", .tables = tables};
static const struct service root = {.name = "root", .prefix = "", .tables = tables};
static const struct service *const services[] = {&v1, &root, &v11, NULL};

static void check_uri(const struct uri *uri)
{
    assert(uri->path[0] == '/' && utf8_valid(uri->path, strlen(uri->path)));
    for (size_t i = 0; i < uri->count; i++) {
        assert(*uri->segments[i] && strcmp(uri->segments[i], "..") != 0 && strcmp(uri->segments[i], ".") != 0);
        assert(!strncmp(uri->path + uri->offsets[i], uri->segments[i], strlen(uri->segments[i])));
    }
    for (size_t i = 0; i < uri->argument_count; i++) {
        assert(utf8_valid(uri->arguments[i].name, strlen(uri->arguments[i].name)));
        assert(utf8_valid(uri->arguments[i].value, strlen(uri->arguments[i].value)));
    }
}

static void check_match(const struct router *router, const struct uri *uri, unsigned method)
{
    size_t skip = 0;
    struct router_match match;
    const struct service *service = router_service(router, uri, &skip);
    assert(service && skip <= uri->count);
    int rc = router_match(router, service, skip, uri, method, 1, &match);
    assert(!rc == (match.row != NULL));
    assert(rc != ERR_METHOD || match.methods);
    for (size_t i = 0; match.row && i < match.row->parameter_count; i++)
        assert(match.values[i] && *match.values[i]);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct router *router;
    struct error e = {0};
    struct arena arena;
    struct uri uri;
    if (!router && router_new(services, ROUTER_TENANTS, &router, &e))
        abort();
    char *text = strndup((const char *)data, size);
    arena_init(&arena);
    if (!uri_parse(text, &arena, &uri, &e)) {
        check_uri(&uri);
        for (unsigned method = ROUTER_GET; method <= ROUTER_DELETE; method <<= 1)
            check_match(router, &uri, method);
    } else {
        assert(e.code == ERR_INVALID);
    }
    arena_done(&arena);
    free(text);
    return 0;
}
