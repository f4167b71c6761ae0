/* Host aggregates. Whatever changes what a host is placed by counts its feed. */
#include "db/store_aggregate.h"
#include "db/store_host_admin.h"
#include <stdio.h>

#define AGGREGATE_COLUMNS "id, uuid, name, zone, metadata, created_us, updated_us"

static void map(const struct db_rows *rows, struct aggregate_row *ret)
{
    *ret = (struct aggregate_row){
        .id = db_get_int(rows, 0),
        .uuid = db_get_text(rows, 1),
        .name = db_get_text(rows, 2),
        .zone = db_get_text(rows, 3),
        .metadata = db_get_text(rows, 4),
        .created_us = db_get_int(rows, 5),
        .updated_us = db_get_int(rows, 6),
    };
}

DB_STATEMENT(aggregate_get, "SELECT " AGGREGATE_COLUMNS " FROM aggregate WHERE id = $1");
int store_aggregate_get(struct db_conn *c, int64_t id, struct arena *a, struct aggregate_row *ret, struct error *e)
{
    struct db_rows rows;
    struct aggregate_row row = {0};
    int rc = db_query(c, &aggregate_get, &rows, e, DB_ARGS(db_int(id)));
    if (rc) {
        return rc;
    }
    bool found = db_next(&rows);
    if (found) {
        map(&rows, &row);
        row.uuid = arena_strdup(a, row.uuid);
        row.name = arena_strdup(a, row.name);
        row.zone = arena_strdup(a, row.zone);
        row.metadata = arena_strdup(a, row.metadata);
    }
    rc = db_rows_done(&rows, e);
    if (!rc && found) {
        *ret = row;
    }
    return rc || found ? rc : error_set(e, ERR_NOT_FOUND, "Aggregate %lld could not be found.", (long long)id);
}

DB_STATEMENT(aggregate_limiting,
             "SELECT metadata FROM aggregate WHERE metadata LIKE '%\"limit_tenants\"%' ORDER BY id");
