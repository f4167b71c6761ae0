/* Counters: rows whose update keeps their users apart until commit, so that numbers grow in the order of commits. */
#include "db/db.h"

DB_STATEMENT(counter_next, "INSERT INTO counter (name, value) VALUES ($1, $2)"
                           " ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value RETURNING value");

int db_counter_next(struct db_conn *c, const char *name, int64_t count, int64_t *ret_first, struct error *e)
{
    int64_t last;
    int rc = db_query_int(c, &counter_next, &last, e, DB_ARGS(db_text(name), db_int(count)));
    if (!rc)
        *ret_first = last - count + 1;
    return rc;
}
