/* The ledger's rows. The meter writes those of servers from lifecycle events; what has no host to report it is held and
 * let go by the transaction that makes and deletes it. */
#include "db/store_ledger.h"
#include "db/store_usage.h"
#include <stdio.h>
#include <string.h>

DB_STATEMENT(ledger_find, "SELECT coalesce(max(no), 0) FROM usage_name WHERE kind = $1 AND text = $2");
int store_ledger_find(struct db_conn *c, const char *kind, const char *text, int64_t *ret_no, struct error *e)
{
    return db_query_int(c, &ledger_find, ret_no, e, DB_ARGS(db_text(kind), db_text(text)));
}

DB_STATEMENT(ledger_name_add, "INSERT INTO usage_name (no, kind, text) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
int store_ledger_name(struct db_conn *c, const char *kind, const char *text, int64_t *ret_no, struct error *e)
{
    int64_t no = 0, made = 0;
    int rc = store_ledger_find(c, kind, text, ret_no, e);
    if (rc || *ret_no > 0) {
        return rc;
    }
    rc = db_counter_next(c, "usage_name", 1, &no, e);
    rc = rc ? rc : db_exec(c, &ledger_name_add, &made, e, DB_ARGS(db_int(no), db_text(kind), db_text(text)));
    *ret_no = no;
    return rc || made > 0 ? rc : error_set(e, ERR_SERIALIZATION, "the name was numbered meanwhile");
}

DB_STATEMENT(ledger_text, "SELECT text FROM usage_name WHERE no = $1");
int store_ledger_text(struct db_conn *c, int64_t no, struct arena *a, const char **ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &ledger_text, &rows, e, DB_ARGS(db_int(no)));
    if (rc) {
        return rc;
    }
    bool found = db_next(&rows);
    if (found) {
        *ret = db_dup_text(&rows, 0, a);
    }
    rc = db_rows_done(&rows, e);
    return rc || found ? rc : error_set(e, ERR_NOT_FOUND, "no name has number %lld", (long long)no);
}

#define SHAPE_FACTS "source, state, flavor_name, zone, region, vcpus, memory_mib, disk_gib, tags, extra"
#define SHAPE_ARGS(s)                                                                                                  \
    db_text((s)->source), db_text((s)->state), db_text((s)->flavor), db_text((s)->zone), db_text((s)->region),         \
        db_int((s)->vcpus), db_int((s)->memory_mib), db_int((s)->disk_gib), db_text((s)->tags), db_text((s)->extra)
DB_STATEMENT(ledger_shape_find,
             "SELECT coalesce(max(no), 0) FROM usage_shape WHERE source = $1 AND state = $2 AND flavor_name = $3 "
             "AND zone = $4 AND region = $5 AND vcpus = $6 AND memory_mib = $7 AND disk_gib = $8 AND tags = $9 "
             "AND extra = $10");
DB_STATEMENT(ledger_shape_add, "INSERT INTO usage_shape (" SHAPE_FACTS ", no) "
                               "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING");
int store_ledger_shape(struct db_conn *c, const struct ledger_shape *shape, int64_t *ret_no, struct error *e)
{
    int64_t no = 0, made = 0;
    int rc = db_query_int(c, &ledger_shape_find, ret_no, e, DB_ARGS(SHAPE_ARGS(shape)));
    if (rc || *ret_no > 0) {
        return rc;
    }
    rc = db_counter_next(c, "usage_shape", 1, &no, e);
    rc = rc ? rc : db_exec(c, &ledger_shape_add, &made, e, DB_ARGS(SHAPE_ARGS(shape), db_int(no)));
    *ret_no = no;
    return rc || made > 0 ? rc : error_set(e, ERR_SERIALIZATION, "the shape was numbered meanwhile");
}

DB_STATEMENT(ledger_shape_get, "SELECT no, " SHAPE_FACTS " FROM usage_shape WHERE no = $1");
int store_ledger_shape_get(struct db_conn *c, int64_t no, struct arena *a, struct ledger_shape *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &ledger_shape_get, &rows, e, DB_ARGS(db_int(no)));
    if (rc) {
        return rc;
    }
    bool found = db_next(&rows);
    if (found) {
        ret->no = db_get_int(&rows, 0);
        ret->source = db_dup_text(&rows, 1, a);
        ret->state = db_dup_text(&rows, 2, a);
        ret->flavor = db_dup_text(&rows, 3, a);
        ret->zone = db_dup_text(&rows, 4, a);
        ret->region = db_dup_text(&rows, 5, a);
        ret->vcpus = db_get_int(&rows, 6);
        ret->memory_mib = db_get_int(&rows, 7);
        ret->disk_gib = db_get_int(&rows, 8);
        ret->tags = db_dup_text(&rows, 9, a);
        ret->extra = db_dup_text(&rows, 10, a);
    }
    rc = db_rows_done(&rows, e);
    return rc || found ? rc : error_set(e, ERR_CORRUPT, "no shape has number %lld", (long long)no);
}

