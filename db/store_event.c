/* Lifecycle events: appended only. */
#include "db/store_event.h"

DB_STATEMENT(event_insert, "INSERT INTO lifecycle_event (id, host_id, host_seq, server_id, project_id, state, "
                           "flavor_name, vcpus, memory_mib, disk_gib, at_us, received_us) "
                           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
                           "ON CONFLICT (host_id, host_seq, server_id) DO NOTHING");
int store_event_insert(struct db_conn *c, int64_t id, const char *host_id, int64_t host_seq,
                       const struct server_row *server, enum server_state state, int64_t at_us, int64_t now_us,
                       struct error *e)
{
    db_wake(c, "events");
    return db_exec(c, &event_insert, NULL, e,
                   DB_ARGS(db_int(id), db_text(host_id), db_int(host_seq), db_text(server->id),
                           db_text(server->project_id), db_text(server_state_name(state)), db_text(server->flavor_name),
                           db_int(server->vcpus), db_int(server->memory_mib),
                           db_int(server->root_gib + server->ephemeral_gib), db_int(at_us), db_int(now_us)));
}

DB_STATEMENT(event_newest, "SELECT host_id, state FROM lifecycle_event WHERE server_id = $1 ORDER BY id DESC LIMIT 1");
int store_event_newest(struct db_conn *c, const char *server_id, struct arena *a, struct store_event_newest *ret,
                       struct error *e)
{
    struct db_rows rows;
    struct store_event_newest newest = {0};
    int rc = db_query(c, &event_newest, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc)
        return rc;
    if (db_next(&rows)) {
        newest.host_id = db_dup_text(&rows, 0, a);
        int state = server_state_parse(db_get_text(&rows, 1));
        newest.state = state < 0 ? SERVER_STATE_NONE : (enum server_state)state;
    }
    rc = db_rows_done(&rows, e);
    if (!rc)
        *ret = newest;
    return rc;
}
