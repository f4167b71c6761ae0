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

/* The part of a row's time between two others. */
#define PART(begin, end, row_begin, row_end)                                                                           \
    "((CASE WHEN " row_end " > " end " THEN " end " ELSE " row_end " END) - (CASE WHEN " row_begin " < " begin         \
    " THEN " begin " ELSE " row_begin " END))"
/* What servers used between two times. */
#define USED_WITHIN(begin, end, states)                                                                                \
    "CAST(coalesce(sum(i.vcpus * " PART(begin, end, "i.begin_us", "i.end_us") "), 0) AS BIGINT) FROM usage_interval "  \
                                                                              "i WHERE i.end_us > " begin              \
                                                                              " AND i.begin_us < " end                 \
                                                                              " AND i.state IN (" states ")"
#define SOLD_WITHIN(begin, end) USED_WITHIN(begin, end, "'running', 'paused'")

/* A piece of a host's life is the time in which its size stayed the same: from a row of its sizes to its next one or
 * until it left. A host that left and came again has a row for each time it came; what was used of it counts for the
 * piece that had begun last. */
DB_STATEMENT(
    verify_hosts,
    "WITH life AS (SELECT id, name, enrolled_us, 9223372036854775807 AS gone_us FROM host UNION ALL SELECT id, name, "
    "enrolled_us, gone_us FROM host_past), piece AS (SELECT l.id, l.name, l.enrolled_us, l.gone_us, s.since_us, "
    "s.vcpus, s.reserved_vcpus, s.ratio_vcpus, coalesce((SELECT min(n.since_us) FROM host_size n WHERE n.host_id = "
    "s.host_id AND n.since_us > s.since_us), 9223372036854775807) AS next_us, EXISTS (SELECT 1 FROM host_size p WHERE "
    "p.host_id = s.host_id AND p.since_us < s.since_us) AS later FROM life l JOIN host_size s ON s.host_id = l.id AND "
    "s.since_us >= l.enrolled_us AND s.since_us < l.gone_us), spell AS (SELECT id, name, enrolled_us, vcpus, "
    "reserved_vcpus, ratio_vcpus, (CASE WHEN since_us > $1 THEN since_us ELSE $1 END) AS from_us, (CASE WHEN next_us < "
    "gone_us AND next_us < $2 THEN next_us WHEN gone_us < $2 THEN gone_us ELSE $2 END) AS to_us, (CASE WHEN since_us > "
    "$1 AND later THEN since_us ELSE $1 END) AS since_us, (CASE WHEN next_us < $2 THEN next_us ELSE $2 END) AS "
    "until_us FROM piece WHERE since_us < $2 AND next_us > $1 AND gone_us > $1) SELECT h.id, h.name, h.enrolled_us, "
    "h.vcpus, h.reserved_vcpus, h.ratio_vcpus, h.from_us, h.to_us, "
    "(SELECT " SOLD_WITHIN(
        "h.since_us",
        "h.until_us") " AND i.host_id = h.id), "
                      "(SELECT " USED_WITHIN(
                          "h.since_us", "h.until_us",
                          "'stopped', 'suspended', 'crashed'") " AND i.host_id = h.id), "
                                                               "(SELECT CAST(coalesce(sum(r.vcpus * " PART(
                                                                   "h.from_us", "h.to_us", "r.from_us",
                                                                   "r.until_us") "), 0) AS BIGINT) "
                                                                                 "FROM reservation_past r WHERE "
                                                                                 "r.host_id = h.id AND r.until_us > "
                                                                                 "h.from_us AND r.from_us < h.to_us) "
                                                                                 "FROM spell h ORDER BY h.name, h.id, "
                                                                                 "h.from_us");
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
                                .enrolled_us = db_get_int(&rows, 2),
                                .vcpus = db_get_int(&rows, 3),
                                .reserved_vcpus = db_get_int(&rows, 4),
                                .ratio_permille = db_get_int(&rows, 5),
                                .from_us = db_get_int(&rows, 6),
                                .to_us = db_get_int(&rows, 7),
                                .sold_us = db_get_int(&rows, 8),
                                .held_us = db_get_int(&rows, 9),
                                .slots_us = db_get_int(&rows, 10)};
        rc = fn(arg, &h, e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(verify_sizes,
             "SELECT h.name FROM host h WHERE NOT EXISTS (SELECT 1 FROM host_size s WHERE s.host_id = h.id AND "
             "s.since_us >= h.enrolled_us AND s.vcpus = h.vcpus AND s.reserved_vcpus = h.reserved_vcpus AND "
             "s.ratio_vcpus = h.ratio_vcpus AND s.since_us = (SELECT max(x.since_us) FROM host_size x WHERE x.host_id "
             "= h.id)) ORDER BY h.name");
DB_STATEMENT(verify_slots,
             "SELECT h.name FROM host h WHERE (SELECT coalesce(sum(r.vcpus), 0) FROM reservation_slot t JOIN "
             "reservation r ON r.id = t.reservation_id WHERE t.host_id = h.id AND t.server_id IS NULL) <> (SELECT "
             "coalesce(sum(p.vcpus), 0) FROM reservation_past p WHERE p.host_id = h.id AND p.until_us = "
             "9223372036854775807) ORDER BY h.name");
int store_verify_noted(struct db_conn *c, verify_noted_fn fn, void *arg, struct error *e)
{
    static const struct db_statement *const statements[] = {&verify_sizes, &verify_slots};
    int rc = 0;
    for (int i = 0; !rc && i < 2; i++) {
        struct db_rows rows;
        rc = db_query(c, statements[i], &rows, e, DB_NO_ARGS);
        while (!rc && db_next(&rows)) {
            fn(arg, db_get_text(&rows, 0), i == 0 ? "its size" : "its reserved slots");
        }
        rc = rc ? rc : db_rows_done(&rows, e);
    }
    return rc;
}

DB_STATEMENT(verify_sold, "SELECT " SOLD_WITHIN("$1", "$2"));
int store_verify_sold(struct db_conn *c, int64_t from_us, int64_t to_us, int64_t *ret_us, struct error *e)
{
    return db_query_int(c, &verify_sold, ret_us, e, DB_ARGS(db_int(from_us), db_int(to_us)));
}

/* Rows of a server, another text and a number. */
static int tell_rows(struct db_rows *rows, verify_used_fn fn, void *arg, struct error *e)
{
    int rc = 0;
    while (!rc && db_next(rows)) {
        rc = fn(arg, db_get_text(rows, 0), db_get_text(rows, 1), db_get_int(rows, 2), e);
    }
    int end = db_rows_done(rows, e);
    return rc ? rc : end;
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
    return rc ? rc : tell_rows(&rows, fn, arg, e);
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

DB_STATEMENT(verify_oldest, "SELECT coalesce(min(host_seq), 0) FROM lifecycle_event WHERE host_id = $1 AND at_us >= $2 "
                            "AND at_us < $3");
int store_verify_oldest(struct db_conn *c, const char *host_id, int64_t from_us, int64_t to_us, int64_t *ret_seq,
                        struct error *e)
{
    return db_query_int(c, &verify_oldest, ret_seq, e, DB_ARGS(db_text(host_id), db_int(from_us), db_int(to_us)));
}

DB_STATEMENT(verify_taken, "SELECT server_id, state, host_seq FROM lifecycle_event WHERE host_id = $1 AND host_seq >= "
                           "$2 AND at_us >= $3 AND at_us < $4 AND received_us < $5 ORDER BY host_seq");
int store_verify_taken(struct db_conn *c, const char *host_id, const struct verify_span *span, verify_taken_fn fn,
                       void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &verify_taken, &rows, e,
                      DB_ARGS(db_text(host_id), db_int(span->first_seq), db_int(span->from_us), db_int(span->to_us),
                              db_int(span->received_us)));
    return rc ? rc : tell_rows(&rows, fn, arg, e);
}

DB_STATEMENT(verify_covered,
             "SELECT CAST(coalesce(sum(" PART("$2", "$3", "i.begin_us",
                                              "i.end_us") "), 0) AS BIGINT) FROM "
                                                          "usage_interval i WHERE i.server_id = $1 AND i.end_us > $2 "
                                                          "AND i.begin_us < $3 AND i.state IN ('running', "
                                                          "'paused')");
int store_verify_covered(struct db_conn *c, const char *server_id, int64_t from_us, int64_t to_us, int64_t *ret_us,
                         struct error *e)
{
    return db_query_int(c, &verify_covered, ret_us, e, DB_ARGS(db_text(server_id), db_int(from_us), db_int(to_us)));
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
