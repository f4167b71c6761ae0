/* Migrations: the row mapper, and what changes a row. A step compares and sets the step that it leaves, so that two
 * schedulers never take the same one twice. */
#include "db/store_migration.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "db/store_host.h"
#include <string.h>

#define OWN_COLUMNS                                                                                                    \
    "m.id, m.uuid, m.server_id, m.operation_id, m.project_id, m.user_id, m.kind, m.step, m.outcome, m.request, "       \
    "m.source_host, m.target_host, m.wanted_host, m.drain_host, m.power, m.old_flavor, m.new_flavor, m.options, "      \
    "m.progress, m.hint, m.message, m.created_us, m.updated_us, m.deadline_us"
/* Of a host that was removed, too. */
#define HOST_NAME(host, column)                                                                                        \
    "COALESCE(" host ".name, (SELECT MAX(p.name) FROM host_past p WHERE p.id = m." column "))"
#define SOURCE_NAME HOST_NAME("s", "source_host")
#define TARGET_NAME HOST_NAME("t", "target_host")
#define MIGRATION_SELECT                                                                                               \
    "SELECT " OWN_COLUMNS ", " SOURCE_NAME ", " TARGET_NAME ", t.address FROM migration m "                            \
    "LEFT JOIN host s ON s.id = m.source_host LEFT JOIN host t ON t.id = m.target_host "
/* Its owner is not settled. */
#define UNSETTLED "m.step NOT IN ('clearing', 'undoing', 'done') "

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

static int word(struct reader *r, int (*parse)(const char *))
{
    return parse(db_get_text(r->rows, r->column++));
}

static int map(const struct db_rows *rows, struct arena *a, struct migration_row *ret, struct error *e)
{
    struct reader r = {.rows = rows, .a = a, .column = 1};
    struct migration_row row = {.id = db_get_int(rows, 0)};
    int kind, step, outcome, request, power;
    row.uuid = text(&r);
    row.server_id = text(&r);
    row.operation_id = text(&r);
    row.project_id = text(&r);
    row.user_id = text(&r);
    kind = word(&r, migration_kind_parse);
    step = word(&r, migration_step_parse);
    outcome = word(&r, migration_outcome_parse);
    request = word(&r, migration_request_parse);
    row.source_host = text(&r);
    row.target_host = text(&r);
    row.wanted_host = text(&r);
    row.drain_host = text(&r);
    power = word(&r, server_power_parse);
    row.old_flavor = text(&r);
    row.new_flavor = text(&r);
    row.options = text(&r);
    row.progress = text(&r);
    row.hint = text(&r);
    row.message = text(&r);
    row.created_us = db_get_int(rows, r.column++);
    row.updated_us = db_get_int(rows, r.column++);
    row.deadline_us = db_get_int(rows, r.column++);
    row.source_name = text(&r);
    row.target_name = text(&r);
    row.target_address = text(&r);
    if (kind < 0 || step < 0 || outcome < 0 || request < 0 || power < 0)
        return error_set(e, ERR_CORRUPT, "migration %lld has a state that nobody knows", (long long)row.id);
    row.kind = (enum migration_kind)kind;
    row.step = (enum migration_step)step;
    row.outcome = (enum migration_outcome)outcome;
    row.request = (enum migration_request)request;
    row.power = (enum server_power)power;
    *ret = row;
    return 0;
}

static int first(struct db_rows *rows, struct arena *a, struct migration_row *ret, struct error *e)
{
    struct migration_row row;
    bool found = db_next(rows);
    int mapped = found ? map(rows, a, &row, e) : 0, rc = db_rows_done(rows, e);
    if (rc || mapped)
        return rc ? rc : mapped;
    if (!found)
        return error_set(e, ERR_NOT_FOUND, "Migration could not be found.");
    *ret = row;
    return 0;
}

bool store_migration_is_local(const struct migration_row *row)
{
    return row->kind == MIGRATION_RESIZE && row->target_host && strcmp(row->source_host, row->target_host) == 0;
}

DB_STATEMENT(migration_insert,
             "INSERT INTO migration (id, uuid, server_id, operation_id, project_id, user_id, kind, step, outcome, "
             "request, source_host, target_host, wanted_host, drain_host, power, old_flavor, new_flavor, options, "
             "progress, message, created_us, updated_us, deadline_us, ended) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
             "$9, $10, $11, NULL, $12, $13, $14, $15, $16, $17, '{}', NULL, $18, $18, $19, 0)");
