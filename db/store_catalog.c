/* Rows of region, service and endpoint. */
#include "db/store_catalog.h"

#define REGION_COLUMNS   "r.id, r.description, r.parent_region_id, r.extra"
#define SERVICE_COLUMNS  "s.id, s.type, s.name, s.description, s.enabled, s.extra"
#define SERVICE_COUNT    6
#define ENDPOINT_COLUMNS "p.id, p.service_id, p.region_id, p.interface, p.url, p.enabled, p.name, p.extra"

static const char *text(const struct db_rows *rows, int column, struct arena *a)
{
    return a ? db_dup_text(rows, column, a) : db_get_text(rows, column);
}

static void region_from_row(const struct db_rows *rows, struct arena *a, struct region_row *ret)
{
    *ret = (struct region_row){text(rows, 0, a), text(rows, 1, a), text(rows, 2, a), text(rows, 3, a)};
}

static void service_from_row(const struct db_rows *rows, struct arena *a, struct service_row *ret)
{
    *ret = (struct service_row){.id = text(rows, 0, a),
                                .type = text(rows, 1, a),
                                .name = text(rows, 2, a),
                                .description = text(rows, 3, a),
                                .enabled = db_get_int(rows, 4),
                                .extra = text(rows, 5, a)};
}

static void endpoint_from_row(const struct db_rows *rows, int at, struct arena *a, struct endpoint_row *ret)
{
    *ret = (struct endpoint_row){.id = text(rows, at, a),
                                 .service_id = text(rows, at + 1, a),
                                 .region_id = text(rows, at + 2, a),
                                 .interface = text(rows, at + 3, a),
                                 .url = text(rows, at + 4, a),
                                 .enabled = db_get_int(rows, at + 5),
                                 .name = text(rows, at + 6, a),
                                 .extra = text(rows, at + 7, a)};
}

/* Ends a query for one row. */
static int found(struct db_rows *rows, bool any, struct error *e)
{
    int rc = db_rows_done(rows, e);
    return rc ? rc : any ? 0 : ERR_NOT_FOUND;
}

static int count_is_positive(struct db_conn *c, const struct db_statement *s, const struct db_value *args, size_t count,
                             bool *ret, struct error *e)
{
    int64_t number;
    int rc = db_query_int(c, s, &number, e, args, count);
    if (!rc)
        *ret = number > 0;
    return rc;
}

DB_STATEMENT(region_by_id, "SELECT " REGION_COLUMNS " FROM region r WHERE r.id = $1");
int store_region_get(struct db_conn *c, const char *id, struct arena *a, struct region_row *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &region_by_id, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    bool any = db_next(&rows);
    if (any)
        region_from_row(&rows, a, ret);
    return found(&rows, any, e);
}

DB_STATEMENT(region_all,
             "SELECT " REGION_COLUMNS " FROM region r WHERE r.id > $1 AND (r.parent_region_id = $2 OR $2 IS NULL) "
             "ORDER BY r.id LIMIT $3");
