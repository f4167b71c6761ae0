/* What each HTTP thread keeps for itself between requests: spare exchanges, a compressor, and since when it has been in
 * a handler. */
#pragma once
#include "common/strbuf.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_server;
struct exchange;
struct http_thread;
struct response_pool;

/* The calling thread's; made on first use and freed when the thread ends. `s`: the server whose thread it is. */
struct http_thread *http_thread_self(struct http_server *s);
/* A spare exchange, or NULL. */
struct exchange *http_thread_take(struct http_thread *t);
/* Keeps an exchange for later; false when there are enough. */
bool http_thread_keep(struct http_thread *t, struct exchange *x);
/* Its spare responses. */
struct response_pool *http_thread_responses(struct http_thread *t);
/* Around work in a handler. */
void http_thread_enter(struct http_thread *t, int64_t mono_us);
void http_thread_leave(struct http_thread *t);
/* Since when the thread that has been in a handler the longest is there (clock_mono_us), 0 when none is. Any thread. */
int64_t http_thread_oldest(struct http_server *s);
/* Replaces the content of `body` by its gzip form (level 1). False, and nothing is changed, when it would not be
 * smaller. */
bool http_thread_gzip(struct http_thread *t, struct strbuf *body);
