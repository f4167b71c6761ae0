/* The epoch is a counter. */
#include "db/store_catalog.h"

#define COUNTER "catalog"

DB_STATEMENT(catalog_epoch, "SELECT COALESCE(MAX(value), 0) FROM counter WHERE name = $1");
int store_catalog_epoch(struct db_conn *c, int64_t *ret, struct error *e)
{
    return db_query_int(c, &catalog_epoch, ret, e, DB_ARGS(db_text(COUNTER)));
}

int store_catalog_touch(struct db_conn *c, struct error *e)
{
    int64_t ignored;
    return db_counter_next(c, COUNTER, 1, &ignored, e);
}
