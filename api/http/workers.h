/* A few threads for slow work of requests (password hashing, fsync of uploads), so that HTTP threads never wait for it.
 */
#pragma once
#include "common/error.h"
#include <stddef.h>

struct workers;
struct workers_job {
    void (*run)(struct workers_job *job); /* once, on a worker thread; may free the job */
    struct workers_job *next;             /* the pool's */
};

struct workers *workers_new(unsigned threads, size_t queue_limit);
/* Runs what is queued, then stops. NULL is fine. */
void workers_free(struct workers **w);
/* Any thread. 0, or ERR_BUSY when too many wait. */
int workers_submit(struct workers *w, struct workers_job *job);
size_t workers_count(struct workers *w); /* waiting jobs */
