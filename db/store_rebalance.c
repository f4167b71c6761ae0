/* Plans are few and short-lived: a row each, and one per move. */
#include "db/store_rebalance.h"
#include "db/rows.h"

#define KEPT_US ((int64_t)7 * 86400 * 1000000)
#define COLUMNS "id, goal, state, automatic, user_id, project_id, emptied, message, created_us, updated_us"
#define MOVE_COLUMNS                                                                                                   \
    "rebalance_id, number, server_id, source_host, target_host, before_permille, after_permille, target_permille, "    \
    "state, migration_id, message, updated_us"

DB_STATEMENT(rebalance_insert, "INSERT INTO rebalance (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)");
DB_STATEMENT(rebalance_forget_moves,
             "DELETE FROM rebalance_move WHERE rebalance_id IN (SELECT id FROM rebalance WHERE updated_us < $1 "
             "AND state <> 'applying')");
DB_STATEMENT(rebalance_forget, "DELETE FROM rebalance WHERE updated_us < $1 AND state <> 'applying'");
int store_rebalance_insert(struct db_conn *c, struct rebalance_row *row, struct error *e)
{
    struct db_value before = db_int(row->created_us - KEPT_US);
    int rc = db_exec(c, &rebalance_forget_moves, NULL, e, DB_ARGS(before));
    rc = rc ? rc : db_exec(c, &rebalance_forget, NULL, e, DB_ARGS(before));
    rc = rc ? rc : db_counter_next(c, "rebalance", 1, &row->id, e);
    db_wake(c, "placement");
    return rc ? rc
              : db_exec(c, &rebalance_insert, NULL, e,
                        DB_ARGS(db_int(row->id), db_text(row->goal), db_text(row->state), db_int(row->automatic),
                                db_text(row->user_id), db_text(row->project_id), db_int(row->emptied),
                                db_text(row->message), db_int(row->created_us)));
}

DB_STATEMENT(rebalance_add, "INSERT INTO rebalance_move (" MOVE_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
                            "NULL, NULL, $10)");
int store_rebalance_add(struct db_conn *c, const struct rebalance_move_row *m, struct error *e)
{
    return db_exec(c, &rebalance_add, NULL, e,
                   DB_ARGS(db_int(m->rebalance_id), db_int(m->number), db_text(m->server_id), db_text(m->source_host),
                           db_text(m->target_host), db_int(m->before_permille), db_int(m->after_permille),
                           db_int(m->target_permille), db_text(m->state), db_int(m->updated_us)));
}

static void read(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct rebalance_row *)ret = (struct rebalance_row){.id = db_get_int(rows, 0),
                                                          .goal = rows_text(rows, 1, a),
                                                          .state = rows_text(rows, 2, a),
                                                          .automatic = db_get_int(rows, 3) != 0,
                                                          .user_id = rows_text(rows, 4, a),
                                                          .project_id = rows_text(rows, 5, a),
                                                          .emptied = db_get_int(rows, 6),
                                                          .message = rows_text(rows, 7, a),
                                                          .created_us = db_get_int(rows, 8),
                                                          .updated_us = db_get_int(rows, 9)};
}

DB_STATEMENT(rebalance_get, "SELECT " COLUMNS " FROM rebalance WHERE id = $1 OR $1 = 0 ORDER BY id DESC LIMIT 1");
int store_rebalance_get(struct db_conn *c, int64_t id, struct arena *a, struct rebalance_row *ret, struct error *e)
{
    int rc = rows_one(c, &rebalance_get, DB_ARGS(db_int(id)), read, a, ret, e);
    return rc == ERR_NOT_FOUND ? error_set(e, rc, id ? "there is no plan %lld" : "there is no plan", (long long)id)
                               : rc;
}

DB_STATEMENT(rebalance_open, "SELECT " COLUMNS " FROM rebalance WHERE state IN ('asked', 'applying') ORDER BY id "
                             "LIMIT 1");
int store_rebalance_open(struct db_conn *c, struct arena *a, struct rebalance_row *ret, bool *ret_found,
                         struct error *e)
{
    struct error none = {0};
    int rc = rows_one(c, &rebalance_open, DB_NO_ARGS, read, a, ret, &none);
    *ret_found = rc == 0;
    return rc == 0 || rc == ERR_NOT_FOUND ? 0 : error_set(e, rc, "%s", error_text(&none));
}

