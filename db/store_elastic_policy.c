/* Policies, metrics and events of elastic groups. */
#include "db/store_elastic_policy.h"
#include "common/uuid.h"

DB_STATEMENT(elastic_policy_insert, "INSERT INTO elastic_policy (id, group_id, kind, body, hook_hash, fired_us, "
                                    "created_us) VALUES ($1, $2, $3, $4, $5, 0, $6)");
int store_elastic_policy_insert(struct db_conn *c, const struct elastic_policy_row *row, struct error *e)
{
    return db_exec(c, &elastic_policy_insert, NULL, e,
                   DB_ARGS(db_text(row->id), db_text(row->group_id), db_text(row->kind), db_text(row->body),
                           db_text(row->hook_hash), db_int(row->created_us)));
}

#define POLICY_COLUMNS "id, group_id, kind, body, hook_hash, fired_us, created_us, hook_busy_us"

static void map_policy(const struct db_rows *rows, struct arena *a, struct elastic_policy_row *ret)
{
    *ret = (struct elastic_policy_row){.id = db_dup_text(rows, 0, a),
                                       .group_id = db_dup_text(rows, 1, a),
                                       .kind = db_dup_text(rows, 2, a),
                                       .body = db_dup_text(rows, 3, a),
                                       .hook_hash = db_dup_text(rows, 4, a),
                                       .fired_us = db_get_int(rows, 5),
                                       .created_us = db_get_int(rows, 6),
                                       .hook_busy_us = db_get_int(rows, 7)};
}

