/* Reconciliation. Both lists come in the order of the servers' ids, so that one walk compares them whatever their
 * length. */
#include "db/store_verify.h"
#include <string.h>

DB_STATEMENT(
    verify_events,
    "SELECT server_id, id, project_id, CASE WHEN host_id = '' THEN place ELSE host_id END, state, "
    "flavor_name, vcpus, memory_mib, disk_gib, at_us, at_us, zone, tags, extra FROM lifecycle_event WHERE id <= $1 "
    "ORDER BY server_id, id");
int store_verify_events(struct db_conn *c, int64_t position, struct verify_list *ret, struct error *e)
{
    int rc = db_query(c, &verify_events, &ret->rows, e, DB_ARGS(db_int(position)));
    if (!rc) {
        store_verify_next(ret);
    }
    return rc;
}

DB_STATEMENT(verify_intervals,
             "SELECT server_id, begin_event, project_id, host_id, state, flavor_name, vcpus, memory_mib, disk_gib, "
             "begin_us, end_us, zone, tags, extra FROM usage_interval ORDER BY server_id, begin_event");
int store_verify_intervals(struct db_conn *c, struct verify_list *ret, struct error *e)
{
    int rc = db_query(c, &verify_intervals, &ret->rows, e, DB_NO_ARGS);
    if (!rc) {
        store_verify_next(ret);
    }
    return rc;
}

void store_verify_next(struct verify_list *l)
{
    struct db_rows *r = &l->rows;
    l->more = db_next(r);
    if (l->more) {
        l->row = (struct verify_row){.server_id = db_get_text(r, 0),
                                     .id = db_get_int(r, 1),
                                     .project_id = db_get_text(r, 2),
                                     .host_id = db_get_text(r, 3),
                                     .state = db_get_text(r, 4),
                                     .flavor = db_get_text(r, 5),
                                     .vcpus = db_get_int(r, 6),
                                     .memory_mib = db_get_int(r, 7),
                                     .disk_gib = db_get_int(r, 8),
                                     .begin_us = db_get_int(r, 9),
                                     .end_us = db_get_int(r, 10),
                                     .zone = db_get_text(r, 11),
                                     .tags = db_get_text(r, 12),
                                     .extra = db_get_text(r, 13)};
    }
}

int store_verify_end(struct verify_list *l, struct error *e)
{
    return db_rows_done(&l->rows, e);
}

/* What running and paused servers used between two times. */
#define SOLD_WITHIN(begin, end)                                                                                        \
    "CAST(coalesce(sum(i.vcpus * ((CASE WHEN i.end_us > " end " THEN " end " ELSE i.end_us END) - "                    \
    "(CASE WHEN i.begin_us < " begin " THEN " begin " ELSE i.begin_us END))), 0) AS BIGINT) FROM usage_interval i "    \
    "WHERE i.end_us > " begin " AND i.begin_us < " end " AND i.state IN ('running', 'paused')"

/* A host that left and came again has several lives: what was sold counts for the one that had begun last. The sum is
 * taken in whole microseconds of VCPUs. */
DB_STATEMENT(verify_hosts,
             "WITH life AS (SELECT id, name, vcpus, reserved_vcpus, ratio_vcpus, enrolled_us, 9223372036854775807 AS "
             "gone_us FROM host UNION ALL SELECT id, name, vcpus, reserved_vcpus, ratio_vcpus, enrolled_us, gone_us "
             "FROM host_past), spell AS (SELECT l.id, l.name, l.vcpus, l.reserved_vcpus, l.ratio_vcpus, (CASE WHEN "
             "l.enrolled_us > $1 THEN l.enrolled_us ELSE $1 END) AS from_us, (CASE WHEN l.gone_us < $2 THEN l.gone_us "
             "ELSE $2 END) AS to_us, (CASE WHEN l.enrolled_us > $1 AND EXISTS (SELECT 1 FROM life e WHERE e.id = l.id "
             "AND e.enrolled_us < l.enrolled_us) THEN l.enrolled_us ELSE $1 END) AS since_us, coalesce((SELECT "
             "min(e.enrolled_us) FROM life e WHERE e.id = l.id AND e.enrolled_us > l.enrolled_us AND e.enrolled_us < "
             "$2), $2) AS until_us FROM life l WHERE l.enrolled_us < $2 AND l.gone_us > $1) SELECT h.id, h.name, "
             "h.vcpus, h.reserved_vcpus, h.ratio_vcpus, h.from_us, h.to_us, (SELECT " SOLD_WITHIN(
                 "h.since_us", "h.until_us") " AND "
                                             "i.host_id = h.id) FROM spell h ORDER BY h.name, h.id, h.from_us");