int store_region_each(struct db_conn *c, const char *parent_id, const struct page *page, store_region_fn each,
                      void *arg, struct error *e)
{
    struct db_rows rows;
    struct region_row row;
    int stop = 0,
        rc = db_query(c, &region_all, &rows, e, DB_ARGS(PAGE_AFTER(page), db_text(parent_id), PAGE_LIMIT(page)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        region_from_row(&rows, NULL, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(region_add, "INSERT INTO region (id, description, parent_region_id, extra) VALUES ($1, $2, $3, $4)");
DB_STATEMENT(region_update, "UPDATE region SET description = $2, parent_region_id = $3, extra = $4 WHERE id = $1");
#define REGION_ARGS(row)                                                                                               \
    DB_ARGS(db_text((row)->id), db_text((row)->description), db_text((row)->parent_region_id), db_text((row)->extra))
int store_region_insert(struct db_conn *c, const struct region_row *row, struct error *e)
{
    return db_exec(c, &region_add, NULL, e, REGION_ARGS(row));
}

int store_region_update(struct db_conn *c, const struct region_row *row, struct error *e)
{
    return db_exec(c, &region_update, NULL, e, REGION_ARGS(row));
}

#define BELOW                                                                                                          \
    "WITH RECURSIVE down (id) AS (SELECT id FROM region WHERE id = $1 UNION "                                          \
    "SELECT r.id FROM region r JOIN down ON r.parent_region_id = down.id) "
DB_STATEMENT(region_delete, BELOW "DELETE FROM region WHERE id IN (SELECT id FROM down)");
int store_region_delete(struct db_conn *c, const char *id, struct error *e)
{
    return db_exec(c, &region_delete, NULL, e, DB_ARGS(db_text(id)));
}

DB_STATEMENT(region_is_below, BELOW "SELECT COUNT(*) FROM down WHERE id = $2");
int store_region_is_below(struct db_conn *c, const char *id, const char *other, bool *ret, struct error *e)
{
    return count_is_positive(c, &region_is_below, DB_ARGS(db_text(other), db_text(id)), ret, e);
}

DB_STATEMENT(region_endpoints, BELOW "SELECT COUNT(*) FROM endpoint WHERE region_id IN (SELECT id FROM down)");
int store_region_has_endpoints(struct db_conn *c, const char *id, bool *ret, struct error *e)
{
    return count_is_positive(c, &region_endpoints, DB_ARGS(db_text(id)), ret, e);
}

DB_STATEMENT(service_by_id, "SELECT " SERVICE_COLUMNS " FROM service s WHERE s.id = $1");
int store_service_get(struct db_conn *c, const char *id, struct arena *a, struct service_row *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &service_by_id, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    bool any = db_next(&rows);
    if (any)
        service_from_row(&rows, a, ret);
    return found(&rows, any, e);
}

DB_STATEMENT(service_all,
             "SELECT " SERVICE_COLUMNS " FROM service s WHERE s.id > $1 AND (s.type = $2 OR $2 IS NULL) AND "
             "(s.name = $3 OR $3 IS NULL) ORDER BY s.id LIMIT $4");
int store_service_each(struct db_conn *c, const char *type, const char *name, const struct page *page,
                       store_service_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct service_row row;
    int stop = 0, rc = db_query(c, &service_all, &rows, e,
                                DB_ARGS(PAGE_AFTER(page), db_text(type), db_text(name), PAGE_LIMIT(page)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        service_from_row(&rows, NULL, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(service_add,
             "INSERT INTO service (id, type, name, description, enabled, extra) VALUES ($1, $2, $3, $4, $5, $6)");
DB_STATEMENT(service_update,
             "UPDATE service SET type = $2, name = $3, description = $4, enabled = $5, extra = $6 WHERE id = $1");
#define SERVICE_ARGS(row)                                                                                              \
    DB_ARGS(db_text((row)->id), db_text((row)->type), db_text((row)->name), db_text((row)->description),               \
            db_int((row)->enabled), db_text((row)->extra))
int store_service_insert(struct db_conn *c, const struct service_row *row, struct error *e)
{
    return db_exec(c, &service_add, NULL, e, SERVICE_ARGS(row));
}

int store_service_update(struct db_conn *c, const struct service_row *row, struct error *e)
{
    return db_exec(c, &service_update, NULL, e, SERVICE_ARGS(row));
}

DB_STATEMENT(service_delete_endpoints, "DELETE FROM endpoint WHERE service_id = $1");
DB_STATEMENT(service_delete, "DELETE FROM service WHERE id = $1");
int store_service_delete(struct db_conn *c, const char *id, struct error *e)
{
    int rc = db_exec(c, &service_delete_endpoints, NULL, e, DB_ARGS(db_text(id)));
    return rc ? rc : db_exec(c, &service_delete, NULL, e, DB_ARGS(db_text(id)));
}

DB_STATEMENT(endpoint_by_id, "SELECT " ENDPOINT_COLUMNS " FROM endpoint p WHERE p.id = $1");
int store_endpoint_get(struct db_conn *c, const char *id, struct arena *a, struct endpoint_row *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &endpoint_by_id, &rows, e, DB_ARGS(db_text(id)));
    if (rc)
        return rc;
    bool any = db_next(&rows);
    if (any)
        endpoint_from_row(&rows, 0, a, ret);
    return found(&rows, any, e);
}

DB_STATEMENT(
    endpoint_all,
    "SELECT " ENDPOINT_COLUMNS " FROM endpoint p WHERE p.id > $1 AND (p.interface = $2 OR $2 IS NULL) AND "
    "(p.service_id = $3 OR $3 IS NULL) AND (p.region_id = $4 OR $4 IS NULL) AND (p.enabled = $5 OR $5 IS NULL) "
    "ORDER BY p.id LIMIT $6");
int store_endpoint_each(struct db_conn *c, const struct endpoint_filter *f, const struct page *page,
                        store_endpoint_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct endpoint_row row;
    int stop = 0,
        rc = db_query(c, &endpoint_all, &rows, e,
                      DB_ARGS(PAGE_AFTER(page), db_text(f->interface), db_text(f->service_id), db_text(f->region_id),
                              db_int_opt(f->enabled >= 0, f->enabled), PAGE_LIMIT(page)));
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        endpoint_from_row(&rows, 0, NULL, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(endpoint_add, "INSERT INTO endpoint (id, service_id, region_id, interface, url, enabled, name, extra) "
                           "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
DB_STATEMENT(endpoint_update,
             "UPDATE endpoint SET service_id = $2, region_id = $3, interface = $4, url = $5, enabled = $6, "
             "name = $7, extra = $8 WHERE id = $1");
#define ENDPOINT_ARGS(row)                                                                                             \
    DB_ARGS(db_text((row)->id), db_text((row)->service_id), db_text((row)->region_id), db_text((row)->interface),      \
            db_text((row)->url), db_int((row)->enabled), db_text((row)->name), db_text((row)->extra))
int store_endpoint_insert(struct db_conn *c, const struct endpoint_row *row, struct error *e)
{
    return db_exec(c, &endpoint_add, NULL, e, ENDPOINT_ARGS(row));
}

int store_endpoint_update(struct db_conn *c, const struct endpoint_row *row, struct error *e)
{
    return db_exec(c, &endpoint_update, NULL, e, ENDPOINT_ARGS(row));
}

DB_STATEMENT(endpoint_delete, "DELETE FROM endpoint WHERE id = $1");
int store_endpoint_delete(struct db_conn *c, const char *id, struct error *e)
{
    return db_exec(c, &endpoint_delete, NULL, e, DB_ARGS(db_text(id)));
}

DB_STATEMENT(catalog_all,
             "SELECT " SERVICE_COLUMNS ", " ENDPOINT_COLUMNS " FROM service s JOIN endpoint p ON p.service_id = s.id "
             "WHERE s.enabled = 1 AND p.enabled = 1 ORDER BY s.type, s.id, p.interface, p.id");
int store_catalog_each(struct db_conn *c, store_catalog_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct service_row service;
    struct endpoint_row endpoint;
    int stop = 0, rc = db_query(c, &catalog_all, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        service_from_row(&rows, NULL, &service);
        endpoint_from_row(&rows, SERVICE_COUNT, NULL, &endpoint);
        stop = each(arg, &service, &endpoint, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}
