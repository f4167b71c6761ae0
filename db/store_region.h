/* Regions of the catalog. */
#pragma once
#include "db/db.h"
#include "db/page.h"

struct region_row {
    const char *id, *description;
    const char *parent_region_id; /* NULL for none */
    const char *extra;            /* JSON */
};

/* By ascending id until `each` returns non-zero, which is returned; texts are borrowed; NULL filters match all. */
typedef int (*store_region_fn)(void *arg, const struct region_row *row, struct error *e);
/* ERR_NOT_FOUND without a sentence when there is none. */
int store_region_get(struct db_conn *c, const char *id, struct arena *a, struct region_row *ret, struct error *e);
int store_region_each(struct db_conn *c, const char *parent_id, const struct page *page, store_region_fn each,
                      void *arg, struct error *e);
/* ERR_CONFLICT when the id is taken. */
int store_region_insert(struct db_conn *c, const struct region_row *row, struct error *e);
/* Everything but the id. */
int store_region_update(struct db_conn *c, const struct region_row *row, struct error *e);
/* With the regions below it. */
int store_region_delete(struct db_conn *c, const char *id, struct error *e);
/* Whether `id` is `other` or somewhere below it. / Whether it or a region below has an endpoint. */
int store_region_is_below(struct db_conn *c, const char *id, const char *other, bool *ret, struct error *e);
int store_region_has_endpoints(struct db_conn *c, const char *id, bool *ret, struct error *e);