int store_aggregate_limiting(struct db_conn *c, aggregate_metadata_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &aggregate_limiting, &rows, e, DB_NO_ARGS);
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        rc = fn(arg, db_get_text(&rows, 0), e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(aggregate_list, "SELECT " AGGREGATE_COLUMNS " FROM aggregate ORDER BY id");
int store_aggregate_list(struct db_conn *c, aggregate_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &aggregate_list, &rows, e, DB_NO_ARGS);
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        struct aggregate_row row;
        map(&rows, &row);
        rc = fn(arg, &row, e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

static int name_taken(int rc, const char *name, const struct error *detail, struct error *e)
{
    if (rc == ERR_CONFLICT) {
        return error_set(e, ERR_CONFLICT, "Aggregate %s already exists.", name);
    }
    return rc ? error_set(e, rc, "%s", error_text(detail)) : 0;
}

DB_STATEMENT(aggregate_insert, "INSERT INTO aggregate (" AGGREGATE_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, NULL)");
int store_aggregate_insert(struct db_conn *c, struct aggregate_row *row, struct error *e)
{
    struct error detail = {0};
    int rc = db_counter_next(c, "aggregate", 1, &row->id, e);
    if (rc) {
        return rc;
    }
    rc = db_exec(c, &aggregate_insert, NULL, &detail,
                 DB_ARGS(db_int(row->id), db_text(row->uuid), db_text(row->name), db_text(row->zone),
                         db_text(row->metadata), db_int(row->created_us)));
    return name_taken(rc, row->name, &detail, e);
}

struct move {
    struct db_conn *c;
    const char *zone;
};

/* Its agent is to hear of the aggregate's baseline, too. */
static void wake_host(struct db_conn *c, const char *host_id)
{
    char topic[80];
    snprintf(topic, sizeof(topic), "host:%s", host_id);
    db_wake(c, topic);
}

static int move_host(void *arg, const char *host_id, const char *host_name, struct error *e)
{
    struct move *m = arg;
    (void)host_name;
    wake_host(m->c, host_id);
    return m->zone ? store_host_admin_zone(m->c, host_id, m->zone, e) : store_host_admin_touch(m->c, host_id, e);
}

DB_STATEMENT(aggregate_update,
             "UPDATE aggregate SET name = $2, zone = $3, metadata = $4, updated_us = $5 WHERE id = $1");
int store_aggregate_update(struct db_conn *c, const struct aggregate_row *row, struct error *e)
{
    struct move m = {.c = c, .zone = row->zone};
    struct error detail = {0};
    int rc = db_exec(c, &aggregate_update, NULL, &detail,
                     DB_ARGS(db_int(row->id), db_text(row->name), db_text(row->zone), db_text(row->metadata),
                             db_int(row->updated_us)));
    rc = name_taken(rc, row->name, &detail, e);
    return rc ? rc : store_aggregate_hosts(c, row->id, move_host, &m, e);
}

DB_STATEMENT(aggregate_drop_baseline, "DELETE FROM cpu_baseline WHERE aggregate_id = $1");
DB_STATEMENT(aggregate_delete, "DELETE FROM aggregate WHERE id = $1 AND NOT EXISTS "
                               "(SELECT 1 FROM aggregate_host WHERE aggregate_id = $1)");
int store_aggregate_delete(struct db_conn *c, int64_t id, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &aggregate_delete, &changed, e, DB_ARGS(db_int(id)));
    if (!rc && changed == 0) {
        rc = error_set(e, ERR_INVALID, "Cannot remove host from aggregate %lld. Reason: Host aggregate is not empty.",
                       (long long)id);
    }
    return rc ? rc : db_exec(c, &aggregate_drop_baseline, NULL, e, DB_ARGS(db_int(id)));
}

DB_STATEMENT(aggregate_hosts, "SELECT h.id, h.name FROM aggregate_host m JOIN host h ON h.id = m.host_id "
                              "WHERE m.aggregate_id = $1 ORDER BY h.name");
int store_aggregate_hosts(struct db_conn *c, int64_t id, aggregate_host_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &aggregate_hosts, &rows, e, DB_ARGS(db_int(id)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        rc = fn(arg, db_get_text(&rows, 0), db_get_text(&rows, 1), e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(aggregate_other_zone, "SELECT count(*) FROM aggregate_host m JOIN aggregate a ON a.id = m.aggregate_id "
                                   "WHERE m.host_id = $1 AND a.id <> $2 AND a.zone IS NOT NULL AND a.zone <> $3");
DB_STATEMENT(aggregate_add_host, "INSERT INTO aggregate_host (aggregate_id, host_id) VALUES ($1, $2)");
int store_aggregate_add_host(struct db_conn *c, const struct aggregate_row *row, const char *host_id, struct error *e)
{
    int64_t others = 0;
    struct error detail = {0};
    struct move m = {.c = c, .zone = row->zone};
    int rc = row->zone ? db_query_int(c, &aggregate_other_zone, &others, e,
                                      DB_ARGS(db_text(host_id), db_int(row->id), db_text(row->zone)))
                       : 0;
    if (!rc && others > 0) {
        rc = error_set(e, ERR_CONFLICT,
                       "Cannot perform action 'add_host_to_aggregate' on aggregate %lld. Reason: Host already in "
                       "availability zone",
                       (long long)row->id);
    }
    if (rc) {
        return rc;
    }
    rc = db_exec(c, &aggregate_add_host, NULL, &detail, DB_ARGS(db_int(row->id), db_text(host_id)));
    if (rc == ERR_CONFLICT) {
        return error_set(e, ERR_CONFLICT, "Aggregate %lld already has that host.", (long long)row->id);
    }
    return rc ? error_set(e, rc, "%s", error_text(&detail)) : move_host(&m, host_id, "", e);
}

DB_STATEMENT(aggregate_remove_host, "DELETE FROM aggregate_host WHERE aggregate_id = $1 AND host_id = $2");
DB_STATEMENT(aggregate_host_zone, "SELECT min(a.zone) FROM aggregate_host m JOIN aggregate a ON a.id = m.aggregate_id "
                                  "WHERE m.host_id = $1 AND a.zone IS NOT NULL");
int store_aggregate_remove_host(struct db_conn *c, const struct aggregate_row *row, const char *host_id,
                                const char *default_zone, struct error *e)
{
    int64_t changed = 0;
    struct db_rows rows;
    struct arena a;
    int rc = db_exec(c, &aggregate_remove_host, &changed, e, DB_ARGS(db_int(row->id), db_text(host_id)));
    if (!rc && changed == 0) {
        rc = error_set(e, ERR_NOT_FOUND, "Aggregate %lld does not have that host.", (long long)row->id);
    }
    wake_host(c, host_id);
    rc = rc ? rc : db_query(c, &aggregate_host_zone, &rows, e, DB_ARGS(db_text(host_id)));
    if (rc) {
        return rc;
    }
    arena_init(&a);
    const char *zone = db_next(&rows) ? db_dup_text(&rows, 0, &a) : NULL;
    rc = db_rows_done(&rows, e);
    rc = rc ? rc : store_host_admin_zone(c, host_id, zone ? zone : default_zone, e);
    arena_done(&a);
    return rc;
}
