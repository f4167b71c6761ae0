/* The agent's side of the API: JSON requests over mutual TLS, each lane with its own persistent connection, all on the
 * loop. The files of this folder are the only ones that know libcurl.
 *
 * Whatever address the API has, its certificate must carry HTTP_CLIENT_NAME and be signed by the CA in `ca_file`, the
 * only one trusted. Loop thread only. */
#pragma once
#include "common/error.h"
#include <stddef.h>
#include <stdint.h>

#define HTTP_CLIENT_NAME "virga-api"

struct loop;
struct http_client;

/* A lane carries one request at a time, the others wait in line. */
enum http_lane { HTTP_LANE_POLL, HTTP_LANE_REPORT, HTTP_LANE_OTHER, HTTP_LANE_COUNT };

struct http_client_identity {
    const char *ca_file;              /* PEM */
    const char *cert_file, *key_file; /* PEM; NULL: no client certificate (joining) */
    const char *server_name;          /* that the other side's certificate must carry; NULL: HTTP_CLIENT_NAME */
};
struct http_answer {
    int status;       /* 0: there was no answer, `error` says why (ERR_UNAVAILABLE, ERR_TIMEOUT) */
    const char *body; /* terminated; "" when empty */
    size_t size;
    const struct error *error;
};
typedef void (*http_done_fn)(void *arg, const struct http_answer *answer);

/* `url`: https://address:port. Texts are copied. ERR_INVALID when it is no such URL. */
int http_client_new(struct loop *loop, const char *url, const struct http_client_identity *identity,
                    struct http_client **ret, struct error *e);
/* Ends what is under way without a callback. Not from inside a callback of its own. Sets *c to NULL. */
void http_client_free(struct http_client **c);
/* Sends; `body` (copied; NULL: none) is JSON. `done` is called once, later, unless the client is freed before. */
void http_client_send(struct http_client *c, enum http_lane lane, const char *method, const char *path,
                      const char *body, size_t size, int64_t timeout_ms, http_done_fn done, void *arg);
/* New connections from the next request on: the files of the identity have changed. */
void http_client_reconnect(struct http_client *c);
/* "https://host:port" taken apart (IPv6 without brackets; 443 when there is no port); the caller frees both.
 * ERR_INVALID. */
int http_client_split_url(const char *url, char **ret_host, char **ret_port, struct error *e);
