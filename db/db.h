/* The database for everybody above: connections, statements, transactions. One SQL on two engines (SQLite embedded,
 * PostgreSQL through libpq); which one is behind a handle shows only here, in engine_*.c, and in statements that carry
 * a second text.
 *
 * A store (db/store_<noun>.c) holds the statements of one noun, each right above the function that runs it:
 *
 *     DB_STATEMENT(server_by_id, "SELECT " SERVER_COLUMNS " FROM server WHERE id = $1");
 *     int store_server_get(struct db_conn *c, const char *id, struct arena *a, struct server_row *ret, struct error *e)
 * { struct db_rows rows; int rc = db_query(c, &server_by_id, &rows, e, DB_ARGS(db_text(id)));
 *         ...
 *
 * Placeholders are $1..$n; arguments are given in that order on both engines. */
#pragma once
#include "common/arena.h"
#include "common/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;      /* a database; one per process, any thread */
struct db_conn; /* one connection; one thread at a time */

enum db_kind { DB_SQLITE, DB_POSTGRES };

/* `url`: a path or "sqlite:PATH", or "postgres://..." (libpq's own form). Applies the migrations that are missing,
 * under a lock; refuses a schema newer than the program (ERR_DATABASE, saying so) and a changed checksum. With
 * DB_OPEN_NO_MIGRATE it refuses an older one too. */
enum db_open_flag { DB_OPEN_NO_MIGRATE = 1 };
int db_open(const char *url, unsigned flags, struct db **ret_db, struct error *e);
void db_close(struct db **db);
enum db_kind db_engine(const struct db *db);
const char *db_path(const struct db *db); /* SQLite's file, NULL on PostgreSQL */

/* The region that this cloud is, noted with what is held (db/store_ledger.h); "" until it is set. Before other threads
 * use the database. */
void db_set_region(struct db *db, const char *region);
const char *db_region(const struct db_conn *c);

/* This thread's read connection, opened on first use and closed when the thread ends or the database is closed. Never
 * NULL: failures show at the first statement. Statements run outside a transaction see the newest committed state;
 * db_snapshot gives several one state. */
struct db_conn *db_reader(struct db *db);
/* From now on readers may leave a snapshot open after a statement, as long as it is the newest committed state: the
 * next statement costs less. Whoever wants this calls db_rest_readers every 200 ms or so, from one thread, which ends
 * those that nobody uses, so that they do not keep the WAL from being started over. Nothing on PostgreSQL. */
void db_keep_snapshots(struct db *db);
void db_rest_readers(struct db *db);
/* A number that stays the same as long as nobody, in any process, commits anything: what was read from this connection
 * after it was asked for is still so when it is the same again. Costs next to nothing. 0 when this cannot be told: on
 * PostgreSQL, on connections that keep no snapshots, before the first statement, within a transaction or rows. */
uint64_t db_generation(struct db_conn *c);
/* Runs `fn` inside one read snapshot. Returns what fn returns. */
typedef int (*db_fn)(struct db_conn *c, void *arg, struct error *e);
int db_snapshot(struct db_conn *c, db_fn fn, void *arg, struct error *e);
/* A connection of its own for writing; close it with db_conn_close. For daemons' own loops; the API writes through
 * db/writer.h. */
int db_conn_open(struct db *db, struct db_conn **ret, struct error *e);
void db_conn_close(struct db_conn **c);

/* One write transaction: takes the (fair) write lock on SQLite, runs fn, commits; rolls back when fn fails. On a
 * serialization failure or a deadlock (PostgreSQL) fn is run again, at most 20 times: it must have no side effect
 * outside the transaction and its own result. After commit the wake-ups that fn posted (db_wake) are published. */
int db_transact(struct db_conn *c, db_fn fn, void *arg, struct error *e);
/* A savepoint within a running transaction: what fn did is undone when it fails. */
int db_savepoint(struct db_conn *c, db_fn fn, void *arg, struct error *e);

/* A statement, registered at link time so that tests can prepare them all on both engines. `postgres` is NULL when one
 * text serves both. */
