/* The HTTP server: a few threads, each with a libmicrohttpd daemon in epoll, routed by tables. The process has one for
 * tenants and one for agents. */
#pragma once
#include "api/api.h"
#include "api/http/router.h"
#include "common/error.h"
#include <stdbool.h>
#include <stdint.h>

struct http_server;

struct http_options {
    const char *listen;                    /* "127.0.0.1:8774", "[::1]:0": port 0 takes a free one */
    int listen_fd;                         /* a listening socket that somebody else opened (LISTEN_FDS), or 0 */
    enum router_port port;                 /* which rows are served */
    const struct service *const *services; /* NULL-terminated, outlive the server */
    unsigned threads;                      /* 0: as many as cores, at least 2 */
    unsigned workers;                      /* threads for slow work; 0: 2 */
    unsigned hashers;                      /* threads for password hashing; 0: half as many as cores */
    unsigned hash_queue;                   /* requests that may wait for one; 0: 512 */
    unsigned connection_limit;             /* 0: 16384 */
    int64_t header_timeout_ms;             /* from the first byte of a request to the end of its headers; 0: 10 s */
    int64_t body_timeout_ms;               /* for a whole body; 0: 60 s */
    int64_t upload_timeout_ms;             /* for a whole upload; 0: 6 h */
    int64_t idle_timeout_ms;               /* between requests, and without progress within one; 0: 60 s */
    int64_t body_limit;                    /* bytes of a body where the route says nothing; 0: 1 MiB */
    int64_t upload_limit;                  /* bytes of an upload where the route says nothing; 0: 64 GiB */
    const char *upload_dir;                /* where uploads are spooled; NULL: they are refused */
    const char *endpoint;                  /* public base URL, NULL: as the client says */
    const char *proxies; /* whose X-Forwarded-For is believed: addresses and prefixes, with commas; NULL: nobody's */
    const char *certificate, *key; /* PEM text: TLS; NULL: plain */
    const char *trust; /* PEM text of the CA whose client certificates are believed; NULL: none is asked for */
};

/* Strings of `options` may go away afterwards. 0; ERR_INVALID for a bad table, address or certificate; ERR_IO when it
 * cannot listen. */
int http_server_start(struct api *api, const struct http_options *options, struct http_server *_Atomic *ret,
                      struct error *e);
/* Stops accepting, answers what is parked at once, lets running requests finish for up to `deadline_ms` (what waits for
 * the writer is always waited for), closes all connections. NULL is fine. The writer must still run. */
void http_server_stop(struct http_server *_Atomic *s, int64_t deadline_ms);
/* Another certificate and key (PEM text) for a server that was started with some. ERR_INVALID; then nothing changes.
 * Any thread. */
int http_server_renew(struct http_server *s, const char *certificate, const char *key, struct error *e);
/* The port it listens on. */
uint16_t http_server_port(const struct http_server *s);
const struct router *http_server_router(const struct http_server *s);
/* Runs parked requests that watch `topic` again; for wake_listen. Any thread. */
void http_server_wake(struct http_server *s, const char *topic);
/* False when an HTTP thread has been inside one handler for longer than `limit_ms`. Any thread. */
bool http_server_moves(struct http_server *s, int64_t limit_ms);
/* For metrics; any thread. */
size_t http_server_parked(struct http_server *s);
size_t http_server_hashing(struct http_server *s);     /* requests that wait for a password to be hashed */
size_t http_server_active(struct http_server *s);      /* requests that are being worked on, parked ones included */
size_t http_server_connections(struct http_server *s); /* open connections */
