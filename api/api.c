/* Periodic work, and the way of a wake-up to the parked requests. The earliest timer is found by looking at all: there
 * are a dozen. */
#include "api/api.h"
#include "api/http/http_server.h"
#include "common/clock.h"
#include "common/memory.h"
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

struct api_timer {
    void (*fn)(struct api *api, void *arg);
    void *arg;
    int64_t interval_us, due_us;
    struct api_timer *next;
};
struct api_timers {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool running;
    struct api_timer *first;
};

static struct api_timers *api_timers(struct api *api)
{
    if (api->timers)
        return api->timers;
    struct api_timers *t = memory_new(sizeof(*t));
    pthread_condattr_t monotonic;
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    api->timers = t;
    return t;
}

void api_timer(struct api *api, int64_t interval_ms, void (*fn)(struct api *api, void *arg), void *arg)
{
    struct api_timers *t = api_timers(api);
    struct api_timer *timer = memory_new(sizeof(*timer));
    *timer = (struct api_timer){.fn = fn, .arg = arg, .interval_us = interval_ms * 1000};
    timer->due_us = clock_mono_us() + timer->interval_us;
    pthread_mutex_lock(&t->lock);
    timer->next = t->first;
    t->first = timer;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static struct api_timer *api_timers_earliest(struct api_timers *t)
{
    struct api_timer *earliest = NULL;
    for (struct api_timer *timer = t->first; timer; timer = timer->next)
        if (!earliest || timer->due_us < earliest->due_us)
            earliest = timer;
    return earliest;
}

/* Sleeps until `due_us`, at most a second (the clock may be a faked one). */
static void api_timers_wait(struct api_timers *t, int64_t wait_us)
{
    struct timespec until;
    if (wait_us > CLOCK_SECOND_US)
        wait_us = CLOCK_SECOND_US;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + wait_us * 1000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(&t->changed, &t->lock, &until);
}

static void *api_timers_main(void *arg)
{
    struct api *api = arg;
    struct api_timers *t = api->timers;
    pthread_mutex_lock(&t->lock);
    while (t->running) {
        struct api_timer *timer = api_timers_earliest(t);
        int64_t now_us = clock_mono_us();
        if (!timer || timer->due_us > now_us) {
            api_timers_wait(t, timer ? timer->due_us - now_us : CLOCK_SECOND_US);
            continue;
        }
        timer->due_us = now_us + timer->interval_us;
        pthread_mutex_unlock(&t->lock);
        timer->fn(api, timer->arg);
        pthread_mutex_lock(&t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

void api_timers_start(struct api *api)
{
    struct api_timers *t = api_timers(api);
    t->running = true;
    int failed = pthread_create(&t->thread, NULL, api_timers_main, api);
    assert(!failed);
}

void api_timers_stop(struct api *api)
{
    struct api_timers *t = api->timers;
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    bool running = t->running;
    t->running = false;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    if (running)
        pthread_join(t->thread, NULL);
    while (t->first) {
        struct api_timer *timer = t->first;
        t->first = timer->next;
        free(timer);
    }
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
    api->timers = NULL;
}

void api_wake(void *arg, const char *topic)
{
    struct api *api = arg;
    if (api->http)
        http_server_wake(api->http, topic);
    if (api->agents)
        http_server_wake(api->agents, topic);
}