struct db_statement {
    const char *name, *sql, *postgres;
};
#define DB_STATEMENT(ident, ...) DB_STATEMENT2(ident, (__VA_ARGS__), NULL)
/* The dialects differ: say both. */
#define DB_STATEMENT2(ident, text, pg)                                                                                 \
    static const struct db_statement ident                                                                             \
        __attribute__((section("db_statements"), used, aligned(8))) = {.name = #ident, .sql = text, .postgres = pg}
size_t db_statement_count(void);
const struct db_statement *db_statement_at(size_t index);

/* Arguments. Text and bytes are borrowed until the call returns. */
enum db_type { DB_TYPE_NULL, DB_TYPE_INT, DB_TYPE_TEXT, DB_TYPE_BYTES };
struct db_value {
    enum db_type type;
    int64_t integer;
    const void *data;
    size_t size;
};
struct db_value db_int(int64_t value);
struct db_value db_text(const char *value); /* NULL gives SQL NULL */
struct db_value db_text_n(const char *value, size_t size);
struct db_value db_bytes(const void *data, size_t size);
struct db_value db_null(void);
/* NULL when `present` is false; for optional filters: (col = $3 OR $3 IS NULL) in that order. PostgreSQL must be able
 * to infer the type. */
struct db_value db_int_opt(bool present, int64_t value);
#define DB_ARGS(...)                                                                                                   \
    (const struct db_value[]){__VA_ARGS__}, (sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value))
#define DB_NO_ARGS NULL, (size_t)0

/* Runs a statement that gives no rows. `ret_changed` may be NULL. 0; ERR_CONFLICT for a unique or foreign key violation
 * (the text names the constraint); ERR_SERIALIZATION; ERR_NO_SPACE; ERR_UNAVAILABLE (connection lost, will be
 * reopened); ERR_BUSY (a foreign tool holds SQLite's lock); ERR_CORRUPT; ERR_DATABASE. Outside a transaction a write is
 * one of its own; a reader refuses it. Inside a transaction a failed statement fails all that follow, as PostgreSQL
 * does: what may fail and be forgiven goes into db_savepoint. */
int db_exec(struct db_conn *c, const struct db_statement *s, int64_t *ret_changed, struct error *e,
            const struct db_value *args, size_t count);

/* Rows of a statement. Use: db_query; while (db_next(&rows)) {...}; rc = db_rows_done(&rows, e). db_rows_done must be
 * called after every successful db_query. */
struct db_rows {
    struct db_conn *conn;
    void *cursor;
    int64_t row;
    int status;
};
int db_query(struct db_conn *c, const struct db_statement *s, struct db_rows *ret_rows, struct error *e,
             const struct db_value *args, size_t count);
bool db_next(struct db_rows *rows);
int db_rows_done(struct db_rows *rows, struct error *e); /* 0 or the error that ended the rows early */
/* Columns of the current row, from 0. Borrowed until the next db_next. NULL text for SQL NULL; 0 for a NULL integer. */
bool db_is_null(const struct db_rows *rows, int column);
int64_t db_get_int(const struct db_rows *rows, int column);
const char *db_get_text(const struct db_rows *rows, int column);
const char *db_get_text_n(const struct db_rows *rows, int column, size_t *ret_size);
const void *db_get_bytes(const struct db_rows *rows, int column, size_t *ret_size);
char *db_dup_text(const struct db_rows *rows, int column, struct arena *a);
/* A statement that gives at most one row with one integer. ERR_NOT_FOUND when it gives none. */
int db_query_int(struct db_conn *c, const struct db_statement *s, int64_t *ret, struct error *e,
                 const struct db_value *args, size_t count);

/* 0 when the database answers. */
int db_ping(struct db_conn *c, struct error *e);

/* Posts a wake-up on `topic` ("host:<id>", "placement", "events", ...), published once after commit; nothing when
 * rolled back. See wake.h. */
void db_wake(struct db_conn *c, const char *topic);

/* The next `count` numbers of a named counter, ordered as the transactions commit (a row that serialises its users).
 * Returns the first. */
int db_counter_next(struct db_conn *c, const char *name, int64_t count, int64_t *ret_first, struct error *e);

/* Tests: the n-th statement from now on this connection fails with `code` (0 switches off); `repeat`: all after it too.
 */
void db_fail_at(struct db_conn *c, int64_t n, int code, bool repeat);
int64_t db_statements_run(const struct db_conn *c);
