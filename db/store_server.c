/* Servers: the row mapper, and what changes a row. A change compares and sets the row's revision, so that whoever
 * decided on an older row loses and tries again. Deleted servers leave for server_history in the same transaction. */
#include "db/rows.h"
#include "db/store_host.h"
#include "db/store_import.h"
#include "db/store_preemption.h"
#include "db/store_server_clone.h"
#include "db/store_server_internal.h"
#include <assert.h>
#include <ctype.h>
#include <string.h>

struct server_situation store_server_situation(const struct server_row *row)
{
    return (struct server_situation){
        .exists = row->desired_exists,
        .power = row->desired_power,
        .state = row->observed_state,
        .placement = row->placement,
        .operation = row->operation,
        .fault = row->fault_code != 0,
    };
}

struct server_situation store_server_situation_at(const struct server_row *row, int64_t now_us)
{
    struct server_situation s = store_server_situation(row);
    s.silent = row->host_id != NULL && now_us - row->host_seen_us > STORE_HOST_ALIVE_US;
    return s;
}

/* Columns are read one after the other. */
struct reader {
    const struct db_rows *rows;
    struct arena *a;
    int column;
};

static const char *text(struct reader *r)
{
    int column = r->column++;
    return r->a == NULL ? db_get_text(r->rows, column) : db_dup_text(r->rows, column, r->a);
}

static int64_t number(struct reader *r)
{
    return db_get_int(r->rows, r->column++);
}

/* A word of the model; -1 stays -1 and is found by the caller. */
static int word(struct reader *r, int (*parse)(const char *))
{
    return parse(db_get_text(r->rows, r->column++));
}

int store_server_map(const struct db_rows *rows, struct arena *a, struct server_row *ret, struct error *e)
{
    struct reader r = {.rows = rows, .a = a};
    struct server_row row = {.id = text(&r), .project_id = text(&r), .user_id = text(&r), .name = text(&r)};
    int power, placement, state, operation;
    row.hostname = text(&r);
    row.description = text(&r);
    row.flavor_id = text(&r);
    row.flavor_name = text(&r);
    row.vcpus = number(&r);
    row.memory_mib = number(&r);
    row.root_gib = number(&r);
    row.ephemeral_gib = number(&r);
    row.swap_mib = number(&r);
    row.flavor_extra = text(&r);
    row.image_id = text(&r);
    row.key_name = text(&r);
    row.key_public = text(&r);
    row.user_data = text(&r);
    row.config_drive = number(&r) != 0;
    row.zone = text(&r);
    row.group_id = text(&r);
    row.hints = text(&r);
    row.metadata = text(&r);
    row.tags = text(&r);
    row.security_groups = text(&r);
    row.addresses = text(&r);
    row.access_ipv4 = text(&r);
    row.access_ipv6 = text(&r);
    row.disk_config = text(&r);
    row.reservation_id = text(&r);
    row.launch_index = number(&r);
    row.desired_exists = number(&r) != 0;
    power = word(&r, server_power_parse);
    row.desired_revision = number(&r);
    row.host_id = text(&r);
    placement = word(&r, server_placement_parse);
    state = word(&r, server_state_parse);
    row.observed_revision = number(&r);
    operation = word(&r, server_operation_parse);
    row.operation_id = text(&r);
    row.deadline_us = number(&r);
    row.fault_code = number(&r);
    row.fault_message = text(&r);
    row.fault_details = text(&r);
    row.fault_us = number(&r);
    row.locked = number(&r);
    row.locked_reason = text(&r);
    row.created_us = number(&r);
    row.updated_us = number(&r);
    row.launched_us = number(&r);
    row.revision = number(&r);
    row.host_name = text(&r);
    row.host_zone = text(&r);
    row.host_seen_us = number(&r);
    row.host_enabled = number(&r) != 0;
    if (power < 0 || placement < 0 || state < 0 || operation < 0)
        return error_set(e, ERR_CORRUPT, "server %s has a state that nobody knows", row.id);
    row.desired_power = (enum server_power)power;
    row.placement = (enum server_placement)placement;
    row.observed_state = (enum server_state)state;
    row.operation = (enum server_operation)operation;
    *ret = row;
    return 0;
}

int store_server_walk(struct db_rows *rows, store_server_fn each, void *arg, struct error *e)
{
    struct server_row row;
    int stop = 0, rc;
    while (!stop && db_next(rows)) {
        stop = store_server_map(rows, NULL, &row, e);
        if (!stop)
            stop = each(arg, &row, e);
    }
    rc = db_rows_done(rows, e);
    if (stop && stop != STORE_SERVER_STOP)
        return stop;
    return rc;
}

