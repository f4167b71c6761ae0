/* Servers that wait for room (queue until): parked by the scheduler when nothing fits, looked at again when capacity
 * comes, in an order that is fair by project: whoever would hold the least memory is next. */
#pragma once
#include "db/store_placement.h"

/* Parks a server of the queue, within the transaction of a batch; it waits until `until_us` at least. Nothing when it
 * waits no more. */
int store_queue_park(struct db_conn *c, const char *server_id, const char *reason, int64_t now_us, int64_t until_us,
                     struct error *e);
/* Lets the scheduler look at it again. */
int store_queue_unpark(struct db_conn *c, const char *server_id, struct error *e);
/* At all that are left of a batch. */
int store_queue_unpark_batch(struct db_conn *c, const char *batch_id, struct error *e);
/* Whether any server is parked. */
int store_queue_is_used(struct db_conn *c, bool *ret, struct error *e);
/* The first `limit` parked servers in the fair order, copied into the arena. */
int store_queue_parked(struct db_conn *c, int64_t limit, struct arena *a, struct placement_waiting_row **ret_rows,
                       size_t *ret_count, struct error *e);
/* Parked servers whose time is over, at most `limit`; texts are borrowed. */
typedef int (*store_queue_over_fn)(void *arg, const char *server_id, const char *reason, struct error *e);
int store_queue_over(struct db_conn *c, int64_t now_us, int64_t limit, store_queue_over_fn each, void *arg,
                     struct error *e);

struct queue_row {
    int64_t position; /* in the fair order of all projects, from 1 */
    const char *server_id, *project_id, *name, *flavor_name, *reason;
    int64_t vcpus, memory_mib, created_us, until_us, attempts;
};
/* Parked servers of a project (NULL: of all) behind position `after`, at most `limit`; texts are borrowed. */
typedef int (*store_queue_fn)(void *arg, const struct queue_row *row, struct error *e);
int store_queue_list(struct db_conn *c, const char *project_id, int64_t after, int64_t limit, store_queue_fn each,
                     void *arg, struct error *e);
