/* What happens to a server, as rows: a tenant's action begins, a host's report moves it, a deadline ends what took too
 * long, a delete wins. All run inside the caller's write transaction and have no effect outside it; decisions come from
 * common/model/server.h. */
#pragma once
#include "common/model/operation.h"
#include "db/store_host_task.h"
#include "db/store_server.h"

/* Who asked. */
struct server_life_actor {
    const char *request_id, *user_id, *project_id;
};

/* Begins `action` (not a delete): desired power, operation row, deadline, the host's next revision. ERR_CONFLICT with
 * Nova's sentence when the server's state does not allow it. Updates `row`. */
int server_life_act(struct db_conn *c, struct server_row *row, enum server_action action,
                    const struct server_life_actor *actor, int64_t now_us, struct error *e);
/* Records an action that ends at once (lock, unlock, resetState). */
int server_life_record(struct db_conn *c, const struct server_row *row, enum operation_kind kind,
                       const struct server_life_actor *actor, int64_t now_us, struct error *e);
/* Deletes: without a host at once, else as soon as the host says gone. A server that is being deleted already is left
 * as it is. */
int server_life_delete(struct db_conn *c, struct server_row *row, const struct server_life_actor *actor, int64_t now_us,
                       struct error *e);
/* An administrator says what is: ERROR, or whatever the host last reported; nothing is under way afterwards. */
int server_life_reset(struct db_conn *c, struct server_row *row, bool fault, int64_t now_us, struct error *e);

/* A host's word about one of its servers (docs/agent-protocol.md). */
struct server_life_event {
    const char *host_id, *server_id;
    int64_t seq, at_us, revision;
    enum server_state state;
    const char *operation_id;      /* NULL for none */
    bool resuming;                 /* the host went down under it and is starting it again */
    bool failed;                   /* with these two: */
    const char *message, *details; /* NULL for none */
};
/* Applies it and appends the lifecycle event under number `event_id`. An event about a server that is unknown, in
 * history or on another host is taken and dropped with a log line: 0, and *ret_used false. */
int server_life_observe(struct db_conn *c, const struct server_life_event *event, int64_t event_id, int64_t now_us,
                        struct arena *a, bool *ret_used, struct error *e);

/* The image that was being made of it is there, or (`made` false, with why) never will be: its operation ends. */
int server_life_end_image(struct db_conn *c, struct server_row *row, bool made, const char *why, int64_t now_us,
                          struct error *e);

/* A host's word about a task of that id that flattens one of its servers; nothing when it is none. `state` is the
 * task's: open: it is at work. `result`: how far it is, a JSON object or NULL. */
int server_life_flatten(struct db_conn *c, const char *task_id, const char *host_id, enum host_task_state state,
                        const char *result, const char *why, int64_t now_us, struct arena *a, struct error *e);

/* The server's deadline passed; nothing when it has not. */
int server_life_expire(struct db_conn *c, const char *server_id, int64_t now_us, struct arena *a, struct error *e);
