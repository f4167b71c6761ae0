/* What services exist and where: regions, services, endpoints. */
#pragma once
#include "db/db.h"
#include "db/page.h"

struct region_row {
    const char *id, *description;
    const char *parent_region_id; /* NULL for none */
    const char *extra;            /* JSON */
};
struct service_row {
    const char *id, *type;
    const char *name, *description; /* NULL for none */
    bool enabled;
    const char *extra; /* JSON */
};
struct endpoint_row {
    const char *id, *service_id;
    const char *region_id; /* NULL for none */
    const char *interface, *url;
    bool enabled;
    const char *name;  /* NULL for none */
    const char *extra; /* JSON */
};

/* *_get: ERR_NOT_FOUND without a sentence when there is none. *_each: by ascending id until `each` returns non-zero,
 * which is returned; texts are borrowed; NULL filters match all. *_insert: ERR_CONFLICT when the id is taken. *_update:
 * everything but the id. */
typedef int (*store_region_fn)(void *arg, const struct region_row *row, struct error *e);
int store_region_get(struct db_conn *c, const char *id, struct arena *a, struct region_row *ret, struct error *e);
int store_region_each(struct db_conn *c, const char *parent_id, const struct page *page, store_region_fn each,
                      void *arg, struct error *e);
int store_region_insert(struct db_conn *c, const struct region_row *row, struct error *e);
int store_region_update(struct db_conn *c, const struct region_row *row, struct error *e);
/* With the regions below it. */
int store_region_delete(struct db_conn *c, const char *id, struct error *e);
/* Whether `id` is `other` or somewhere below it. / Whether it or a region below has an endpoint. */
int store_region_is_below(struct db_conn *c, const char *id, const char *other, bool *ret, struct error *e);
int store_region_has_endpoints(struct db_conn *c, const char *id, bool *ret, struct error *e);

typedef int (*store_service_fn)(void *arg, const struct service_row *row, struct error *e);
int store_service_get(struct db_conn *c, const char *id, struct arena *a, struct service_row *ret, struct error *e);
int store_service_each(struct db_conn *c, const char *type, const char *name, const struct page *page,
                       store_service_fn each, void *arg, struct error *e);
int store_service_insert(struct db_conn *c, const struct service_row *row, struct error *e);
int store_service_update(struct db_conn *c, const struct service_row *row, struct error *e);
/* With its endpoints. */
int store_service_delete(struct db_conn *c, const char *id, struct error *e);

struct endpoint_filter {
    const char *interface, *service_id, *region_id; /* NULL: any */
    int enabled;                                    /* -1: any */
};
typedef int (*store_endpoint_fn)(void *arg, const struct endpoint_row *row, struct error *e);
int store_endpoint_get(struct db_conn *c, const char *id, struct arena *a, struct endpoint_row *ret, struct error *e);
int store_endpoint_each(struct db_conn *c, const struct endpoint_filter *filter, const struct page *page,
                        store_endpoint_fn each, void *arg, struct error *e);
int store_endpoint_insert(struct db_conn *c, const struct endpoint_row *row, struct error *e);
int store_endpoint_update(struct db_conn *c, const struct endpoint_row *row, struct error *e);
int store_endpoint_delete(struct db_conn *c, const char *id, struct error *e);

/* The catalog: enabled endpoints of enabled services, those of a service in a row. */
typedef int (*store_catalog_fn)(void *arg, const struct service_row *service, const struct endpoint_row *endpoint,
                                struct error *e);
int store_catalog_each(struct db_conn *c, store_catalog_fn each, void *arg, struct error *e);
