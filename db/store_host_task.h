/* Tasks of hosts: what an agent is asked to do once for a server on its way (docs/agent-protocol.md). */
#pragma once
#include "db/db.h"

enum host_task_state { HOST_TASK_OPEN, HOST_TASK_CANCELLED, HOST_TASK_DONE, HOST_TASK_FAILED, HOST_TASK_STATE_COUNT };
struct host_task_row {
    const char *id, *host_id, *server_id, *kind, *args, *result, *message;
    int64_t migration_id, revision;
    enum host_task_state state;
};

/* A new one; the host gets its next revision and is woken. `args` is JSON. */
int store_host_task_insert(struct db_conn *c, int64_t migration_id, const char *host_id, const char *server_id,
                           const char *kind, const char *args, struct error *e);
/* The same for a server that is on no way: `id` is the caller's, migration_id is 0. It is there until its host has said
 * how it ended. */
int store_host_task_insert_alone(struct db_conn *c, const char *id, const char *host_id, const char *server_id,
                                 const char *kind, const char *args, struct error *e);
/* Removes all of the migration's: it takes its next step. */
int store_host_task_close(struct db_conn *c, int64_t migration_id, struct error *e);
/* The host is to give it up, or to look at its args again. Ended ones stay. */
int store_host_task_cancel(struct db_conn *c, const char *id, const char *host_id, struct error *e);
int store_host_task_change(struct db_conn *c, const char *id, const char *host_id, const char *args, struct error *e);
/* The migration's task of that kind; text in the arena. *ret_found false: there is none. */
int store_host_task_of(struct db_conn *c, int64_t migration_id, const char *kind, struct arena *a,
                       struct host_task_row *ret, bool *ret_found, struct error *e);

typedef int (*store_host_task_fn)(void *arg, const struct host_task_row *row, struct error *e);
/* The host's open and cancelled ones above the revision, in its order; texts are borrowed. */
int store_host_task_desired(struct db_conn *c, const char *host_id, int64_t since, store_host_task_fn each, void *arg,
                            struct error *e);
/* Forgets one without a migration. */
int store_host_task_delete_alone(struct db_conn *c, const char *id, struct error *e);
/* How it ended, or (state open) how far it is: `result` is an object, NULL for none. What has ended stays as it is. The
 * progress of a "send" is noted with its migration; one without a migration is forgotten when it has ended. Wakes
 * "placement" when it ends. */
int store_host_task_report(struct db_conn *c, const char *id, const char *host_id, enum host_task_state state,
                           const char *result, const char *message, struct error *e);