DB_STATEMENT(ledger_open_get, "SELECT project_no, host_no, shape_no, begin_us, begin_event, run_us FROM usage_open "
                              "WHERE subject_no = $1");
int store_ledger_open_get(struct db_conn *c, int64_t subject_no, struct ledger_open *ret, bool *ret_found,
                          struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &ledger_open_get, &rows, e, DB_ARGS(db_int(subject_no)));
    if (rc) {
        return rc;
    }
    *ret_found = db_next(&rows);
    if (*ret_found) {
        *ret = (struct ledger_open){.subject_no = subject_no,
                                    .project_no = db_get_int(&rows, 0),
                                    .host_no = db_get_int(&rows, 1),
                                    .shape_no = db_get_int(&rows, 2),
                                    .begin_us = db_get_int(&rows, 3),
                                    .begin_event = db_get_int(&rows, 4),
                                    .run_us = db_get_int(&rows, 5)};
    }
    return db_rows_done(&rows, e);
}

/* Mostly it is the interval that runs; else the rows of the subject, few and together, are looked through. */
DB_STATEMENT(ledger_owner_now, "SELECT project_no, shape_no FROM usage_open WHERE subject_no = $1 AND begin_us <= $2");
DB_STATEMENT(ledger_owner_then,
             "SELECT project_no, shape_no FROM (SELECT project_no, shape_no, begin_us FROM usage_closed WHERE "
             "subject_no = $1 UNION ALL SELECT project_no, shape_no, begin_us FROM usage_open WHERE subject_no = $1) u "
             "ORDER BY CASE WHEN begin_us <= $2 THEN 0 ELSE 1 END, CASE WHEN begin_us <= $2 THEN -begin_us ELSE "
             "begin_us END");
int store_ledger_owner(struct db_conn *c, int64_t subject_no, int64_t at_us, struct ledger_owner *ret, bool *ret_found,
                       struct error *e)
{
    const struct db_statement *ways[] = {&ledger_owner_now, &ledger_owner_then};
    int rc = 0;
    *ret_found = false;
    for (size_t i = 0; i < 2 && !rc && !*ret_found; i++) {
        struct db_rows rows;
        rc = db_query(c, ways[i], &rows, e, DB_ARGS(db_int(subject_no), db_int(at_us)));
        if (rc) {
            return rc;
        }
        *ret_found = db_next(&rows);
        if (*ret_found) {
            *ret = (struct ledger_owner){db_get_int(&rows, 0), db_get_int(&rows, 1)};
        }
        rc = db_rows_done(&rows, e);
    }
    return rc;
}

DB_STATEMENT(ledger_open_put,
             "INSERT INTO usage_open (subject_no, project_no, host_no, shape_no, begin_us, begin_event, run_us) "
             "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (subject_no) DO UPDATE SET "
             "project_no = excluded.project_no, host_no = excluded.host_no, shape_no = excluded.shape_no, "
             "begin_us = excluded.begin_us, begin_event = excluded.begin_event, run_us = excluded.run_us");
int store_ledger_open_put(struct db_conn *c, const struct ledger_open *row, struct error *e)
{
    return db_exec(c, &ledger_open_put, NULL, e,
                   DB_ARGS(db_int(row->subject_no), db_int(row->project_no), db_int(row->host_no),
                           db_int(row->shape_no), db_int(row->begin_us), db_int(row->begin_event),
                           db_int(row->run_us)));
}

DB_STATEMENT(ledger_open_drop, "DELETE FROM usage_open WHERE subject_no = $1");
int store_ledger_open_drop(struct db_conn *c, int64_t subject_no, struct error *e)
{
    return db_exec(c, &ledger_open_drop, NULL, e, DB_ARGS(db_int(subject_no)));
}

