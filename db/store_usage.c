/* Usage intervals. The meter's cursor moves in the transaction that writes the intervals, so each event counts once
 * whatever dies when. */
#include "db/store_usage.h"
#include "db/store_ledger.h"
#include <string.h>

static void copy_text(char *to, size_t size, const char *from)
{
    if (from) {
        strncpy(to, from, size - 1);
    }
}

static enum server_state state_of(const char *name)
{
    int state = server_state_parse(name);
    return state < 0 ? SERVER_STATE_NONE : (enum server_state)state;
}

DB_STATEMENT(usage_events,
             "SELECT id, server_id, project_id, host_id, flavor_name, state, vcpus, memory_mib, disk_gib, "
             "at_us, zone, tags, extra, CASE WHEN host_id = '' THEN place ELSE host_id END FROM lifecycle_event WHERE "
             "id > $1 ORDER BY id LIMIT $2");
int store_usage_events(struct db_conn *c, int64_t position, int64_t limit, struct arena *a,
                       struct usage_event **ret_events, size_t *ret_count, struct error *e)
{
    struct usage_event *events = NULL;
    size_t count = 0, room = 0;
    struct db_rows rows;
    int rc = db_query(c, &usage_events, &rows, e, DB_ARGS(db_int(position), db_int(limit)));
    if (rc) {
        return rc;
    }
    while (count < (size_t)limit && db_next(&rows)) {
        events = arena_more(a, events, count, &room, sizeof(*events));
        struct usage_event *x = &events[count++];
        x->id = db_get_int(&rows, 0);
        x->server_id = db_dup_text(&rows, 1, a);
        x->project_id = db_dup_text(&rows, 2, a);
        x->host_id = db_dup_text(&rows, 13, a);
        x->flavor = db_dup_text(&rows, 4, a);
        x->state = state_of(db_get_text(&rows, 5));
        x->vcpus = db_get_int(&rows, 6);
        x->memory_mib = db_get_int(&rows, 7);
        x->disk_gib = db_get_int(&rows, 8);
        x->at_us = db_get_int(&rows, 9);
        x->zone = db_dup_text(&rows, 10, a);
        x->tags = db_dup_text(&rows, 11, a);
        x->extra = db_dup_text(&rows, 12, a);
    }
    rc = db_rows_done(&rows, e);
    if (!rc) {
        *ret_events = events;
        *ret_count = count;
    }
    return rc;
}

DB_STATEMENT(usage_newest_event, "SELECT coalesce(max(id), 0) FROM lifecycle_event");
int store_usage_newest_event(struct db_conn *c, int64_t *ret, struct error *e)
{
    return db_query_int(c, &usage_newest_event, ret, e, DB_NO_ARGS);
}

DB_STATEMENT(usage_cursor, "SELECT coalesce(max(position), 0) FROM meter_cursor WHERE name = $1");
int store_usage_cursor(struct db_conn *c, const char *name, int64_t *ret_position, struct error *e)
{
    return db_query_int(c, &usage_cursor, ret_position, e, DB_ARGS(db_text(name)));
}

DB_STATEMENT(usage_cursor_start, "INSERT INTO meter_cursor (name, position, updated_us, clamped) "
                                 "VALUES ($1, 0, $2, 0) ON CONFLICT (name) DO NOTHING");
DB_STATEMENT(usage_cursor_move, "UPDATE meter_cursor SET position = $3, clamped = clamped + $4, updated_us = $5 "
                                "WHERE name = $1 AND position = $2");
int store_usage_advance(struct db_conn *c, const char *name, int64_t expected, int64_t position, int64_t clamped,
                        int64_t now_us, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &usage_cursor_start, NULL, e, DB_ARGS(db_text(name), db_int(now_us)));
    rc = rc ? rc
            : db_exec(c, &usage_cursor_move, &changed, e,
                      DB_ARGS(db_text(name), db_int(expected), db_int(position), db_int(clamped), db_int(now_us)));
    if (!rc && changed == 0) {
        rc = error_set(e, ERR_CONFLICT, "another meter has moved the cursor %s", name);
    }
    return rc;
}

int store_usage_taken(struct db_conn *c, int64_t *ret_position, struct error *e)
{
    int64_t newest = 0;
    int rc = store_usage_cursor(c, "intervals", ret_position, e);
    rc = rc ? rc : store_usage_newest_event(c, &newest, e);
    if (!rc && newest <= *ret_position) {
        *ret_position = INT64_MAX;
    }
    return rc;
}

