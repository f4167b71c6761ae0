/* Lifecycle events: what hosts journalled, in the order in which it was taken. */
#pragma once
#include "db/db.h"
#include "db/store_server.h"

/* Appends an event about `server` (its flavor and owner as they are now) and wakes "events". `host_id` '' and
 * `host_seq` 0 for the controller itself. `id` is of the counter "lifecycle_event", taken in the same transaction. A
 * repeat (same host, number and server) changes nothing. */
int store_event_insert(struct db_conn *c, int64_t id, const char *host_id, int64_t host_seq,
                       const struct server_row *server, enum server_state state, int64_t at_us, int64_t now_us,
                       struct error *e);
