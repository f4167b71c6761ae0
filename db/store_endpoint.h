/* Endpoints of the catalog. */
#pragma once
#include "db/db.h"
#include "db/page.h"

struct endpoint_row {
    const char *id, *service_id;
    const char *region_id; /* NULL for none */
    const char *interface, *url;
    bool enabled;
    const char *name;  /* NULL for none */
    const char *extra; /* JSON */
};

struct endpoint_filter {
    const char *interface, *service_id, *region_id; /* NULL: any */
    int enabled;                                    /* -1: any */
};
/* By ascending id until `each` returns non-zero, which is returned; texts are borrowed; NULL filters match all. */
typedef int (*store_endpoint_fn)(void *arg, const struct endpoint_row *row, struct error *e);
/* ERR_NOT_FOUND without a sentence when there is none. */
int store_endpoint_get(struct db_conn *c, const char *id, struct arena *a, struct endpoint_row *ret, struct error *e);
int store_endpoint_each(struct db_conn *c, const struct endpoint_filter *filter, const struct page *page,
                        store_endpoint_fn each, void *arg, struct error *e);
/* ERR_CONFLICT when the id is taken. */
int store_endpoint_insert(struct db_conn *c, const struct endpoint_row *row, struct error *e);
/* Everything but the id. */
int store_endpoint_update(struct db_conn *c, const struct endpoint_row *row, struct error *e);
int store_endpoint_delete(struct db_conn *c, const char *id, struct error *e);

/* What a client may see: enabled endpoints of enabled services, those of a service in a row. Texts are borrowed. */
typedef int (*store_endpoint_catalog_fn)(void *arg, const char *service_type, const char *service_name,
                                         const struct endpoint_row *row, struct error *e);
int store_endpoint_each_in_catalog(struct db_conn *c, store_endpoint_catalog_fn each, void *arg, struct error *e);
