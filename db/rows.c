/* Rows as the stores read them. */
#include "db/rows.h"

const char *rows_text(const struct db_rows *rows, int column, struct arena *a)
{
    return a ? db_dup_text(rows, column, a) : db_get_text(rows, column);
}

int rows_one(struct db_conn *c, const struct db_statement *s, const struct db_value *args, size_t count, rows_fn read,
             struct arena *a, void *ret, struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, s, &rows, e, args, count);
    if (rc)
        return rc;
    bool found = db_next(&rows);
    if (found)
        read(&rows, a, ret);
    rc = db_rows_done(&rows, e);
    return rc ? rc : found ? 0 : ERR_NOT_FOUND;
}
