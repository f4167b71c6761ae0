/* A queue with a mutex and a condition; first come, first served. */
#include "api/http/workers.h"
#include "common/memory.h"
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct workers_job *first, **last;
    size_t count, limit;
    bool ending;
    unsigned thread_count;
    pthread_t threads[];
};

static void *workers_main(void *arg)
{
    struct workers *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct workers_job *job = w->first;
        if (!job && w->ending)
            break;
        if (!job) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        w->first = job->next;
        if (!w->first)
            w->last = &w->first;
        w->count--;
        pthread_mutex_unlock(&w->lock);
        job->run(job);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct workers *workers_new(unsigned threads, size_t queue_limit)
{
    struct workers *w = memory_new(sizeof(*w) + threads * sizeof(pthread_t));
    w->last = &w->first;
    w->limit = queue_limit;
    w->thread_count = threads;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    for (unsigned i = 0; i < threads; i++) {
        int failed = pthread_create(&w->threads[i], NULL, workers_main, w);
        assert(!failed);
    }
    return w;
}

void workers_free(struct workers **w)
{
    struct workers *old = *w;
    if (!old)
        return;
    pthread_mutex_lock(&old->lock);
    old->ending = true;
    pthread_cond_broadcast(&old->changed);
    pthread_mutex_unlock(&old->lock);
    for (unsigned i = 0; i < old->thread_count; i++)
        pthread_join(old->threads[i], NULL);
    pthread_cond_destroy(&old->changed);
    pthread_mutex_destroy(&old->lock);
    free(old);
    *w = NULL;
}

int workers_submit(struct workers *w, struct workers_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    bool taken = !w->ending && w->count < w->limit;
    if (taken) {
        *w->last = job;
        w->last = &job->next;
        w->count++;
        pthread_cond_signal(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return taken ? 0 : ERR_BUSY;
}

size_t workers_count(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    size_t count = w->count;
    pthread_mutex_unlock(&w->lock);
    return count;
}
