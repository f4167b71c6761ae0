/* Responses of libmicrohttpd that are used again for other requests: to build one takes three small allocations for
 * each header, to fill one takes a copy of the body. For exchange_answer.c and http_thread.c alone.
 *
 * A response is used again for a reply with the same headers (but the request's id) and a body of the same size. */
#pragma once
#include <stdbool.h>

struct reply;
struct response;
struct MHD_Response;

/* The spare ones of a thread. */
struct response_pool;
struct response_pool *response_pool_new(void);
void response_pool_free(struct response_pool **p);

/* One with the body (no file) and the headers of `reply`; what is in the headers the text `id` itself points to is the
 * request's id. NULL when the reply is too large to be copied, has too many headers, or there is no memory: it must be
 * built as it is then. It is the caller's until response_give_back. */
struct response *response_take(struct response_pool *p, const struct reply *reply, const char *id);
/* For MHD_queue_response; holds as long as `r`. */
struct MHD_Response *response_built(struct response *r);
/* When no client is served from it any more. */
void response_give_back(struct response_pool *p, struct response *r);