DB_STATEMENT(elastic_policy_list, "SELECT " POLICY_COLUMNS " FROM elastic_policy WHERE group_id = $1 ORDER BY id");
int store_elastic_policy_list(struct db_conn *c, const char *group_id, struct arena *a,
                              struct elastic_policy_row **ret_rows, size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    struct elastic_policy_row *list = NULL;
    size_t count = 0, room = 0;
    int rc = db_query(c, &elastic_policy_list, &rows, e, DB_ARGS(db_text(group_id)));
    if (rc)
        return rc;
    while (db_next(&rows)) {
        list = arena_more(a, list, count, &room, sizeof(*list));
        map_policy(&rows, a, &list[count++]);
    }
    rc = db_rows_done(&rows, e);
    if (!rc) {
        *ret_rows = list;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(elastic_policy_get, "SELECT " POLICY_COLUMNS " FROM elastic_policy WHERE id = $1");
int store_elastic_policy_get(struct db_conn *c, const char *id, struct arena *a, struct elastic_policy_row *ret,
                             struct error *e)
{
    struct db_rows rows;
    struct elastic_policy_row row;
    int rc = db_query(c, &elastic_policy_get, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    bool found = db_next(&rows);
    if (found)
        map_policy(&rows, a, &row);
    rc = db_rows_done(&rows, e);
    if (!rc && !found)
        rc = error_set(e, ERR_NOT_FOUND, "There is no such policy.");
    if (!rc)
        *ret = row;
    return rc;
}

DB_STATEMENT(elastic_policy_fired, "UPDATE elastic_policy SET fired_us = $2, hook_busy_us = $3 WHERE id = $1");
int store_elastic_policy_fired(struct db_conn *c, const char *id, int64_t now_us, int64_t hook_busy_us, struct error *e)
{
    return db_exec(c, &elastic_policy_fired, NULL, e, DB_ARGS(db_text(id), db_int(now_us), db_int(hook_busy_us)));
}

DB_STATEMENT(elastic_policy_delete, "DELETE FROM elastic_policy WHERE id = $1 AND group_id = $2");
int store_elastic_policy_delete(struct db_conn *c, const char *id, const char *group_id, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &elastic_policy_delete, &changed, e, DB_ARGS(db_text(id), db_text(group_id)));
    return rc || changed == 1 ? rc : error_set(e, ERR_NOT_FOUND, "Policy %s could not be found.", id);
}

DB_STATEMENT(elastic_metric_put,
             "INSERT INTO elastic_metric (group_id, name, server_id, value, at_us) VALUES ($1, $2, $3, $4, $5) "
             "ON CONFLICT (group_id, name, server_id) DO UPDATE SET value = excluded.value, at_us = excluded.at_us");
int store_elastic_policy_metric_put(struct db_conn *c, const char *group_id, const char *name, const char *server_id,
                                    int64_t value, int64_t now_us, struct error *e)
{
    return db_exec(c, &elastic_metric_put, NULL, e,
                   DB_ARGS(db_text(group_id), db_text(name), db_text(server_id), db_int(value), db_int(now_us)));
}

DB_STATEMENT(elastic_metric_group, "SELECT value FROM elastic_metric WHERE group_id = $1 AND name = $2 AND "
                                   "server_id = '' AND at_us >= $3");
DB_STATEMENT(elastic_metric_sum, "SELECT CAST(COALESCE(SUM(x.value), 0) AS BIGINT), COUNT(*) FROM elastic_metric x "
                                 "JOIN elastic_member m ON m.server_id = x.server_id WHERE x.group_id = $1 AND "
                                 "x.name = $2 AND x.at_us >= $3 AND m.group_id = $1 AND m.state = 'healthy'");
int store_elastic_policy_metric_sum(struct db_conn *c, const char *group_id, const char *name, int64_t since_us,
                                    bool whole_group, int64_t *ret_sum, int64_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int64_t sum = 0, count = 0;
    int rc = db_query(c, whole_group ? &elastic_metric_group : &elastic_metric_sum, &rows, e,
                      DB_ARGS(db_text(group_id), db_text(name), db_int(since_us)));
    if (rc)
        return rc;
    if (db_next(&rows)) {
        sum = db_get_int(&rows, 0);
        count = whole_group ? 1 : db_get_int(&rows, 1);
    }
    rc = db_rows_done(&rows, e);
    if (!rc) {
        *ret_sum = sum;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(elastic_metric_purge, "DELETE FROM elastic_metric WHERE group_id = $1 AND at_us < $2");
int store_elastic_policy_metric_purge(struct db_conn *c, const char *group_id, int64_t before_us, struct error *e)
{
    return db_exec(c, &elastic_metric_purge, NULL, e, DB_ARGS(db_text(group_id), db_int(before_us)));
}

DB_STATEMENT(elastic_event_add,
             "INSERT INTO elastic_event (id, group_id, kind, message, at_us) VALUES ($1, $2, $3, $4, $5)");
int store_elastic_policy_event_add(struct db_conn *c, const char *group_id, const char *kind, const char *message,
                                   int64_t now_us, struct error *e)
{
    char id[UUID_SIZE];
    return db_exec(
        c, &elastic_event_add, NULL, e,
        DB_ARGS(db_text(uuid_ordered(id)), db_text(group_id), db_text(kind), db_text(message), db_int(now_us)));
}

DB_STATEMENT(elastic_event_list, "SELECT id, kind, message, at_us FROM elastic_event WHERE group_id = $1 AND id < $2 "
                                 "ORDER BY id DESC LIMIT $3");
int store_elastic_policy_event_list(struct db_conn *c, const char *group_id, const char *before, int64_t limit,
                                    store_elastic_policy_event_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &elastic_event_list, &rows, e,
                                DB_ARGS(db_text(group_id), db_text(before ? before : "g"), db_int(limit)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct elastic_event_row row = {.id = db_get_text(&rows, 0),
                                        .kind = db_get_text(&rows, 1),
                                        .message = db_get_text(&rows, 2),
                                        .at_us = db_get_int(&rows, 3)};
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(elastic_event_purge, "DELETE FROM elastic_event WHERE group_id = $1 AND at_us < $2");
int store_elastic_policy_event_purge(struct db_conn *c, const char *group_id, int64_t before_us, struct error *e)
{
    return db_exec(c, &elastic_event_purge, NULL, e, DB_ARGS(db_text(group_id), db_int(before_us)));
}
