/* What a resource file declares: rows of routes, gathered in tables, gathered in services. A row without a permission
 * does not build.
 *
 *     static const struct route rows[] = {
 *         {.method = "GET", .pattern = "/servers/{id}", .permission = PERMISSION_READER, .handler = servers_show},
 *         {.method = "POST", .pattern = "/servers", .permission = PERMISSION_MEMBER, .kind = ROUTE_WRITE, .body =
 * &servers_create_table, .body_size = sizeof(struct servers_create), .handler = servers_create},
 *     };
 *     const struct route_table servers_routes = ROUTE_TABLE(rows);
 */
#pragma once
#include "common/json_in.h"
#include <stdbool.h>
#include <stddef.h>

struct request;
struct reply;

/* Who may call. There is no zero value that means something: a forgotten permission is refused at start and by
 * tests/lint. */
enum permission {
    PERMISSION_UNSET,
    PERMISSION_PUBLIC,        /* anybody, without a token */
    PERMISSION_AUTHENTICATED, /* any valid token, any scope, also unscoped */
    PERMISSION_READER,        /* project scope with reader or better; or admin */
    PERMISSION_MEMBER,        /* project scope with member or better; or admin */
    PERMISSION_BILLED,        /* project scope with reader or better, or the billing role; or admin */
    PERMISSION_BILLING,       /* the billing role, or admin */
    PERMISSION_ADMIN,         /* the admin role on the project or system of the token */
    PERMISSION_AGENT,         /* a host's certificate; only on the agents' port */
    PERMISSION_JOIN,          /* the agents' port without a certificate: enrolment by a one-time token */
};

enum route_kind {
    ROUTE_READ,   /* handler runs at once on the HTTP thread with its read connection */
    ROUTE_WRITE,  /* handler runs on the writer in its own savepoint; the answer leaves after the commit */
    ROUTE_UPLOAD, /* the body is streamed to a file first (request_upload_path), then as ROUTE_WRITE. `before` runs
                     ahead of the body, so that it is refused early */
};

/* 0, or an error code with the sentence in request->error; see handler.h. May run more than once for one request (a
 * parked read; a write retried on a serialization failure): it starts afresh each time. */
typedef int (*handler_fn)(struct request *request, struct reply *reply);

struct route {
    const char *method;
    const char *pattern; /* below the service's prefix; {name} matches one segment, {name*} the rest; a row's pattern is
                            whole, e.g. "/servers/{id}" */
    enum permission permission;
    enum route_kind kind;
    const struct json_table *body; /* NULL: no body is read by table (request->json has it if there is one) */
    size_t body_size;   /* of the struct that the table fills; handed to the handler as request->body, zeroed first */
    const char *member; /* the one top-level member that holds the body, e.g. "server"; others beside it are refused.
                           NULL: the table is for the whole document */
    size_t body_limit;  /* bytes; 0: 1 MiB (uploads: the image limit) */
    int since, until;   /* microversion window, minor numbers; 0: no limit. Outside it the row does not exist (404) */
    bool hashes;        /* `before` hashes passwords: it runs on the few threads that are for that alone */
    handler_fn before;  /* optional, on a worker thread before the handler, for slow work such as password hashing; may
                           read (request->conn), not write */
    handler_fn handler;
    const void *about; /* what a handler that serves several resources is to look at */
};
struct route_table {
    const struct route *rows;
    size_t count;
};
#define ROUTE_TABLE(array)                                                                                             \
    {                                                                                                                  \
        .rows = (array), .count = sizeof(array) / sizeof((array)[0])                                                   \
    }

/* A service: where it is mounted, how its faults look, how its microversions are asked for and answered. */
struct service {
    const char *name;                        /* "compute": also the catalog's and the metrics' label */
    const char *prefix;                      /* "/compute/v2.1"; the longest prefix that matches wins */
    const struct route_table *const *tables; /* NULL-terminated */
    /* Writes the fault body for `code` (enum error_code) with HTTP `status`; sets the content type where it is not
     * JSON. */
    void (*fault)(struct request *request, struct reply *reply, int status, const char *message);
    /* Reads the microversion headers into request->microversion before the handler, and adds version headers to every
     * answer (errors too). 0 or ERR_NOT_ACCEPTABLE / ERR_INVALID. NULL: the service has no microversions. */
    int (*negotiate)(struct request *request, struct reply *reply);
};
