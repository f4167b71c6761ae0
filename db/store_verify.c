/* Reconciliation. Both lists come in the order of the servers' ids, so that one walk compares them whatever their
 * length. */
#include "db/store_verify.h"
#include <string.h>

DB_STATEMENT(verify_events,
             "SELECT server_id, id, project_id, CASE WHEN host_id = '' THEN place ELSE host_id END, state, "
             "flavor_name, vcpus, memory_mib, disk_gib, at_us, at_us, zone, tags FROM lifecycle_event WHERE id <= $1 "
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
             "begin_us, end_us, zone, tags FROM usage_interval ORDER BY server_id, begin_event");
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
                                     .tags = db_get_text(r, 12)};
    }
}

int store_verify_end(struct verify_list *l, struct error *e)
{
    return db_rows_done(&l->rows, e);
}

/* The sum is taken by host in whole microseconds of VCPUs. */
DB_STATEMENT(
    verify_hosts,
    "SELECT h.id, h.name, h.vcpus, h.reserved_vcpus, h.ratio_vcpus, CAST(coalesce((SELECT sum(i.vcpus * "
    "((CASE WHEN i.end_us > $2 THEN $2 ELSE i.end_us END) - (CASE WHEN i.begin_us < $1 THEN $1 ELSE i.begin_us "
    "END))) FROM usage_interval i WHERE i.host_id = h.id AND i.end_us > $1 AND i.begin_us < $2 AND i.state IN "
    "('running', 'paused')), 0) AS BIGINT) FROM host h ORDER BY h.name");
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
                                .sold_us = db_get_int(&rows, 5)};
        rc = fn(arg, &h, e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
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
