/* Judging a request by its request line and headers, in this order: can it be read at all, which service and row is it,
 * who calls, may they, would we take the body. The first failure is the answer. */
#include "api/http/exchange.h"
#include "api/http/header.h"
#include "api/http/peer.h"
#include "api/identity/access_rules.h"
#include "api/identity/token.h"
#include "common/clock.h"
#include "common/uuid.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A header that every request is asked for: where its value goes, and where it is counted. */
struct exchange_known {
    const char *name;
    size_t value, count; /* offsets in struct exchange_headers; count may be NOWHERE */
};
#define NOWHERE     ((size_t)-1)
#define AT(member)  offsetof(struct exchange_headers, member)
#define KNOWN_COUNT (sizeof(exchange_known) / sizeof(exchange_known[0]))

static const struct exchange_known exchange_known[] = {
    {"X-Auth-Token", AT(token), NOWHERE},
    {"Accept", AT(accept), NOWHERE},
    {"Accept-Encoding", AT(accept_encoding), NOWHERE},
    {"Content-Type", AT(content_type), NOWHERE},
    {"Content-Length", AT(content_length), AT(lengths)},
    {"Content-Encoding", AT(content_encoding), NOWHERE},
    {"Transfer-Encoding", AT(transfer_encoding), NOWHERE},
    {"Expect", AT(expect), NOWHERE},
    {"Idempotency-Key", AT(key), NOWHERE},
    {"X-OpenStack-Request-ID", AT(request_id), NOWHERE},
    {"Host", AT(host), AT(hosts)},
    {"X-Forwarded-Host", AT(forwarded_host), NOWHERE},
    {"X-Forwarded-Proto", AT(forwarded_proto), NOWHERE},
};

/* Remembers what is known of the headers. */
static enum MHD_Result exchange_open_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    char *headers = arg;
    for (const struct exchange_known *known = exchange_known; known < exchange_known + KNOWN_COUNT; known++) {
        if ((*name | 0x20) != (*known->name | 0x20) || strcasecmp(name, known->name) != 0)
            continue;
        const char **to = (const char **)(void *)(headers + known->value);
        if (known->count != NOWHERE)
            ++*(unsigned *)(void *)(headers + known->count);
        if (!*to)
            *to = value ? value : "";
        break;
    }
    return MHD_YES;
}

static int exchange_open_target(struct exchange *x, const char *url, const char *version)
{
    struct error *e = &x->request.error;
    /* The request line was cut into texts in place; a NUL inside the target leaves a gap before the version. */
    size_t size = strlen(x->target);
    if (*version && version != url + size + 1)
        return error_set(e, ERR_INVALID, "The request target has a NUL character");
    int rc = uri_parse(x->target, &x->request.arena, &x->uri, e);
    if (rc)
        return rc;
    x->request.path = x->uri.path;
    size_t length = strcspn(x->target, "?");
    x->request.path_slash = length > 1 && x->target[length - 1] == '/';
    return 0;
}

/* What two readers of the same bytes could understand differently is refused. */
static int exchange_open_framing(struct exchange *x)
{
    const struct exchange_headers *h = &x->headers;
    struct error *e = &x->request.error;
    x->body_bytes = h->content_length ? header_read_length(h->content_length) : 0;
    x->unclear = h->lengths > 1 || x->body_bytes < 0 || (h->lengths && h->transfer_encoding);
    if (x->unclear)
        return error_set(e, ERR_INVALID, "The length of the body is not clear");
    if (h->transfer_encoding && strcasecmp(h->transfer_encoding, "chunked") != 0)
        return error_set(e, ERR_NOT_IMPLEMENTED, "Transfer-Encoding '%s' is not understood", h->transfer_encoding);
    if (h->hosts > 1)
        return error_set(e, ERR_INVALID, "There is more than one Host header");
    if (h->key && !header_is_key(h->key))
        return error_set(e, ERR_INVALID, "Idempotency-Key: 1 to 255 printable characters are allowed");
    return 0;
}

static int exchange_open_route(struct exchange *x, const char *method)
{
    struct request *request = &x->request;
    size_t skip = 0;
    request->service = router_service(x->server->router, &x->uri, &skip);
    if (!request->service)
        return error_set(&request->error, ERR_NOT_FOUND, "%s", error_sentence(ERR_NOT_FOUND));
    if (request->service->negotiate) {
        int rc = request->service->negotiate(request, &x->reply);
        x->reply.field_kept = x->reply.field_count;
        if (rc)
            return error_set(&request->error, rc, "%s", error_sentence(rc));
    }
    int rc = router_match(x->server->router, request->service, skip, &x->uri, router_method(method),
                          request->microversion, &x->match);
    if (rc == ERR_METHOD && request->path_slash)
        rc = ERR_NOT_FOUND; /* one of the collection without an id */
    if (rc == ERR_METHOD) {
        char methods[ROUTER_METHODS_SIZE];
        reply_header(&x->reply, "Allow", router_methods_text(x->match.methods, methods));
        x->reply.field_kept = x->reply.field_count;
    }
    if (rc)
        return error_set(&request->error, rc, "%s", error_sentence(rc));
    request->route = x->match.row->route;
    return 0;
}

