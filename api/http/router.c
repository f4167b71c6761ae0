/* Compiling walks every row once; matching walks the path once per branch that exists, without allocation. Values of
 * parameters are collected by position, because two patterns may share a branch under different names. */
#include "api/http/router.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct router_node {
    char *segment;                 /* NULL for parameter nodes */
    struct router_node **children; /* static ones, sorted by segment */
    size_t child_count;
    struct router_node *parameter, *rest;
    struct router_row **rows; /* that end here */
    size_t row_count;
};
struct router_service {
    const struct service *service;
    struct uri prefix;
    struct router_node *root;
};
struct router {
    struct arena arena;              /* prefixes, parameter names, labels */
    struct router_service *services; /* longest prefix first */
    size_t service_count;
    struct router_row **rows;
    size_t row_count;
};

static const char *const router_method_names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
#define ROUTER_METHODS (sizeof(router_method_names) / sizeof(router_method_names[0]))

unsigned router_method(const char *method)
{
    for (size_t i = 0; i < ROUTER_METHODS; i++)
        if (!strcmp(method, router_method_names[i]))
            return 1u << i;
    return 0;
}

char *router_methods_text(unsigned methods, char ret[ROUTER_METHODS_SIZE])
{
    char *at = ret;
    *at = 0;
    for (size_t i = 0; i < ROUTER_METHODS; i++)
        if (methods & 1u << i) {
            at = stpcpy(at, at == ret ? "" : ", ");
            at = stpcpy(at, router_method_names[i]);
        }
    return ret;
}

static void router_node_free(struct router_node *node)
{
    if (!node)
        return;
    for (size_t i = 0; i < node->child_count; i++)
        router_node_free(node->children[i]);
    router_node_free(node->parameter);
    router_node_free(node->rest);
    free(node->segment);
    free(node->children);
    free(node->rows);
    free(node);
}

void router_free(struct router **r)
{
    if (!*r)
        return;
    for (size_t i = 0; i < (*r)->service_count; i++)
        router_node_free((*r)->services[i].root);
    for (size_t i = 0; i < (*r)->row_count; i++)
        free((*r)->rows[i]);
    free((*r)->services);
    free((*r)->rows);
    arena_done(&(*r)->arena);
    free(*r);
    *r = NULL;
}

/* The index of the static child with `segment`, or where it would be. */
static size_t router_find(const struct router_node *node, const char *segment, bool *ret_found)
{
    size_t low = 0, high = node->child_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(segment, node->children[middle]->segment);
        if (!order) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    *ret_found = false;
    return low;
}

static struct router_node *router_child(struct router_node *node, const char *segment)
{
    bool found;
    size_t at = router_find(node, segment, &found);
    if (found)
        return node->children[at];
    struct router_node *child = memory_new(sizeof(*child));
    child->segment = memory_strdup(segment);
    node->children = memory_resize(node->children, (node->child_count + 1) * sizeof(*node->children));
    memmove(node->children + at + 1, node->children + at, (node->child_count - at) * sizeof(*node->children));
    node->children[at] = child;
    node->child_count++;
    return child;
}

static int router_refuse(const struct router_row *row, struct error *e, const char *why)
{
    return error_set(e, ERR_INVALID, "Service %s, route %s %s: %s", row->service->name,
                     row->route->method ? row->route->method : "(none)",
                     row->route->pattern ? row->route->pattern : "(none)", why);
}

static int router_check(const struct router_row *row, struct error *e)
{
    const struct route *route = row->route;
    if (!route->method || !route->pattern || !row->method)
        return router_refuse(row, e, "needs a method that is served and a pattern");
    if (route->permission <= PERMISSION_UNSET || route->permission > PERMISSION_JOIN)
        return router_refuse(row, e, "has no permission");
    if (!route->handler)
        return router_refuse(row, e, "has no handler");
    if (route->body && !route->body_size)
        return router_refuse(row, e, "has a body table without the size of its struct");
    if (route->until && route->until < route->since)
        return router_refuse(row, e, "ends before it begins");
    return 0;
}

static bool router_windows_meet(const struct route *a, const struct route *b)
{
    return (!a->until || a->until >= b->since) && (!b->until || b->until >= a->since);
}

