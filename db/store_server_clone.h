/* Clones of servers, and the end of what they share: for the API and for the operator's command. All in the caller's
 * write transaction. */
#pragma once
#include "common/model/operation.h"
#include "db/store_server.h"

struct server_clone_wish {
    const char *name;       /* of the clone */
    const char *request_id; /* who asks: */
    const char *user_id, *project_id;
    bool unlimited; /* an operator, whom quota and budgets do not keep */
};
/* A new server as `source` is: flavor, image, key, user data, metadata, networks and security groups, with addresses of
 * its own, and of `source`'s project. The scheduler gives it room on the source's host, which makes its disk in
 * constant time. *ret_id is in the arena. ERR_CONFLICT with Nova's sentence when the source's state does not allow it;
 * ERR_NOT_IMPLEMENTED where its hypervisor cannot; ERR_QUOTA, ERR_FORBIDDEN (a budget). */
int store_server_clone_begin(struct db_conn *c, const struct server_row *source, const struct server_clone_wish *wish,
                             int64_t now_us, struct arena *a, const char **ret_id, struct error *e);
/* The server whose disk it shares when it is first made; *ret NULL: it is no clone, or has run. In the arena. */
int store_server_clone_source(struct db_conn *c, const char *server_id, struct arena *a, const char **ret,
                              struct error *e);
/* It runs, or is gone: nothing depends on the source any more. */
int store_server_clone_forget(struct db_conn *c, const char *server_id, struct error *e);

/* The server's disk is to need no other file: an operation of the server and a task of its host with the operation's
 * id. ERR_CONFLICT, ERR_NOT_IMPLEMENTED as above. Changes `row`. */
int store_server_clone_flatten_begin(struct db_conn *c, struct server_row *row, const struct server_clone_wish *who,
                                     int64_t now_us, struct arena *a, struct error *e);
/* The server of such a task, which the host was given, as long as it wants that: *ret_found false for all others. */
int store_server_clone_flatten_of(struct db_conn *c, const char *task_id, const char *host_id, struct arena *a,
                                  struct server_row *ret, bool *ret_found, struct error *e);
/* Its host says how far it is: `result` is an object, NULL: at work, no more. */
int store_server_clone_flatten_progress(struct db_conn *c, struct server_row *row, const char *result, int64_t now_us,
                                        struct error *e);
/* What the host said last; NULL: nothing yet. In the arena. */
int store_server_clone_flatten_said(struct db_conn *c, const char *task_id, struct arena *a, const char **ret,
                                    struct error *e);
