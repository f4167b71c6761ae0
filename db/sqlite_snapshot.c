/* The header is copied before BEGIN, so what was copied is never newer than the snapshot: a commit in between only
 * makes the next statement begin anew. A torn copy differs from the next one and does the same.
 *
 * A snapshot that is kept keeps the WAL from being started over, so none is kept once the WAL is nearly as long as it
 * gets before SQLite wants to (wal_autocheckpoint), and whoever keeps one ends it soon when nobody reads. */
#include "db/sqlite_snapshot.h"
#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FRAMES_MOST   800        /* of the WAL; wal_autocheckpoint is 1000 */
#define FRAMES_OFFSET 16         /* of the header's mxFrame, in the machine's own byte order */
#define REGION_SIZE   (32 << 10) /* WALINDEX_PGSZ */

/* SQLite has the first region mapped as long as the connection is open. */
static const volatile unsigned char *find_header(sqlite3 *sqlite)
{
    sqlite3_file *file = NULL;
    void volatile *region = NULL;
    if (sqlite3_file_control(sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file ||
        !file->pMethods || file->pMethods->iVersion < 2 || !file->pMethods->xShmMap ||
        file->pMethods->xShmMap(file, 0, REGION_SIZE, 0, &region) != SQLITE_OK)
        return NULL;
    return region;
}

static void copy_header(const struct sqlite_snapshot *s, unsigned char *to)
{
    const volatile uint64_t *from = (const volatile uint64_t *)s->header;
    for (size_t i = 0; i < SQLITE_SNAPSHOT_HEADER / sizeof(uint64_t); i++) {
        uint64_t word = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
        memcpy(to + i * sizeof(word), &word, sizeof(word));
    }
}

static bool is_short(const struct sqlite_snapshot *s)
{
    uint32_t frames;
    memcpy(&frames, s->seen + FRAMES_OFFSET, sizeof(frames));
    return frames < FRAMES_MOST;
}

static void run(sqlite3_stmt *stmt)
{
    sqlite3_step(stmt);
    sqlite3_reset(stmt);
}

bool sqlite_snapshot_is_open(sqlite3 *sqlite)
{
    return !sqlite3_get_autocommit(sqlite);
}

void sqlite_snapshot_end(sqlite3 *sqlite, sqlite3_stmt *commit)
{
    if (sqlite_snapshot_is_open(sqlite))
        run(commit);
}

void sqlite_snapshot_enter(struct sqlite_snapshot *s, sqlite3 *sqlite, sqlite3_stmt *begin, sqlite3_stmt *commit)
{
    unsigned char now[SQLITE_SNAPSHOT_HEADER];
    if (!s->header)
        s->header = find_header(sqlite);
    if (!s->header)
        return;
    copy_header(s, now);
    bool open = sqlite_snapshot_is_open(sqlite);
    if (open && memcmp(now, s->seen, sizeof(now)) == 0)
        return;
    if (open)
        run(commit);
    memcpy(s->seen, now, sizeof(now));
    if (is_short(s))
        run(begin);
}

uint64_t sqlite_snapshot_generation(struct sqlite_snapshot *s)
{
    static _Atomic uint64_t last; /* no two connections have a number in common, not even one after the other */
    unsigned char now[SQLITE_SNAPSHOT_HEADER];
    if (!s->header)
        return 0;
    copy_header(s, now);
    if (!s->generation || memcmp(now, s->last, sizeof(now)) != 0) {
        memcpy(s->last, now, sizeof(now));
        s->generation = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    }
    return s->generation;
}
