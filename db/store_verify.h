/* What a reconciliation of the ledger reads: lifecycle events and intervals side by side, and how hosts were used. */
#pragma once
#include "db/db.h"

/* One server's event or interval; texts borrowed until the next step. */
struct verify_row {
    const char *server_id, *project_id, *host_id, *state, *flavor, *zone, *tags;
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
    int64_t vcpus, reserved_vcpus, ratio_permille;
    int64_t sold_us; /* VCPUs of running and paused servers times microseconds */
};
typedef int (*verify_host_fn)(void *arg, const struct verify_host *host, struct error *e);
/* Each host with what was sold of it in [from_us, to_us). */
int store_verify_hosts(struct db_conn *c, int64_t from_us, int64_t to_us, verify_host_fn fn, void *arg,
                       struct error *e);
typedef int (*verify_text_fn)(void *arg, const char *server_id, const char *observed, const char *metered,
                              struct error *e);
/* Servers that have run and whose observed state is not the metered one ("" for no running interval); `settled_us`:
 * those changed since then are left out. */
int store_verify_states(struct db_conn *c, int64_t settled_us, verify_text_fn fn, void *arg, struct error *e);
