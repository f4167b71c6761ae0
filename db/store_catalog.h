/* The catalog as a whole: when its services and endpoints have changed. */
#pragma once
#include "db/db.h"

/* A number that every commit of a change to a service or an endpoint makes larger: who finds it unchanged on a reader
 * may use what it built from the catalog then. */
int store_catalog_epoch(struct db_conn *c, int64_t *ret, struct error *e);
/* To be called in the transaction of each such change. */
int store_catalog_touch(struct db_conn *c, struct error *e);
