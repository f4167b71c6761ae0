/* The one write path.
 *
 * SQLite: one thread takes what waits (up to a limit in jobs and time), runs each job in a savepoint of one
 * transaction, commits, and then tells all of them. Meanwhile the next group gathers: the slower the disk, the larger
 * the groups. A failing job is undone alone. When the transaction cannot begin or commit, all jobs of the group have
 * failed with its error. When SQLite rolls the transaction back under a job (full disk, I/O error), that job has failed
 * and the others run again, each in a transaction of its own. PostgreSQL: each thread of a pool takes one job after the
 * other into a transaction of its own; the server groups commits itself. */
#include "db/writer.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "db/engine.h"
#include <assert.h>
#include <stdlib.h>

#define QUEUE_LIMIT  65536
#define POOL_THREADS 8
#define GROUP_MAX    512
#define GROUP_US     20000 /* other processes wait for the write lock while a group runs */

struct outcome {
    struct writer_job *job;
    struct error *error; /* why it failed, NULL when it did not */
};

struct worker {
    struct writer *writer;
    struct db_conn *conn;
    pthread_t thread;
    struct outcome *group;
    size_t count; /* jobs taken */
    size_t ran;   /* of these, run in the present transaction */
    bool lost;    /* the transaction was lost under the last of these */
};

struct writer {
    struct db *db;
    pthread_mutex_t lock; /* guards what follows up to the workers */
    pthread_cond_t filled;
    struct writer_job *head, **tail;
    size_t depth, limit;
    bool stopping;
    struct writer_stats stats;
    unsigned worker_count;
    struct worker *workers;
};

static const struct error no_error = {0};
static _Thread_local bool on_writer_thread;

static struct error *outcome_error(struct outcome *o)
{
    if (!o->error)
        o->error = memory_new(sizeof *o->error);
    error_clear(o->error);
    return o->error;
}

static void outcome_clear(struct outcome *o)
{
    free(o->error);
    o->error = NULL;
}

static void outcome_tell(struct outcome *o)
{
    int rc = o->error ? o->error->code : 0;
    o->job->done(o->job, rc, o->error ? o->error : &no_error);
    outcome_clear(o);
}

/* Takes up to `most` jobs; waits for the first when `wait`. Returns how many; with `wait`, 0 means: stop. */
static size_t queue_take(struct worker *w, size_t most, bool wait)
{
    struct writer *queue = w->writer;
    size_t taken = 0;
    pthread_mutex_lock(&queue->lock);
    while (wait && !queue->head && !queue->stopping)
        pthread_cond_wait(&queue->filled, &queue->lock);
    for (; queue->head && taken < most; taken++) {
        w->group[w->count++] = (struct outcome){.job = queue->head};
        queue->head = queue->head->next;
        queue->depth--;
    }
    if (!queue->head)
        queue->tail = &queue->head;
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

/* Runs one job in its savepoint. Fails only when the whole transaction is lost. */
static int job_run(struct db_conn *c, struct outcome *o, struct error *e)
{
    struct error why;
    error_clear(&why);
    outcome_clear(o);
    int rc = db_savepoint(c, o->job->run, o->job->arg, &why);
    if (rc) {
        why.code = rc;
        *outcome_error(o) = why;
    }
    return c->failed ? error_set(e, rc, "%s", error_text(&why)) : 0;
}

/* Runs the jobs of the group, and those that arrive meanwhile. */
static int group_run(struct db_conn *c, void *arg, struct error *e)
{
    struct worker *w = arg;
    int64_t start = clock_mono_us();
    int rc = 0;
    w->ran = 0;
    w->lost = false;
    do
        rc = job_run(c, &w->group[w->ran++], e);
    while (!rc && clock_mono_us() - start < GROUP_US &&
           (w->ran < w->count || (w->count < GROUP_MAX && queue_take(w, 1, false))));
    w->lost = rc != 0;
    return rc;
}

static void stats_add(struct writer *writer, const struct writer_stats *more)
{
    struct writer_stats *s = &writer->stats;
    pthread_mutex_lock(&writer->lock);
    s->jobs += more->jobs;
    s->groups += more->groups;
    s->failed += more->failed;
    s->retries += more->retries;
    s->group_size_sum += more->group_size_sum;
    if (s->group_size_max < more->group_size_max)
        s->group_size_max = more->group_size_max;
    s->commit_us_sum += more->commit_us_sum;
    s->lock_wait_us_sum += more->lock_wait_us_sum;
    pthread_mutex_unlock(&writer->lock);
}

static uint64_t count_failed(const struct worker *w, size_t count)
{
    uint64_t failed = 0;
    for (size_t i = 0; i < count; i++)
        failed += w->group[i].error != NULL;
    return failed;
}

/* Tells the first `count` jobs of the group how they ended and forgets them. */
static void group_tell(struct worker *w, size_t count, const struct writer_stats *before)
{
    const struct db_conn *c = w->conn;
    stats_add(w->writer, &(struct writer_stats){
                             .jobs = count,
                             .groups = 1,
                             .failed = count_failed(w, count),
                             .retries = c->retries - before->retries,
                             .group_size_sum = count,
                             .group_size_max = count,
                             .commit_us_sum = (uint64_t)c->commit_us - before->commit_us_sum,
                             .lock_wait_us_sum = (uint64_t)c->lock_wait_us - before->lock_wait_us_sum,
                         });
    for (size_t i = 0; i < count; i++)
        outcome_tell(&w->group[i]);
    w->count -= count;
    for (size_t i = 0; i < w->count; i++)
        w->group[i] = w->group[count + i];
}

static void outcome_run_alone(struct worker *w, struct outcome *o)
{
    struct error why;
    error_clear(&why);
    outcome_clear(o);
    int rc = db_transact(w->conn, o->job->run, o->job->arg, &why);
    if (!rc)
        return;
    why.code = rc;
    *outcome_error(o) = why;
}

/* The transaction was lost under the last job that ran: that one has failed, the others have not had their turn. */
static void group_run_alone(struct worker *w)
{
    size_t culprit = w->ran - 1;
    for (size_t i = 0; i < w->count; i++)
        if (i != culprit)
            outcome_run_alone(w, &w->group[i]);
    w->conn->retries += w->count - 1;
    w->ran = w->count;
}

static void group_fail(struct worker *w, size_t count, int rc, const struct error *why)
{
    for (size_t i = 0; i < count; i++) {
        struct error *e = outcome_error(&w->group[i]);
        *e = *why;
        e->code = rc;
    }
}

static void group_commit(struct worker *w, const struct writer_stats *before)
{
    struct error why;
    error_clear(&why);
    w->ran = 0;
    w->lost = false;
    int rc = db_transact(w->conn, group_run, w, &why);
    if (!w->ran) /* it could not even begin */
        w->ran = w->count;
    if (rc)
        log_error("write transaction failed", "jobs=%zu error=%s", w->count, error_text(&why));
    if (rc && w->lost)
        group_run_alone(w);
    else if (rc)
        group_fail(w, w->ran, rc, &why);
    group_tell(w, w->ran, before);
}

static void *worker_thread(void *arg)
{
    struct worker *w = arg;
    bool groups = db_engine(w->writer->db) == DB_SQLITE;
    on_writer_thread = true;
    while (w->count || queue_take(w, groups ? GROUP_MAX : 1, true)) {
        struct writer_stats before = {.retries = w->conn->retries,
                                      .commit_us_sum = (uint64_t)w->conn->commit_us,
                                      .lock_wait_us_sum = (uint64_t)w->conn->lock_wait_us};
        if (groups) {
            group_commit(w, &before);
        } else {
            outcome_run_alone(w, &w->group[0]);
            group_tell(w, 1, &before);
        }
    }
    return NULL;
}

static void writer_stop(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->filled);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->worker_count; i++) {
        pthread_join(w->workers[i].thread, NULL);
        db_conn_close(&w->workers[i].conn);
        free(w->workers[i].group);
    }
}

