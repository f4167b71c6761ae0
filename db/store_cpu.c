/* Two tables: host_cpu and cpu_baseline. Agents hear of a baseline with the answer that tells them what to do. */
#include "db/store_cpu.h"
#include "common/json_out.h"
#include "common/uuid.h"
#include "db/store_agent_query.h"
#include "db/store_host.h"
#include <stdio.h>
#include <string.h>

#define QUERY_KIND "cpu_baseline"
#define KEEP_US    ((int64_t)60 * 1000000)

static void wake_host(struct db_conn *c, const char *id)
{
    char topic[80];
    snprintf(topic, sizeof(topic), "host:%s", id);
    db_wake(c, topic);
}

/* ---- hosts ---- */

DB_STATEMENT(cpu_tell, "INSERT INTO host_cpu (host_id, kind, mode, model, description, features, baseline_id) "
                       "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (host_id) DO UPDATE SET kind = excluded.kind, "
                       "mode = excluded.mode, model = excluded.model, description = excluded.description, "
                       "features = excluded.features, baseline_id = excluded.baseline_id "
                       "WHERE host_cpu.kind <> excluded.kind OR host_cpu.mode <> excluded.mode OR "
                       "host_cpu.model <> excluded.model OR host_cpu.description <> excluded.description OR "
                       "host_cpu.features <> excluded.features OR host_cpu.baseline_id <> excluded.baseline_id");
int store_cpu_tell(struct db_conn *c, const struct host_cpu_row *row, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &cpu_tell, &changed, e,
                     DB_ARGS(db_text(row->host_id), db_text(row->kind), db_text(row->mode), db_text(row->model),
                             db_text(row->description), db_text(row->features), db_int(row->baseline_id)));
    if (!rc && changed > 0)
        wake_host(c, row->host_id);
    return rc;
}

DB_STATEMENT(cpu_forget, "DELETE FROM host_cpu WHERE host_id = $1");
int store_cpu_forget(struct db_conn *c, const char *host_id, struct error *e)
{
    return db_exec(c, &cpu_forget, NULL, e, DB_ARGS(db_text(host_id)));
}

DB_STATEMENT(cpu_get, "SELECT kind, mode, model, description, features, baseline_id FROM host_cpu WHERE host_id = $1");
int store_cpu_get(struct db_conn *c, const char *host_id, struct arena *a, struct host_cpu_row *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &cpu_get, &rows, e, DB_ARGS(db_text(host_id)));
    if (rc)
        return rc;
    *ret = (struct host_cpu_row){.host_id = host_id};
    if (db_next(&rows)) {
        ret->kind = db_dup_text(&rows, 0, a);
        ret->mode = db_dup_text(&rows, 1, a);
        ret->model = db_dup_text(&rows, 2, a);
        ret->description = db_dup_text(&rows, 3, a);
        ret->features = db_dup_text(&rows, 4, a);
        ret->baseline_id = db_get_int(&rows, 5);
    }
    return db_rows_done(&rows, e);
}

DB_STATEMENT(cpu_hosts, "SELECT h.id, h.name, p.kind, p.mode, p.model, p.description, p.features, p.baseline_id, "
                        "h.seen_us FROM host h JOIN host_cpu p ON p.host_id = h.id WHERE ($1 = 0 OR EXISTS "
                        "(SELECT 1 FROM aggregate_host m WHERE m.aggregate_id = $1 AND m.host_id = h.id)) "
                        "AND (p.kind = $2 OR $2 IS NULL) ORDER BY h.name");
int store_cpu_hosts(struct db_conn *c, int64_t aggregate_id, const char *kind, int64_t now_us, struct arena *a,
                    struct host_cpu_row **ret, size_t *ret_count, struct error *e)
{
    struct host_cpu_row *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &cpu_hosts, &rows, e, DB_ARGS(db_int(aggregate_id), db_text(kind)));
    if (rc)
        return rc;
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = (struct host_cpu_row){.host_id = db_dup_text(&rows, 0, a),
                                              .host_name = db_dup_text(&rows, 1, a),
                                              .kind = db_dup_text(&rows, 2, a),
                                              .mode = db_dup_text(&rows, 3, a),
                                              .model = db_dup_text(&rows, 4, a),
                                              .description = db_dup_text(&rows, 5, a),
                                              .features = db_dup_text(&rows, 6, a),
                                              .baseline_id = db_get_int(&rows, 7),
                                              .alive = now_us - db_get_int(&rows, 8) <= STORE_HOST_ALIVE_US};
    }
    *ret = list;
    *ret_count = count;
    return db_rows_done(&rows, e);
}

DB_STATEMENT(cpu_mute, "SELECT h.name FROM host h WHERE NOT EXISTS (SELECT 1 FROM host_cpu p WHERE p.host_id = h.id) "
                       "AND ($1 = 0 OR EXISTS (SELECT 1 FROM aggregate_host m WHERE m.aggregate_id = $1 AND "
                       "m.host_id = h.id)) ORDER BY h.name");
