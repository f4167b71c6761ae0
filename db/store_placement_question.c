/* Questions to the scheduler: short-lived rows, so that any replica of the API may ask and any scheduler answer. */
#include "db/store_placement_question.h"
#include "db/rows.h"
#include <stdio.h>

DB_STATEMENT(placement_question_insert, "INSERT INTO placement_question (id, request, answer, created_us, expires_us) "
                                        "VALUES ($1, $2, NULL, $3, $4)");
int store_placement_question_insert(struct db_conn *c, const char *id, const char *request, int64_t now_us,
                                    int64_t expires_us, struct error *e)
{
    db_wake(c, "placement");
    return db_exec(c, &placement_question_insert, NULL, e,
                   DB_ARGS(db_text(id), db_text(request), db_int(now_us), db_int(expires_us)));
}

DB_STATEMENT(placement_question_open,
             "SELECT id, request FROM placement_question WHERE answer IS NULL AND expires_us > $1 "
             "ORDER BY created_us, id LIMIT $2");
int store_placement_question_open(struct db_conn *c, int64_t now_us, int64_t limit, store_placement_question_fn each,
                                  void *arg, struct error *e)
{
    struct db_rows rows;
    int stop = 0, rc = db_query(c, &placement_question_open, &rows, e, DB_ARGS(db_int(now_us), db_int(limit)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows))
        stop = each(arg, db_get_text(&rows, 0), db_get_text(&rows, 1), e);
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(placement_question_answer, "UPDATE placement_question SET answer = $2 WHERE id = $1 AND answer IS NULL");
int store_placement_question_answer(struct db_conn *c, const char *id, const char *answer, struct error *e)
{
    char topic[80];
    snprintf(topic, sizeof(topic), "question:%s", id);
    db_wake(c, topic);
    return db_exec(c, &placement_question_answer, NULL, e, DB_ARGS(db_text(id), db_text(answer)));
}

DB_STATEMENT(placement_question_get, "SELECT answer FROM placement_question WHERE id = $1");
int store_placement_question_get(struct db_conn *c, const char *id, struct arena *a, const char **ret_answer,
                                 struct error *e)
{
    int rc = rows_one_text(c, &placement_question_get, DB_ARGS(db_text(id)), a, ret_answer, e);
    return rc == ERR_NOT_FOUND ? error_set(e, rc, "question %s is forgotten", id) : rc;
}

DB_STATEMENT(placement_question_purge, "DELETE FROM placement_question WHERE expires_us < $1");
int store_placement_question_purge(struct db_conn *c, int64_t now_us, struct error *e)
{
    return db_exec(c, &placement_question_purge, NULL, e, DB_ARGS(db_int(now_us)));
}
