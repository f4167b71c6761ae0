/* Lifecycle events into the usage ledger, each exactly once. */
#pragma once
#include "db/db.h"

struct intervals_memory;
struct intervals {
    struct db_conn *conn;
    const char *region;                       /* of this cloud, noted with every interval */
    int64_t batch;                            /* events per transaction */
    int64_t position, newest;                 /* cursor, and the newest event seen */
    uint64_t events, opened, closed, clamped; /* since start */
    struct intervals_memory *memory;          /* numbers and running intervals, so that most are not read again */
};

/* Reads the cursor into m->position: how far whoever leads has come. */
int intervals_position(struct intervals *m, struct error *e);
/* Takes over all waiting events, a batch per transaction. */
int intervals_run(struct intervals *m, struct error *e);
/* Forgets what was remembered of the rows: another meter may have written meanwhile. Also frees. */
void intervals_forget(struct intervals *m);
