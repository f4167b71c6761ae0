/* The placement API's view of hosts and allocations: see store_placement_view.h. */
#include "db/store_placement_view.h"

DB_STATEMENT(placement_view_aggregates, "SELECT m.host_id, a.uuid FROM aggregate_host m JOIN aggregate a "
                                        "ON a.id = m.aggregate_id ORDER BY m.host_id, a.uuid");
int store_placement_view_aggregates(struct db_conn *c, struct arena *a, struct placement_aggregate_row **ret,
                                    size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    struct placement_aggregate_row *list = NULL;
    size_t count = 0, room = 0;
    int rc = db_query(c, &placement_view_aggregates, &rows, e, DB_NO_ARGS);
    if (rc != 0)
        return rc;
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct placement_aggregate_row){db_dup_text(&rows, 0, a), db_dup_text(&rows, 1, a)};
    }
    rc = db_rows_done(&rows, e);
    if (rc == 0) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

#define ALLOCATION_SELECT                                                                                              \
    "SELECT l.server_id, l.host_id, l.project_id, s.user_id, l.vcpus, l.memory_mib, l.disk_gib, "                      \
    "h.allocation_revision, l.resources FROM allocation l JOIN host h ON h.id = l.host_id LEFT JOIN server s ON s.id " \
    "= "                                                                                                               \
    "l.server_id "
DB_STATEMENT(placement_view_by_server, ALLOCATION_SELECT "WHERE l.server_id = $1");
DB_STATEMENT(placement_view_by_host, ALLOCATION_SELECT "WHERE l.host_id = $1 ORDER BY l.server_id");
int store_placement_view_allocations(struct db_conn *c, const char *server_id, const char *host_id, struct arena *a,
                                     struct placement_allocation_row **ret, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    struct placement_allocation_row *list = NULL;
    size_t count = 0, room = 0;
    int rc = db_query(c, server_id != NULL ? &placement_view_by_server : &placement_view_by_host, &rows, e,
                      DB_ARGS(db_text(server_id != NULL ? server_id : host_id)));
    if (rc != 0)
        return rc;
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct placement_allocation_row){
            .server_id = db_dup_text(&rows, 0, a),
            .host_id = db_dup_text(&rows, 1, a),
            .project_id = db_dup_text(&rows, 2, a),
            .user_id = db_dup_text(&rows, 3, a),
            .held = {{db_get_int(&rows, 4), db_get_int(&rows, 5), db_get_int(&rows, 6)}},
            .host_revision = db_get_int(&rows, 7),
            .resources = db_dup_text(&rows, 8, a),
        };
    }
    rc = db_rows_done(&rows, e);
    if (rc == 0) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(placement_view_usage,
             "SELECT COALESCE(sum(l.vcpus), 0), COALESCE(sum(l.memory_mib), 0), "
             "COALESCE(sum(l.disk_gib), 0), count(*) FROM allocation l JOIN server s ON s.id = l.server_id "
             "WHERE s.project_id = $1 AND (s.user_id = $2 OR $2 IS NULL)");
int store_placement_view_usage(struct db_conn *c, const char *project_id, const char *user_id, struct resources *ret,
                               int64_t *ret_servers, struct error *e)
{
    struct db_rows rows;
    struct resources sum = {0};
    int64_t servers = 0;
    int rc = db_query(c, &placement_view_usage, &rows, e, DB_ARGS(db_text(project_id), db_text(user_id)));
    if (rc != 0)
        return rc;
    while (db_next(&rows)) {
        for (int i = 0; i < RESOURCE_COUNT; i++)
            sum.amount[i] = db_get_int(&rows, i);
        servers = db_get_int(&rows, 3);
    }
    rc = db_rows_done(&rows, e);
    if (rc == 0) {
        *ret = sum;
        *ret_servers = servers;
    }
    return rc;
}
