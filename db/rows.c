/* Rows as the stores read them. */
#include "db/rows.h"
#include <string.h>

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

static void rows_read_text(const struct db_rows *rows, struct arena *a, void *ret)
{
    *(const char **)ret = rows_text(rows, 0, a);
}

int rows_one_text(struct db_conn *c, const struct db_statement *s, const struct db_value *args, size_t count,
                  struct arena *a, const char **ret, struct error *e)
{
    return rows_one(c, s, args, count, rows_read_text, a, ret, e);
}

int rows_all(struct db_rows *rows, rows_fn read, size_t size, struct arena *a, void *ret, size_t *ret_count,
             struct error *e)
{
    char *list = NULL;
    size_t count = 0, room = 0;
    while (db_next(rows)) {
        list = arena_more(a, list, count, &room, size);
        read(rows, a, list + size * count++);
    }
    int rc = db_rows_done(rows, e);
    if (rc)
        return rc;
    memcpy(ret, &list, sizeof(list));
    *ret_count = count;
    return 0;
}

int rows_each_text(struct db_rows *rows, rows_text_fn each, void *arg, struct error *e)
{
    int stop = 0;
    while (!stop && db_next(rows))
        stop = each(arg, db_get_text(rows, 0), e);
    int rc = db_rows_done(rows, e);
    return stop ? stop : rc;
}
