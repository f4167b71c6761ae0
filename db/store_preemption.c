/* Spot servers. A notice is a row; it ends with its server, or is dropped when whom it was given for waits no more. */
#include "db/store_preemption.h"
#include "common/uuid.h"
#include "db/store_operation.h"

DB_STATEMENT(preemption_mark, "INSERT INTO spot_server (server_id) VALUES ($1)");
int store_preemption_mark(struct db_conn *c, const char *server_id, struct error *e)
{
    return db_exec(c, &preemption_mark, NULL, e, DB_ARGS(db_text(server_id)));
}

DB_STATEMENT(preemption_victims,
             "SELECT s.id, a.host_id, a.resources, a.vcpus, a.memory_mib, a.disk_gib, a.topology FROM spot_server p "
             "JOIN server s ON s.id = p.server_id JOIN allocation a ON a.server_id = s.id AND a.host_id = s.host_id "
             "WHERE s.desired_exists = 1 AND s.placement = 'placed' AND NOT EXISTS (SELECT 1 FROM preemption n WHERE "
             "n.server_id = s.id) AND NOT EXISTS (SELECT 1 FROM migration m WHERE m.server_id = s.id AND m.ended = 0) "
             "ORDER BY a.host_id, s.id");
int store_preemption_victims(struct db_conn *c, store_preemption_victim_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &preemption_victims, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct preemption_victim_row row = {
            .id = db_get_text(&rows, 0),
            .host_id = db_get_text(&rows, 1),
            .resources = db_get_text(&rows, 2),
            .topology = db_get_text(&rows, 6),
            .held = {{db_get_int(&rows, 3), db_get_int(&rows, 4), db_get_int(&rows, 5)}}};
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(preemption_notice, "INSERT INTO preemption (server_id, host_id, for_server_id, noticed_us, due_us, told) "
                                "VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (server_id) DO NOTHING");
DB_STATEMENT(preemption_owner, "SELECT project_id, user_id FROM server WHERE id = $1");
static int write_action(struct db_conn *c, const struct preemption_row *row, const char *message, struct error *e)
{
    char id[UUID_SIZE], request[UUID_SIZE + 4] = "req-";
    struct operation_row operation = {.id = uuid_ordered(id),
                                      .server_id = row->server_id,
                                      .request_id = request,
                                      .action = operation_name(OPERATION_PREEMPT),
                                      .started_us = row->noticed_us};
    struct db_rows rows;
    struct arena a;
    uuid_random(request + 4);
    int rc = db_query(c, &preemption_owner, &rows, e, DB_ARGS(db_text(row->server_id)));
    if (rc)
        return rc;
    arena_init(&a);
    bool found = db_next(&rows);
    if (found) {
        operation.project_id = db_dup_text(&rows, 0, &a);
        operation.user_id = db_dup_text(&rows, 1, &a);
    }
    rc = db_rows_done(&rows, e);
    if (!rc && found)
        rc = store_operation_insert(c, &operation, false, e);
    if (!rc && found)
        rc = store_operation_end(c, id, OPERATION_FINISH, message, row->noticed_us, e);
    arena_done(&a);
    return rc;
}

int store_preemption_notice(struct db_conn *c, const struct preemption_row *row, const char *message, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &preemption_notice, &changed, e,
                     DB_ARGS(db_text(row->server_id), db_text(row->host_id), db_text(row->for_server_id),
                             db_int(row->noticed_us), db_int(row->due_us)));
    if (!rc && changed == 0)
        return error_set(e, ERR_CONFLICT, "server %s has to go already", row->server_id);
    return rc ? rc : write_action(c, row, message, e);
}

DB_STATEMENT(preemption_park, "UPDATE placement_queue SET parked_us = $3, reason = $2, attempts = attempts + 1, "
                              "preempts = 1 WHERE server_id = $1");
int store_preemption_park(struct db_conn *c, const char *server_id, const char *reason, int64_t now_us, struct error *e)
{
    return db_exec(c, &preemption_park, NULL, e, DB_ARGS(db_text(server_id), db_text(reason), db_int(now_us)));
}

