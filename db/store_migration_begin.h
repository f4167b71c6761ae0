/* A migration begins: whoever asks, a tenant, an administrator or a drain. Inside the caller's transaction. */
#pragma once
#include "common/model/operation.h"
#include "db/store_migration.h"

struct migration_actor {
    const char *request_id, *user_id, *project_id;
};
struct migration_wish {
    enum migration_kind kind;
    enum server_action action; /* decides whether the server's state allows it */
    enum operation_kind operation;
    const char *wanted_host;     /* id; NULL: any */
    const char *drain_host;      /* id of the host that is being emptied; NULL for none */
    const struct server_row *as; /* its flavor members are the server's from then on; NULL: it keeps its own */
    const char *options;         /* JSON object for the hosts; NULL for none */
};
/* Operation, migration, and the server's row. ERR_CONFLICT with Nova's sentence when the server's state does not allow
 * it. Updates `row`. */
int store_migration_begin(struct db_conn *c, struct server_row *row, const struct migration_wish *wish,
                          const struct migration_actor *actor, int64_t now_us, struct arena *a, struct error *e);
/* That sentence. */
int store_migration_begin_refuse(const struct server_row *row, const struct migration_wish *wish, struct error *e);
