/* Metering's rows: lifecycle events in, usage intervals out, price books. */
#pragma once
#include "common/model/usage.h"
#include "db/db.h"

struct usage_event {
    int64_t id;
    const char *server_id, *project_id, *host_id, *flavor, *zone, *tags, *extra; /* host_id "": where it was */
    enum server_state state;
    int64_t vcpus, memory_mib, disk_gib, at_us;
};
/* Lifecycle events above `position`, oldest first, at most `limit`, into the arena. */
int store_usage_events(struct db_conn *c, int64_t position, int64_t limit, struct arena *a,
                       struct usage_event **ret_events, size_t *ret_count, struct error *e);
/* Newest lifecycle event's id, 0 for none. */
int store_usage_newest_event(struct db_conn *c, int64_t *ret, struct error *e);

/* A consumer: counters of invoices up to that number are forgotten. */
#define STORE_USAGE_FORGOTTEN "usage-forgotten"

/* How far the consumer has come; 0 before its first step. */
int store_usage_cursor(struct db_conn *c, const char *name, int64_t *ret_position, struct error *e);
/* Moves the cursor; `expected` must be where it stands, ERR_CONFLICT otherwise (another meter was faster). */
int store_usage_advance(struct db_conn *c, const char *name, int64_t expected, int64_t position, int64_t clamped,
                        int64_t now_us, struct error *e);

/* Until where lifecycle events are in the ledger, for who reads it as it is now; INT64_MAX: it has them all. */
int store_usage_taken(struct db_conn *c, int64_t *ret_position, struct error *e);
/* SQL: what ends the interval of usage_open `u` (its thing usage_name `s`, its project `p`, its shape `f`)
 * though the meter has not come so far: the first event above $n with which a server goes, is somebody else's, or has
 * another state or size, as `l`. It was written in the transaction that changed the server, so whoever reads looks
 * there too. */
#define STORE_USAGE_ENDS(n)                                                                                            \
    " LEFT JOIN lifecycle_event l ON l.id = (SELECT min(x.id) FROM lifecycle_event x WHERE x.server_id = s.text AND "  \
    "s.kind = 'server' AND x.id > " n " AND (x.project_id <> p.text OR x.state <> f.state OR x.flavor_name <> "        \
    "f.flavor_name OR x.vcpus <> f.vcpus OR x.memory_mib <> f.memory_mib OR x.disk_gib <> f.disk_gib)) "
#define STORE_USAGE_END                                                                                                \
    "CASE WHEN l.id IS NULL THEN 9223372036854775807 WHEN l.at_us < u.begin_us THEN u.begin_us ELSE l.at_us END"

struct usage_row {
    char server_id[40], project_id[64], host_id[40], flavor[256];
    int64_t begin_event;
    struct usage_interval interval; /* its flavor points into this row */
};
typedef int (*usage_row_fn)(void *arg, const struct usage_row *row, struct error *e);
/* Intervals that overlap [from_us, to_us), ended as STORE_USAGE_ENDS says, of one project, or of all when project_id is
 * NULL; of one server when server_id is not NULL. By project, server and begin. */
int store_usage_each(struct db_conn *c, const char *project_id, const char *server_id, int64_t from_us, int64_t to_us,
                     usage_row_fn fn, void *arg, struct error *e);

/* Name and status word of a server, hot or deleted: *ret_gone tells which. ERR_NOT_FOUND. */
int store_usage_server(struct db_conn *c, const char *server_id, struct arena *a, const char **ret_name, bool *ret_gone,
                       struct error *e);
