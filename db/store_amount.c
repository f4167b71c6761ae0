/* Amounts. The generation is part of the key: what comes after a period was closed lies beside what its invoice knew.
 */
#include "db/store_amount.h"

DB_STATEMENT(amount_add, "INSERT INTO usage_amount (project_no, hour_us, generation, subject_no, shape_no, host_no, "
                         "resource, amount) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (project_no, hour_us, "
                         "generation, subject_no, shape_no, host_no, resource) DO UPDATE SET "
                         "amount = usage_amount.amount + excluded.amount");
int store_amount_add(struct db_conn *c, const struct amount_row *r, struct error *e)
{
    return db_exec(c, &amount_add, NULL, e,
                   DB_ARGS(db_int(r->project_no), db_int(r->hour_us), db_int(r->generation), db_int(r->subject_no),
                           db_int(r->shape_no), db_int(r->host_no), db_text(r->resource), db_int(r->amount)));
}

DB_STATEMENT(amount_each,
             "SELECT hour_us, generation, subject_no, shape_no, host_no, amount, resource FROM usage_amount "
             "WHERE project_no = $1 AND hour_us >= $2 AND hour_us < $3 AND generation <= $4");
int store_amount_each(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t generation,
                      amount_row_fn fn, void *arg, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &amount_each, &rows, e,
                      DB_ARGS(db_int(project_no), db_int(from_us), db_int(to_us), db_int(generation)));
    if (rc) {
        return rc;
    }
    while (!rc && db_next(&rows)) {
        struct amount_row row = {.project_no = project_no,
                                 .hour_us = db_get_int(&rows, 0),
                                 .generation = db_get_int(&rows, 1),
                                 .subject_no = db_get_int(&rows, 2),
                                 .shape_no = db_get_int(&rows, 3),
                                 .host_no = db_get_int(&rows, 4),
                                 .amount = db_get_int(&rows, 5),
                                 .resource = db_get_text(&rows, 6)};
        rc = fn(arg, &row, e);
    }
    int end = db_rows_done(&rows, e);
    return rc ? rc : end;
}

DB_STATEMENT(amount_changed, "SELECT count(*) FROM usage_amount WHERE project_no = $1 AND hour_us >= $2 "
                             "AND hour_us < $3 AND generation > $4");
int store_amount_changed(struct db_conn *c, int64_t project_no, int64_t from_us, int64_t to_us, int64_t generation,
                         bool *ret, struct error *e)
{
    int64_t count = 0;
    int rc = db_query_int(c, &amount_changed, &count, e,
                          DB_ARGS(db_int(project_no), db_int(from_us), db_int(to_us), db_int(generation)));
    if (!rc) {
        *ret = count > 0;
    }
    return rc;
}
