/* The one write path (ARCHITECTURE §2): jobs queue up, one thread (SQLite) runs each in its own savepoint inside one
 * transaction, commits once, and only then tells all of them. On PostgreSQL a pool of threads runs each job in a
 * transaction of its own, retried on a serialization failure. */
#pragma once
#include "db/db.h"

struct writer;

struct writer_job {
    db_fn run; /* in the transaction, on a writer thread; may run again (PostgreSQL): must start afresh each time */
    /* After the commit or the failure, on a writer thread, exactly once: rc 0 means on disk. Must not block. */
    void (*done)(struct writer_job *job, int rc, const struct error *e);
    void *arg;               /* for run */
    struct writer_job *next; /* the writer's */
};

struct writer_stats {
    uint64_t jobs, groups, failed, retries;
    uint64_t group_size_sum, group_size_max; /* jobs per commit */
    uint64_t queue_depth;
    uint64_t commit_us_sum, lock_wait_us_sum;
};

/* `queue_limit`: jobs that may wait (0: 65,536). `threads`: PostgreSQL only (0: 8). */
int writer_new(struct db *db, size_t queue_limit, unsigned threads, struct writer **ret, struct error *e);
/* Runs what is queued, then stops. */
void writer_free(struct writer **w);
/* Any thread. 0, or ERR_BUSY when the queue is full or it is stopping (then done is not called). The job stays the
 * caller's memory until done. */
int writer_submit(struct writer *w, struct writer_job *job);
/* Submits and waits. For tests, start-up and daemons that have nothing else to do. */
int writer_run(struct writer *w, db_fn run, void *arg, struct error *e);
void writer_read_stats(struct writer *w, struct writer_stats *ret);
