/* The worker pool: one mutex, one condition, threads made when they are first needed. Deadlines are watched by one loop
 * timer that is armed for the earliest. A written-off thread that comes back takes its place again if there is room,
 * else it ends. */
#include "compute-agent/worker.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "compute-agent/loop.h"
#include <pthread.h>
#include <stdlib.h>

struct worker_pool {
    struct loop *loop;
    const char *name;
    struct loop_timer *deadline;
    unsigned threads, lost_limit;
    int64_t armed_mono_us; /* loop thread: when the deadline timer fires, 0 for not at all */
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    struct worker_job *queue, **queue_tail, *running;
    unsigned active, idle, queued, lost;
    uint64_t lost_ever;
    bool stopping, abandoned;
};

static void worker_unlink(struct worker_job **list, struct worker_job *job)
{
    while (*list != job)
        list = &(*list)->next;
    *list = job->next;
    job->next = NULL;
}

static struct worker_job *worker_pop(struct worker_pool *p)
{
    struct worker_job *job = p->queue;
    p->queue = job->next;
    if (!p->queue)
        p->queue_tail = &p->queue;
    p->queued--;
    job->next = p->running;
    p->running = job;
    job->state = WORKER_RUNS;
    return job;
}

static void worker_report_done(void *arg)
{
    struct worker_job *job = arg;
    job->class->done(job, WORKER_DONE);
}

static void worker_report_late(void *arg)
{
    struct worker_job *job = arg;
    job->class->late(job);
}

/* After `run`, with the mutex held: false when this thread has been replaced and must end. */
static bool worker_finish(struct worker_pool *p, struct worker_job *job)
{
    if (p->abandoned)
        return false;
    if (job->state == WORKER_RUNS) {
        worker_unlink(&p->running, job);
        job->state = WORKER_RETURNED;
        loop_post(p->loop, worker_report_done, job);
        return true;
    }
    p->lost--;
    bool stay = p->active < p->threads;
    p->active += stay ? 1u : 0u;
    loop_post(p->loop, worker_report_late, job);
    return stay;
}

