/* Switching hosts off and on: by which script, what is being done, and what became of it. Everything runs inside the
 * caller's transaction. */
#pragma once
#include "db/db.h"

struct host_power_row {
    const char *host_id; /* "" for hosts without a row of their own */
    const char *script, *address, *username;
    const char *secret; /* sealed; NULL for none */
    int64_t updated_us;
};
int store_host_power_set(struct db_conn *c, const struct host_power_row *row, struct error *e);
/* ERR_NOT_FOUND when there is none. */
int store_host_power_clear(struct db_conn *c, const char *host_id, struct error *e);
/* The host's own, or what holds for all; *ret_found false: neither. Text is in the arena. */
int store_host_power_get(struct db_conn *c, const char *host_id, struct arena *a, struct host_power_row *ret,
                         bool *ret_found, struct error *e);

enum host_power_state {
    HOST_POWER_WAITING,
    HOST_POWER_RUNNING,
    HOST_POWER_DONE,
    HOST_POWER_FAILED,
    HOST_POWER_CANCELLED,
    HOST_POWER_LIED,
    HOST_POWER_STATE_COUNT
};
const char *store_host_power_state_name(enum host_power_state state);

struct host_power_job {
    const char *host_id;
    const char *wish;   /* "off", "on", "status" */
    const char *reason; /* "fence", "sleep", "wake", "asked" */
    enum host_power_state state;
    int64_t attempts;
    const char *message, *boot_id; /* NULL for none */
    int64_t asked_us, next_us, updated_us;
};
/* What is wished from now on; a script that runs for the same wish goes on. Wakes "placement". ERR_CONFLICT when
 * the last script said off of a host that went on, and the wish is a fence: an operator must say that it may be
 * trusted again. */
int store_host_power_ask(struct db_conn *c, const char *host_id, const char *wish, const char *reason, int64_t now_us,
                         struct error *e);
/* Gives up what is open. ERR_NOT_FOUND when nothing is. */
int store_host_power_cancel(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e);
/* Forgets what became of it: the script is trusted again. */
int store_host_power_trust(struct db_conn *c, const char *host_id, struct error *e);
int store_host_power_job(struct db_conn *c, const char *host_id, struct arena *a, struct host_power_job *ret,
                         bool *ret_found, struct error *e);
/* Jobs that are waiting or running, the oldest first; in the arena. */
int store_host_power_open(struct db_conn *c, struct arena *a, struct host_power_job **ret, size_t *ret_count,
                          struct error *e);
/* An attempt begins: counts it, and notes the host's boot. ERR_NOT_FOUND when nothing is open any more. */
int store_host_power_begin(struct db_conn *c, const char *host_id, int64_t now_us, struct error *e);
/* How an attempt ended: WAITING is tried again at `next_us`. Nothing when it was cancelled meanwhile. */
int store_host_power_end(struct db_conn *c, const char *host_id, enum host_power_state state, const char *message,
                         int64_t next_us, int64_t now_us, struct error *e);
/* Silent hosts with servers (or with room held for some) that are not proved off, were last heard before
 * `silent_since_us`, have a script, and of which no job is open or has failed since their last word. Ids in the arena.
 */
int store_host_power_dead(struct db_conn *c, int64_t silent_since_us, struct arena *a, const char ***ret,
                          size_t *ret_count, struct error *e);
/* Hosts that were switched off to fence them and were heard afterwards without another boot: marks their jobs LIED;
 * with another boot: forgets the job. Calls `each` with the ids of the former. */
typedef int (*store_host_power_fn)(void *arg, const char *host_id, struct error *e);
int store_host_power_judge(struct db_conn *c, int64_t now_us, store_host_power_fn each, void *arg, struct error *e);
/* Whether that would find any. */
int store_host_power_to_judge(struct db_conn *c, bool *ret, struct error *e);
/* How many hosts there are that are neither asleep nor proved off, and how many of them were heard since then. */
int store_host_power_heard(struct db_conn *c, int64_t since_us, int64_t *ret_all, int64_t *ret_heard, struct error *e);
