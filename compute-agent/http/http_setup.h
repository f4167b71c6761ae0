/* What every connection to the API has in common: address, name, certificates, limits. For this folder. */
#pragma once
#include "compute-agent/http/http_client.h"
#include <curl/curl.h>

struct http_setup {
    char *base;  /* https://virga-api:port */
    char *shown; /* the URL as configured, for error sentences */
    struct curl_slist *connect_to;
    char *ca_file, *cert_file, *key_file;
};
int http_setup_init(struct http_setup *s, const char *url, const struct http_client_identity *identity,
                    struct error *e);
void http_setup_done(struct http_setup *s);
void http_setup_apply(const struct http_setup *s, CURL *easy);
/* A transfer of a file: also where to, what says how far it is, and that it ends when nothing moves for that long.
 * `text` has CURL_ERROR_SIZE bytes and gets libcurl's own sentence. Returns its outcome. */
struct http_setup_transfer {
    const char *path;
    int64_t stall_ms;
    curl_xferinfo_callback progress;
    void *arg;
    char *text;
};
CURLcode http_setup_perform(const struct http_setup *s, CURL *easy, const struct http_setup_transfer *t);
/* Caller frees. */
char *http_setup_url(const struct http_setup *s, const char *path);
/* The outcome of a transfer as an error; `text` is libcurl's own sentence, may be "". Returns its code. */
int http_setup_error(const struct http_setup *s, CURLcode outcome, const char *text, struct error *e);
