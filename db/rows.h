/* What the stores do alike with rows. For db/store_*.c alone. */
#pragma once
#include "db/db.h"

/* Reads the current row into `ret`, a struct of the store's; its texts are in `a`, or borrowed until the next row when
 * `a` is NULL. */
typedef void (*rows_fn)(const struct db_rows *rows, struct arena *a, void *ret);
const char *rows_text(const struct db_rows *rows, int column, struct arena *a);
/* The only row of a statement. ERR_NOT_FOUND without a sentence when there is none. */
int rows_one(struct db_conn *c, const struct db_statement *s, const struct db_value *args, size_t count, rows_fn read,
             struct arena *a, void *ret, struct error *e);
/* The first column of the only row, a text, in the arena; NULL for null. ERR_NOT_FOUND without a sentence. */
int rows_one_text(struct db_conn *c, const struct db_statement *s, const struct db_value *args, size_t count,
                  struct arena *a, const char **ret, struct error *e);
/* All rows of a query as an array of `size` bytes each in the arena. *ret: a pointer to the first, whatever its type.
 * Ends the query. */
int rows_all(struct db_rows *rows, rows_fn read, size_t size, struct arena *a, void *ret, size_t *ret_count,
             struct error *e);
/* Calls `each` with the first column of each row, a text, until it returns other than 0, which is returned. Ends the
 * query. */
typedef int (*rows_text_fn)(void *arg, const char *text, struct error *e);
int rows_each_text(struct db_rows *rows, rows_text_fn each, void *arg, struct error *e);
