/* Lifecycle events into usage intervals, each exactly once. */
#pragma once
#include "db/db.h"

struct intervals {
    struct db_conn *conn;
    int64_t batch;                            /* events per transaction */
    int64_t position, newest;                 /* cursor, and the newest event seen */
    uint64_t events, opened, closed, clamped; /* since start */
};

/* Reads the cursor into m->position: how far whoever leads has come. */
int intervals_position(struct intervals *m, struct error *e);
/* Takes over all waiting events, a batch per transaction. */
int intervals_run(struct intervals *m, struct error *e);
