/* Questions to agents: short-lived rows, so that any replica of the API may take the answer. */
#include "db/store_agent_query.h"
#include "db/rows.h"
#include <stdio.h>

static void wake(struct db_conn *c, const char *kind, const char *id)
{
    char topic[80];
    snprintf(topic, sizeof(topic), "%s:%s", kind, id);
    db_wake(c, topic);
}

DB_STATEMENT(agent_query_insert, "INSERT INTO agent_query (id, host_id, server_id, kind, args, answer, created_us, "
                                 "expires_us) VALUES ($1, $2, $3, $4, $5, NULL, $6, $7)");
int store_agent_query_insert(struct db_conn *c, const char *id, const char *host_id, const char *server_id,
                             const char *kind, const char *args, int64_t now_us, int64_t expires_us, struct error *e)
{
    wake(c, "host", host_id);
    return db_exec(c, &agent_query_insert, NULL, e,
                   DB_ARGS(db_text(id), db_text(host_id), db_text(server_id), db_text(kind), db_text(args),
                           db_int(now_us), db_int(expires_us)));
}

DB_STATEMENT(agent_query_answer,
             "UPDATE agent_query SET answer = $3 WHERE id = $1 AND host_id = $2 AND answer IS NULL");
DB_STATEMENT(agent_query_known, "SELECT COUNT(*) FROM agent_query WHERE id = $1 AND host_id = $2");
int store_agent_query_answer(struct db_conn *c, const char *id, const char *host_id, const char *answer,
                             struct error *e)
{
    int64_t changed = 0, known = 0;
    int rc = db_exec(c, &agent_query_answer, &changed, e, DB_ARGS(db_text(id), db_text(host_id), db_text(answer)));
    if (!rc && changed == 0)
        rc = db_query_int(c, &agent_query_known, &known, e, DB_ARGS(db_text(id), db_text(host_id)));
    if (!rc && changed == 0 && known == 0)
        rc = error_set(e, ERR_NOT_FOUND, "nobody waits for an answer to %s", id);
    if (!rc)
        wake(c, "query", id);
    return rc;
}

DB_STATEMENT(agent_query_get, "SELECT answer FROM agent_query WHERE id = $1");
int store_agent_query_get(struct db_conn *c, const char *id, struct arena *a, const char **ret_answer, struct error *e)
{
    int rc = rows_one_text(c, &agent_query_get, DB_ARGS(db_text(id)), a, ret_answer, e);
    return rc == ERR_NOT_FOUND ? error_set(e, rc, "question %s is forgotten", id) : rc;
}

DB_STATEMENT(agent_query_open,
             "SELECT id, server_id, kind, args, created_us FROM agent_query WHERE host_id = $1 "
             "AND answer IS NULL AND created_us > $2 AND expires_us > $3 ORDER BY created_us, id LIMIT 100");
int store_agent_query_open(struct db_conn *c, const char *host_id, int64_t after_us, int64_t now_us,
                           store_agent_query_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0,
        rc = db_query(c, &agent_query_open, &rows, e, DB_ARGS(db_text(host_id), db_int(after_us), db_int(now_us)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        struct agent_query_row row = {.id = db_get_text(&rows, 0),
                                      .server_id = db_get_text(&rows, 1),
                                      .kind = db_get_text(&rows, 2),
                                      .args = db_get_text(&rows, 3),
                                      .created_us = db_get_int(&rows, 4)};
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(agent_query_purge, "DELETE FROM agent_query WHERE expires_us < $1");
int store_agent_query_purge(struct db_conn *c, int64_t now_us, struct error *e)
{
    return db_exec(c, &agent_query_purge, NULL, e, DB_ARGS(db_int(now_us)));
}
