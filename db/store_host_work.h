/* What operators do to whole hosts: drains, proof that one is off, removal. Everything runs inside the caller's
 * transaction. */
#pragma once
#include "db/db.h"

enum host_drain_state {
    HOST_DRAIN_RUNNING,
    HOST_DRAIN_DONE,
    HOST_DRAIN_STUCK,
    HOST_DRAIN_CANCELLED,
    HOST_DRAIN_STATE_COUNT
};
const char *store_host_work_drain_name(enum host_drain_state state);

struct host_drain_row {
    const char *host_id, *user_id, *project_id;
    enum host_drain_state state;
    int64_t parallel, first_migration, started_us, updated_us;
    bool while_off; /* ends when the host is heard again */
};
/* Begins, or begins anew; the host is disabled with `reason`. Wakes "placement". ERR_NOT_FOUND for the host. */
int store_host_work_drain(struct db_conn *c, const struct host_drain_row *row, const char *reason, struct error *e);
/* *ret_found false: the host was never drained. Text is in the arena. */
int store_host_work_get_drain(struct db_conn *c, const char *host_id, struct arena *a, struct host_drain_row *ret,
                              bool *ret_found, struct error *e);
typedef int (*store_host_drain_fn)(void *arg, const struct host_drain_row *row, struct error *e);
/* Drains that are running or stuck; texts are borrowed. */
int store_host_work_drains(struct db_conn *c, store_host_drain_fn each, void *arg, struct error *e);
/* Writes the state unless it is so already, or was cancelled meanwhile. */
int store_host_work_set_drain(struct db_conn *c, const char *host_id, enum host_drain_state state, int64_t now_us,
                              struct error *e);
/* Migrations of the drain that have not been switched are aborted, and no new ones begun. ERR_NOT_FOUND when none runs.
 */
int store_host_work_cancel_drain(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e);

/* How far the drain is. */
struct host_drain_figures {
    int64_t moved, moving, failed, left; /* failed: tries; left: servers that are still there */
};
int store_host_work_figures(struct db_conn *c, const struct host_drain_row *row, struct host_drain_figures *ret,
                            struct error *e);
/* Open migrations that left the host, or its newest try for a server: *ret_kind -1 when there was none. */
int store_host_work_last_try(struct db_conn *c, const struct host_drain_row *row, const char *server_id,
                             struct arena *a, int *ret_kind, const char **ret_message, int64_t *ret_updated_us,
                             struct error *e);

/* Somebody proved that the host is off: true until it is heard again. ERR_CONFLICT while it is heard. */
int store_host_work_fence(struct db_conn *c, const char *host_id, const char *by, int64_t now_us, struct error *e);
/* Whether there is such proof now: it is silent, and was proved off after its last word. */
int store_host_work_is_off(struct db_conn *c, const char *host_id, int64_t now_us, bool *ret, const char **ret_by,
                           struct arena *a, struct error *e);

/* The host and all that is about it alone. ERR_CONFLICT while servers are on it or on their way, or while it is heard
 * and enabled. */
int store_host_work_remove(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e);
