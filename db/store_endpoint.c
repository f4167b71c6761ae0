/* Rows of endpoint. */
#include "db/store_endpoint.h"
#include "db/rows.h"
#include "db/store_catalog.h"

#define COLUMNS      "p.id, p.service_id, p.region_id, p.interface, p.url, p.enabled, p.name, p.extra"
#define COLUMN_COUNT 8

static void from_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct endpoint_row *)ret = (struct endpoint_row){.id = rows_text(rows, 0, a),
                                                        .service_id = rows_text(rows, 1, a),
                                                        .region_id = rows_text(rows, 2, a),
                                                        .interface = rows_text(rows, 3, a),
                                                        .url = rows_text(rows, 4, a),
                                                        .enabled = db_get_int(rows, 5),
                                                        .name = rows_text(rows, 6, a),
                                                        .extra = rows_text(rows, 7, a)};
}

DB_STATEMENT(endpoint_by_id, "SELECT " COLUMNS " FROM endpoint p WHERE p.id = $1");
int store_endpoint_get(struct db_conn *c, const char *id, struct arena *a, struct endpoint_row *ret, struct error *e)
{
    return rows_one(c, &endpoint_by_id, DB_ARGS(db_text(id)), from_row, a, ret, e);
}

DB_STATEMENT(
    endpoint_all,
    "SELECT " COLUMNS " FROM endpoint p WHERE p.id > $1 AND (p.interface = $2 OR $2 IS NULL) AND "
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
        from_row(&rows, NULL, &row);
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
#define ROW_ARGS(row)                                                                                                  \
    DB_ARGS(db_text((row)->id), db_text((row)->service_id), db_text((row)->region_id), db_text((row)->interface),      \
            db_text((row)->url), db_int((row)->enabled), db_text((row)->name), db_text((row)->extra))
int store_endpoint_insert(struct db_conn *c, const struct endpoint_row *row, struct error *e)
{
    int rc = db_exec(c, &endpoint_add, NULL, e, ROW_ARGS(row));
    return rc ? rc : store_catalog_touch(c, e);
}

int store_endpoint_update(struct db_conn *c, const struct endpoint_row *row, struct error *e)
{
    int rc = db_exec(c, &endpoint_update, NULL, e, ROW_ARGS(row));
    return rc ? rc : store_catalog_touch(c, e);
}

DB_STATEMENT(endpoint_delete, "DELETE FROM endpoint WHERE id = $1");
int store_endpoint_delete(struct db_conn *c, const char *id, struct error *e)
{
    int rc = db_exec(c, &endpoint_delete, NULL, e, DB_ARGS(db_text(id)));
    return rc ? rc : store_catalog_touch(c, e);
}

DB_STATEMENT(endpoint_catalog,
             "SELECT " COLUMNS ", s.type, s.name FROM service s JOIN endpoint p ON p.service_id = s.id "
             "WHERE s.enabled = 1 AND p.enabled = 1 ORDER BY s.type, s.id, p.interface, p.id");
int store_endpoint_each_in_catalog(struct db_conn *c, store_endpoint_catalog_fn each, void *arg, struct error *e)
{
    struct db_rows rows;
    struct endpoint_row row;
    int stop = 0, rc = db_query(c, &endpoint_catalog, &rows, e, DB_NO_ARGS);
    if (rc)
        return rc;
    while (!stop && db_next(&rows)) {
        from_row(&rows, NULL, &row);
        stop = each(arg, db_get_text(&rows, COLUMN_COUNT), db_get_text(&rows, COLUMN_COUNT + 1), &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}
