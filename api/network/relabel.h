/* Networks and security groups with many servers that were renamed (db/store_relabel.h): the servers follow while
 * nobody waits. */
#pragma once
#include "api/api.h"
#include "common/error.h"

/* For services_start. */
int relabel_start(struct api *api, struct error *e);
/* Goes on for about `limit_ms`, or until nothing is left. For the timer and for tests. */
int relabel_run(struct api *api, int64_t limit_ms, struct error *e);
