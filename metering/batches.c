/* One arena for all of them, emptied in between. */
#include "metering/batches.h"

int batches_run(batches_fn run, void *arg, struct error *e)
{
    struct arena a;
    bool more = true;
    int rc = 0;
    arena_init(&a);
    while (!rc && more) {
        arena_reset(&a);
        rc = run(arg, &a, &more, e);
    }
    arena_done(&a);
    return rc;
}
