/* The request as a handler sees it: who calls, what was asked, what came with it. Filled by the server before the
 * handler runs. */
#pragma once
#include "api/http/route.h"
#include "common/arena.h"
#include "common/error.h"
#include "db/db.h"
#include <stdbool.h>
#include <stdint.h>

enum role_bit { ROLE_READER = 1, ROLE_MEMBER = 2, ROLE_MANAGER = 4, ROLE_ADMIN = 8, ROLE_BILLING = 16 };

/* Who calls: filled from the verified token (or the host's certificate) without reading a row. Ids are "" when absent.
 */
struct credential {
    char user_id[64], user_domain_id[64];
    char project_id[64], project_domain_id[64]; /* project scope */
    char domain_id[64];                         /* domain scope */
    bool system;                                /* system scope */
    unsigned roles;                             /* role_bit: with what they imply (admin: member, reader) */
    int64_t issued_us, expires_us;
    char audit_id[32];
    char app_credential_id[40];
    bool restricted;   /* an application credential that may not make credentials */
    bool ruled;        /* of an application credential with access rules: only what they allow */
    unsigned methods;  /* identity's: how one logged in, enum auth_method bits */
    char chain_id[32]; /* identity's: audit id of the first token, when this one was had by another token */
    char host_id[40];  /* PERMISSION_AGENT: whose certificate */
};

#define REQUEST_ID_SIZE 48
struct request {
    struct arena arena; /* lives until the answer is sent */
    struct error error; /* where the handler says what went wrong; its code decides the HTTP status */
    const struct service *service;
    const struct route *route;
    struct credential credential;
    char id[REQUEST_ID_SIZE];  /* "req-<uuid>" */
    int microversion;          /* minor number: 93 for 2.93; 1 by default */
    const char *method, *path; /* path without the query, decoded by segment */
    bool path_slash;           /* the path ended with a slash, which `path` does not show */
    void *body;                /* the struct filled by route->body, or NULL */
    json_value *json;          /* the parsed document, or NULL when there was none */
    const char *raw;           /* the body's bytes (not for uploads) */
    size_t raw_size;
    struct db_conn *conn;  /* ROUTE_READ: this thread's reader; ROUTE_WRITE: the transaction; `before`: a reader */
    struct api *api;       /* process-wide things: api/api.h */
    int64_t now_us;        /* when this run of the handler began */
    int64_t arrived_us;    /* when the request arrived; the distant past in the last run of a parked handler while the
                              server stops */
    int64_t retry_after_s; /* with ERR_RATE: after how long the client may come again */
    void *state;           /* `before` may leave something here for the handler (arena memory) */
};

/* From the path pattern; asserts that the pattern has `name`. Decoded. */
const char *request_param(struct request *request, const char *name);
/* From the query string, decoded; NULL when absent. The i-th (from 0) of a repeated name by request_query_at. */
const char *request_query(struct request *request, const char *name);
const char *request_query_at(struct request *request, const char *name, size_t index);
/* Calls `each` for every query argument in order until it returns non-zero, which is returned. */
int request_query_each(struct request *request, int (*each)(void *arg, const char *name, const char *value), void *arg);
/* The query string as it was sent, without the "?"; "" when there is none. */
const char *request_query_raw(struct request *request);
/* A header by name, case-insensitive; NULL when absent. */
const char *request_header(struct request *request, const char *name);
/* "http://host:port" as the client addresses us: configured endpoint, else X-Forwarded-Proto/Host, else Host. In the
 * arena. */
const char *request_base_url(struct request *request);
/* The client's address in text, without the port; "" when unknown. Behind a trusted proxy: what that says. */
const char *request_client_address(struct request *request);
/* The agents' port: SHA-256 of the client's certificate in hex, NULL when it showed none that our CA signed. */
const char *request_client_fingerprint(struct request *request);
/* ROUTE_UPLOAD: the file the body was streamed to (fsynced), its size, and SHA-512 and MD5 in hex, computed on the way.
 * The handler renames it to keep it; otherwise it is removed. */
const char *request_upload_path(struct request *request);
int64_t request_upload_size(struct request *request);
const char *request_upload_sha512(struct request *request);
const char *request_upload_md5(struct request *request);
/* Limit/marker paging in the common form: "limit" (1..max, default max; 400 when not a number or negative) and "marker"
 * (NULL when absent). */
int request_page(struct request *request, int64_t max, int64_t *ret_limit, const char **ret_marker);

/* Parks the request until `topic` is woken (db_wake / wake_publish, any process) or until `deadline_us`
 * (clock_mono_us), then runs the handler again. No thread waits meanwhile. The handler returns what this returns. Read
 * handlers only. To know that the time is up, compare request->arrived_us with request->now_us. The topic must be
 * registered before rows are read, so call request_watch first in handlers that may park. At most REQUEST_WATCH_MAX
 * topics. While the server stops, request_park fails with ERR_UNAVAILABLE. */
#define REQUEST_WATCH_MAX 4
void request_watch(struct request *request, const char *topic);
int request_park(struct request *request, int64_t deadline_mono_us);
/* Write handlers: when what this run wrote is on disk, `fn` runs as a read handler in its place and gives the answer;
 * it may park. What this run put into the reply is dropped. Returns 0, which the handler returns. Such an answer is not
 * kept for an Idempotency-Key: the same request runs again, so what the handler wrote for it may be written twice. */
int request_continue(struct request *request, handler_fn fn);
