/* The meter's work comes in batches, each in a transaction of its own. */
#pragma once
#include "common/arena.h"
#include "common/error.h"
#include <stdbool.h>

/* Does one batch; *ret_more false when there was nothing left. The arena is empty. */
typedef int (*batches_fn)(void *arg, struct arena *a, bool *ret_more, struct error *e);
/* Calls `run` until nothing is left or it fails. */
int batches_run(batches_fn run, void *arg, struct error *e);
