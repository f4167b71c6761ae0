/* The event loop over libuv. Posted work waits in a list under a mutex that is held for a few instructions only; one
 * uv_async wakes the loop. libuv frees nothing before its close callback, so timers and watches detach from their
 * owners first and free themselves there. */
#include "compute-agent/loop.h"
#include "common/memory.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

struct loop_posted {
    struct loop_posted *next;
    loop_fn fn;
    void *arg;
};
struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    pthread_mutex_t mutex; /* guards head and tail */
    struct loop_posted *head, **tail;
};
struct loop_timer {
    uv_timer_t uv; /* first: the handle is the timer */
    loop_fn fn;
    void *arg;
};
struct loop_watch {
    uv_poll_t uv; /* first: the handle is the watch */
    int fd;
    loop_watch_fn fn;
    void *arg;
};

static void loop_run_posted(uv_async_t *wake)
{
    struct loop *l = wake->data;
    pthread_mutex_lock(&l->mutex);
    struct loop_posted *list = l->head;
    l->head = NULL;
    l->tail = &l->head;
    pthread_mutex_unlock(&l->mutex);
    while (list) {
        struct loop_posted *next = list->next;
        list->fn(list->arg);
        free(list);
        list = next;
    }
}

struct loop *loop_new(void)
{
    struct loop *l = memory_new(sizeof(*l));
    l->tail = &l->head;
    pthread_mutex_init(&l->mutex, NULL);
    if (uv_loop_init(&l->uv) || uv_async_init(&l->uv, &l->wake, loop_run_posted))
        abort();
    l->wake.data = l;
    return l;
}

void loop_free(struct loop **l)
{
    if (!*l)
        return;
    uv_close((uv_handle_t *)&(*l)->wake, NULL);
    uv_run(&(*l)->uv, UV_RUN_DEFAULT); /* close callbacks; returns when no handle is left */
    int left = uv_loop_close(&(*l)->uv);
    assert(left == 0);
    while ((*l)->head) {
        struct loop_posted *next = (*l)->head->next;
        free((*l)->head);
        (*l)->head = next;
    }
    pthread_mutex_destroy(&(*l)->mutex);
    free(*l);
    *l = NULL;
}

void loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

void loop_step(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_ONCE);
}

void loop_poll(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_NOWAIT);
}

void loop_post(struct loop *l, loop_fn fn, void *arg)
{
    struct loop_posted *p = memory_new(sizeof(*p));
    p->fn = fn;
    p->arg = arg;
    pthread_mutex_lock(&l->mutex);
    *l->tail = p;
    l->tail = &p->next;
    pthread_mutex_unlock(&l->mutex);
    uv_async_send(&l->wake);
}

static void loop_handle_free(uv_handle_t *handle)
{
    free(handle);
}

static void loop_timer_due(uv_timer_t *handle)
{
    struct loop_timer *t = (struct loop_timer *)handle;
    t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *arg)
{
    struct loop_timer *t = memory_new(sizeof(*t));
    uv_timer_init(&l->uv, &t->uv);
    t->fn = fn;
    t->arg = arg;
    return t;
}

void loop_timer_start(struct loop_timer *t, int64_t delay_ms, int64_t repeat_ms)
{
    assert(delay_ms >= 0 && repeat_ms >= 0);
    uv_update_time(t->uv.loop);
    uv_timer_start(&t->uv, loop_timer_due, (uint64_t)delay_ms, (uint64_t)repeat_ms);
}

void loop_timer_stop(struct loop_timer *t)
{
    uv_timer_stop(&t->uv);
}

void loop_timer_free(struct loop_timer **t)
{
    if (*t)
        uv_close((uv_handle_t *)&(*t)->uv, loop_handle_free);
    *t = NULL;
}

static void loop_watch_ready(uv_poll_t *handle, int status, int events)
{
    struct loop_watch *w = (struct loop_watch *)handle;
    unsigned seen = status < 0 ? (unsigned)LOOP_ERROR : 0;
    if (status >= 0) {
        seen |= events & UV_READABLE ? (unsigned)LOOP_READ : 0;
        seen |= events & UV_WRITABLE ? (unsigned)LOOP_WRITE : 0;
        seen |= events & UV_DISCONNECT ? (unsigned)LOOP_HANGUP : 0;
    }
    if (seen)
        w->fn(w->arg, w->fd, seen);
}

struct loop_watch *loop_watch_new(struct loop *l, int fd, loop_watch_fn fn, void *arg)
{
    struct loop_watch *w = memory_new(sizeof(*w));
    if (uv_poll_init(&l->uv, &w->uv, fd)) {
        free(w);
        return NULL;
    }
    w->fd = fd;
    w->fn = fn;
    w->arg = arg;
    return w;
}

void loop_watch_set(struct loop_watch *w, unsigned events)
{
    int wanted = (events & LOOP_READ ? UV_READABLE : 0) | (events & LOOP_WRITE ? UV_WRITABLE : 0) |
                 (events & LOOP_HANGUP ? UV_DISCONNECT : 0);
    if (wanted)
        uv_poll_start(&w->uv, wanted, loop_watch_ready);
    else
        uv_poll_stop(&w->uv);
}

void loop_watch_free(struct loop_watch **w)
{
    if (*w) {
        uv_poll_stop(&(*w)->uv);
        uv_close((uv_handle_t *)&(*w)->uv, loop_handle_free);
    }
    *w = NULL;
}
