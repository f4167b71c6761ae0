/* Claims waiting servers in batches, places them, and commits each batch in one transaction. */
#pragma once
#include "db/db.h"
#include "scheduler/reading/feed.h"

/* The lease of whoever places. */
#define DISPATCH_LEASE "scheduler"

struct dispatch {
    struct db *db;
    struct db_conn *conn;
    struct feed feed;
    struct foresight *foresight; /* NULL: nobody asks how long servers stay */
    char holder[40];             /* who this scheduler is, in the lease */
    int64_t epoch;               /* of the lease */
    bool leader;
    char (*asleep)[40]; /* hosts that are asleep, or being woken: a server that only they can take waits for one of them
                         */
    size_t asleep_count;
    bool wants_wake;        /* one waits since the last look at the pool */
    unsigned barren;        /* rounds in a row that only met conflicts */
    int64_t batch;          /* servers per transaction */
    int64_t spot_notice_us; /* a spot server that has to go knows it for so long */
    /* Counts since start. */
    uint64_t placed, failed, parked, conflicts, batches;
    int64_t placing_us; /* spent in the library */
    int64_t commit_us;  /* spent in the batches' transactions */
};

/* Takes or renews the lease; on gaining it everything is read anew. */
int dispatch_lead(struct dispatch *d, int64_t ttl_us, struct error *e);
/* Places what waits until the queue is empty. 0 also when this scheduler does not lead. */
int dispatch_run(struct dispatch *d, struct error *e);