/* Hangs the row under the node where its pattern ends. */
static int router_place(struct router_node *node, struct router_row *row, struct error *e)
{
    for (size_t i = 0; i < node->row_count; i++)
        if (node->rows[i]->method == row->method && router_windows_meet(node->rows[i]->route, row->route))
            return router_refuse(row, e, "is there twice");
    node->rows = memory_resize(node->rows, (node->row_count + 1) * sizeof(*node->rows));
    node->rows[node->row_count++] = row;
    return 0;
}

/* The node below `node` for one segment of a pattern; NULL when the segment is malformed. */
static struct router_node *router_step(struct router *r, struct router_node *node, const char *segment, size_t size,
                                       bool last, struct router_row *row)
{
    if (*segment != '{') {
        bool plain = size && !memchr(segment, '{', size) && !memchr(segment, '}', size) && !memchr(segment, '%', size);
        return plain ? router_child(node, arena_strndup(&r->arena, segment, size)) : NULL;
    }
    bool rest = size > 3 && segment[size - 2] == '*';
    size_t name = size - (rest ? 3 : 2);
    if (size < 3 || segment[size - 1] != '}' || (rest && !last) || row->parameter_count == ROUTER_PARAMETERS_MAX)
        return NULL;
    row->parameters[row->parameter_count++] = arena_strndup(&r->arena, segment + 1, name);
    struct router_node **to = rest ? &node->rest : &node->parameter;
    if (!*to)
        *to = memory_new(sizeof(**to));
    return *to;
}

static int router_add(struct router *r, struct router_service *service, struct router_row *row, struct error *e)
{
    int rc = router_check(row, e);
    if (rc)
        return rc;
    const char *pattern = row->route->pattern;
    struct router_node *node = service->root;
    if (*pattern && *pattern != '/')
        return router_refuse(row, e, "the pattern does not begin with a slash");
    for (const char *at = pattern; *at && strcmp(at, "/") != 0;) {
        at++;
        size_t size = strcspn(at, "/");
        node = router_step(r, node, at, size, !at[size], row);
        if (!node)
            return router_refuse(row, e, "the pattern is malformed");
        at += size;
    }
    bool at_prefix = !*pattern || !strcmp(pattern, "/");
    row->label = arena_printf(&r->arena, "%s%s", service->service->prefix,
                              !at_prefix                  ? pattern
                              : *service->service->prefix ? ""
                                                          : "/");
    if (row->route->body && row->route->member) {
        row->document_field = (struct json_field){
            .name = row->route->member, .kind = JSON_OBJECT, .flags = JSON_REQUIRED, .sub = row->route->body};
        row->document = (struct json_table){.fields = &row->document_field, .count = 1, .seen_offset = JSON_NO_SEEN};
    }
    return router_place(node, row, e);
}

static bool router_serves(enum router_port port, const struct route *route)
{
    bool agents = route->permission == PERMISSION_AGENT || route->permission == PERMISSION_JOIN;
    return agents == (port == ROUTER_AGENTS);
}

static int router_add_service(struct router *r, const struct service *service, enum router_port port, struct error *e)
{
    struct router_service *to = &r->services[r->service_count];
    *to = (struct router_service){.service = service};
    int rc = uri_parse(*service->prefix ? service->prefix : "/", &r->arena, &to->prefix, e);
    if (rc)
        return rc;
    for (size_t i = 0; i < r->service_count; i++)
        if (!strcmp(r->services[i].prefix.path, to->prefix.path))
            return error_set(e, ERR_INVALID, "Services %s and %s have the same prefix", r->services[i].service->name,
                             service->name);
    to->root = memory_new(sizeof(*to->root));
    r->service_count++;
    size_t before = r->row_count;
    for (const struct route_table *const *table = service->tables; table && *table; table++)
        for (size_t i = 0; i < (*table)->count && !rc; i++) {
            const struct route *route = &(*table)->rows[i];
            if (route->permission && !router_serves(port, route))
                continue;
            struct router_row *row = memory_new(sizeof(*row));
            *row = (struct router_row){.service = service, .route = route, .index = r->row_count};
            row->method = route->method ? router_method(route->method) : 0;
            r->rows = memory_resize(r->rows, (r->row_count + 1) * sizeof(struct router_row *));
            r->rows[r->row_count++] = row;
            rc = router_add(r, to, row, e);
        }
    if (!rc && r->row_count == before) { /* nothing for this port */
        router_node_free(to->root);
        r->service_count--;
    }
    return rc;
}

