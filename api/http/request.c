/* What handlers ask of a request. */
#include "api/http/exchange.h"
#include "api/http/header.h"
#include "api/http/peer.h"
#include "api/http/upload.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct exchange *request_exchange(struct request *request)
{
    return (struct exchange *)request; /* its first member */
}

const char *request_param(struct request *request, const char *name)
{
    struct exchange *x = request_exchange(request);
    const struct router_row *row = x->match.row;
    for (size_t i = 0; i < row->parameter_count; i++)
        if (!strcmp(row->parameters[i], name))
            return x->match.values[i];
    assert(false && "the pattern has no such parameter");
    return NULL;
}

const char *request_query_at(struct request *request, const char *name, size_t index)
{
    const struct uri *uri = &request_exchange(request)->uri;
    for (size_t i = 0; i < uri->argument_count; i++)
        if (!strcmp(uri->arguments[i].name, name) && !index--)
            return uri->arguments[i].value;
    return NULL;
}

const char *request_query(struct request *request, const char *name)
{
    return request_query_at(request, name, 0);
}

int request_query_each(struct request *request, int (*each)(void *arg, const char *name, const char *value), void *arg)
{
    const struct uri *uri = &request_exchange(request)->uri;
    int rc = 0;
    for (size_t i = 0; i < uri->argument_count && !rc; i++)
        rc = each(arg, uri->arguments[i].name, uri->arguments[i].value);
    return rc;
}

const char *request_query_raw(struct request *request)
{
    return request_exchange(request)->uri.query;
}

const char *request_header(struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request_exchange(request)->connection, MHD_HEADER_KIND, name);
}

/* A host with optional port from a header; NULL when it has what does not belong into a URL. */
static const char *request_host(const char *text)
{
    static const bool good[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['.'] = true, ['-'] = true,
        ['_'] = true,         [':'] = true,         ['['] = true,         [']'] = true};
    size_t size = 0;
    while (text && size < 256 && good[(unsigned char)text[size]])
        size++;
    return size > 0 && size < 256 && !text[size] ? text : NULL;
}

static const char *request_make_base_url(struct exchange *x)
{
    const char *scheme = x->headers.forwarded_proto;
    if (!scheme || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        scheme = x->server->tls ? "https" : "http";
    const char *host = request_host(x->headers.forwarded_host);
    if (!host)
        host = request_host(x->headers.host);
    if (!host)
        return arena_printf(&x->request.arena, "%s://127.0.0.1:%u", scheme, x->server->port);
    return arena_join(&x->request.arena, scheme, "://", host);
}

const char *request_base_url(struct request *request)
{
    struct exchange *x = request_exchange(request);
    if (!x->base_url)
        x->base_url = x->server->options.endpoint ? x->server->options.endpoint : request_make_base_url(x);
    return x->base_url;
}

/* The header may come several times: each proxy may add one of its own. */
static enum MHD_Result request_add_forwarded(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct strbuf *list = arg;
    (void)kind;
    if (strcasecmp(name, "X-Forwarded-For") == 0 && value)
        strbuf_appendf(list, "%s%s", list->size ? "," : "", value);
    return MHD_YES;
}

const char *request_client_address(struct request *request)
{
    struct exchange *x = request_exchange(request);
    const char *from = peer_address(x->peer), *proxies = x->server->options.proxies;
    struct strbuf forwarded;
    char *client;
    if (!proxies)
        return from;
    client = arena_alloc(&request->arena, IP_TEXT_SIZE);
    strbuf_init(&forwarded, 16384);
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, request_add_forwarded, &forwarded);
    header_read_client(from, forwarded.size ? forwarded.data : NULL, proxies, client);
    strbuf_done(&forwarded);
    return client;
}

const char *request_client_fingerprint(struct request *request)
{
    return peer_fingerprint(request_exchange(request)->peer);
}

const char *request_upload_path(struct request *request)
{
    return upload_path(request_exchange(request)->upload);
}

int64_t request_upload_size(struct request *request)
{
    return upload_size(request_exchange(request)->upload);
}

const char *request_upload_sha512(struct request *request)
{
    return upload_sha512(request_exchange(request)->upload);
}

const char *request_upload_md5(struct request *request)
{
    return upload_md5(request_exchange(request)->upload);
}

int request_page(struct request *request, int64_t max, int64_t *ret_limit, const char **ret_marker)
{
    const char *limit = request_query(request, "limit");
    int64_t wanted = max;
    if (limit) {
        wanted = header_read_length(limit);
        if (wanted < 0)
            return error_set(&request->error, ERR_INVALID, "limit: '%s' is not a non-negative integer", limit);
    }
    *ret_limit = wanted > 0 && wanted < max ? wanted : max;
    *ret_marker = request_query(request, "marker");
    return 0;
}

void request_watch(struct request *request, const char *topic)
{
    struct exchange *x = request_exchange(request);
    assert(request->route->kind == ROUTE_READ || x->then);
    park_watch(x->server->park, &x->ticket, topic);
}

int request_park(struct request *request, int64_t deadline_mono_us)
{
    struct exchange *x = request_exchange(request);
    assert(request->route->kind == ROUTE_READ || x->then);
    if (x->last_run)
        return error_set(&request->error, ERR_UNAVAILABLE, "The service is stopping");
    x->park_asked = true;
    x->park_deadline_us = deadline_mono_us;
    return 0;
}

int request_continue(struct request *request, handler_fn fn)
{
    assert(request->route->kind == ROUTE_WRITE);
    request_exchange(request)->then = fn;
    return 0;
}
