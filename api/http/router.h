/* All route tables compiled into tries, one per service: static segments beat parameters, parameters beat "{rest*}". A
 * branch that has no row for the method gives way to the next one ("DELETE /servers/detail" is server "detail").
 * Read-only after router_new: any thread. */
#pragma once
#include "api/http/route.h"
#include "api/http/uri.h"
#include "common/error.h"
#include "common/json_in.h"
#include <stdbool.h>
#include <stddef.h>

#define ROUTER_PARAMETERS_MAX 8

enum router_port {
    ROUTER_TENANTS, /* everything but PERMISSION_AGENT and PERMISSION_JOIN */
    ROUTER_AGENTS,  /* only those */
};
enum router_method {
    ROUTER_GET = 1,
    ROUTER_HEAD = 2,
    ROUTER_POST = 4,
    ROUTER_PUT = 8,
    ROUTER_PATCH = 16,
    ROUTER_DELETE = 32
};

struct router;
struct router_row {
    const struct service *service;
    const struct route *route;
    size_t index;                                  /* among all rows of the router, for metrics */
    unsigned method;                               /* enum router_method */
    const char *label;                             /* service prefix and pattern: "/compute/v2.1/servers/{id}" */
    const char *parameters[ROUTER_PARAMETERS_MAX]; /* names, in the pattern's order */
    size_t parameter_count;
    struct json_field document_field; /* with route->member: the document as a table of one field */
    struct json_table document;
};
struct router_match {
    const struct router_row *row;
    const char *values[ROUTER_PARAMETERS_MAX]; /* by the row's parameters; borrowed from the uri */
    unsigned methods;                          /* ERR_METHOD: what the path does serve */
};

/* `services` is NULL-terminated and outlives the router. 0, or ERR_INVALID naming the service and row: no permission,
 * no handler, an unknown method, a malformed pattern, a body table without its size, two rows for the same method, path
 * and microversion; two services with one prefix. */
int router_new(const struct service *const *services, enum router_port port, struct router **ret, struct error *e);
void router_free(struct router **r);

/* The bit of a method, 0 for others than those of the enum. */
unsigned router_method(const char *method);
/* "GET, HEAD, POST" for the bits, in a buffer of the caller. */
#define ROUTER_METHODS_SIZE 48
char *router_methods_text(unsigned methods, char ret[ROUTER_METHODS_SIZE]);

/* The service with the longest prefix of the path, or NULL; *ret_skip: how many segments its prefix has. */
const struct service *router_service(const struct router *r, const struct uri *uri, size_t *ret_skip);
/* The row of `service` for the rest of the path. HEAD is served by GET's row unless it has its own. 0; ERR_NOT_FOUND;
 * ERR_METHOD with ret->methods. */
int router_match(const struct router *r, const struct service *service, size_t skip, const struct uri *uri,
                 unsigned method, int microversion, struct router_match *ret);

/* Whether this port serves anything of the service. */
bool router_has(const struct router *r, const struct service *service);
size_t router_count(const struct router *r);
const struct router_row *router_at(const struct router *r, size_t index);