static void read_interval(const struct db_rows *rows, struct usage_row *ret)
{
    memset(ret, 0, sizeof(*ret));
    copy_text(ret->server_id, sizeof(ret->server_id), db_get_text(rows, 0));
    ret->begin_event = db_get_int(rows, 1);
    copy_text(ret->project_id, sizeof(ret->project_id), db_get_text(rows, 2));
    copy_text(ret->host_id, sizeof(ret->host_id), db_get_text(rows, 3));
    ret->interval.state = state_of(db_get_text(rows, 4));
    copy_text(ret->flavor, sizeof(ret->flavor), db_get_text(rows, 5));
    ret->interval.flavor = ret->flavor;
    ret->interval.vcpus = db_get_int(rows, 6);
    ret->interval.memory_mib = db_get_int(rows, 7);
    ret->interval.disk_gib = db_get_int(rows, 8);
    ret->interval.begin_us = db_get_int(rows, 9);
    ret->interval.end_us = db_get_int(rows, 10);
}

/* The halves of the list are named one by one, so that each is read by its own index. */
#define SERVERS_FROM                                                                                                   \
    " u JOIN usage_name s ON s.no = u.subject_no AND s.kind = 'server' JOIN usage_name p ON p.no = u.project_no "      \
    "JOIN usage_name h ON h.no = u.host_no JOIN usage_shape f ON f.no = u.shape_no "
#define SERVER_COLUMNS                                                                                                 \
    "s.text, u.begin_event, p.text, h.text, f.state, f.flavor_name, f.vcpus, f.memory_mib, f.disk_gib, u.begin_us"
DB_STATEMENT(usage_each_project,
             "SELECT " SERVER_COLUMNS ", u.end_us FROM usage_closed" SERVERS_FROM
             "WHERE u.project_no = (SELECT no FROM usage_name WHERE kind = 'project' AND text = $1) AND u.end_us > $2 "
             "AND u.begin_us < $3 AND (s.text = $4 OR $4 IS NULL) "
             "UNION ALL SELECT " SERVER_COLUMNS ", " STORE_USAGE_END " FROM usage_open" SERVERS_FROM STORE_USAGE_ENDS(
                 "$5") "WHERE u.project_no = (SELECT no FROM usage_name WHERE kind = 'project' AND text = $1) "
                       "AND u.begin_us < $3 AND (l.id IS NULL OR l.at_us > $2) AND (s.text = $4 OR $4 IS NULL) ORDER "
                       "BY 1, 10, 2");
static int each_of_project(struct db_conn *c, const char *project_id, const char *server_id, int64_t from_us,
                           int64_t to_us, usage_row_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int64_t taken = 0;
    int rc = store_usage_taken(c, &taken, e);
    rc = rc ? rc
            : db_query(c, &usage_each_project, &rows, e,
                       DB_ARGS(db_text(project_id), db_int(from_us), db_int(to_us), db_text(server_id), db_int(taken)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        struct usage_row row;
        read_interval(&rows, &row);
        rc = fn(arg, &row, e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

struct projects {
    struct arena arena;
    const char **items;
    size_t count, room;
};

static int add_project(void *arg, int64_t no, const char *text, struct error *e)
{
    struct projects *p = arg;
    (void)no, (void)e;
    p->items = arena_more(&p->arena, p->items, p->count, &p->room, sizeof(*p->items));
    p->items[p->count++] = arena_strdup(&p->arena, text);
    return 0;
}

int store_usage_each(struct db_conn *c, const char *project_id, const char *server_id, int64_t from_us, int64_t to_us,
                     usage_row_fn fn, void *arg, struct error *e)
{
    struct projects p = {0};
    if (project_id) {
        return each_of_project(c, project_id, server_id, from_us, to_us, fn, arg, e);
    }
    arena_init(&p.arena);
    int rc = store_ledger_projects(c, add_project, &p, e);
    for (size_t i = 0; !rc && i < p.count; i++) {
        rc = each_of_project(c, p.items[i], server_id, from_us, to_us, fn, arg, e);
    }
    arena_done(&p.arena);
    return rc;
}

DB_STATEMENT(usage_server, "SELECT name, 0 FROM server WHERE id = $1 UNION ALL "
                           "SELECT name, 1 FROM server_history WHERE id = $1");
int store_usage_server(struct db_conn *c, const char *server_id, struct arena *a, const char **ret_name, bool *ret_gone,
                       struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &usage_server, &rows, e, DB_ARGS(db_text(server_id)));
    if (rc) {
        return rc;
    }
    bool found = db_next(&rows);
    if (found) {
        *ret_name = db_dup_text(&rows, 0, a);
        *ret_gone = db_get_int(&rows, 1) != 0;
    }
    rc = db_rows_done(&rows, e);
    return rc || found ? rc : error_set(e, ERR_NOT_FOUND, "server %s could not be found", server_id);
}
