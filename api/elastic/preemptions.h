/* Spot servers that have to go: told, and deleted when their time has come. */
#pragma once
#include "api/api.h"

/* What is to be done now; ret_count: how many rows were looked at. For tests; the timer calls it. */
int preemptions_run(struct api *api, int64_t now_us, int64_t *ret_count, struct error *e);
int preemptions_start(struct api *api, struct error *e);