DB_STATEMENT(ledger_close, "INSERT INTO usage_closed (project_no, end_us, subject_no, begin_us, shape_no, host_no, "
                           "begin_event, end_event, run_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
int store_ledger_close(struct db_conn *c, const struct ledger_open *row, int64_t end_us, int64_t end_event,
                       bool run_ends, struct error *e)
{
    return db_exec(c, &ledger_close, NULL, e,
                   DB_ARGS(db_int(row->project_no), db_int(end_us), db_int(row->subject_no), db_int(row->begin_us),
                           db_int(row->shape_no), db_int(row->host_no), db_int(row->begin_event), db_int(end_event),
                           db_int(run_ends ? row->run_us : -1)));
}

/* Ends what runs. A clock that stepped back never ends it before it began. */
static int end_hold(struct db_conn *c, const struct ledger_open *open, int64_t *at_us, int64_t event, struct error *e)
{
    if (*at_us < open->begin_us) {
        *at_us = open->begin_us;
    }
    int rc = store_ledger_close(c, open, *at_us, event, true, e);
    return rc ? rc : store_ledger_open_drop(c, open->subject_no, e);
}

int store_ledger_hold(struct db_conn *c, const char *id, const char *project_id, const struct ledger_shape *shape,
                      int64_t at_us, struct error *e)
{
    struct ledger_open open, next = {0};
    struct ledger_shape here = *shape;
    int64_t event = 0;
    bool found = false;
    here.region = *shape->region ? shape->region : db_region(c);
    int rc = store_ledger_name(c, shape->source, id, &next.subject_no, e);
    rc = rc ? rc : store_ledger_open_get(c, next.subject_no, &open, &found, e);
    if (!rc && project_id) {
        rc = store_ledger_name(c, "project", project_id, &next.project_no, e);
        rc = rc ? rc : store_ledger_name(c, "host", "", &next.host_no, e);
        rc = rc ? rc : store_ledger_shape(c, &here, &next.shape_no, e);
    }
    if (rc || (found && open.project_no == next.project_no && open.shape_no == next.shape_no) ||
        (!found && !project_id)) {
        return rc;
    }
    rc = db_counter_next(c, "lifecycle_event", 1, &event, e);
    if (!rc && found) {
        rc = end_hold(c, &open, &at_us, event, e);
    }
    if (!rc && project_id) {
        next.begin_us = next.run_us = at_us;
        next.begin_event = event;
        rc = store_ledger_open_put(c, &next, e);
    }
    return rc;
}

static int each_closed(struct db_rows *rows, int64_t position, ledger_row_fn fn, void *arg, struct error *e)
{
    int rc = 0;
    while (!rc && db_next(rows)) {
        struct ledger_row row = {.subject_no = db_get_int(rows, 0),
                                 .shape_no = db_get_int(rows, 1),
                                 .host_no = db_get_int(rows, 2),
                                 .begin_us = db_get_int(rows, 3),
                                 .end_us = db_get_int(rows, 4),
                                 .begin_event = db_get_int(rows, 5),
                                 .end_event = db_get_int(rows, 6),
                                 .run_us = db_get_int(rows, 7)};
        if (row.end_event > position) {
            row.end_us = row.end_event = INT64_MAX;
            row.run_us = -1;
        }
        rc = fn(arg, &row, e);
    }
    int end = db_rows_done(rows, e);
    return rc ? rc : end;
}

/* What ended before the period by what is known now may have run through it by what was known then: those are looked
 * for apart, by the event that closed them. */
DB_STATEMENT(ledger_each_closed,
             "SELECT subject_no, shape_no, host_no, begin_us, end_us, begin_event, end_event, run_us FROM usage_closed "
             "WHERE project_no = $1 AND end_us >= $2 AND begin_us < $3 AND begin_event <= $4");
DB_STATEMENT(ledger_each_closed_early,
             "SELECT subject_no, shape_no, host_no, begin_us, end_us, begin_event, end_event, run_us FROM usage_closed "
             "WHERE project_no = $1 AND end_us < $2 AND end_event > $3 AND begin_event <= $3");
DB_STATEMENT(ledger_each_open,
             "SELECT subject_no, shape_no, host_no, begin_us, 9223372036854775807, begin_event, 9223372036854775807, "
             "-1 FROM usage_open WHERE project_no = $1 AND begin_us < $2 AND begin_event <= $3");
/* What runs by the ledger, but has ended by events that the meter has not taken yet, ended as it will be. */
DB_STATEMENT(ledger_each_ending,
             "SELECT u.subject_no, u.shape_no, u.host_no, u.begin_us, " STORE_USAGE_END ", u.begin_event, "
             "coalesce(l.id, 9223372036854775807), CASE WHEN l.id IS NULL OR (l.project_id = p.text AND l.state = "
             "f.state AND l.flavor_name = f.flavor_name) THEN -1 ELSE u.run_us END FROM usage_open u JOIN usage_name s "
             "ON s.no = u.subject_no JOIN usage_name p ON p.no = u.project_no JOIN usage_shape f ON f.no = "
             "u.shape_no" STORE_USAGE_ENDS("$3") "WHERE u.project_no = $1 AND u.begin_us < $2");
static int each_open(struct db_conn *c, int64_t project_no, int64_t to_us, int64_t position, ledger_row_fn fn,
                     void *arg, struct error *e)
{
    struct db_rows rows;
    int64_t taken = INT64_MAX;
    int rc = position == INT64_MAX ? store_usage_taken(c, &taken, e) : 0;
    if (rc) {
        return rc;
    }
    bool level = taken == INT64_MAX;
    rc = db_query(c, level ? &ledger_each_open : &ledger_each_ending, &rows, e,
                  DB_ARGS(db_int(project_no), db_int(to_us), db_int(level ? position : taken)));
    return rc ? rc : each_closed(&rows, position, fn, arg, e);
}

int store_ledger_each(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t position,
                      ledger_row_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &ledger_each_closed, &rows, e,
                      DB_ARGS(db_int(project_no), db_int(from_us), db_int(to_us), db_int(position)));
    rc = rc ? rc : each_closed(&rows, position, fn, arg, e);
    if (!rc && position != INT64_MAX) {
        rc = db_query(c, &ledger_each_closed_early, &rows, e,
                      DB_ARGS(db_int(project_no), db_int(from_us), db_int(position)));
        rc = rc ? rc : each_closed(&rows, position, fn, arg, e);
    }
    return rc ? rc : each_open(c, project_no, to_us, position, fn, arg, e);
}