DB_STATEMENT(server_by_id, "SELECT " SERVER_COLUMNS SERVER_FROM "WHERE s.id = $1");
int store_server_get(struct db_conn *c, const char *id, struct arena *a, struct server_row *ret, struct error *e)
{
    struct db_rows rows;
    struct server_row row;
    bool found;
    int mapped = 0, rc = db_query(c, &server_by_id, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    found = db_next(&rows);
    if (found)
        mapped = store_server_map(&rows, a, &row, e);
    rc = db_rows_done(&rows, e);
    if (rc || mapped)
        return rc ? rc : mapped;
    if (!found)
        return error_set(e, ERR_NOT_FOUND, "Instance %s could not be found.", id);
    *ret = row;
    return 0;
}

struct visit {
    store_server_fn each;
    void *arg;
    bool found;
};

static int visit_one(void *arg, const struct server_row *row, struct error *e)
{
    struct visit *v = arg;
    v->found = true;
    int rc = v->each(v->arg, row, e);
    return rc ? rc : STORE_SERVER_STOP; /* there is no second row to look for */
}

int store_server_visit(struct db_conn *c, const char *id, store_server_fn each, void *arg, struct error *e)
{
    struct visit v = {.each = each, .arg = arg};
    struct db_rows rows;
    int rc = db_query(c, &server_by_id, &rows, e, DB_ARGS(db_text(id)));
    if (!rc)
        rc = store_server_walk(&rows, visit_one, &v, e);
    if (!rc && !v.found)
        rc = error_set(e, ERR_NOT_FOUND, "Instance %s could not be found.", id);
    return rc;
}

DB_STATEMENT(server_stamp,
             "SELECT s.project_id, s.revision, h.name, h.zone, h.seen_us, h.enabled" SERVER_FROM "WHERE s.id = $1");
int store_server_stamp(struct db_conn *c, const char *id, store_server_stamp_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &server_stamp, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    bool found = db_next(&rows);
    if (found) {
        struct server_stamp stamp = {.project_id = db_get_text(&rows, 0),
                                     .revision = db_get_int(&rows, 1),
                                     .host_name = db_get_text(&rows, 2),
                                     .host_zone = db_get_text(&rows, 3),
                                     .host_seen_us = db_get_int(&rows, 4),
                                     .host_enabled = db_get_int(&rows, 5) != 0};
        stop = each(arg, &stamp, e);
    }
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "Instance %s could not be found.", id);
    return stop ? stop : rc;
}

DB_STATEMENT(server_desired, "SELECT " SERVER_COLUMNS SERVER_FROM "WHERE s.host_id = $1 AND s.desired_revision > $2 "
                             "ORDER BY s.desired_revision LIMIT $3");
int store_server_desired(struct db_conn *c, const char *host_id, int64_t since, int64_t limit, store_server_fn each,
                         void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &server_desired, &rows, e, DB_ARGS(db_text(host_id), db_int(since), db_int(limit)));
    return rc ? rc : store_server_walk(&rows, each, arg, e);
}

DB_STATEMENT(server_overdue, "SELECT id FROM server WHERE deadline_us IS NOT NULL AND deadline_us <= $1 "
                             "ORDER BY deadline_us LIMIT $2");
int store_server_overdue(struct db_conn *c, int64_t now_us, int64_t limit, store_server_id_fn each, void *arg,
                         struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &server_overdue, &rows, e, DB_ARGS(db_int(now_us), db_int(limit)));
    return rc ? rc : rows_each_text(&rows, each, arg, e);
}

DB_STATEMENT(server_insert,
             "INSERT INTO server (id, project_id, user_id, name, hostname, description, flavor_id, flavor_name, vcpus, "
             "memory_mib, root_gib, ephemeral_gib, swap_mib, flavor_extra, image_id, key_name, key_public, user_data, "
             "config_drive, zone, group_id, hints, metadata, tags, security_groups, addresses, access_ipv4, "
             "access_ipv6, disk_config, reservation_id, launch_index, desired_exists, desired_power, desired_revision, "
             "placement, observed_state, observed_revision, operation_id, deadline_us, locked, created_us, updated_us, "
             "revision, image_properties) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
             "$16, $17, $18, $19, "
             "$20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, 1, $32, 0, 'waiting', 'none', 0, $33, $34, "
             "0, $35, $35, 1, $36)");