DB_STATEMENT(preemption_unpark,
             "UPDATE placement_queue SET parked_us = NULL, preempts = 0 WHERE parked_us IS NOT NULL AND preempts = 1 "
             "AND NOT EXISTS (SELECT 1 FROM preemption p WHERE p.for_server_id = placement_queue.server_id OR "
             "p.for_server_id IN (SELECT b.server_id FROM placement_queue b WHERE b.batch_id = "
             "placement_queue.batch_id) OR NOT EXISTS (SELECT 1 FROM server w WHERE w.id = p.for_server_id AND "
             "w.placement = 'waiting'))");
int store_preemption_unpark(struct db_conn *c, int64_t *ret_count, struct error *e)
{
    return db_exec(c, &preemption_unpark, ret_count, e, DB_NO_ARGS);
}

#define SELECT                                                                                                         \
    "SELECT p.server_id, p.host_id, p.for_server_id, s.project_id, s.name, p.noticed_us, p.due_us, p.told, CASE WHEN " \
    "w.id IS NULL THEN 0 ELSE 1 END FROM preemption p JOIN server s ON s.id = p.server_id LEFT JOIN server w ON w.id " \
    "= p.for_server_id AND w.placement = 'waiting' AND w.desired_exists = 1 "
static int walk(struct db_rows *rows, store_preemption_fn each, void *arg, struct error *e)
{
    int stop = 0;
    while (!stop && db_next(rows)) {
        struct preemption_row row = {.server_id = db_get_text(rows, 0),
                                     .host_id = db_get_text(rows, 1),
                                     .for_server_id = db_get_text(rows, 2),
                                     .project_id = db_get_text(rows, 3),
                                     .name = db_get_text(rows, 4),
                                     .noticed_us = db_get_int(rows, 5),
                                     .due_us = db_get_int(rows, 6),
                                     .told = db_get_int(rows, 7) != 0,
                                     .needed = db_get_int(rows, 8) != 0};
        stop = each(arg, &row, e);
    }
    int rc = db_rows_done(rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(preemption_due, SELECT "WHERE s.desired_exists = 1 AND (p.due_us <= $1 OR p.told = 0 OR w.id IS NULL) "
                                    "ORDER BY p.due_us, p.server_id LIMIT $2");
int store_preemption_due(struct db_conn *c, int64_t now_us, int64_t limit, store_preemption_fn each, void *arg,
                         struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &preemption_due, &rows, e, DB_ARGS(db_int(now_us), db_int(limit)));
    return rc ? rc : walk(&rows, each, arg, e);
}

DB_STATEMENT(preemption_of, SELECT "WHERE s.desired_exists = 1 AND p.server_id = $1");
int store_preemption_of(struct db_conn *c, const char *server_id, store_preemption_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &preemption_of, &rows, e, DB_ARGS(db_text(server_id)));
    return rc ? rc : walk(&rows, each, arg, e);
}

DB_STATEMENT(preemption_list, SELECT "WHERE (s.project_id = $1 OR $1 IS NULL) AND p.server_id > $2 "
                                     "ORDER BY p.server_id LIMIT $3");
int store_preemption_list(struct db_conn *c, const char *project_id, const char *after, int64_t limit,
                          store_preemption_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &preemption_list, &rows, e,
                      DB_ARGS(db_text(project_id), db_text(after != NULL ? after : ""), db_int(limit)));
    return rc ? rc : walk(&rows, each, arg, e);
}

DB_STATEMENT(preemption_told, "UPDATE preemption SET told = 1 WHERE server_id = $1");
int store_preemption_told(struct db_conn *c, const char *server_id, struct error *e)
{
    return db_exec(c, &preemption_told, NULL, e, DB_ARGS(db_text(server_id)));
}

DB_STATEMENT(preemption_drop, "DELETE FROM preemption WHERE server_id = $1");
int store_preemption_drop(struct db_conn *c, const char *server_id, struct error *e)
{
    db_wake(c, "placement");
    return db_exec(c, &preemption_drop, NULL, e, DB_ARGS(db_text(server_id)));
}

DB_STATEMENT(preemption_forget, "DELETE FROM spot_server WHERE server_id = $1");
int store_preemption_forget(struct db_conn *c, const char *server_id, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &preemption_forget, &changed, e, DB_ARGS(db_text(server_id)));
    return rc || changed == 0 ? rc : store_preemption_drop(c, server_id, e);
}
