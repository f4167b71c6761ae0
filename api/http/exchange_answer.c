/* The reply on its way out: faults in the service's shape, the headers that every answer has, compression, and the
 * record of what happened. */
#include "api/http/exchange.h"
#include "api/http/fault.h"
#include "api/http/header.h"
#include "api/http/http_thread.h"
#include "api/http/metrics.h"
#include "api/http/peer.h"
#include "api/http/response.h"
#include "api/http/upload.h"
#include "common/clock.h"
#include "common/log.h"
#include <assert.h>
#include <string.h>
#include <strings.h>

#define EXCHANGE_GZIP_BYTES    1024
#define EXCHANGE_LARGE_BYTES   ((size_t)64 << 10)      /* more than a socket takes at once */
#define EXCHANGE_READ_LIMIT_US (300 * CLOCK_SECOND_US) /* for a client to read an answer from memory */

/* What the client is told: details of our own failures stay in the log. */
static const char *exchange_message(const struct error *e, int status)
{
    return status < 500 || status == 501 || e->code == ERR_BUSY ? error_text(e) : error_sentence(e->code);
}

static void exchange_fault_headers(struct exchange *x, int status)
{
    if (status == 401) {
        const char *base = request_base_url(&x->request);
        reply_header(&x->reply, "WWW-Authenticate",
                     arena_printf(&x->request.arena, "Keystone uri=\"%s/identity/v3\"", base));
    }
    if (status == 429)
        reply_header(&x->reply, "Retry-After",
                     arena_printf(&x->request.arena, "%lld", (long long)x->request.retry_after_s));
    if (status == 503)
        reply_header(&x->reply, "Retry-After", "1");
}

void exchange_fault(struct exchange *x)
{
    struct request *request = &x->request;
    struct error *e = &request->error;
    int status = error_http_status(e->code);
    if (status >= 500 && status != 501 && e->code != ERR_BUSY)
        log_error("request failed", "request=%s global=%s method=%s path=%s error=%s text=%s", request->id,
                  x->headers.request_id ? x->headers.request_id : "", request->method, request->path,
                  error_name(e->code), error_text(e));
    reply_reset(&x->reply);
    x->reply.status = status;
    exchange_fault_headers(x, status);
    const char *message = exchange_message(e, status);
    if (status == 401)
        fault_write(request, &x->reply, status, error_sentence(ERR_UNAUTHORIZED));
    else if (request->service && request->service->fault)
        request->service->fault(request, &x->reply, status, message);
    else
        fault_write(request, &x->reply, status, message);
    assert(!json_out_error(&x->reply.out));
}

static bool exchange_is_text(const char *type)
{
    return !strncmp(type, "application/json", 16) || !strncmp(type, "text/", 5);
}

/* Compresses the body when it pays; says so. */
static bool exchange_gzip(struct exchange *x)
{
    struct reply *reply = &x->reply;
    return reply->body.size > EXCHANGE_GZIP_BYTES && exchange_is_text(reply->content_type) &&
           header_accepts_gzip(x->headers.accept_encoding) &&
           http_thread_gzip(http_thread_self(x->server), &reply->body);
}

static struct MHD_Response *exchange_response(struct exchange *x)
{
    struct reply *reply = &x->reply;
    struct MHD_Response *response;
    if (reply->file >= 0) {
        response = MHD_create_response_from_fd_at_offset64((uint64_t)reply->file_bytes, reply->file,
                                                           (uint64_t)reply->file_from);
        if (response)
            reply->file = -1; /* closed with the response */
        return response;
    }
    return MHD_create_response_from_buffer(reply->body.size, reply->body.data, MHD_RESPMEM_PERSISTENT);
}

static void exchange_response_headers(struct exchange *x, struct MHD_Response *response, bool has_body)
{
    struct reply *reply = &x->reply;
    if (has_body)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
    MHD_add_response_header(response, EXCHANGE_ID_HEADER, x->request.id);
    for (size_t i = 0; i < reply->field_count; i++)
        MHD_add_response_header(response, reply->fields[i].name, reply->fields[i].value);
}

static enum MHD_Result exchange_queue(struct exchange *x, bool has_body)
{
    unsigned status = (unsigned)x->reply.status;
    x->response = x->reply.file >= 0
                      ? NULL
                      : response_take(http_thread_responses(http_thread_self(x->server)), &x->reply, x->request.id);
    if (x->response)
        return MHD_queue_response(x->connection, status, response_built(x->response));
    struct MHD_Response *response = exchange_response(x);
    if (!response)
        return MHD_NO;
    exchange_response_headers(x, response, has_body);
    enum MHD_Result result = MHD_queue_response(x->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static void exchange_record(struct exchange *x)
{
    struct http_server *s = x->server;
    int64_t mono_us = clock_mono_us(), took_us = mono_us - x->began_us;
    bool file = x->reply.file >= 0;
    if (file || x->reply.body.size > EXCHANGE_LARGE_BYTES)
        exchange_watch(x);
    peer_set_deadline(x->peer, mono_us + (file ? s->options.upload_timeout_ms * 1000 : EXCHANGE_READ_LIMIT_US));
    size_t row = x->match.row ? x->match.row->index : router_count(s->router);
    if (s->api->metrics)
        metrics_request(s->api->metrics, s->route_metrics[row], x->reply.status, took_us);
    log_debug("request",
              "request=%s global=%s method=%s path=%s status=%d us=%lld client=%s user=%s project=%s error=%s",
              x->request.id, x->headers.request_id ? x->headers.request_id : "", x->request.method, x->request.path,
              x->reply.status, (long long)took_us, request_client_address(&x->request), x->request.credential.user_id,
              x->request.credential.project_id, x->request.error.code ? error_text(&x->request.error) : "");
}

enum MHD_Result exchange_answer(struct exchange *x)
{
    struct reply *reply = &x->reply;
    upload_free(&x->upload); /* when the client hears, nothing of it is left that the handler did not take */
    bool json = reply->body.size && !strncmp(reply->content_type, "application/json", 16);
    if (reply->status < 300 && json && !header_accepts_json(x->headers.accept)) {
        error_set(&x->request.error, ERR_NOT_ACCEPTABLE, "Only application/json is served");
        exchange_fault(x);
    }
    x->phase = EXCHANGE_SENT;
    exchange_record(x);
    bool has_body = reply->file >= 0 || reply->body.size;
    if (reply->file < 0 && exchange_gzip(x))
        reply_header_kept(reply, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    if (atomic_load_explicit(&x->server->stopping, memory_order_relaxed))
        reply_header_kept(reply, MHD_HTTP_HEADER_CONNECTION, "close");
    return exchange_queue(x, has_body);
}
