/* Rows of service. */
#include "db/store_service.h"
#include "db/rows.h"
#include "db/store_catalog.h"

#define COLUMNS "s.id, s.type, s.name, s.description, s.enabled, s.extra"

static void from_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct service_row *)ret = (struct service_row){.id = rows_text(rows, 0, a),
                                                      .type = rows_text(rows, 1, a),
                                                      .name = rows_text(rows, 2, a),
                                                      .description = rows_text(rows, 3, a),
                                                      .enabled = db_get_int(rows, 4),
                                                      .extra = rows_text(rows, 5, a)};
}

DB_STATEMENT(service_by_id, "SELECT " COLUMNS " FROM service s WHERE s.id = $1");
int store_service_get(struct db_conn *c, const char *id, struct arena *a, struct service_row *ret, struct error *e)
{
    return rows_one(c, &service_by_id, DB_ARGS(db_text(id)), from_row, a, ret, e);
}

DB_STATEMENT(service_all, "SELECT " COLUMNS " FROM service s WHERE s.id > $1 AND (s.type = $2 OR $2 IS NULL) AND "
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
        from_row(&rows, NULL, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(service_add,
             "INSERT INTO service (id, type, name, description, enabled, extra) VALUES ($1, $2, $3, $4, $5, $6)");
DB_STATEMENT(service_update,
             "UPDATE service SET type = $2, name = $3, description = $4, enabled = $5, extra = $6 WHERE id = $1");
#define ROW_ARGS(row)                                                                                                  \
    DB_ARGS(db_text((row)->id), db_text((row)->type), db_text((row)->name), db_text((row)->description),               \
            db_int((row)->enabled), db_text((row)->extra))
int store_service_insert(struct db_conn *c, const struct service_row *row, struct error *e)
{
    int rc = db_exec(c, &service_add, NULL, e, ROW_ARGS(row));
    return rc ? rc : store_catalog_touch(c, e);
}

int store_service_update(struct db_conn *c, const struct service_row *row, struct error *e)
{
    int rc = db_exec(c, &service_update, NULL, e, ROW_ARGS(row));
    return rc ? rc : store_catalog_touch(c, e);
}

DB_STATEMENT(service_delete_endpoints, "DELETE FROM endpoint WHERE service_id = $1");
DB_STATEMENT(service_delete, "DELETE FROM service WHERE id = $1");
int store_service_delete(struct db_conn *c, const char *id, struct error *e)
{
    int rc = db_exec(c, &service_delete_endpoints, NULL, e, DB_ARGS(db_text(id)));
    if (!rc)
        rc = db_exec(c, &service_delete, NULL, e, DB_ARGS(db_text(id)));
    return rc ? rc : store_catalog_touch(c, e);
}
