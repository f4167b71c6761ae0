/* One row per host, so that a report costs one write however many servers it is about. A line that cannot be read is
 * left out: the next samples bring it again. */
#include "db/store_host_load.h"
#include "common/strbuf.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void parse(const char *body, struct arena *a, struct host_load **ret, size_t *ret_count)
{
    struct host_load *loads = NULL;
    size_t count = 0, room = 0;
    for (const char *line = body; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        struct host_load one = {.cpu_milli = -1};
        if (sscanf(line, "%39s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, one.server_id, &one.at_us, &one.cpu_ns,
                   &one.cpu_milli, &one.memory_mib) != 5)
            continue;
        loads = arena_more(a, loads, count, &room, sizeof(*loads));
        loads[count++] = one;
    }
    *ret = loads;
    *ret_count = count;
}

DB_STATEMENT(host_load_get, "SELECT body FROM host_load WHERE host_id = $1");
int store_host_load_get(struct db_conn *c, const char *host_id, struct arena *a, struct host_load **ret,
                        size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &host_load_get, &rows, e, DB_ARGS(db_text(host_id)));
    if (rc)
        return rc;
    *ret = NULL;
    *ret_count = 0;
    if (db_next(&rows))
        parse(db_get_text(&rows, 0), a, ret, ret_count);
    return db_rows_done(&rows, e);
}

DB_STATEMENT(host_load_put, "INSERT INTO host_load (host_id, body, updated_us) VALUES ($1, $2, $3) ON CONFLICT "
                            "(host_id) DO UPDATE SET body = excluded.body, updated_us = excluded.updated_us");
int store_host_load_put(struct db_conn *c, const char *host_id, const struct host_load *loads, size_t count,
                        int64_t now_us, struct error *e)
{
    struct strbuf body;
    strbuf_init(&body, 0);
    for (size_t i = 0; i < count; i++)
        strbuf_appendf(&body, "%s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", loads[i].server_id,
                       loads[i].at_us, loads[i].cpu_ns, loads[i].cpu_milli, loads[i].memory_mib);
    int rc = db_exec(c, &host_load_put, NULL, e,
                     DB_ARGS(db_text(host_id), db_text(body.size ? body.data : ""), db_int(now_us)));
    strbuf_done(&body);
    return rc;
}

/* The target may have sampled it already, while it was on its way: that says where its counter stands there, but
 * nothing yet of what it uses. */
static int give(struct db_conn *c, const char *host_id, const struct host_load *load, int64_t now_us, struct arena *a,
                struct error *e)
{
    struct host_load *loads = NULL;
    size_t count = 0, i = 0;
    int rc = store_host_load_get(c, host_id, a, &loads, &count, e);
    if (rc)
        return rc;
    struct host_load *more = arena_array(a, count + 1, sizeof(*more));
    if (count > 0)
        memcpy(more, loads, count * sizeof(*more));
    while (i < count && strcmp(more[i].server_id, load->server_id) != 0)
        i++;
    if (i == count) {
        more[count++] = *load;
    } else if (load->cpu_milli >= 0) {
        more[i].cpu_milli = load->cpu_milli;
        more[i].memory_mib = load->memory_mib;
    }
    return store_host_load_put(c, host_id, more, count, now_us, e);
}

int store_host_load_move(struct db_conn *c, const char *server_id, const char *from, const char *to, int64_t now_us,
                         struct error *e)
{
    struct host_load *loads = NULL;
    struct arena a;
    size_t count = 0, found = 0;
    arena_init(&a);
    int rc = store_host_load_get(c, from, &a, &loads, &count, e);
    while (found < count && strcmp(loads[found].server_id, server_id) != 0)
        found++;
    if (!rc && found < count) {
        rc = give(c, to, &loads[found], now_us, &a, e);
        loads[found] = loads[count - 1];
        rc = rc ? rc : store_host_load_put(c, from, loads, count - 1, now_us, e);
    }
    arena_done(&a);
    return rc;
}

DB_STATEMENT(host_load_each, "SELECT host_id, body FROM host_load WHERE updated_us >= $1");
int store_host_load_each(struct db_conn *c, int64_t since_us, store_host_load_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct arena a;
    int stop = 0, rc = db_query(c, &host_load_each, &rows, e, DB_ARGS(db_int(since_us)));
    if (rc)
        return rc;
    arena_init(&a);
    while (!stop && db_next(&rows)) {
        struct host_load *loads = NULL;
        size_t count = 0;
        arena_reset(&a);
        parse(db_get_text(&rows, 1), &a, &loads, &count);
        stop = each(arg, db_get_text(&rows, 0), loads, count, e);
    }
    arena_done(&a);
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}
