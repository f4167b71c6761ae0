/* One mutex guards the table and the heap; it is never held across `resume`. A ticket that is taken off (armed becomes
 * false) is still the suspended request's memory until `resume` is called, so it may be carried out of the lock. The
 * thread sleeps until the earliest deadline; under a faked clock it looks once a second. */
#include "api/http/park.h"
#include "common/clock.h"
#include "common/memory.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PARK_BUCKETS 4096

struct park {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    void (*resume)(struct park_ticket *ticket);
    struct park_watch *buckets[PARK_BUCKETS];
    struct park_ticket **heap; /* armed tickets, earliest deadline first */
    size_t count, room;
    bool stopped, ending;
};

static uint64_t park_hash(const char *topic)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a, 64 bits */
    for (; *topic; topic++)
        hash = (hash ^ (unsigned char)*topic) * 1099511628211u;
    return hash;
}

static void park_heap_put(struct park *p, size_t at, struct park_ticket *t)
{
    p->heap[at] = t;
    t->heap_index = at;
}

static void park_heap_up(struct park *p, size_t at, struct park_ticket *t)
{
    for (; at && p->heap[(at - 1) / 2]->deadline_us > t->deadline_us; at = (at - 1) / 2)
        park_heap_put(p, at, p->heap[(at - 1) / 2]);
    park_heap_put(p, at, t);
}

static void park_heap_down(struct park *p, size_t at, struct park_ticket *t)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < p->count && p->heap[child + 1]->deadline_us < p->heap[child]->deadline_us)
            child++;
        if (child >= p->count || p->heap[child]->deadline_us >= t->deadline_us)
            break;
        park_heap_put(p, at, p->heap[child]);
        at = child;
    }
    park_heap_put(p, at, t);
}

/* Takes an armed ticket off the heap; the caller resumes it outside the lock. */
static void park_take(struct park *p, struct park_ticket *t)
{
    size_t at = t->heap_index;
    struct park_ticket *last = p->heap[--p->count];
    t->armed = false;
    if (last == t)
        return;
    if (at && p->heap[(at - 1) / 2]->deadline_us > last->deadline_us)
        park_heap_up(p, at, last);
    else
        park_heap_down(p, at, last);
}

/* Tickets taken off under the lock, resumed after it. */
struct park_batch {
    struct park_ticket **tickets;
    size_t count, room;
};

static void park_batch_add(struct park_batch *batch, struct park_ticket *t)
{
    if (batch->count == batch->room) {
        batch->room = batch->room ? batch->room * 2 : 16;
        batch->tickets = memory_resize(batch->tickets, batch->room * sizeof(struct park_ticket *));
    }
    batch->tickets[batch->count++] = t;
}

static void park_batch_resume(struct park *p, struct park_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        p->resume(batch->tickets[i]);
    free(batch->tickets);
}

static void park_take_due(struct park *p, int64_t now_us, struct park_batch *batch)
{
    while (p->count && p->heap[0]->deadline_us <= now_us) {
        park_batch_add(batch, p->heap[0]);
        park_take(p, p->heap[0]);
    }
}