static int worker_start(struct writer *writer, struct worker *w, struct error *e)
{
    int rc = db_conn_open(writer->db, &w->conn, e);
    if (rc)
        return rc;
    w->writer = writer;
    w->group = memory_array(GROUP_MAX, sizeof *w->group);
    rc = pthread_create(&w->thread, NULL, worker_thread, w);
    assert(rc == 0);
    writer->worker_count++;
    return 0;
}

int writer_new(struct db *db, size_t queue_limit, unsigned threads, struct writer **ret, struct error *e)
{
    unsigned count = db_engine(db) == DB_SQLITE ? 1 : threads ? threads : POOL_THREADS;
    struct writer *w = memory_new(sizeof *w);
    w->db = db;
    w->limit = queue_limit ? queue_limit : QUEUE_LIMIT;
    w->tail = &w->head;
    w->workers = memory_array(count, sizeof *w->workers);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->filled, NULL);
    int rc = 0;
    for (unsigned i = 0; !rc && i < count; i++)
        rc = worker_start(w, &w->workers[i], e);
    if (rc)
        writer_free(&w);
    else
        *ret = w;
    return rc;
}

void writer_free(struct writer **w)
{
    struct writer *writer = *w;
    if (!writer)
        return;
    *w = NULL;
    assert(!on_writer_thread);
    writer_stop(writer);
    pthread_cond_destroy(&writer->filled);
    pthread_mutex_destroy(&writer->lock);
    free(writer->workers);
    free(writer);
}

int writer_submit(struct writer *w, struct writer_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    bool taken = !w->stopping && w->depth < w->limit;
    if (taken) {
        *w->tail = job;
        w->tail = &job->next;
        w->depth++;
        pthread_cond_signal(&w->filled);
    }
    pthread_mutex_unlock(&w->lock);
    return taken ? 0 : ERR_BUSY;
}

struct waiting {
    struct writer_job job;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;
    int rc;
    struct error *e;
};

static void waiting_done(struct writer_job *job, int rc, const struct error *e)
{
    struct waiting *waiting = (struct waiting *)job;
    pthread_mutex_lock(&waiting->lock);
    waiting->rc = rc;
    if (rc)
        error_set(waiting->e, rc, "%s", error_text(e));
    waiting->done = true;
    pthread_cond_signal(&waiting->ended);
    pthread_mutex_unlock(&waiting->lock);
}

int writer_run(struct writer *w, db_fn run, void *arg, struct error *e)
{
    assert(!on_writer_thread);
    struct waiting waiting = {.job = {.run = run, .done = waiting_done, .arg = arg}, .e = e};
    pthread_mutex_init(&waiting.lock, NULL);
    pthread_cond_init(&waiting.ended, NULL);
    int rc = writer_submit(w, &waiting.job);
    if (rc) {
        error_set(e, rc, "too many writes wait");
    } else {
        pthread_mutex_lock(&waiting.lock);
        while (!waiting.done)
            pthread_cond_wait(&waiting.ended, &waiting.lock);
        pthread_mutex_unlock(&waiting.lock);
        rc = waiting.rc;
    }
    pthread_cond_destroy(&waiting.ended);
    pthread_mutex_destroy(&waiting.lock);
    return rc;
}

void writer_read_stats(struct writer *w, struct writer_stats *ret)
{
    pthread_mutex_lock(&w->lock);
    *ret = w->stats;
    ret->queue_depth = w->depth;
    pthread_mutex_unlock(&w->lock);
}
