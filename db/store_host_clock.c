/* Clocks of hosts: see store_host_clock.h. */
#include "db/store_host_clock.h"

DB_STATEMENT(host_clock_add, "INSERT INTO host_clock (host_id, off_us, since_us) VALUES ($1, $2, $3) "
                             "ON CONFLICT (host_id) DO NOTHING");
DB_STATEMENT(host_clock_set, "UPDATE host_clock SET off_us = $2 WHERE host_id = $1");
DB_STATEMENT(host_clock_drop, "DELETE FROM host_clock WHERE host_id = $1");
int store_host_clock_note(struct db_conn *c, const char *host_id, int64_t off_us, int64_t now_us, bool *ret_turned,
                          struct error *e)
{
    int64_t changed = 0;
    bool wrong = off_us > STORE_HOST_CLOCK_MOST_US || off_us < -STORE_HOST_CLOCK_MOST_US;
    int rc = wrong ? db_exec(c, &host_clock_add, &changed, e, DB_ARGS(db_text(host_id), db_int(off_us), db_int(now_us)))
                   : db_exec(c, &host_clock_drop, &changed, e, DB_ARGS(db_text(host_id)));
    if (!rc && wrong && changed == 0) {
        rc = db_exec(c, &host_clock_set, NULL, e, DB_ARGS(db_text(host_id), db_int(off_us)));
    }
    *ret_turned = changed > 0;
    return rc;
}
