/* The loop, its workers and children: deadlines, lost calls, order. */
#include "common/child.h"
#include "compute-agent/loop.h"
#include "compute-agent/worker.h"
#include "tests/unit/check.h"
#include <pthread.h>

/* A job that runs until it is let go. */
struct held_job {
    struct worker_job job; /* first */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool entered, released, ran;
    int done, late;
    enum worker_outcome outcome;
};
static struct loop *loop;

static void held_run(struct worker_job *job)
{
    struct held_job *h = (struct held_job *)job;
    pthread_mutex_lock(&h->mutex);
    h->entered = true;
    pthread_cond_broadcast(&h->changed);
    while (!h->released)
        pthread_cond_wait(&h->changed, &h->mutex);
    h->ran = true;
    pthread_mutex_unlock(&h->mutex);
}

static void held_done(struct worker_job *job, enum worker_outcome outcome)
{
    struct held_job *h = (struct held_job *)job;
    h->done++;
    h->outcome = outcome;
}

static void held_late(struct worker_job *job)
{
    ((struct held_job *)job)->late++;
}

static const struct worker_class held_class = {.run = held_run, .done = held_done, .late = held_late};

static void held_init(struct held_job *h, bool released)
{
    *h = (struct held_job){.released = released};
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->changed, NULL);
}

static void held_wait_entered(struct held_job *h)
{
    pthread_mutex_lock(&h->mutex);
    while (!h->entered)
        pthread_cond_wait(&h->changed, &h->mutex);
    pthread_mutex_unlock(&h->mutex);
}

static void held_release(struct held_job *h)
{
    pthread_mutex_lock(&h->mutex);
    h->released = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
}

TEST("a job runs elsewhere and ends on the loop")
{
    struct held_job h;
    loop = loop_new();
    struct worker_pool *p = worker_pool_new(loop, "test", 2, 2);
    held_init(&h, true);
    worker_submit(p, &h.job, &held_class, 0);
    CHECK_INT(h.done, 0); /* never from inside the call */
    while (!h.done)
        loop_step(loop);
    CHECK(h.ran);
    CHECK_INT(h.outcome, WORKER_DONE);
    worker_pool_free(&p);
    loop_free(&loop);
}

TEST("a job that hangs is given up at its deadline, others go on, and it is told when it returns after all")
{
    struct held_job hangs, other;
    loop = loop_new();
    struct worker_pool *p = worker_pool_new(loop, "test", 1, 1); /* one thread: the replacement must serve the other */
    held_init(&hangs, false);
    held_init(&other, true);
    worker_submit(p, &hangs.job, &held_class, 20);
    held_wait_entered(&hangs);
    worker_submit(p, &other.job, &held_class, 60000);
    while (!hangs.done || !other.done)
        loop_step(loop);
    CHECK_INT(hangs.outcome, WORKER_LOST);
    CHECK_INT(other.outcome, WORKER_DONE);
    CHECK_INT(worker_lost(p), 1);
    CHECK_INT(hangs.late, 0);
    held_release(&hangs);
    while (!hangs.late)
        loop_step(loop);
    CHECK_INT(hangs.done, 1);
    CHECK_INT(worker_lost(p), 0);
    CHECK_INT(worker_lost_ever(p), 1);
    worker_pool_free(&p);
    loop_free(&loop);
}

TEST("when all threads are lost, waiting jobs hear so at their deadline and have not run; later ones run when threads "
     "come back")
{
    struct held_job hang[2], waits, later;
    loop = loop_new();
    struct worker_pool *p = worker_pool_new(loop, "test", 1, 0);
    held_init(&waits, true);
    held_init(&later, true);
    for (int i = 0; i < 2; i++)
        held_init(&hang[i], false);
    for (int i = 0; i < 1; i++) {
        worker_submit(p, &hang[i].job, &held_class, 10);
        held_wait_entered(&hang[i]);
    }
    while (!hang[0].done)
        loop_step(loop);
    worker_submit(p, &waits.job, &held_class, 20);
    while (!waits.done)
        loop_step(loop);
    CHECK_INT(waits.outcome, WORKER_BUSY);
    CHECK(!waits.ran);
    worker_submit(p, &later.job, &held_class, 0);
    held_release(&hang[0]);
    while (!later.done || !hang[0].late)
        loop_step(loop);
    CHECK_INT(later.outcome, WORKER_DONE);
    worker_pool_free(&p);
    loop_free(&loop);
}

