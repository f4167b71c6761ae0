/* One connection to SQLite, as the files of its engine share it. For engine_sqlite.c and sqlite_*.c alone. */
#pragma once
#include "db/engine.h"
#include "db/sqlite_snapshot.h"
#include <sqlite3.h>

/* A prepared statement. SQLite takes $1 for a name and numbers names by first appearance: map[i] is its number of $i+1.
 */
struct sqlite_slot {
    sqlite3_stmt *stmt;
    uint16_t *map;
    uint16_t count; /* highest $n */
    bool open;      /* a cursor is on it */
    bool extra;     /* a second cursor on the same statement: freed when done */
};

enum sqlite_control {
    SQLITE_CONTROL_BEGIN_WRITE,
    SQLITE_CONTROL_BEGIN_READ,
    SQLITE_CONTROL_COMMIT,
    SQLITE_CONTROL_ROLLBACK,
    SQLITE_CONTROL_SAVEPOINT,
    SQLITE_CONTROL_RELEASE,
    SQLITE_CONTROL_ROLLBACK_TO,
    SQLITE_CONTROL_COUNT
};
struct sqlite_handle {
    sqlite3 *sqlite;
    struct sqlite_slot *slots;
    sqlite3_stmt *control[SQLITE_CONTROL_COUNT];
    int lock_fd; /* -1 until the first write */
    bool locked;
    struct sqlite_snapshot snapshot;
    unsigned cursors; /* open ones */
    bool resting;     /* a snapshot was left open, for db_rest_readers to end if that comes first */
};

static inline struct sqlite_handle *sqlite_handle_of(const struct db_conn *c)
{
    return c->handle;
}

/* Translates a status of the library without, and one just returned by a call on this connection with its sentence,
 * which starts with `what`. Notices when SQLite has rolled the whole transaction back by itself. */
int sqlite_handle_code(sqlite3 *sqlite, int status);
int sqlite_handle_fail(struct db_conn *c, const char *what, int status, struct error *e);
/* Around the cursors of a reader: its snapshot may stay open between them (db_keep_snapshots). */
void sqlite_handle_enter(struct db_conn *c);
void sqlite_handle_leave(struct db_conn *c);
/* Takes the open snapshot back from whoever may end it meanwhile. */
void sqlite_handle_own(struct db_conn *c);
/* Ends the snapshot that was left open, if any. */
void sqlite_handle_end(struct db_conn *c);
/* The engine's `rest` and `generation`. */
void sqlite_handle_rest(struct db_conn *c);
uint64_t sqlite_handle_generation(struct db_conn *c);
