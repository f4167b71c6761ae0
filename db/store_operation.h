/* Operations: rows of what tenants asked servers to do. */
#pragma once
#include "common/model/operation.h"
#include "db/db.h"

struct operation_row {
    const char *id, *server_id, *project_id, *user_id, *request_id;
    const char *action;  /* operation_name */
    const char *state;   /* a name of operation_fsm */
    const char *message; /* why it failed, or NULL */
    int64_t started_us, updated_us;
    int64_t finished_us; /* 0 while it runs */
};

/* state, updated_us and finished_us are ignored: a new operation runs since started_us, or, when `ended`, was done at
 * once. */
int store_operation_insert(struct db_conn *c, const struct operation_row *row, bool ended, struct error *e);
/* The one mover: does what operation_fsm allows. Ending an operation that has ended (or that is not there: NULL id)
 * changes nothing. */
int store_operation_end(struct db_conn *c, const char *id, enum operation_step step, const char *message,
                        int64_t now_us, struct error *e);
/* As above, for all operations of the server that still run. */
int store_operation_end_all(struct db_conn *c, const char *server_id, enum operation_step step, const char *message,
                            int64_t now_us, struct error *e);

/* The server's operations, newest first, started before `marker_us` (0: all) and updated within since..before (0:
 * open); at most `limit`. Texts are borrowed. */
typedef int (*store_operation_fn)(void *arg, const struct operation_row *row, struct error *e);
int store_operation_list(struct db_conn *c, const char *server_id, int64_t marker_us, int64_t since_us,
                         int64_t before_us, int64_t limit, store_operation_fn each, void *arg, struct error *e);
/* The newest of that request on the server; text is in the arena. ERR_NOT_FOUND. */
int store_operation_by_request(struct db_conn *c, const char *server_id, const char *request_id, struct arena *a,
                               struct operation_row *ret, struct error *e);