int store_migration_insert(struct db_conn *c, struct migration_row *row, struct error *e)
{
    int rc = db_counter_next(c, "migration", 1, &row->id, e);
    if (rc)
        return rc;
    db_wake(c, "placement");
    return db_exec(c, &migration_insert, NULL, e,
                   DB_ARGS(db_int(row->id), db_text(row->uuid), db_text(row->server_id), db_text(row->operation_id),
                           db_text(row->project_id), db_text(row->user_id), db_text(migration_kind_name(row->kind)),
                           db_text(migration_step_name(row->step)), db_text(migration_outcome_name(row->outcome)),
                           db_text(migration_request_name(row->request)), db_text(row->source_host),
                           db_text(row->wanted_host), db_text(row->drain_host), db_text(server_power_name(row->power)),
                           db_text(row->old_flavor), db_text(row->new_flavor), db_text(row->options),
                           db_int(row->created_us), db_int_opt(row->deadline_us != 0, row->deadline_us)));
}

DB_STATEMENT(migration_by_id, MIGRATION_SELECT "WHERE m.id = $1");
int store_migration_get(struct db_conn *c, int64_t id, struct arena *a, struct migration_row *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &migration_by_id, &rows, e, DB_ARGS(db_int(id)));
    return rc ? rc : first(&rows, a, ret, e);
}

DB_STATEMENT(migration_of_server,
             MIGRATION_SELECT "WHERE m.server_id = $1 AND m.ended = 0 AND " UNSETTLED "ORDER BY m.id DESC LIMIT 1");
int store_migration_of_server(struct db_conn *c, const char *server_id, struct arena *a, struct migration_row *ret,
                              struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &migration_of_server, &rows, e, DB_ARGS(db_text(server_id)));
    return rc ? rc : first(&rows, a, ret, e);
}

DB_STATEMENT(migration_involves, "SELECT COUNT(*) FROM migration WHERE server_id = $1 AND ended = 0 "
                                 "AND (source_host = $2 OR target_host = $2)");
int store_migration_involves(struct db_conn *c, const char *server_id, const char *host_id, bool *ret, struct error *e)
{
    int64_t count = 0;
    int rc = db_query_int(c, &migration_involves, &count, e, DB_ARGS(db_text(server_id), db_text(host_id)));
    if (!rc)
        *ret = count > 0;
    return rc;
}

DB_STATEMENT(migration_rows, MIGRATION_SELECT
             "WHERE (m.server_id = $1 OR $1 IS NULL) AND (s.name = $2 OR t.name = $2 OR $2 IS NULL) "
             "AND (s.name = $3 OR $3 IS NULL) AND (m.kind = $4 OR $4 IS NULL) AND (m.drain_host = $5 OR $5 IS NULL) "
             "AND (m.project_id = $6 OR $6 IS NULL) AND (m.user_id = $7 OR $7 IS NULL) AND (m.id < $8 OR $8 IS NULL) "
             "AND (m.updated_us >= $9 OR $9 IS NULL) AND (m.updated_us <= $10 OR $10 IS NULL) "
             "AND (m.ended = $11 OR $11 IS NULL) AND ($12 = 0 OR (m.kind = 'live-migration' AND m.ended = 0 "
             "AND " UNSETTLED ")) ORDER BY m.id DESC LIMIT $13");
