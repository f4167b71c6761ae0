/* One request and its answer on their way through the server; for the files of this folder alone.
 *
 *     NEW --headers--> BODY --last byte--> RUN --handler--> ANSWER --queued--> SENT
 *                                           |                 ^
 *                                           +-> WAITING ------+   suspended: a worker, the writer or the park has it
 * and resumes it
 *
 * An exchange belongs to the HTTP thread of its connection; while WAITING, to whoever will resume it. */
#pragma once
#include "api/http/handler.h"
#include "api/http/http_server.h"
#include "api/http/park.h"
#include "api/http/router.h"
#include "api/http/uri.h"
#include "api/http/workers.h"
#include "db/writer.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define EXCHANGE_ID_HEADER "x-openstack-request-id"

struct upload;
struct peer;
struct response;

enum exchange_phase { EXCHANGE_NEW, EXCHANGE_BODY, EXCHANGE_RUN, EXCHANGE_WAITING, EXCHANGE_ANSWER, EXCHANGE_SENT };

/* The headers that we look at for every request, found in one pass; NULL when absent. request_id: only a valid one. */
struct exchange_headers {
    const char *token, *accept, *accept_encoding, *content_type, *content_length, *content_encoding, *transfer_encoding,
        *expect, *key, *request_id, *host, *forwarded_host, *forwarded_proto;
    unsigned lengths, hosts; /* how many Content-Length and Host headers there are */
};

struct exchange {
    struct request request; /* first: handlers hold a pointer to it */
    struct reply reply;
    struct http_server *server;
    struct MHD_Connection *connection;
    struct peer *peer;
    enum exchange_phase phase;
    bool unclear;     /* where the request ends; the connection cannot go on */
    bool swallow;     /* the answer is decided; the rest of the body is read and dropped */
    bool park_asked;  /* by this run of the handler */
    bool timed;       /* libmicrohttpd watches the connection for progress */
    bool last_run;    /* the server stops: the handler may not park again */
    bool before_done; /* route->before was run */
    handler_fn then;  /* request_continue: what answers after the commit */
    bool has_uri;
    struct uri uri;
    const char *base_url; /* of request_base_url, once it was asked for */
    const char *target;   /* the request line's, as received, in the arena */
    struct router_match match;
    struct exchange_headers headers;
    struct json_doc doc;
    bool has_doc;
    struct strbuf body;
    int64_t body_limit, body_bytes;
    struct upload *upload;
    struct response *response; /* that serves the client, when it goes back to the thread's pool */
    struct writer_job job;
    struct workers_job work;
    struct park_ticket ticket;
    int64_t park_deadline_us;
    int64_t began_us;      /* clock_mono_us when the request line came, or the last run after parking began */
    struct exchange *next; /* in the free list */
};

/* One HTTP thread's daemon. */
struct http_loop {
    struct http_server *server;
    struct MHD_Daemon *daemon;
    atomic_size_t connections; /* handed to it and not closed yet */
};

struct http_server {
    struct api *api;
    struct http_options options; /* strings owned */
    struct router *router;
    struct http_loop *loops;
    unsigned loop_count;
    struct listener *listener;
    struct park *park;
    struct workers *workers, *hashers;
    size_t *route_metrics; /* by router row; the last is for requests without a row */
    uint16_t port;
    struct tls *tls; /* NULL: plain */
    atomic_bool stopping;
    atomic_size_t active, suspended;
    pthread_mutex_t peers_lock;
    struct peer *peers;
    size_t peer_count;
    pthread_t sweeper;
    pthread_cond_t sweep;
    bool sweeping;
    pthread_mutex_t threads_lock;
    struct http_thread *threads; /* the HTTP threads that have worked so far */
};

/* exchange.c: life. */
struct exchange *exchange_new(struct http_server *s, struct MHD_Connection *connection, const char *target);
void exchange_free(struct exchange *x);    /* back to this thread's spares */
void exchange_destroy(struct exchange *x); /* a spare one: gives its memory back */
/* libmicrohttpd's calls for one request; `data` of `*size` bytes of the body. */
enum MHD_Result exchange_handle(struct exchange *x, const char *url, const char *method, const char *version,
                                const char *data, size_t *size);
/* Suspends the connection, before the exchange is handed to another thread; exchange_resume brings it back to its HTTP
 * thread. */
void exchange_suspend(struct exchange *x);
void exchange_resume(struct exchange *x);
/* Until the end of this request, the connection is closed when for idle_timeout_ms no byte moves. */
void exchange_watch(struct exchange *x);
/* The handler, with what surrounds it: empty reply, log context, error bookkeeping. 0 or the code in request.error. */
int exchange_call(struct exchange *x, handler_fn fn, struct db_conn *conn);

/* exchange_open.c: judges the headers, fills request: target, service, row, credential, limits. 0 or the code in
 * request.error. */
int exchange_open(struct exchange *x, const char *url, const char *method, const char *version);
/* exchange_body.c */
int exchange_body_begin(struct exchange *x);
int exchange_body_add(struct exchange *x, const char *data, size_t size);
int exchange_body_end(struct exchange *x); /* parses and reads it by the row's table */
/* exchange_write.c: hands the exchange to worker and writer; it is suspended already. */
void exchange_write(struct exchange *x);
/* exchange_answer.c: turns request.error into a fault in the reply; sends the reply. */
void exchange_fault(struct exchange *x);
enum MHD_Result exchange_answer(struct exchange *x);

/* reply.c: empties the reply but keeps the first `field_kept` headers. */
void reply_start(struct reply *reply, struct arena *arena);
void reply_reset(struct reply *reply);
void reply_done(struct reply *reply);
