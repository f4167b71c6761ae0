/* Services of the catalog. */
#pragma once
#include "db/db.h"
#include "db/page.h"

struct service_row {
    const char *id, *type;
    const char *name, *description; /* NULL for none */
    bool enabled;
    const char *extra; /* JSON */
};

/* By ascending id until `each` returns non-zero, which is returned; texts are borrowed; NULL filters match all. */
typedef int (*store_service_fn)(void *arg, const struct service_row *row, struct error *e);
/* ERR_NOT_FOUND without a sentence when there is none. */
int store_service_get(struct db_conn *c, const char *id, struct arena *a, struct service_row *ret, struct error *e);
int store_service_each(struct db_conn *c, const char *type, const char *name, const struct page *page,
                       store_service_fn each, void *arg, struct error *e);
/* ERR_CONFLICT when the id is taken. */
int store_service_insert(struct db_conn *c, const struct service_row *row, struct error *e);
/* Everything but the id. */
int store_service_update(struct db_conn *c, const struct service_row *row, struct error *e);
/* With its endpoints. */
int store_service_delete(struct db_conn *c, const char *id, struct error *e);
