/* Spot servers and who has to go: the scheduler gives notice in the transaction in which the server that needs the room
 * is parked; whoever drives the API deletes them when their time has come, unless nobody needs the room any more. */
#pragma once
#include "common/model/resources.h"
#include "db/db.h"

/* The server may be preempted from now on. */
int store_preemption_mark(struct db_conn *c, const char *server_id, struct error *e);

struct preemption_victim_row {
    const char *id, *host_id;
    const char *resources; /* JSON object of amounts by class; NULL: none */
    const char *topology;  /* what it holds of the host's cells (common/model/numa.h); NULL: nothing */
    struct resources held;
};
/* Placed spot servers that have no notice, are not deleted and do not move; texts are borrowed. */
typedef int (*store_preemption_victim_fn)(void *arg, const struct preemption_victim_row *row, struct error *e);
int store_preemption_victims(struct db_conn *c, store_preemption_victim_fn each, void *arg, struct error *e);

struct preemption_row {
    const char *server_id, *host_id, *for_server_id;
    const char *project_id, *name; /* of the server */
    int64_t noticed_us, due_us;
    bool told;
    bool needed; /* whom it goes for still waits */
};
/* Gives notice, and writes the action "preempt" of the server with `message`. ERR_CONFLICT when it has notice already.
 */
int store_preemption_notice(struct db_conn *c, const struct preemption_row *row, const char *message, struct error *e);
/* The server waits until those that go for it are gone. */
int store_preemption_park(struct db_conn *c, const char *server_id, const char *reason, int64_t now_us,
                          struct error *e);
/* Those for whom nobody has to go any more are looked at again; not while somebody goes for one that is placed by now:
 * that room comes, or that notice is dropped. Of a batch all or none. Gives how many. */
int store_preemption_unpark(struct db_conn *c, int64_t *ret_count, struct error *e);

typedef int (*store_preemption_fn)(void *arg, const struct preemption_row *row, struct error *e);
/* Those that are not told yet, due by now, or not needed; texts are borrowed. */
int store_preemption_due(struct db_conn *c, int64_t now_us, int64_t limit, store_preemption_fn each, void *arg,
                         struct error *e);
/* That of one server, unless it is being deleted; `each` is not called when it has none. */
int store_preemption_of(struct db_conn *c, const char *server_id, store_preemption_fn each, void *arg, struct error *e);
/* Those of a project (NULL: of all) behind `after`, by server id. */
int store_preemption_list(struct db_conn *c, const char *project_id, const char *after, int64_t limit,
                          store_preemption_fn each, void *arg, struct error *e);
int store_preemption_told(struct db_conn *c, const char *server_id, struct error *e);
/* The notice is void. Wakes "placement". */
int store_preemption_drop(struct db_conn *c, const char *server_id, struct error *e);
/* The server is gone. */
int store_preemption_forget(struct db_conn *c, const char *server_id, struct error *e);
