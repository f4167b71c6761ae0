/* Questions to the scheduler that leads: asked by the API, answered from the hosts in its memory, forgotten soon after.
 * What agents are asked is in store_agent_query.h. */
#pragma once
#include "db/db.h"

/* Asks; wakes "placement". `request`: a JSON object, see scheduler/questions.c. */
int store_placement_question_insert(struct db_conn *c, const char *id, const char *request, int64_t now_us,
                                    int64_t expires_us, struct error *e);
/* Open questions, oldest first, at most `limit`; texts are borrowed. */
typedef int (*store_placement_question_fn)(void *arg, const char *id, const char *request, struct error *e);
int store_placement_question_open(struct db_conn *c, int64_t now_us, int64_t limit, store_placement_question_fn each,
                                  void *arg, struct error *e);
/* Wakes "question:<id>". An answer is never replaced; a question that was forgotten is no error. */
int store_placement_question_answer(struct db_conn *c, const char *id, const char *answer, struct error *e);
/* The answer in the arena; NULL while there is none. ERR_NOT_FOUND. */
int store_placement_question_get(struct db_conn *c, const char *id, struct arena *a, const char **ret_answer,
                                 struct error *e);
int store_placement_question_purge(struct db_conn *c, int64_t now_us, struct error *e);