int store_cpu_mute_hosts(struct db_conn *c, int64_t aggregate_id, struct arena *a, const char ***ret, size_t *ret_count,
                         struct error *e)
{
    const char **list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &cpu_mute, &rows, e, DB_ARGS(db_int(aggregate_id)));
    if (rc)
        return rc;
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        list[count++] = db_dup_text(&rows, 0, a);
    }
    *ret = list;
    *ret_count = count;
    return db_rows_done(&rows, e);
}

/* ---- baselines ---- */

#define BASELINE_COLUMNS "b.id, b.aggregate_id, b.kind, b.model, b.description, b.features, b.hosts, b.made_us"

static void map(struct db_rows *rows, struct arena *a, struct cpu_baseline_row *ret)
{
    *ret = (struct cpu_baseline_row){.id = db_get_int(rows, 0),
                                     .aggregate_id = db_get_int(rows, 1),
                                     .kind = db_dup_text(rows, 2, a),
                                     .model = db_dup_text(rows, 3, a),
                                     .description = db_dup_text(rows, 4, a),
                                     .features = db_dup_text(rows, 5, a),
                                     .hosts = db_dup_text(rows, 6, a),
                                     .made_us = db_get_int(rows, 7)};
}

DB_STATEMENT(cpu_baselines, "SELECT " BASELINE_COLUMNS ", g.name FROM cpu_baseline b LEFT JOIN aggregate g "
                            "ON g.id = b.aggregate_id ORDER BY b.aggregate_id, b.kind");
int store_cpu_baselines(struct db_conn *c, struct arena *a, struct cpu_baseline_row **ret, size_t *ret_count,
                        struct error *e)
{
    struct cpu_baseline_row *list = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &cpu_baselines, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        map(&rows, a, &list[count]);
        list[count++].aggregate = db_dup_text(&rows, 8, a);
    }
    *ret = list;
    *ret_count = count;
    return db_rows_done(&rows, e);
}

DB_STATEMENT(cpu_baseline_of, "SELECT " BASELINE_COLUMNS " FROM host_cpu p JOIN cpu_baseline b ON b.kind = p.kind "
                              "WHERE p.host_id = $1 AND (b.aggregate_id = 0 OR EXISTS (SELECT 1 FROM aggregate_host m "
                              "WHERE m.host_id = $1 AND m.aggregate_id = b.aggregate_id)) "
                              "ORDER BY CASE b.aggregate_id WHEN 0 THEN 1 ELSE 0 END, b.aggregate_id LIMIT 1");
int store_cpu_baseline_of(struct db_conn *c, const char *host_id, struct arena *a, struct cpu_baseline_row *ret,
                          struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &cpu_baseline_of, &rows, e, DB_ARGS(db_text(host_id)));
    if (rc)
        return rc;
    *ret = (struct cpu_baseline_row){.id = 0};
    if (db_next(&rows))
        map(&rows, a, ret);
    return db_rows_done(&rows, e);
}

static int wake_hosts(struct db_conn *c, int64_t aggregate_id, struct error *e)
{
    struct host_cpu_row *hosts = NULL;
    size_t count = 0;
    struct arena a;
    arena_init(&a);
    int rc = store_cpu_hosts(c, aggregate_id, NULL, 0, &a, &hosts, &count, e);
    for (size_t i = 0; !rc && i < count; i++)
        wake_host(c, hosts[i].host_id);
    arena_done(&a);
    return rc;
}

DB_STATEMENT(cpu_baseline_set,
             "INSERT INTO cpu_baseline (id, aggregate_id, kind, model, description, features, hosts, made_us) VALUES "
             "($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (aggregate_id, kind) DO UPDATE SET id = excluded.id, "
             "model = excluded.model, description = excluded.description, features = excluded.features, "
             "hosts = excluded.hosts, made_us = excluded.made_us");
int store_cpu_baseline_set(struct db_conn *c, struct cpu_baseline_row *row, struct error *e)
{
    int rc = db_counter_next(c, "cpu_baseline", 1, &row->id, e);
    rc = rc ? rc
            : db_exec(c, &cpu_baseline_set, NULL, e,
                      DB_ARGS(db_int(row->id), db_int(row->aggregate_id), db_text(row->kind), db_text(row->model),
                              db_text(row->description), db_text(row->features), db_text(row->hosts),
                              db_int(row->made_us)));
    return rc ? rc : wake_hosts(c, row->aggregate_id, e);
}