static int exchange_open_credential(struct exchange *x)
{
    struct request *request = &x->request;
    struct credential *c = &request->credential;
    enum permission permission = request->route->permission;
    if (permission == PERMISSION_PUBLIC || permission == PERMISSION_JOIN)
        return 0;
    if (permission == PERMISSION_AGENT) {
        if (!peer_identify(x->peer, request->arrived_us))
            return error_set(&request->error, ERR_UNAUTHORIZED, "%s", error_sentence(ERR_UNAUTHORIZED));
        snprintf(c->host_id, sizeof(c->host_id), "%s", peer_name(x->peer));
        return 0;
    }
    if (!x->headers.token || !*x->headers.token)
        return error_set(&request->error, ERR_UNAUTHORIZED, "%s", error_sentence(ERR_UNAUTHORIZED));
    int rc = token_verify(x->server->api->tokens, x->headers.token, request->arrived_us, c, &request->error);
    return !rc && c->ruled ? access_rules_check(request, db_reader(x->server->api->db)) : rc;
}

static int exchange_open_permission(struct exchange *x)
{
    const struct credential *c = &x->request.credential;
    /* The role on a domain makes an administrator of that domain: identity knows what that is, nobody else does. */
    bool admin = c->roles & ROLE_ADMIN && !*c->domain_id, allowed = true;
    switch (x->request.route->permission) {
    case PERMISSION_READER:
        allowed = admin || (*c->project_id && c->roles & ROLE_READER);
        break;
    case PERMISSION_MEMBER:
        allowed = admin || (*c->project_id && c->roles & ROLE_MEMBER);
        break;
    case PERMISSION_BILLED:
        allowed = admin || c->roles & ROLE_BILLING || (*c->project_id && c->roles & ROLE_READER);
        break;
    case PERMISSION_BILLING:
        allowed = admin || c->roles & ROLE_BILLING;
        break;
    case PERMISSION_ADMIN:
        allowed = admin;
        break;
    case PERMISSION_UNSET:
        allowed = false;
        break;
    case PERMISSION_PUBLIC:
    case PERMISSION_AUTHENTICATED:
    case PERMISSION_AGENT:
    case PERMISSION_JOIN:
        break;
    }
    return allowed ? 0 : error_set(&x->request.error, ERR_FORBIDDEN, "%s", error_sentence(ERR_FORBIDDEN));
}

/* Would we take the body, and is our answer acceptable. */
static int exchange_open_content(struct exchange *x)
{
    const struct route *route = x->request.route;
    const struct exchange_headers *h = &x->headers;
    struct error *e = &x->request.error;
    int64_t limit = route->kind == ROUTE_UPLOAD ? x->server->options.upload_limit : x->server->options.body_limit;
    x->body_limit = route->body_limit ? (int64_t)route->body_limit : limit;
    if (x->body_bytes > x->body_limit)
        return error_set(e, ERR_TOO_LARGE, "The body is larger than %lld bytes", (long long)x->body_limit);
    bool body = x->body_bytes || h->transfer_encoding;
    if (body && h->content_encoding && strcasecmp(h->content_encoding, "identity") != 0)
        return error_set(e, ERR_MEDIA_TYPE, "Content-Encoding '%s' is not supported", h->content_encoding);
    enum header_media media = header_read_media(h->content_type);
    if (body && route->body && media != HEADER_MEDIA_JSON && media != HEADER_MEDIA_NONE)
        return error_set(e, ERR_MEDIA_TYPE, "Content-Type '%s' is not supported, application/json is", h->content_type);
    if (route->kind == ROUTE_WRITE && !header_accepts_json(h->accept))
        return error_set(e, ERR_NOT_ACCEPTABLE, "Only application/json is served");
    return 0;
}

static void exchange_open_id(struct exchange *x)
{
    char id[UUID_SIZE];
    memcpy(x->request.id, "req-", 4);
    memcpy(x->request.id + 4, uuid_random(id), UUID_SIZE);
    if (!header_is_request_id(x->headers.request_id))
        x->headers.request_id = NULL; /* it is not for the log */
}

int exchange_open(struct exchange *x, const char *url, const char *method, const char *version)
{
    x->request.method = method;
    x->request.path = "";
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, exchange_open_header, &x->headers);
    exchange_open_id(x);
    int rc = exchange_open_framing(x);
    if (!rc)
        rc = exchange_open_target(x, url, version);
    if (!rc)
        rc = exchange_open_route(x, method);
    if (!rc)
        rc = exchange_open_credential(x);
    if (!rc)
        rc = exchange_open_permission(x);
    if (!rc)
        rc = exchange_open_content(x);
    return rc;
}
