/* The period of a rating request: "begin" and "end", by default the running month up to now. */
#pragma once
#include "api/http/handler.h"

struct period {
    int64_t from_us, to_us; /* [from, to); to is never after now */
};
int period_read(struct request *request, struct period *ret);
/* The same, by default the whole month before the running one. */
int period_read_last_month(struct request *request, struct period *ret);
