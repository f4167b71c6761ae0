/* The queue of those that wait for room. The rows are those of placement_queue; parked_us takes them out of the
 * scheduler's first look. */
#include "db/store_queue.h"

DB_STATEMENT(queue_park,
             "UPDATE placement_queue SET parked_us = $3, reason = $2, attempts = attempts + 1, preempts = 0, "
             "until_us = CASE WHEN until_us > $4 THEN until_us ELSE $4 END WHERE server_id = $1");
int store_queue_park(struct db_conn *c, const char *server_id, const char *reason, int64_t now_us, int64_t until_us,
                     struct error *e)
{
    return db_exec(c, &queue_park, NULL, e,
                   DB_ARGS(db_text(server_id), db_text(reason), db_int(now_us), db_int(until_us)));
}

DB_STATEMENT(queue_unpark, "UPDATE placement_queue SET parked_us = NULL WHERE server_id = $1");
int store_queue_unpark(struct db_conn *c, const char *server_id, struct error *e)
{
    return db_exec(c, &queue_unpark, NULL, e, DB_ARGS(db_text(server_id)));
}

DB_STATEMENT(queue_unpark_batch, "UPDATE placement_queue SET parked_us = NULL WHERE batch_id = $1");
int store_queue_unpark_batch(struct db_conn *c, const char *batch_id, struct error *e)
{
    return db_exec(c, &queue_unpark_batch, NULL, e, DB_ARGS(db_text(batch_id)));
}

DB_STATEMENT(queue_is_used,
             "SELECT COUNT(*) FROM (SELECT 1 FROM placement_queue WHERE parked_us IS NOT NULL LIMIT 1) q");
int store_queue_is_used(struct db_conn *c, bool *ret, struct error *e)
{
    int64_t used = 0;
    int rc = db_query_int(c, &queue_is_used, &used, e, DB_NO_ARGS);
    if (!rc)
        *ret = used != 0;
    return rc;
}

/* The memory that its project will hold when this server's turn comes: what it holds now (its usage counts those that
 * wait, too) and what stands before it in the queue. */
#define FAIR_SHARE                                                                                                     \
    "COALESCE(u.ram, 0) - SUM(s.memory_mib) OVER (PARTITION BY s.project_id) + SUM(s.memory_mib) OVER "                \
    "(PARTITION BY s.project_id ORDER BY q.created_us, q.server_id) - s.memory_mib AS share "
#define FAIR_FROM                                                                                                      \
    "FROM placement_queue q JOIN server s ON s.id = q.server_id "                                                      \
    "LEFT JOIN project_usage u ON u.project_id = s.project_id WHERE q.parked_us IS NOT NULL"
DB_STATEMENT(
    queue_parked,
    "SELECT " PLACEMENT_WAITING_COLUMNS
    " FROM (SELECT q.server_id, q.created_us, q.until_us, q.batch_id, q.batch_least, q.host_id, " FAIR_SHARE FAIR_FROM
    ") q "
    "JOIN server s ON s.id = q.server_id LEFT JOIN image i ON i.id = s.image_id "
    "ORDER BY q.share, q.created_us, q.server_id LIMIT $1");
int store_queue_parked(struct db_conn *c, int64_t limit, struct arena *a, struct placement_waiting_row **ret_rows,
                       size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &queue_parked, &rows, e, DB_ARGS(db_int(limit)));
    return rc ? rc : store_placement_read_waiting(&rows, a, ret_rows, ret_count, e);
}

DB_STATEMENT(queue_over, "SELECT server_id, reason FROM placement_queue WHERE parked_us IS NOT NULL AND until_us <= $1 "
                         "ORDER BY until_us, server_id LIMIT $2");
int store_queue_over(struct db_conn *c, int64_t now_us, int64_t limit, store_queue_over_fn each, void *arg,
                     struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &queue_over, &rows, e, DB_ARGS(db_int(now_us), db_int(limit)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows))
        stop = each(arg, db_get_text(&rows, 0), db_get_text(&rows, 1), e);
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(
    queue_list,
    "SELECT position, server_id, project_id, name, flavor_name, reason, vcpus, memory_mib, created_us, until_us, "
    "attempts FROM (SELECT f.*, ROW_NUMBER() OVER (ORDER BY share, created_us, server_id) AS position "
    "FROM (SELECT q.server_id, s.project_id, s.name, s.flavor_name, q.reason, s.vcpus, s.memory_mib, "
    "q.created_us, q.until_us, q.attempts, " FAIR_SHARE FAIR_FROM ") f) p "
    "WHERE (project_id = $1 OR $1 IS NULL) AND position > $2 ORDER BY position LIMIT $3");
int store_queue_list(struct db_conn *c, const char *project_id, int64_t after, int64_t limit, store_queue_fn each,
                     void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &queue_list, &rows, e, DB_ARGS(db_text(project_id), db_int(after), db_int(limit)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct queue_row row = {.position = db_get_int(&rows, 0),
                                .server_id = db_get_text(&rows, 1),
                                .project_id = db_get_text(&rows, 2),
                                .name = db_get_text(&rows, 3),
                                .flavor_name = db_get_text(&rows, 4),
                                .reason = db_get_text(&rows, 5),
                                .vcpus = db_get_int(&rows, 6),
                                .memory_mib = db_get_int(&rows, 7),
                                .created_us = db_get_int(&rows, 8),
                                .until_us = db_get_int(&rows, 9),
                                .attempts = db_get_int(&rows, 10)};
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}
