/* The specification of a server, as its host's agent reads it. */
#pragma once
#include "db/store_server.h"

struct json_out;

/* Under `key` (NULL: in an array). `consumer`: whose allocation of that host it has there: the server's own, or that of
 * its migration. `zone`: the host's. On failure the document is not to be ended. ERR_* of the
 * database. */
int desired_view_write(struct db_conn *c, const char *key, const struct server_row *row, const char *consumer,
                       const char *zone, struct json_out *out, struct arena *arena, struct error *e);
