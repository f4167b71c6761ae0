/* A server gets another owner. */
#pragma once
#include "db/db.h"

/* The server is the project's from now_us on: what it used before is billed to whom it was. Its quota, the ports that
 * were made with it and their security groups (the new project's `default`) go along; keys and image stay. Its host is
 * told of the new groups. Inside a write transaction. ERR_NOT_FOUND: no such server or project. ERR_CONFLICT: the
 * server is under way, has a port of its tenant's own, or is in a server group. ERR_QUOTA: the project has no room for
 * it. */
int store_server_give(struct db_conn *c, const char *server_id, const char *project_id, int64_t now_us, struct arena *a,
                      struct error *e);
