/* A thread-specific value with a destructor, and the server's list of them. The list is locked when threads come, go
 * and are looked at. */
#include "api/http/http_thread.h"
#include "api/http/exchange.h"
#include "api/http/response.h"
#include "common/memory.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define HTTP_THREAD_SPARE 32

struct http_thread {
    struct http_server *server;
    struct http_thread *next;
    _Atomic int64_t since_us;
    struct exchange *spare;
    size_t spare_count;
    struct response_pool *responses;
    bool has_gzip;
    z_stream gzip;
    struct strbuf squeezed;
};

static pthread_key_t http_thread_key;
static pthread_once_t http_thread_once = PTHREAD_ONCE_INIT;

static void http_thread_free(void *value)
{
    struct http_thread *t = value;
    pthread_mutex_lock(&t->server->threads_lock);
    struct http_thread **link = &t->server->threads;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    pthread_mutex_unlock(&t->server->threads_lock);
    while (t->spare) {
        struct exchange *x = t->spare;
        t->spare = x->next;
        exchange_destroy(x);
    }
    response_pool_free(&t->responses);
    if (t->has_gzip)
        deflateEnd(&t->gzip);
    strbuf_done(&t->squeezed);
    free(t);
}

static void http_thread_start(void)
{
    pthread_key_create(&http_thread_key, http_thread_free);
}

struct http_thread *http_thread_self(struct http_server *s)
{
    pthread_once(&http_thread_once, http_thread_start);
    struct http_thread *t = pthread_getspecific(http_thread_key);
    if (t)
        return t;
    t = memory_new(sizeof(*t));
    t->server = s;
    t->responses = response_pool_new();
    strbuf_init(&t->squeezed, 0);
    pthread_setspecific(http_thread_key, t);
    pthread_mutex_lock(&s->threads_lock);
    t->next = s->threads;
    s->threads = t;
    pthread_mutex_unlock(&s->threads_lock);
    return t;
}

struct exchange *http_thread_take(struct http_thread *t)
{
    struct exchange *x = t->spare;
    if (x) {
        t->spare = x->next;
        t->spare_count--;
    }
    return x;
}

bool http_thread_keep(struct http_thread *t, struct exchange *x)
{
    if (t->spare_count == HTTP_THREAD_SPARE)
        return false;
    x->next = t->spare;
    t->spare = x;
    t->spare_count++;
    return true;
}

struct response_pool *http_thread_responses(struct http_thread *t)
{
    return t->responses;
}

void http_thread_enter(struct http_thread *t, int64_t mono_us)
{
    atomic_store_explicit(&t->since_us, mono_us, memory_order_relaxed);
}

void http_thread_leave(struct http_thread *t)
{
    atomic_store_explicit(&t->since_us, 0, memory_order_relaxed);
}

int64_t http_thread_oldest(struct http_server *s)
{
    int64_t oldest = 0;
    pthread_mutex_lock(&s->threads_lock);
    for (struct http_thread *t = s->threads; t; t = t->next) {
        int64_t since = atomic_load_explicit(&t->since_us, memory_order_relaxed);
        if (since && (!oldest || since < oldest))
            oldest = since;
    }
    pthread_mutex_unlock(&s->threads_lock);
    return oldest;
}

bool http_thread_gzip(struct http_thread *t, struct strbuf *body)
{
    /* 16 added to the window bits asks for the gzip wrapper (zlib.h, deflateInit2). */
    if (!t->has_gzip && deflateInit2(&t->gzip, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    t->has_gzip = true;
    deflateReset(&t->gzip);
    strbuf_reset(&t->squeezed);
    char *room = strbuf_reserve(&t->squeezed, body->size);
    if (!room)
        return false;
    t->gzip.next_in = (unsigned char *)body->data;
    t->gzip.avail_in = (unsigned)body->size;
    t->gzip.next_out = (unsigned char *)room;
    t->gzip.avail_out = (unsigned)body->size;
    if (deflate(&t->gzip, Z_FINISH) != Z_STREAM_END)
        return false;
    size_t size = body->size - t->gzip.avail_out;
    memcpy(body->data, room, size);
    body->data[size] = 0;
    body->size = size;
    return true;
}
