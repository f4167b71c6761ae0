/* Lives of servers, for the lifetime policy. */
#include "db/store_life.h"

static int walk(struct db_rows *rows, store_life_fn each, void *arg, struct error *e)
{
    int stop = 0;
    while (!stop && db_next(rows)) {
        struct life_row row = {.server_id = db_get_text(rows, 0),
                               .project_id = db_get_text(rows, 1),
                               .host_id = db_get_text(rows, 2),
                               .need = {{db_get_int(rows, 3), db_get_int(rows, 4), 0}},
                               .begun_us = db_get_int(rows, 5),
                               .ended_us = db_get_int(rows, 6)};
        stop = each(arg, &row, e);
    }
    int rc = db_rows_done(rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(life_ended, "SELECT id, project_id, host_id, vcpus, memory_mib, launched_us, deleted_us "
                         "FROM server_history WHERE (deleted_us, id) > ($1, $2) AND launched_us IS NOT NULL "
                         "ORDER BY deleted_us, id LIMIT $3");
int store_life_ended(struct db_conn *c, int64_t after_us, const char *after_id, int64_t limit, store_life_fn each,
                     void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &life_ended, &rows, e, DB_ARGS(db_int(after_us), db_text(after_id), db_int(limit)));
    return rc ? rc : walk(&rows, each, arg, e);
}

DB_STATEMENT(life_living, "SELECT id, project_id, host_id, vcpus, memory_mib, COALESCE(launched_us, created_us), 0 "
                          "FROM server WHERE host_id IS NOT NULL");
int store_life_living(struct db_conn *c, store_life_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &life_living, &rows, e, DB_NO_ARGS);
    return rc ? rc : walk(&rows, each, arg, e);
}

DB_STATEMENT(life_hosts, "SELECT '', '', id, 0, 0, 0, 0 FROM host");
int store_life_hosts(struct db_conn *c, store_life_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &life_hosts, &rows, e, DB_NO_ARGS);
    return rc ? rc : walk(&rows, each, arg, e);
}