int store_server_insert(struct db_conn *c, const struct server_row *row, struct error *e)
{
    return db_exec(
        c, &server_insert, NULL, e,
        DB_ARGS(db_text(row->id), db_text(row->project_id), db_text(row->user_id), db_text(row->name),
                db_text(row->hostname), db_text(row->description), db_text(row->flavor_id), db_text(row->flavor_name),
                db_int(row->vcpus), db_int(row->memory_mib), db_int(row->root_gib), db_int(row->ephemeral_gib),
                db_int(row->swap_mib), db_text(row->flavor_extra), db_text(row->image_id), db_text(row->key_name),
                db_text(row->key_public), db_text(row->user_data), db_int(row->config_drive), db_text(row->zone),
                db_text(row->group_id), db_text(row->hints), db_text(row->metadata), db_text(row->tags),
                db_text(row->security_groups), db_text(row->addresses), db_text(row->access_ipv4),
                db_text(row->access_ipv6), db_text(row->disk_config), db_text(row->reservation_id),
                db_int(row->launch_index), db_text(server_power_name(row->desired_power)), db_text(row->operation_id),
                db_int_opt(row->deadline_us != 0, row->deadline_us), db_int(row->created_us),
                db_text(row->image_properties)));
}

DB_STATEMENT(server_image_properties, "SELECT image_properties FROM server WHERE id = $1");
int store_server_image_properties(struct db_conn *c, const char *id, struct arena *a, const char **ret, struct error *e)
{
    return rows_one_text(c, &server_image_properties, DB_ARGS(db_text(id)), a, ret, e);
}

/* One row was written, or somebody was faster. */
static int written_once(struct server_row *row, int64_t changed, int rc, struct error *e)
{
    if (rc)
        return rc;
    if (changed != 1)
        return error_set(e, ERR_SERIALIZATION, "server %s was changed at the same time", row->id);
    row->revision++;
    return 0;
}

DB_STATEMENT(server_move, "UPDATE server SET desired_exists = $3, desired_power = $4, desired_revision = $5, "
                          "placement = $6, observed_state = $7, observed_revision = $8, operation = $9, "
                          "operation_id = $10, deadline_us = $11, fault_code = $12, fault_message = $13, "
                          "fault_details = $14, fault_us = $15, updated_us = $16, launched_us = $17, "
                          "revision = revision + 1 WHERE id = $1 AND revision = $2");
int store_server_move(struct db_conn *c, struct server_row *row, struct error *e)
{
    int64_t changed = 0;
    int rc =
        db_exec(c, &server_move, &changed, e,
                DB_ARGS(db_text(row->id), db_int(row->revision), db_int(row->desired_exists),
                        db_text(server_power_name(row->desired_power)), db_int(row->desired_revision),
                        db_text(server_placement_name(row->placement)), db_text(server_state_name(row->observed_state)),
                        db_int(row->observed_revision), db_text(server_operation_name(row->operation)),
                        db_text(row->operation_id), db_int_opt(row->deadline_us != 0, row->deadline_us),
                        db_int_opt(row->fault_code != 0, row->fault_code), db_text(row->fault_message),
                        db_text(row->fault_details), db_int_opt(row->fault_us != 0, row->fault_us),
                        db_int(row->updated_us), db_int_opt(row->launched_us != 0, row->launched_us)));
    return written_once(row, changed, rc, e);
}

DB_STATEMENT(server_edit, "UPDATE server SET name = $3, hostname = $4, description = $5, access_ipv4 = $6, "
                          "access_ipv6 = $7, disk_config = $8, metadata = $9, tags = $10, locked = $11, "
                          "locked_reason = $12, updated_us = $13, revision = revision + 1 "
                          "WHERE id = $1 AND revision = $2");
int store_server_edit(struct db_conn *c, struct server_row *row, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &server_edit, &changed, e,
                     DB_ARGS(db_text(row->id), db_int(row->revision), db_text(row->name), db_text(row->hostname),
                             db_text(row->description), db_text(row->access_ipv4), db_text(row->access_ipv6),
                             db_text(row->disk_config), db_text(row->metadata), db_text(row->tags), db_int(row->locked),
                             db_text(row->locked_reason), db_int(row->updated_us)));
    return written_once(row, changed, rc, e);
}

