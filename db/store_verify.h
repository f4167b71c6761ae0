/* What a reconciliation of the ledger reads: lifecycle events and intervals side by side, and how hosts were used. */
#pragma once
#include "db/db.h"

/* One server's event or interval; texts borrowed until the next step. */
struct verify_row {
    const char *server_id, *project_id, *host_id, *state, *flavor, *zone, *tags, *extra;
    int64_t id, vcpus, memory_mib, disk_gib, begin_us, end_us; /* id: the event, or that which opened the interval */
};
/* Two lists in step: by server, then id. Start both, walk with store_verify_next, end both. */
struct verify_list {
    struct db_rows rows;
    struct verify_row row;
    bool more;
};
int store_verify_events(struct db_conn *c, int64_t position, struct verify_list *ret, struct error *e);
int store_verify_intervals(struct db_conn *c, struct verify_list *ret, struct error *e);
void store_verify_next(struct verify_list *list);
int store_verify_end(struct verify_list *list, struct error *e);

struct verify_host {
    const char *id, *name;
    int64_t enrolled_us;    /* when this life of it began */
    int64_t from_us, to_us; /* the part of the period in which it belonged to the cloud and had this size */
    int64_t vcpus, reserved_vcpus, ratio_permille;
    int64_t sold_us;  /* VCPUs of running and paused servers times microseconds */
    int64_t held_us;  /* likewise of servers that are off and keep their room */
    int64_t slots_us; /* likewise of reservations' free slots */
};
typedef int (*verify_host_fn)(void *arg, const struct verify_host *host, struct error *e);
/* Each life of a host in [from_us, to_us) by the sizes that it had, with what was used of it then. */
int store_verify_hosts(struct db_conn *c, int64_t from_us, int64_t to_us, verify_host_fn fn, void *arg,
                       struct error *e);
/* Hosts whose present size or reserved slots are not what was noted last. */
typedef void (*verify_noted_fn)(void *arg, const char *host, const char *what);
int store_verify_noted(struct db_conn *c, verify_noted_fn fn, void *arg, struct error *e);
/* What running and paused servers used in [from_us, to_us), whatever host they were on: VCPUs times microseconds. */
int store_verify_sold(struct db_conn *c, int64_t from_us, int64_t to_us, int64_t *ret_us, struct error *e);
/* Hours in [from_us, to_us) in which a hypervisor counted processor time of a server that by the ledger was on nowhere.
 */
typedef int (*verify_used_fn)(void *arg, const char *server_id, const char *host_id, int64_t hour_us, struct error *e);
int store_verify_used(struct db_conn *c, int64_t from_us, int64_t to_us, verify_used_fn fn, void *arg, struct error *e);
/* The intervals that run on a host: server and state. */
typedef int (*verify_open_fn)(void *arg, const char *server_id, const char *state, struct error *e);
int store_verify_open(struct db_conn *c, const char *host_id, verify_open_fn fn, void *arg, struct error *e);
/* Whether nothing has been under way with a server since `settled_us`: it is there, has run, and neither an operation
 * nor a migration waits for anything. */
int store_verify_is_settled(struct db_conn *c, const char *server_id, int64_t settled_us, bool *ret, struct error *e);
/* What the controller took of a host's journal by that number; state in the arena, NULL when there is no such event. */
struct verify_event {
    const char *state;
    int64_t at_us, received_us, created_us; /* created: when its server was asked for */
};
int store_verify_event(struct db_conn *c, const char *host_id, int64_t seq, const char *server_id, struct arena *a,
                       struct verify_event *ret, struct error *e);
/* The lowest number of a host's journal that the controller took of a time in [from_us, to_us); 0: none. */
int store_verify_oldest(struct db_conn *c, const char *host_id, int64_t from_us, int64_t to_us, int64_t *ret_seq,
                        struct error *e);
/* What the controller took of a host's journal: numbers from first_seq on, of a time in [from_us, to_us), that came
 * before received_us. */
struct verify_span {
    int64_t first_seq, from_us, to_us, received_us;
};
typedef int (*verify_taken_fn)(void *arg, const char *server_id, const char *state, int64_t seq, struct error *e);
int store_verify_taken(struct db_conn *c, const char *host_id, const struct verify_span *span, verify_taken_fn fn,
                       void *arg, struct error *e);
/* For how long within [from_us, to_us) the ledger has a server running or paused, on whatever host. */
int store_verify_covered(struct db_conn *c, const char *server_id, int64_t from_us, int64_t to_us, int64_t *ret_us,
                         struct error *e);
typedef int (*verify_text_fn)(void *arg, const char *server_id, const char *observed, const char *metered,
                              struct error *e);
/* Servers that have run and whose observed state is not the metered one ("" for no running interval); `settled_us`:
 * those changed since then are left out. */
int store_verify_states(struct db_conn *c, int64_t settled_us, verify_text_fn fn, void *arg, struct error *e);
