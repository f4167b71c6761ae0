/* Rows of region. */
#include "db/store_region.h"
#include "db/rows.h"

#define COLUMNS "r.id, r.description, r.parent_region_id, r.extra"

static void from_row(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(struct region_row *)ret =
        (struct region_row){rows_text(rows, 0, a), rows_text(rows, 1, a), rows_text(rows, 2, a), rows_text(rows, 3, a)};
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

DB_STATEMENT(region_by_id, "SELECT " COLUMNS " FROM region r WHERE r.id = $1");
int store_region_get(struct db_conn *c, const char *id, struct arena *a, struct region_row *ret, struct error *e)
{
    return rows_one(c, &region_by_id, DB_ARGS(db_text(id)), from_row, a, ret, e);
}

DB_STATEMENT(region_all, "SELECT " COLUMNS " FROM region r WHERE r.id > $1 AND (r.parent_region_id = $2 OR $2 IS NULL) "
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
        from_row(&rows, NULL, &row);
        stop = each(arg, &row, e);
    }
    rc = db_rows_done(&rows, e);
    return stop ? stop : rc;
}

DB_STATEMENT(region_add, "INSERT INTO region (id, description, parent_region_id, extra) VALUES ($1, $2, $3, $4)");
DB_STATEMENT(region_update, "UPDATE region SET description = $2, parent_region_id = $3, extra = $4 WHERE id = $1");
#define ROW_ARGS(row)                                                                                                  \
    DB_ARGS(db_text((row)->id), db_text((row)->description), db_text((row)->parent_region_id), db_text((row)->extra))
int store_region_insert(struct db_conn *c, const struct region_row *row, struct error *e)
{
    return db_exec(c, &region_add, NULL, e, ROW_ARGS(row));
}

int store_region_update(struct db_conn *c, const struct region_row *row, struct error *e)
{
    return db_exec(c, &region_update, NULL, e, ROW_ARGS(row));
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
