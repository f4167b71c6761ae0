/* First answers to requests with an Idempotency-Key. */
#pragma once
#include "db/db.h"
#include <stdbool.h>

/* Takes `id` for this transaction's request unless one younger than `since_us` has it. *ret_taken tells; waits for a
 * concurrent transaction that has just taken it. */
int store_idempotency_take(struct db_conn *c, const char *id, const char *request, int64_t now_us, int64_t since_us,
                           bool *ret_taken, struct error *e);
/* Stores the answer of what was taken. */
int store_idempotency_answer(struct db_conn *c, const char *id, const char *answer, struct error *e);
/* Who has it: the request's hash and the answer, NULL when none was stored. ERR_NOT_FOUND. */
int store_idempotency_get(struct db_conn *c, const char *id, struct arena *a, const char **ret_request,
                          const char **ret_answer, struct error *e);
/* Removes up to `limit` that are older than `before_us`. */
int store_idempotency_purge(struct db_conn *c, int64_t before_us, int64_t limit, int64_t *ret_removed, struct error *e);
