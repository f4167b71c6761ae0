/* Two columns: host.topology and allocation.topology. */
#include "db/store_cells.h"

DB_STATEMENT(cells_set, "UPDATE host SET topology = $2 WHERE id = $1 AND topology <> $2");
int store_cells_set(struct db_conn *c, const char *host_id, const char *topology, struct error *e)
{
    return db_exec(c, &cells_set, NULL, e, DB_ARGS(db_text(host_id), db_text(topology)));
}

#define GIVEN(concat)                                                                                                  \
    "SELECT topology, (SELECT '[' || " concat "(l.topology, ',') || ']' FROM allocation l WHERE l.host_id = host.id "  \
    "AND l.topology IS NOT NULL) FROM host WHERE id = $1"
DB_STATEMENT2(cells_of_host, GIVEN("group_concat"), GIVEN("string_agg"));
int store_cells_of_host(struct db_conn *c, const char *host_id, struct arena *a, const char **ret_topology,
                        const char **ret_given, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &cells_of_host, &rows, e, DB_ARGS(db_text(host_id)));
    if (rc)
        return rc;
    bool found = db_next(&rows);
    const char *topology = found ? db_dup_text(&rows, 0, a) : NULL, *given = found ? db_dup_text(&rows, 1, a) : NULL;
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        return error_set(e, ERR_NOT_FOUND, "host %s is not known", host_id);
    if (!rc) {
        *ret_topology = topology;
        *ret_given = given;
    }
    return rc;
}

DB_STATEMENT(cells_held, "SELECT topology FROM allocation WHERE server_id = $1");
int store_cells_held(struct db_conn *c, const char *consumer_id, struct arena *a, const char **ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &cells_held, &rows, e, DB_ARGS(db_text(consumer_id)));
    if (rc)
        return rc;
    const char *held = db_next(&rows) ? db_dup_text(&rows, 0, a) : NULL;
    rc = db_rows_done(&rows, e);
    if (!rc)
        *ret = held;
    return rc;
}