static void read_move(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct rebalance_move_row *)ret = (struct rebalance_move_row){.rebalance_id = db_get_int(rows, 0),
                                                                    .number = db_get_int(rows, 1),
                                                                    .server_id = rows_text(rows, 2, a),
                                                                    .source_host = rows_text(rows, 3, a),
                                                                    .target_host = rows_text(rows, 4, a),
                                                                    .before_permille = db_get_int(rows, 5),
                                                                    .after_permille = db_get_int(rows, 6),
                                                                    .target_permille = db_get_int(rows, 7),
                                                                    .state = rows_text(rows, 8, a),
                                                                    .migration_id = db_get_int(rows, 9),
                                                                    .message = rows_text(rows, 10, a),
                                                                    .updated_us = db_get_int(rows, 11),
                                                                    .server_name = rows_text(rows, 12, a),
                                                                    .source_name = rows_text(rows, 13, a),
                                                                    .target_name = rows_text(rows, 14, a)};
}

DB_STATEMENT(rebalance_moves,
             "SELECT m.rebalance_id, m.number, m.server_id, m.source_host, m.target_host, m.before_permille, "
             "m.after_permille, m.target_permille, m.state, m.migration_id, m.message, m.updated_us, s.name, a.name, "
             "b.name FROM rebalance_move m LEFT JOIN server s ON s.id = m.server_id LEFT JOIN host a "
             "ON a.id = m.source_host LEFT JOIN host b ON b.id = m.target_host WHERE m.rebalance_id = $1 "
             "ORDER BY m.number");
int store_rebalance_moves(struct db_conn *c, int64_t id, struct arena *a, struct rebalance_move_row **ret,
                          size_t *ret_count, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &rebalance_moves, &rows, e, DB_ARGS(db_int(id)));
    return rc ? rc : rows_all(&rows, read_move, sizeof(**ret), a, ret, ret_count, e);
}

DB_STATEMENT(rebalance_set, "UPDATE rebalance SET state = $2, emptied = $3, message = $4, updated_us = $5 "
                            "WHERE id = $1 AND state = $6");
int store_rebalance_set(struct db_conn *c, const struct rebalance_row *row, const char *from, struct error *e)
{
    int64_t changed = 0;
    int rc = db_exec(c, &rebalance_set, &changed, e,
                     DB_ARGS(db_int(row->id), db_text(row->state), db_int(row->emptied), db_text(row->message),
                             db_int(row->updated_us), db_text(from)));
    db_wake(c, "placement");
    return rc || changed ? rc
                         : error_set(e, ERR_PRECONDITION, "plan %lld is not %s any more", (long long)row->id, from);
}

DB_STATEMENT(rebalance_set_move, "UPDATE rebalance_move SET state = $3, migration_id = $4, message = $5, "
                                 "updated_us = $6 WHERE rebalance_id = $1 AND number = $2");
int store_rebalance_set_move(struct db_conn *c, const struct rebalance_move_row *m, struct error *e)
{
    return db_exec(c, &rebalance_set_move, NULL, e,
                   DB_ARGS(db_int(m->rebalance_id), db_int(m->number), db_text(m->state),
                           db_int_opt(m->migration_id != 0, m->migration_id), db_text(m->message),
                           db_int(m->updated_us)));
}

DB_STATEMENT(rebalance_abort,
             "UPDATE migration SET request = 'abort' WHERE ended = 0 AND step IN ('queued', 'stopping', 'releasing', "
             "'receiving', 'adopting', 'readying', 'sending') AND id IN (SELECT migration_id FROM rebalance_move "
             "WHERE rebalance_id = $1 AND state = 'moving')");
int store_rebalance_abort(struct db_conn *c, int64_t id, struct error *e)
{
    return db_exec(c, &rebalance_abort, NULL, e, DB_ARGS(db_int(id)));
}

DB_STATEMENT(rebalance_moved, "SELECT COUNT(*) FROM rebalance_move WHERE server_id = $1 AND updated_us >= $2 "
                              "AND state <> 'planned'");
int store_rebalance_moved(struct db_conn *c, const char *server_id, int64_t since_us, bool *ret, struct error *e)
{
    int64_t count = 0;
    int rc = db_query_int(c, &rebalance_moved, &count, e, DB_ARGS(db_text(server_id), db_int(since_us)));
    *ret = count > 0;
    return rc;
}

DB_STATEMENT(rebalance_begun, "SELECT COUNT(*) FROM rebalance_move m JOIN rebalance r ON r.id = m.rebalance_id "
                              "WHERE r.automatic = 1 AND m.updated_us >= $1 AND m.migration_id IS NOT NULL");
int store_rebalance_begun(struct db_conn *c, int64_t since_us, int64_t *ret, struct error *e)
{
    return db_query_int(c, &rebalance_begun, ret, e, DB_ARGS(db_int(since_us)));
}
