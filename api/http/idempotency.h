/* Idempotency-Key: a POST that is repeated with the same key and request within a day gets the first answer again, or
 * asks again where the answer is one of the moment (request_continue); another request under the key is refused (409).
 * The answer is stored in the transaction that carries the request out,
 * encrypted under a secret that only the key gives. */
#pragma once
#include "db/db.h"
#include <stdbool.h>

struct exchange;
struct api;

#define IDEMPOTENCY_LIFE_US ((int64_t)24 * 3600 * 1000000)

/* The request has a key that counts: a POST by somebody who is known (so never one for a token: its answer is not
 * stored). */
bool idempotency_applies(const struct exchange *x);
/* The handler inside the writer's transaction, or the stored answer in its place. An answer below 500 is stored, faults
 * as well; a request that would fail with a fault is answered by it (0 is returned, its writes are undone). 0 or the
 * code in request.error. */
int idempotency_call(struct exchange *x, struct db_conn *c);
/* Removes expired answers through the writer, in small batches. For api_timer. */
void idempotency_purge(struct api *api, void *unused);