int store_migration_list(struct db_conn *c, const struct migration_filter *f, store_migration_fn each, void *arg,
                         struct error *e)
{
    struct db_rows rows;
    int stop = 0,
        rc = db_query(c, &migration_rows, &rows, e,
                      DB_ARGS(db_text(f->server_id), db_text(f->host), db_text(f->source_host), db_text(f->kind),
                              db_text(f->drain_host), db_text(f->project_id), db_text(f->user_id),
                              db_int_opt(f->marker != 0, f->marker), db_int_opt(f->since_us != 0, f->since_us),
                              db_int_opt(f->before_us != 0, f->before_us), db_int_opt(f->open, 0), db_int(f->live),
                              db_int(f->limit != 0 ? f->limit : INT64_MAX)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct migration_row row;
        stop = map(&rows, NULL, &row, e);
        if (!stop)
            stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(migration_open, "SELECT id FROM migration WHERE ended = 0 ORDER BY id");
int store_migration_open(struct db_conn *c, struct arena *a, int64_t **ret, size_t *ret_count, struct error *e)
{
    int64_t *ids = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &migration_open, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    while (db_next(&rows)) {
        ids = arena_more(a, ids, count, &room, sizeof(*ids));
        ids[count++] = db_get_int(&rows, 0);
    }
    rc = db_rows_done(&rows, e);
    if (!rc) {
        *ret = ids;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(migration_move, "UPDATE migration SET step = $3, outcome = $4, request = $5, target_host = $6, "
                             "message = $7, deadline_us = $8, updated_us = $9, ended = $10, hint = $11 WHERE id = $1 "
                             "AND step = $2");
int store_migration_move(struct db_conn *c, const struct migration_row *row, enum migration_step from, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &migration_move, &changed, e,
                     DB_ARGS(db_int(row->id), db_text(migration_step_name(from)),
                             db_text(migration_step_name(row->step)), db_text(migration_outcome_name(row->outcome)),
                             db_text(migration_request_name(row->request)), db_text(row->target_host),
                             db_text(row->message), db_int_opt(row->deadline_us != 0, row->deadline_us),
                             db_int(row->updated_us), db_int(row->step == MIGRATION_DONE), db_text(row->hint)));
    if (!rc && changed != 1)
        rc = error_set(e, ERR_SERIALIZATION, "migration %lld was moved at the same time", (long long)row->id);
    return rc;
}

DB_STATEMENT(migration_ask, "UPDATE migration SET request = $2 WHERE id = $1 AND ended = 0");
int store_migration_ask(struct db_conn *c, int64_t id, enum migration_request request, struct error *e)
{
    db_wake(c, "placement");
    return db_exec(c, &migration_ask, NULL, e, DB_ARGS(db_int(id), db_text(migration_request_name(request))));
}

DB_STATEMENT(migration_options, "UPDATE migration SET options = $2 WHERE id = $1");
int store_migration_set_options(struct db_conn *c, int64_t id, const char *options, struct error *e)
{
    return db_exec(c, &migration_options, NULL, e, DB_ARGS(db_int(id), db_text(options)));
}

DB_STATEMENT(migration_trouble, "UPDATE migration SET message = $2 WHERE server_id = $1 AND ended = 0 "
                                "AND message IS NULL AND step NOT IN ('clearing', 'undoing')");
int store_migration_trouble(struct db_conn *c, const char *server_id, const char *message, struct error *e)
{
    db_wake(c, "placement");
    return db_exec(c, &migration_trouble, NULL, e, DB_ARGS(db_text(server_id), db_text(message)));
}

/* ---- allocations ---- */

DB_STATEMENT(migration_take, "UPDATE host SET used_vcpus = used_vcpus + $3, used_memory_mib = used_memory_mib + $4, "
                             "used_disk_gib = used_disk_gib + $5, server_count = server_count + 1, "
                             "allocation_revision = allocation_revision + 1, feed = $6 "
                             "WHERE id = $1 AND allocation_revision = $2");
int store_migration_hold(struct db_conn *c, const struct migration_row *row, const char *host_id, int64_t expected,
                         const char *project_id, const struct store_holding *holding, int64_t now_us, struct error *e)
{
    const int64_t *n = holding->need.amount;
    int64_t feed = 0, changed = 0;
    int rc = db_counter_next(c, "host_feed", 1, &feed, e);
    rc = rc ? rc
            : db_exec(c, &migration_take, &changed, e,
                      DB_ARGS(db_text(host_id), db_int(expected), db_int(n[RESOURCE_VCPU]),
                              db_int(n[RESOURCE_MEMORY_MIB]), db_int(n[RESOURCE_DISK_GIB]), db_int(feed)));
    if (!rc && changed == 0)
        return error_set(e, ERR_CONFLICT, "the allocations of host %s have changed", host_id);
    return rc ? rc : store_resource_hold(c, row->uuid, host_id, project_id, holding, now_us, e);
}

/* The key is what is exchanged; a third name keeps it unique on the way. */
DB_STATEMENT(migration_rename, "UPDATE allocation SET server_id = $2 WHERE server_id = $1");
int store_migration_exchange(struct db_conn *c, const struct migration_row *row, struct error *e)
{
    int rc = db_exec(c, &migration_rename, NULL, e, DB_ARGS(db_text(row->server_id), db_text("exchanged")));
    rc = rc ? rc : db_exec(c, &migration_rename, NULL, e, DB_ARGS(db_text(row->uuid), db_text(row->server_id)));
    return rc ? rc : db_exec(c, &migration_rename, NULL, e, DB_ARGS(db_text("exchanged"), db_text(row->uuid)));
}

DB_STATEMENT(migration_shift, "UPDATE allocation SET vcpus = vcpus + $2, memory_mib = memory_mib + $3, "
                              "disk_gib = disk_gib + $4 WHERE server_id = $1");
static int shift(struct db_conn *c, const char *consumer, const struct resources *more, int sign, struct error *e)
{
    return db_exec(c, &migration_shift, NULL, e,
                   DB_ARGS(db_text(consumer), db_int(sign * more->amount[RESOURCE_VCPU]),
                           db_int(sign * more->amount[RESOURCE_MEMORY_MIB]),
                           db_int(sign * more->amount[RESOURCE_DISK_GIB])));
}

int store_migration_shift(struct db_conn *c, const struct migration_row *row, const struct resources *more, int sign,
                          struct error *e)
{
    int rc = shift(c, row->server_id, more, sign, e);
    return rc ? rc : shift(c, row->uuid, more, -sign, e);
}

/* ---- the server ---- */

struct flavor {
    const char *id, *name, *extra;
    int64_t vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib;
};

static int read_flavor(const char *json, struct arena *a, struct flavor *ret, struct error *e)
{
    struct json_doc doc;
    int rc = json_in_parse(json, strlen(json), &doc, e);
    if (rc)
        return rc;
    *ret = (struct flavor){.id = arena_strdup(a, json_in_text(json_in_member(doc.root, "id"))),
                           .name = arena_strdup(a, json_in_text(json_in_member(doc.root, "name"))),
                           .extra = json_in_print(json_in_member(doc.root, "extra"), a)};
    json_in_int(json_in_member(doc.root, "vcpus"), &ret->vcpus);
    json_in_int(json_in_member(doc.root, "memory_mib"), &ret->memory_mib);
    json_in_int(json_in_member(doc.root, "root_gib"), &ret->root_gib);
    json_in_int(json_in_member(doc.root, "ephemeral_gib"), &ret->ephemeral_gib);
    json_in_int(json_in_member(doc.root, "swap_mib"), &ret->swap_mib);
    json_in_done(&doc);
    return ret->id && ret->name ? 0 : error_set(e, ERR_CORRUPT, "a migration's flavor is damaged");
}

char *store_migration_flavor(const struct server_row *row, struct arena *a)
{
    struct strbuf text;
    struct json_out out;
    char *copy;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_text(&out, "id", row->flavor_id);
    json_out_text(&out, "name", row->flavor_name);
    json_out_int(&out, "vcpus", row->vcpus);
    json_out_int(&out, "memory_mib", row->memory_mib);
    json_out_int(&out, "root_gib", row->root_gib);
    json_out_int(&out, "ephemeral_gib", row->ephemeral_gib);
    json_out_int(&out, "swap_mib", row->swap_mib);
    json_out_raw(&out, "extra", row->flavor_extra);
    json_out_object_end(&out);
    copy = arena_strdup(a, text.data);
    strbuf_done(&text);
    return copy;
}

int store_migration_need(const char *flavor, struct resources *ret, struct error *e)
{
    struct flavor f;
    struct arena a;
    arena_init(&a);
    int rc = read_flavor(flavor, &a, &f, e);
    if (!rc)
        *ret = (struct resources){{f.vcpus, f.memory_mib, f.root_gib + f.ephemeral_gib + (f.swap_mib + 1023) / 1024}};
    arena_done(&a);
    return rc;
}

int store_migration_wear(struct server_row *row, const char *flavor, struct arena *a, struct error *e)
{
    struct flavor f;
    int rc = read_flavor(flavor, a, &f, e);
    if (rc)
        return rc;
    row->flavor_id = f.id;
    row->flavor_name = f.name;
    row->flavor_extra = f.extra;
    row->vcpus = f.vcpus;
    row->memory_mib = f.memory_mib;
    row->root_gib = f.root_gib;
    row->ephemeral_gib = f.ephemeral_gib;
    row->swap_mib = f.swap_mib;
    return 0;
}

DB_STATEMENT(migration_rehome,
             "UPDATE server SET host_id = $3, flavor_id = $4, flavor_name = $5, vcpus = $6, "
             "memory_mib = $7, root_gib = $8, ephemeral_gib = $9, swap_mib = $10, flavor_extra = $11, "
             "revision = revision + 1 WHERE id = $1 AND revision = $2");
int store_migration_rehome(struct db_conn *c, struct server_row *row, const char *host_id, const char *flavor,
                           struct arena *a, struct error *e)
{
    int64_t changed = 0;
    int rc = store_migration_wear(row, flavor, a, e);
    rc = rc ? rc
            : db_exec(c, &migration_rehome, &changed, e,
                      DB_ARGS(db_text(row->id), db_int(row->revision), db_text(host_id), db_text(row->flavor_id),
                              db_text(row->flavor_name), db_int(row->vcpus), db_int(row->memory_mib),
                              db_int(row->root_gib), db_int(row->ephemeral_gib), db_int(row->swap_mib),
                              db_text(row->flavor_extra)));
    if (!rc && changed != 1)
        rc = error_set(e, ERR_SERIALIZATION, "server %s was changed at the same time", row->id);
    if (!rc) {
        row->revision++;
        row->host_id = host_id;
    }
    return rc;
}