int store_verify_hosts(struct db_conn *c, int64_t from_us, int64_t to_us, verify_host_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &verify_hosts, &rows, e, DB_ARGS(db_int(from_us), db_int(to_us)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        struct verify_host h = {.id = db_get_text(&rows, 0),
                                .name = db_get_text(&rows, 1),
                                .vcpus = db_get_int(&rows, 2),
                                .reserved_vcpus = db_get_int(&rows, 3),
                                .ratio_permille = db_get_int(&rows, 4),
                                .from_us = db_get_int(&rows, 5),
                                .to_us = db_get_int(&rows, 6),
                                .sold_us = db_get_int(&rows, 7)};
        rc = fn(arg, &h, e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(verify_sold, "SELECT " SOLD_WITHIN("$1", "$2"));
int store_verify_sold(struct db_conn *c, int64_t from_us, int64_t to_us, int64_t *ret_us, struct error *e)
{
    return db_query_int(c, &verify_sold, ret_us, e, DB_ARGS(db_int(from_us), db_int(to_us)));
}

/* A minute more on both sides: what was counted goes to the hour of its sample. */
#define RAN                                                                                                            \
    "c JOIN usage_shape f ON f.no = c.shape_no WHERE c.subject_no = u.subject_no AND f.state IN ('running', "          \
    "'paused') AND c.begin_us < u.hour_us + 3660000000"
DB_STATEMENT(verify_used,
             "SELECT s.text, h.text, u.hour_us FROM usage_counter u JOIN usage_name s ON s.no = u.subject_no JOIN "
             "usage_name h ON h.no = u.host_no WHERE u.hour_us >= $1 AND u.hour_us < $2 AND u.cpu_ns > 0 AND NOT "
             "EXISTS (SELECT 1 FROM usage_closed " RAN " AND c.end_us > u.hour_us - 60000000) AND NOT EXISTS (SELECT 1 "
             "FROM usage_open " RAN ") ORDER BY s.text, u.hour_us");
int store_verify_used(struct db_conn *c, int64_t from_us, int64_t to_us, verify_used_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &verify_used, &rows, e, DB_ARGS(db_int(from_us), db_int(to_us)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        rc = fn(arg, db_get_text(&rows, 0), db_get_text(&rows, 1), db_get_int(&rows, 2), e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(
    verify_open,
    "SELECT s.text, f.state FROM usage_open o JOIN usage_name s ON s.no = o.subject_no JOIN usage_name h ON h.no "
    "= o.host_no JOIN usage_shape f ON f.no = o.shape_no WHERE h.kind = 'host' AND h.text = $1 AND s.kind = "
    "'server' ORDER BY s.text");
int store_verify_open(struct db_conn *c, const char *host_id, verify_open_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &verify_open, &rows, e, DB_ARGS(db_text(host_id)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        rc = fn(arg, db_get_text(&rows, 0), db_get_text(&rows, 1), e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(
    verify_settled,
    "SELECT count(*) FROM server s WHERE s.id = $1 AND s.launched_us IS NOT NULL AND s.deadline_us IS NULL AND "
    "s.updated_us < $2 AND s.desired_exists = 1 AND NOT EXISTS (SELECT 1 FROM migration m WHERE m.server_id = "
    "s.id AND m.ended = 0)");
int store_verify_is_settled(struct db_conn *c, const char *server_id, int64_t settled_us, bool *ret, struct error *e)
{
    int64_t count = 0;
    int rc = db_query_int(c, &verify_settled, &count, e, DB_ARGS(db_text(server_id), db_int(settled_us)));
    *ret = count > 0;
    return rc;
}

DB_STATEMENT(verify_event,
             "SELECT l.state, l.at_us, l.received_us, coalesce(s.created_us, h.created_us, 0) FROM lifecycle_event l "
             "LEFT JOIN server s ON s.id = l.server_id LEFT JOIN server_history h ON h.id = l.server_id "
             "WHERE l.host_id = $1 AND l.host_seq = $2 AND l.server_id = $3");
int store_verify_event(struct db_conn *c, const char *host_id, int64_t seq, const char *server_id, struct arena *a,
                       struct verify_event *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &verify_event, &rows, e, DB_ARGS(db_text(host_id), db_int(seq), db_text(server_id)));
    if (rc) {
        return rc;
    }
    bool found = db_next(&rows);
    *ret = (struct verify_event){0};
    if (found) {
        *ret = (struct verify_event){.state = db_dup_text(&rows, 0, a),
                                     .at_us = db_get_int(&rows, 1),
                                     .received_us = db_get_int(&rows, 2),
                                     .created_us = db_get_int(&rows, 3)};
    }
    return db_rows_done(&rows, e);
}

DB_STATEMENT(verify_states,
             "SELECT s.id, s.observed_state, coalesce(f.state, '') FROM server s LEFT JOIN usage_name n ON n.kind = "
             "'server' AND n.text = s.id LEFT JOIN usage_open o ON o.subject_no = n.no LEFT JOIN usage_shape f ON "
             "f.no = o.shape_no WHERE s.launched_us IS NOT NULL AND s.updated_us < $1 AND "
             "s.observed_state <> coalesce(f.state, '') ORDER BY s.id");
int store_verify_states(struct db_conn *c, int64_t settled_us, verify_text_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &verify_states, &rows, e, DB_ARGS(db_int(settled_us)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        rc = fn(arg, db_get_text(&rows, 0), db_get_text(&rows, 1), db_get_text(&rows, 2), e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}
