/* The part of a report that says what servers use. */
#pragma once
#include "api/agent/report.h"

/* Takes samples (struct report_sample) over into the host's loads, within the report's transaction. */
int report_load_take(struct db_conn *c, const char *host_id, const struct json_list *samples, int64_t now_us,
                     struct arena *a, struct error *e);