const char *store_server_hostname(const char *name, struct arena *a)
{
    char *host = arena_strdup(a, *name ? name : "server");
    for (char *at = host; *at; at++)
        *at = (char)(isalnum((unsigned char)*at) ? tolower((unsigned char)*at) : '-');
    host += strspn(host, "-");
    if (strlen(host) > 63)
        host[63] = 0;
    return *host ? host : "server";
}

DB_STATEMENT(server_remember,
             "INSERT INTO server_history (id, project_id, user_id, name, hostname, flavor_id, flavor_name, vcpus, "
             "memory_mib, root_gib, ephemeral_gib, image_id, host_id, zone, metadata, tags, created_us, launched_us, "
             "deleted_us) SELECT id, project_id, user_id, name, hostname, flavor_id, flavor_name, vcpus, memory_mib, "
             "root_gib, ephemeral_gib, image_id, host_id, zone, metadata, tags, created_us, launched_us, $2 "
             "FROM server WHERE id = $1");
DB_STATEMENT(server_delete, "DELETE FROM server WHERE id = $1 AND revision = $2");
int store_server_archive(struct db_conn *c, const struct server_row *row, int64_t deleted_us, struct error *e)
{
    struct server_row last = *row;
    int64_t changed = 0;
    int rc = db_exec(c, &server_remember, NULL, e, DB_ARGS(db_text(row->id), db_int(deleted_us)));
    if (!rc && row->placement == SERVER_PLACEMENT_WAITING)
        rc = store_server_dequeue(c, row->id, e);
    rc = rc ? rc : store_preemption_forget(c, row->id, e);
    rc = rc ? rc : store_import_forget(c, row->id, e);
    rc = rc ? rc : store_server_clone_forget(c, row->id, e);
    if (!rc)
        rc = db_exec(c, &server_delete, &changed, e, DB_ARGS(db_text(row->id), db_int(row->revision)));
    return written_once(&last, changed, rc, e);
}

DB_STATEMENT(server_deleted, "SELECT deleted_us FROM server_history WHERE id = $1");
int store_server_was_deleted(struct db_conn *c, const char *id, bool *ret, struct error *e)
{
    struct db_rows rows;
    bool found;
    int rc = db_query(c, &server_deleted, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    found = db_next(&rows);
    rc = db_rows_done(&rows, e);
    if (!rc)
        *ret = found;
    return rc;
}

DB_STATEMENT(server_enqueue, "INSERT INTO placement_queue (server_id, created_us, attempts, until_us, batch_id, "
                             "batch_least, host_id) VALUES ($1, $2, 0, $3, $4, $5, $6)");
int store_server_enqueue_as(struct db_conn *c, const char *server_id, const struct server_waiting *how, struct error *e)
{
    return db_exec(c, &server_enqueue, NULL, e,
                   DB_ARGS(db_text(server_id), db_int(how->now_us), db_int_opt(how->until_us != 0, how->until_us),
                           db_text(how->batch_id), db_int_opt(how->batch_id != NULL, how->batch_least),
                           db_text(how->host_id)));
}

int store_server_enqueue(struct db_conn *c, const char *server_id, int64_t now_us, struct error *e)
{
    return store_server_enqueue_as(c, server_id, &(struct server_waiting){.now_us = now_us}, e);
}

DB_STATEMENT(server_dequeue, "DELETE FROM placement_queue WHERE server_id = $1");
int store_server_dequeue(struct db_conn *c, const char *server_id, struct error *e)
{
    return db_exec(c, &server_dequeue, NULL, e, DB_ARGS(db_text(server_id)));
}

static int exists(struct db_conn *c, const struct db_statement *statement, bool *ret, struct error *e,
                  const struct db_value *args, size_t count)
{
    int64_t found = 0;
    int rc = db_query_int(c, statement, &found, e, args, count);
    if (!rc)
        *ret = found != 0;
    return rc;
}

DB_STATEMENT(server_zone_exists, "SELECT COUNT(*) FROM (SELECT 1 FROM host WHERE zone = $1 LIMIT 1) z");
int store_server_zone_exists(struct db_conn *c, const char *zone, bool *ret, struct error *e)
{
    return exists(c, &server_zone_exists, ret, e, DB_ARGS(db_text(zone)));
}

DB_STATEMENT(server_group_exists, "SELECT COUNT(*) FROM server_group WHERE id = $1 AND project_id = $2");
int store_server_group_exists(struct db_conn *c, const char *group_id, const char *project_id, bool *ret,
                              struct error *e)
{
    return exists(c, &server_group_exists, ret, e, DB_ARGS(db_text(group_id), db_text(project_id)));
}
