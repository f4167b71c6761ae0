/* Is this process able to serve? Asked by /healthz and by the watchdog. */
#pragma once
#include "api/api.h"
#include "db/db.h"

/* A sentence about what is wrong, NULL when all is well: the database answers `conn`, the writer and the HTTP threads
 * move. */
const char *health_trouble(struct api *api, struct db_conn *conn);
