/* Threads for calls that block: a job runs on a worker and ends on the loop, and no job can hold up another for longer
 * than its deadline.
 *
 * When a job's deadline passes while it runs, its owner hears WORKER_LOST, the thread is written off and another takes
 * its place (up to a limit). The call may still return much later: until `late` has been called the job's memory is the
 * worker's, so a job owns all that its `run` touches. A job that waited in the queue past its deadline hears
 * WORKER_BUSY and has not run. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct worker_pool;
struct worker_job;

enum worker_outcome {
    WORKER_DONE, /* run has returned; the job is the owner's again */
    WORKER_LOST, /* run has not returned in time; hands off until `late` */
    WORKER_BUSY, /* run was never called: no thread was free in time; the job is the owner's again */
};
struct worker_class {
    void (*run)(struct worker_job *job);                               /* on a worker */
    void (*done)(struct worker_job *job, enum worker_outcome outcome); /* on the loop, once */
    void (*late)(struct worker_job *job); /* on the loop, once, only after WORKER_LOST: run returned after all */
};
/* Embedded first in the owner's own struct. */
struct worker_job {
    const struct worker_class *class;
    struct worker_job *next;
    struct worker_pool *pool;
    int64_t deadline_mono_us; /* 0: none */
    enum { WORKER_QUEUED, WORKER_RUNS, WORKER_RETURNED, WORKER_WRITTEN_OFF } state;
};

/* `threads` at a time do work; up to `lost_limit` more may be written off before the pool stops replacing them. */
struct worker_pool *worker_pool_new(struct loop *loop, const char *name, unsigned threads, unsigned lost_limit);
/* Waits for jobs that run and are not written off; queued ones hear WORKER_BUSY from inside this call. Ends that the
 * loop has not delivered yet still come when it runs on. A pool with written-off threads leaks itself: the process is
 * about to end. Sets *p to NULL. */
void worker_pool_free(struct worker_pool **p);
/* The process is about to end: waits for no job, threads keep what they work on, and the pool with it. Nothing is
 * called any more. Sets *p to NULL. */
void worker_pool_abandon(struct worker_pool **p);
/* Loop thread. `deadline_ms` counts from now; 0 for none. */
void worker_submit(struct worker_pool *p, struct worker_job *job, const struct worker_class *class,
                   int64_t deadline_ms);
/* Loop thread: how many threads are written off at the moment, and ever. */
unsigned worker_lost(const struct worker_pool *p);
uint64_t worker_lost_ever(const struct worker_pool *p);
