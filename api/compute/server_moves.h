/* Moving a server to another host: what begins it, and what its tenant or an administrator says to it on the way. The
 * scheduler carries it out (scheduler/flows). */
#pragma once
#include "api/compute/compute.h"
#include "api/compute/server_life.h"
#include "db/store_migration.h"

/* What is to be done. */
struct server_move {
    enum migration_kind kind;
    enum server_action action; /* decides whether the server's state allows it */
    enum operation_kind operation;
    const char *wanted_host;     /* id; NULL: any */
    const char *drain_host;      /* id of the host that is being emptied; NULL for none */
    const struct server_row *as; /* its flavor members are the server's from then on; NULL: it keeps its own */
    const char *options;         /* JSON object for the hosts */
};
/* Begins it in the caller's transaction: operation, migration, the server's row. ERR_CONFLICT with Nova's sentence when
 * the server's state does not allow it. Updates `row`. */
int server_moves_begin(struct db_conn *c, struct server_row *row, const struct server_move *move,
                       const struct server_life_actor *actor, int64_t now_us, struct arena *a, struct error *e);

/* Actions of POST /servers/{id}/action; the server is loaded. */
int server_moves_migrate(struct request *request, struct reply *reply, struct server_row *row, json_value *value);
int server_moves_live(struct request *request, struct reply *reply, struct server_row *row, json_value *value);
int server_moves_resize(struct request *request, struct reply *reply, struct server_row *row, json_value *value);
int server_moves_confirm(struct request *request, struct reply *reply, struct server_row *row, json_value *value);
int server_moves_revert(struct request *request, struct reply *reply, struct server_row *row, json_value *value);
