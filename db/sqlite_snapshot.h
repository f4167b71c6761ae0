/* Read snapshots that stay open between the statements of a connection, as long as they are the newest: beginning and
 * ending one costs as much as a point read, and its locks are shared by all threads. For sqlite_handle.c alone.
 *
 * Whether a snapshot is the newest shows in the header of the WAL index, shared memory that every commit changes before
 * it is acknowledged (sqlite.org/walformat.html, section 2.1). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct sqlite3;
struct sqlite3_stmt;

#define SQLITE_SNAPSHOT_HEADER 48
struct sqlite_snapshot {
    const volatile unsigned char *header;       /* in the shared memory, NULL while not looked for */
    unsigned char seen[SQLITE_SNAPSHOT_HEADER]; /* as it was before the open snapshot began */
    unsigned char last[SQLITE_SNAPSHOT_HEADER]; /* as it was when `generation` became what it is */
    uint64_t generation;
};

/* Called before a statement outside a transaction: ends a snapshot that is not the newest any more, and opens one if it
 * may stay open. Failures leave the statement to its own implicit transaction. */
void sqlite_snapshot_enter(struct sqlite_snapshot *s, struct sqlite3 *sqlite, struct sqlite3_stmt *begin,
                           struct sqlite3_stmt *commit);
/* True while one is open, that is between BEGIN and COMMIT. */
bool sqlite_snapshot_is_open(struct sqlite3 *sqlite);
/* A number that is another one when the header is another than the last time; 0 while it is not known. A statement that
 * starts after this was asked reads this state of the database or a newer one. */
uint64_t sqlite_snapshot_generation(struct sqlite_snapshot *s);
/* Ends the open one, if any. */
void sqlite_snapshot_end(struct sqlite3 *sqlite, struct sqlite3_stmt *commit);
