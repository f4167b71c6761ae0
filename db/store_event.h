/* Lifecycle events: what hosts journalled, in the order in which it was taken. */
#pragma once
#include "db/db.h"
#include "db/store_server.h"

/* "resources:NAME" of a flavor's extra specs: its servers hold so many of NAME. */
#define STORE_EVENT_RESOURCES "resources:"

/* The last event that was taken about a server; host_id NULL when there is none. */
struct store_event_newest {
    const char *host_id;
    enum server_state state;
};
int store_event_newest(struct db_conn *c, const char *server_id, struct arena *a, struct store_event_newest *ret,
                       struct error *e);

/* Appends an event about `server` (its flavor and owner as they are now) and wakes "events". `host_id` '' and
 * `host_seq` 0 for the controller itself. `id` is of the counter "lifecycle_event", taken in the same transaction. A
 * repeat (same host, number and server) changes nothing. */
int store_event_insert(struct db_conn *c, int64_t id, const char *host_id, int64_t host_seq,
                       const struct server_row *server, enum server_state state, int64_t at_us, int64_t now_us,
                       struct error *e);
/* How many addresses a server's `addresses` has. */
int64_t store_event_addresses(const char *addresses);
/* The controller changed what a server that has run is billed by: its owner, size, tags or addresses. Its use so far
 * ends and goes on with the new facts at now_us; call it after the row is written, in the same transaction. */
int store_event_changed(struct db_conn *c, const struct server_row *server, int64_t now_us, struct error *e);
