/* The scheduler's figures as Prometheus text in a file. */
#pragma once
#include "scheduler/dispatch.h"

/* Rewrites `path` (NULL: nothing) at most every 5 seconds. */
void metrics_write(const char *path, const struct dispatch *d);