TEST("many jobs on a few threads all end, each once")
{
    enum { COUNT = 200 };
    static struct held_job jobs[COUNT];
    size_t ended = 0;
    loop = loop_new();
    struct worker_pool *p = worker_pool_new(loop, "test", 4, 0);
    for (int i = 0; i < COUNT; i++) {
        held_init(&jobs[i], true);
        worker_submit(p, &jobs[i].job, &held_class, 60000);
    }
    while (ended < COUNT) {
        loop_step(loop);
        ended = 0;
        for (int i = 0; i < COUNT; i++)
            ended += jobs[i].done == 1 && jobs[i].ran;
    }
    worker_pool_free(&p);
    loop_free(&loop);
}

TEST("jobs that wait when the pool ends hear that they have not run")
{
    struct held_job runs, waits;
    loop = loop_new();
    struct worker_pool *p = worker_pool_new(loop, "test", 1, 0);
    held_init(&runs, true);
    held_init(&waits, false);
    waits.released = true;
    runs.released = false;
    worker_submit(p, &runs.job, &held_class, 0);
    held_wait_entered(&runs);
    worker_submit(p, &waits.job, &held_class, 0);
    held_release(&runs);
    worker_pool_free(&p);
    CHECK(runs.ran);
    CHECK(waits.ran || waits.outcome == WORKER_BUSY);
    while (!runs.done)
        loop_step(loop);
    loop_free(&loop);
}

static int order[3], orders;

static void note_order(void *arg)
{
    order[orders++] = *(int *)arg;
}

TEST("posted work runs on the loop in the order of posting")
{
    static int numbers[] = {1, 2, 3};
    loop = loop_new();
    for (int i = 0; i < 3; i++)
        loop_post(loop, note_order, &numbers[i]);
    while (orders < 3)
        loop_step(loop);
    CHECK_INT(order[0] * 100 + order[1] * 10 + order[2], 123);
    loop_free(&loop);
}

/* ---- children ---- */

TEST("a child's output is read, its failure is told in its own words")
{
    struct child good = {.argv = (const char *[]){"echo", "hello", NULL}, .deadline_ms = 60000};
    struct child bad = {.argv = (const char *[]){"sh", "-c", "echo first >&2; echo 'no such thing' >&2; exit 3", NULL},
                        .deadline_ms = 60000};
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    CHECK_OK(child_run(&good, &text, &e), &e);
    CHECK_TEXT(text.data, "hello\n");
    CHECK_INT(child_run(&bad, NULL, &e), ERR_IO);
    CHECK_CONTAINS(e.text, "status 3: no such thing");
    strbuf_done(&text);
}

TEST("a child that is not there, hangs or takes too much is told apart")
{
    struct child missing = {.argv = (const char *[]){"virga-no-such-program", NULL}, .deadline_ms = 60000};
    struct child hangs = {.argv = (const char *[]){"sh", "-c", "sleep 1000 & sleep 1000", NULL}, .deadline_ms = 30};
    struct child burns = {
        .argv = (const char *[]){"sh", "-c", "while :; do :; done", NULL}, .deadline_ms = 60000, .cpu_seconds = 1};
    struct error e = {0};
    CHECK_INT(child_run(&missing, NULL, &e), ERR_NOT_FOUND);
    CHECK_CONTAINS(e.text, "virga-no-such-program");
    error_clear(&e);
    CHECK_INT(child_run(&hangs, NULL, &e), ERR_TIMEOUT);
    error_clear(&e);
    CHECK_INT(child_run(&burns, NULL, &e), ERR_IO);
    CHECK_CONTAINS(e.text, "killed by signal");
}

TEST("a pool that is given up while nothing runs leaves nothing behind, and one with a call that hangs waits for "
     "nothing")
{
    static struct held_job ran, hangs; /* the sanitizer tells of what is left when this program ends */
    loop = loop_new();
    struct worker_pool *idle = worker_pool_new(loop, "idle", 2, 0), *busy = worker_pool_new(loop, "busy", 1, 0);
    held_init(&ran, true);
    held_init(&hangs, false);
    worker_submit(idle, &ran.job, &held_class, 0);
    while (!ran.done)
        loop_step(loop);
    worker_submit(busy, &hangs.job, &held_class, 0);
    held_wait_entered(&hangs);
    worker_pool_abandon(&idle);
    worker_pool_abandon(&busy);
    CHECK(!idle && !busy && !hangs.done);
    loop_free(&loop);
}
