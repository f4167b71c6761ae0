/* Batches of counters into hours: what each server used, each increase exactly once. */
#pragma once
#include "db/db.h"

struct counters_memory;
struct counters {
    struct db_conn *conn;
    int64_t batch;                                         /* batches per transaction */
    uint64_t batches, samples, repeated, resets, homeless; /* since start; homeless: of servers never used */
    struct counters_memory *memory;                        /* streams that were seen */
};
/* Takes over all waiting batches, some per transaction. */
int counters_run(struct counters *m, struct error *e);
/* Forgets what was remembered of the rows, as intervals_forget. Also frees. */
void counters_forget(struct counters *m);