static void *worker_thread(void *arg)
{
    struct worker_pool *p = arg;
    pthread_mutex_lock(&p->mutex);
    bool stay = true;
    while (stay) {
        while (!p->queue && !p->stopping) {
            p->idle++;
            pthread_cond_wait(&p->changed, &p->mutex);
            p->idle--;
        }
        if (p->stopping) {
            p->active--;
            pthread_cond_broadcast(&p->changed);
            break;
        }
        struct worker_job *job = worker_pop(p);
        pthread_mutex_unlock(&p->mutex);
        job->class->run(job);
        pthread_mutex_lock(&p->mutex);
        stay = worker_finish(p, job);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* With the mutex held: one more thread when there is more work than idle threads and the limits allow. */
static void worker_start_thread(struct worker_pool *p)
{
    if (p->queued <= p->idle || p->active >= p->threads || p->lost > p->lost_limit)
        return;
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 512u << 10);
    if (pthread_create(&thread, &attr, worker_thread, p) == 0)
        p->active++;
    else
        log_error("no thread for a worker", "pool=%s active=%u", p->name, p->active);
    pthread_attr_destroy(&attr);
}

/* With the mutex held: takes jobs whose time is up out of `*list` and puts them into `*expired`; returns the next
 * deadline or 0. */
static int64_t worker_expire(struct worker_job **list, int64_t now, struct worker_job **expired, int64_t next)
{
    while (*list) {
        struct worker_job *job = *list;
        if (job->deadline_mono_us && job->deadline_mono_us <= now) {
            *list = job->next;
            job->next = *expired;
            *expired = job;
            continue;
        }
        if (job->deadline_mono_us && (!next || job->deadline_mono_us < next))
            next = job->deadline_mono_us;
        list = &job->next;
    }
    return next;
}

static void worker_arm(struct worker_pool *p, int64_t deadline_mono_us, int64_t now)
{
    if (!deadline_mono_us || (p->armed_mono_us && p->armed_mono_us <= deadline_mono_us))
        return;
    p->armed_mono_us = deadline_mono_us;
    int64_t left_us = deadline_mono_us > now ? deadline_mono_us - now : 0;
    loop_timer_start(p->deadline, left_us / 1000 + 1, 0);
}

static void worker_check_deadlines(void *arg)
{
    struct worker_pool *p = arg;
    int64_t now = clock_mono_us();
    p->armed_mono_us = 0;
    struct worker_job *busy = NULL, *lost = NULL;
    pthread_mutex_lock(&p->mutex);
    int64_t next = worker_expire(&p->queue, now, &busy, 0);
    p->queue_tail = &p->queue;
    while (*p->queue_tail)
        p->queue_tail = &(*p->queue_tail)->next;
    next = worker_expire(&p->running, now, &lost, next);
    for (struct worker_job *job = lost; job; job = job->next) {
        job->state = WORKER_WRITTEN_OFF;
        p->active--;
        p->lost++;
        p->lost_ever++;
    }
    for (struct worker_job *job = busy; job; job = job->next)
        p->queued--;
    if (p->queue)
        worker_start_thread(p);
    unsigned written_off = p->lost;
    pthread_mutex_unlock(&p->mutex);
    worker_arm(p, next, now);

    while (busy) {
        struct worker_job *job = busy;
        busy = job->next;
        job->next = NULL;
        job->class->done(job, WORKER_BUSY);
    }
    while (lost) {
        struct worker_job *job = lost;
        lost = job->next;
        job->next = NULL;
        log_warn("call did not return in time", "pool=%s written_off=%u", p->name, written_off);
        job->class->done(job, WORKER_LOST);
    }
}

struct worker_pool *worker_pool_new(struct loop *loop, const char *name, unsigned threads, unsigned lost_limit)
{
    struct worker_pool *p = memory_new(sizeof(*p));
    p->loop = loop;
    p->name = name;
    p->threads = threads;
    p->lost_limit = lost_limit;
    p->queue_tail = &p->queue;
    p->deadline = loop_timer_new(loop, worker_check_deadlines, p);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    return p;
}

void worker_pool_free(struct worker_pool **pool)
{
    struct worker_pool *p = *pool;
    *pool = NULL;
    if (!p)
        return;
    loop_timer_free(&p->deadline);
    pthread_mutex_lock(&p->mutex);
    p->stopping = true;
    struct worker_job *queue = p->queue;
    p->queue = NULL;
    p->queue_tail = &p->queue;
    p->queued = 0;
    pthread_cond_broadcast(&p->changed);
    while (p->active)
        pthread_cond_wait(&p->changed, &p->mutex);
    bool leak = p->lost > 0;
    pthread_mutex_unlock(&p->mutex);
    while (queue) {
        struct worker_job *next = queue->next;
        queue->next = NULL;
        queue->class->done(queue, WORKER_BUSY);
        queue = next;
    }
    if (leak)
        return;
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->changed);
    free(p);
}

void worker_pool_abandon(struct worker_pool **pool)
{
    struct worker_pool *p = *pool;
    *pool = NULL;
    if (!p)
        return;
    loop_timer_free(&p->deadline);
    pthread_mutex_lock(&p->mutex);
    bool idle = !p->running && !p->lost;
    p->abandoned = true;
    p->queue = NULL;
    p->queue_tail = &p->queue;
    p->stopping = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    if (idle)
        worker_pool_free(&p);
}

void worker_submit(struct worker_pool *p, struct worker_job *job, const struct worker_class *class, int64_t deadline_ms)
{
    job->class = class;
    job->pool = p;
    job->next = NULL;
    job->state = WORKER_QUEUED;
    int64_t now = clock_mono_us();
    int64_t deadline_mono_us = deadline_ms ? now + deadline_ms * 1000 : 0;
    job->deadline_mono_us = deadline_mono_us;
    pthread_mutex_lock(&p->mutex);
    *p->queue_tail = job;
    p->queue_tail = &job->next;
    p->queued++;
    worker_start_thread(p);
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    worker_arm(p, deadline_mono_us, now);
}

unsigned worker_lost(const struct worker_pool *p)
{
    struct worker_pool *unlocked = (struct worker_pool *)p;
    pthread_mutex_lock(&unlocked->mutex);
    unsigned lost = p->lost;
    pthread_mutex_unlock(&unlocked->mutex);
    return lost;
}

uint64_t worker_lost_ever(const struct worker_pool *p)
{
    struct worker_pool *unlocked = (struct worker_pool *)p;
    pthread_mutex_lock(&unlocked->mutex);
    uint64_t lost = p->lost_ever;
    pthread_mutex_unlock(&unlocked->mutex);
    return lost;
}