static void park_wait(struct park *p, int64_t now_us)
{
    int64_t wait_us = p->count ? p->heap[0]->deadline_us - now_us : INT64_MAX;
    if (wait_us == INT64_MAX) {
        pthread_cond_wait(&p->changed, &p->lock);
        return;
    }
    if (wait_us > CLOCK_SECOND_US)
        wait_us = CLOCK_SECOND_US;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + wait_us * 1000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

static void *park_main(void *arg)
{
    struct park *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->ending) {
        struct park_batch due = {0};
        int64_t now_us = clock_mono_us();
        park_take_due(p, now_us, &due);
        if (!due.count) {
            park_wait(p, now_us);
            continue;
        }
        pthread_mutex_unlock(&p->lock);
        park_batch_resume(p, &due);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct park *park_new(void (*resume)(struct park_ticket *ticket))
{
    struct park *p = memory_new(sizeof(*p));
    p->resume = resume;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int failed = pthread_create(&p->thread, NULL, park_main, p);
    assert(!failed);
    return p;
}

void park_free(struct park **p)
{
    struct park *old = *p;
    if (!old)
        return;
    pthread_mutex_lock(&old->lock);
    assert(!old->count);
    old->ending = true;
    pthread_cond_signal(&old->changed);
    pthread_mutex_unlock(&old->lock);
    pthread_join(old->thread, NULL);
    pthread_cond_destroy(&old->changed);
    pthread_mutex_destroy(&old->lock);
    free(old->heap);
    free(old);
    *p = NULL;
}

void park_watch(struct park *p, struct park_ticket *t, const char *topic)
{
    assert(t->watch_count < PARK_WATCH_MAX);
    struct park_watch *watch = &t->watches[t->watch_count++];
    *watch = (struct park_watch){.ticket = t, .topic = park_hash(topic)};
    pthread_mutex_lock(&p->lock);
    struct park_watch **bucket = &p->buckets[watch->topic % PARK_BUCKETS];
    watch->next = *bucket;
    watch->link = bucket;
    if (watch->next)
        watch->next->link = &watch->next;
    *bucket = watch;
    pthread_mutex_unlock(&p->lock);
}

bool park_arm(struct park *p, struct park_ticket *t, int64_t deadline_mono_us)
{
    pthread_mutex_lock(&p->lock);
    bool wait = !t->woken && !p->stopped && deadline_mono_us > clock_mono_us();
    if (wait) {
        t->armed = true;
        t->deadline_us = deadline_mono_us;
        if (p->count == p->room) {
            p->room = p->room ? p->room * 2 : 64;
            p->heap = memory_resize(p->heap, p->room * sizeof(struct park_ticket *));
        }
        park_heap_up(p, p->count++, t);
        if (p->heap[0] == t)
            pthread_cond_signal(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return wait;
}

void park_forget(struct park *p, struct park_ticket *t)
{
    if (!t->watch_count)
        return;
    pthread_mutex_lock(&p->lock);
    assert(!t->armed);
    for (size_t i = 0; i < t->watch_count; i++) {
        struct park_watch *watch = &t->watches[i];
        *watch->link = watch->next;
        if (watch->next)
            watch->next->link = watch->link;
    }
    t->watch_count = 0;
    t->woken = false;
    pthread_mutex_unlock(&p->lock);
}

static void park_wake_bucket(struct park *p, struct park_watch *watch, const uint64_t *topic, struct park_batch *batch)
{
    for (; watch; watch = watch->next) {
        if (topic && watch->topic != *topic)
            continue;
        watch->ticket->woken = true;
        if (watch->ticket->armed) {
            park_take(p, watch->ticket);
            park_batch_add(batch, watch->ticket);
        }
    }
}

void park_wake(struct park *p, const char *topic)
{
    struct park_batch batch = {0};
    bool all = !strcmp(topic, "*");
    uint64_t hash = park_hash(topic);
    pthread_mutex_lock(&p->lock);
    if (all)
        for (size_t i = 0; i < PARK_BUCKETS; i++)
            park_wake_bucket(p, p->buckets[i], NULL, &batch);
    else
        park_wake_bucket(p, p->buckets[hash % PARK_BUCKETS], &hash, &batch);
    pthread_mutex_unlock(&p->lock);
    park_batch_resume(p, &batch);
}

void park_stop(struct park *p)
{
    struct park_batch batch = {0};
    pthread_mutex_lock(&p->lock);
    p->stopped = true;
    park_take_due(p, INT64_MAX, &batch);
    pthread_mutex_unlock(&p->lock);
    park_batch_resume(p, &batch);
}

bool park_is_stopped(struct park *p)
{
    pthread_mutex_lock(&p->lock);
    bool stopped = p->stopped;
    pthread_mutex_unlock(&p->lock);
    return stopped;
}

size_t park_count(struct park *p)
{
    pthread_mutex_lock(&p->lock);
    size_t count = p->count;
    pthread_mutex_unlock(&p->lock);
    return count;
}