static int router_by_depth(const void *a, const void *b)
{
    size_t left = ((const struct router_service *)a)->prefix.count,
           right = ((const struct router_service *)b)->prefix.count;
    return left > right ? -1 : left < right;
}

int router_new(const struct service *const *services, enum router_port port, struct router **ret, struct error *e)
{
    struct router *r = memory_new(sizeof(*r));
    size_t count = 0;
    while (services[count])
        count++;
    r->services = memory_array(count + 1, sizeof(*r->services));
    int rc = 0;
    for (size_t i = 0; i < count && !rc; i++)
        rc = router_add_service(r, services[i], port, e);
    if (rc) {
        router_free(&r);
        return rc;
    }
    qsort(r->services, r->service_count, sizeof(*r->services), router_by_depth);
    *ret = r;
    return 0;
}

const struct service *router_service(const struct router *r, const struct uri *uri, size_t *ret_skip)
{
    for (size_t i = 0; i < r->service_count; i++) {
        const struct uri *prefix = &r->services[i].prefix;
        size_t same = 0;
        while (same < prefix->count && same < uri->count && !strcmp(prefix->segments[same], uri->segments[same]))
            same++;
        if (same == prefix->count) {
            *ret_skip = same;
            return r->services[i].service;
        }
    }
    return NULL;
}

struct router_search {
    const struct uri *uri;
    unsigned method;
    int microversion;
    size_t values;
    struct router_match *match;
};

/* Whether a row of this node fits the method; what else it serves is noted for 405. */
static bool router_take(const struct router_node *node, struct router_search *s)
{
    const struct router_row *found = NULL;
    for (size_t i = 0; i < node->row_count; i++) {
        const struct route *route = node->rows[i]->route;
        if (s->microversion < route->since || (route->until && s->microversion > route->until))
            continue;
        s->match->methods |= node->rows[i]->method | (node->rows[i]->method == ROUTER_GET ? ROUTER_HEAD : 0u);
        if (node->rows[i]->method == s->method)
            found = node->rows[i];
        else if (!found && s->method == ROUTER_HEAD && node->rows[i]->method == ROUTER_GET)
            found = node->rows[i];
    }
    s->match->row = found;
    return found != NULL;
}

static bool router_descend(const struct router_node *node, size_t segment, struct router_search *s)
{
    if (segment == s->uri->count)
        return router_take(node, s);
    bool found;
    size_t at = router_find(node, s->uri->segments[segment], &found);
    if (found && router_descend(node->children[at], segment + 1, s))
        return true;
    size_t values = s->values;
    if (node->parameter) {
        s->match->values[s->values++] = s->uri->segments[segment];
        if (router_descend(node->parameter, segment + 1, s))
            return true;
        s->values = values;
    }
    if (!node->rest)
        return false;
    s->match->values[values] = s->uri->path + s->uri->offsets[segment];
    return router_take(node->rest, s);
}

int router_match(const struct router *r, const struct service *service, size_t skip, const struct uri *uri,
                 unsigned method, int microversion, struct router_match *ret)
{
    *ret = (struct router_match){0};
    struct router_search search = {.uri = uri, .method = method, .microversion = microversion, .match = ret};
    for (size_t i = 0; i < r->service_count; i++)
        if (r->services[i].service == service && router_descend(r->services[i].root, skip, &search))
            return 0;
    return ret->methods ? ERR_METHOD : ERR_NOT_FOUND;
}

bool router_has(const struct router *r, const struct service *service)
{
    for (size_t i = 0; i < r->service_count; i++)
        if (r->services[i].service == service)
            return true;
    return false;
}

size_t router_count(const struct router *r)
{
    return r->row_count;
}

const struct router_row *router_at(const struct router *r, size_t index)
{
    assert(index < r->row_count);
    return r->rows[index];
}