DB_STATEMENT(cpu_baseline_remove, "DELETE FROM cpu_baseline WHERE aggregate_id = $1 AND (kind = $2 OR $2 IS NULL)");
int store_cpu_baseline_remove(struct db_conn *c, int64_t aggregate_id, const char *kind, int64_t *ret, struct error *e)
{
    int rc = db_exec(c, &cpu_baseline_remove, ret, e, DB_ARGS(db_int(aggregate_id), db_text(kind)));
    return rc ? rc : wake_hosts(c, aggregate_id, e);
}

/* ---- asking ---- */

/* The one kind that there is. */
static int find_kind(const struct host_cpu_row *hosts, size_t count, const char **ret, struct error *e)
{
    if (count == 0)
        return error_set(e, ERR_NOT_FOUND, "No host of it tells what processors its guests can have");
    for (size_t i = 1; i < count; i++)
        if (strcmp(hosts[i].kind, hosts[0].kind) != 0)
            return error_set(e, ERR_INVALID, "Its hosts are of several kinds, say which: %s, %s ...", hosts[0].kind,
                             hosts[i].kind);
    *ret = hosts[0].kind;
    return 0;
}

static char *print_args(int64_t aggregate_id, const char *kind, bool store, const struct host_cpu_row *hosts,
                        size_t count, struct arena *a)
{
    struct strbuf text;
    struct json_out o;
    strbuf_init(&text, 0);
    json_out_init(&o, &text);
    json_out_object(&o, NULL);
    json_out_int(&o, "aggregate_id", aggregate_id);
    json_out_text(&o, "cpu_kind", kind);
    json_out_bool(&o, "store", store);
    json_out_array(&o, "cpus");
    for (size_t i = 0; i < count; i++)
        json_out_text(&o, NULL, hosts[i].description);
    json_out_array_end(&o);
    json_out_array(&o, "hosts");
    for (size_t i = 0; i < count; i++)
        json_out_text(&o, NULL, hosts[i].host_name);
    json_out_array_end(&o);
    json_out_object_end(&o);
    char *copy = arena_strdup(a, text.data);
    strbuf_done(&text);
    return copy;
}

int store_cpu_baseline_ask(struct db_conn *c, int64_t aggregate_id, const char *kind, bool store, int64_t now_us,
                           struct arena *a, const char **ret_query, const char **ret_kind, struct error *e)
{
    struct host_cpu_row *hosts = NULL;
    size_t count = 0, asked = 0;
    int rc = store_cpu_hosts(c, aggregate_id, kind, now_us, a, &hosts, &count, e);
    rc = rc ? rc : find_kind(hosts, count, ret_kind, e);
    if (rc)
        return rc;
    while (asked < count && !hosts[asked].alive)
        asked++;
    if (asked == count)
        return error_set(e, ERR_CONFLICT, "None of the %zu hosts of kind %s is up", count, *ret_kind);
    char *id = arena_alloc(a, UUID_SIZE);
    *ret_query = uuid_ordered(id);
    return store_agent_query_insert(c, id, hosts[asked].host_id, "", QUERY_KIND,
                                    print_args(aggregate_id, *ret_kind, store, hosts, count, a), now_us,
                                    now_us + KEEP_US, e);
}

/* ---- the answer ---- */

DB_STATEMENT(cpu_query_args, "SELECT args FROM agent_query WHERE id = $1 AND kind = '" QUERY_KIND "'");
static int read_args(struct db_conn *c, const char *query_id, struct arena *a, const char **ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &cpu_query_args, &rows, e, DB_ARGS(db_text(query_id)));
    if (rc)
        return rc;
    *ret = db_next(&rows) ? db_dup_text(&rows, 0, a) : NULL;
    return db_rows_done(&rows, e);
}

int store_cpu_baseline_answered(struct db_conn *c, const char *query_id, json_value *answer, int64_t now_us,
                                struct arena *a, struct error *e)
{
    const char *args = NULL;
    struct json_doc doc;
    bool store = false;
    int rc = read_args(c, query_id, a, &args, e);
    if (rc || !args)
        return rc;
    rc = json_in_parse(args, strlen(args), &doc, e);
    if (rc)
        return rc;
    json_value *output = json_in_member(answer, "output"), *features = json_in_member(output, "features");
    struct cpu_baseline_row row = {.kind = json_in_text(json_in_member(doc.root, "cpu_kind")),
                                   .model = json_in_text(json_in_member(output, "model")),
                                   .description = json_in_text(json_in_member(output, "description")),
                                   .features = json_in_is_array(features) ? json_in_print(features, a) : NULL,
                                   .hosts = json_in_print(json_in_member(doc.root, "hosts"), a),
                                   .made_us = now_us};
    json_in_int(json_in_member(doc.root, "aggregate_id"), &row.aggregate_id);
    json_in_bool(json_in_member(doc.root, "store"), &store);
    if (store && row.kind && row.model && row.description && row.features)
        rc = store_cpu_baseline_set(c, &row, e);
    json_in_done(&doc);
    return rc;
}
