/* Drives elastic groups: whoever holds the lease "elastic" gives each group its turns. */
#pragma once
#include "common/error.h"
#include <stdint.h>

struct api;

int driver_start(struct api *api, struct error *e);
/* Takes or keeps the lease, and gives a turn to the groups whose time has come, at most `limit`. *ret_count 0 also when
 * another process holds the lease. */
int driver_run(struct api *api, int64_t now_us, int64_t limit, int64_t *ret_count, struct error *e);
