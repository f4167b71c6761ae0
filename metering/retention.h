/* What is kept of counters and amounts once it is invoiced: hours, then days, then one sum per month, then nothing.
 * Intervals, lifecycle events and invoices stay for ever. */
#pragma once
#include "db/db.h"

struct retention {
    struct db_conn *reader, *conn;
    int64_t days_after_us, months_after_us, forget_after_us; /* since the end of the invoiced period; 0: never */
    int64_t looked_us;                                       /* by the monotonic clock */
    uint64_t rolled, forgotten;                              /* rows fewer, since start */
};
/* Looks at the oldest invoice that is due by each policy and brings its usage to that form, a day of a project per
 * transaction; then no more for an hour if nothing was due. Killed anywhere, it goes on where it was. Returns at once
 * when it is not time. */
int retention_run(struct retention *r, struct error *e);
