/* Statements of SQLite's engine; see the members of the same names in engine.h. For engine_sqlite.c alone. */
#pragma once
#include "db/sqlite_handle.h"

int sqlite_statement_prepare(struct db_conn *c, const struct db_statement *s, struct error *e);
int sqlite_statement_exec(struct db_conn *c, const struct db_statement *s, int64_t *ret_changed, struct error *e,
                          const struct db_value *args, size_t count);
int sqlite_statement_query(struct db_conn *c, const struct db_statement *s, struct db_rows *ret_rows, struct error *e,
                           const struct db_value *args, size_t count);
bool sqlite_statement_next(struct db_rows *rows);
int sqlite_statement_finish(struct db_rows *rows, struct error *e);
bool sqlite_statement_is_null(const struct db_rows *rows, int column);
int64_t sqlite_statement_get_int(const struct db_rows *rows, int column);
const char *sqlite_statement_get_text(const struct db_rows *rows, int column, size_t *ret_size);
const void *sqlite_statement_get_bytes(const struct db_rows *rows, int column, size_t *ret_size);
/* Frees what a slot holds. */
void sqlite_statement_done(struct sqlite_slot *slot);
