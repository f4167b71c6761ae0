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