/* Known later: an interval that opened, or one that ended within the period or before it. */
DB_STATEMENT(ledger_changed,
             "SELECT (SELECT count(*) FROM usage_closed WHERE project_no = $1 AND end_us >= $2 AND begin_us < $3 AND "
             "(begin_event > $4 OR (end_event > $4 AND end_us < $3))) + (SELECT count(*) FROM usage_closed WHERE "
             "project_no = $1 AND end_us < $2 AND end_event > $4 AND begin_event <= $4) + (SELECT count(*) FROM "
             "usage_open WHERE project_no = $1 AND begin_us < $3 AND begin_event > $4)");
int store_ledger_changed(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t position,
                         bool *ret, struct error *e)
{
    int64_t count = 0;
    int rc = db_query_int(c, &ledger_changed, &count, e,
                          DB_ARGS(db_int(project_no), db_int(from_us), db_int(to_us), db_int(position)));
    if (!rc) {
        *ret = count > 0;
    }
    return rc;
}

DB_STATEMENT(ledger_projects, "SELECT no, text FROM usage_name WHERE kind = 'project' ORDER BY text");
int store_ledger_projects(struct db_conn *c, ledger_name_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &ledger_projects, &rows, e, DB_NO_ARGS);
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        rc = fn(arg, db_get_int(&rows, 0), db_get_text(&rows, 1), e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(ledger_resources, "SELECT name, source, kind, unit, about, scale FROM meter_resource ORDER BY name");
int store_ledger_resources(struct db_conn *c, struct arena *a, struct ledger_resource **ret, size_t *ret_count,
                           struct error *e)
{
    struct ledger_resource *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &ledger_resources, &rows, e, DB_NO_ARGS);
    if (rc) {
        return rc;
    }
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct ledger_resource){.name = db_dup_text(&rows, 0, a),
                                                 .source = db_dup_text(&rows, 1, a),
                                                 .kind = db_dup_text(&rows, 2, a),
                                                 .unit = db_dup_text(&rows, 3, a),
                                                 .about = db_dup_text(&rows, 4, a),
                                                 .scale = db_get_int(&rows, 5)};
    }
    rc = db_rows_done(&rows, e);
    if (!rc) {
        *ret = list;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(ledger_resource_put,
             "INSERT INTO meter_resource (name, source, kind, unit, scale, about) VALUES ($1, $2, $3, $4, $5, $6) "
             "ON CONFLICT (name) DO UPDATE SET about = excluded.about WHERE meter_resource.source = excluded.source "
             "AND meter_resource.kind = excluded.kind AND meter_resource.unit = excluded.unit AND "
             "meter_resource.scale = excluded.scale");
int store_ledger_resource_put(struct db_conn *c, const struct ledger_resource *r, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &ledger_resource_put, &changed, e,
                     DB_ARGS(db_text(r->name), db_text(r->source), db_text(r->kind), db_text(r->unit), db_int(r->scale),
                             db_text(r->about)));
    if (!rc && changed == 0) {
        rc =
            error_set(e, ERR_CONFLICT, "resource %s is metered already, in another unit or by another source", r->name);
    }
    return rc;
}

int store_ledger_class(struct db_conn *c, const char *name, struct error *e)
{
    static const char *const others[] = {"VCPU", "PCPU", "MEMORY_MB", "DISK_GB"}; /* metered by the flavor's sizes */
    char unit[300];
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(others[i], name) == 0) {
            return 0;
        }
    }
    if (snprintf(unit, sizeof(unit), "%s*h", name) >= (int)sizeof(unit)) {
        return error_set(e, ERR_INVALID, "the name of resource class %.40s... is too long", name);
    }
    const struct ledger_resource r = {.name = name,
                                      .source = "server",
                                      .kind = "time",
                                      .unit = unit,
                                      .about = "A resource class that servers hold",
                                      .scale = 1};
    return store_ledger_resource_put(c, &r, e);
}
