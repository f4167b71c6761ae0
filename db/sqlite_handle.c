/* Errors of a connection to SQLite, and the snapshot that a reader leaves open between its statements: when the thread
 * comes back in time it goes on with it; when not, another thread ends it (db_rest_readers).
 *
 * Failure modes: a full disk or an I/O error may make SQLite roll the whole transaction back by itself;
 * sqlite_handle_fail notices and dooms it. */
#include "db/sqlite_handle.h"
#include <assert.h>
#include <errno.h>

int sqlite_handle_code(sqlite3 *sqlite, int status)
{
    switch (status & 0xff) {
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_IOERR:
        return sqlite3_system_errno(sqlite) == ENOSPC ? ERR_NO_SPACE : ERR_DATABASE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    default:
        break;
    }
    switch (status) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return ERR_CONFLICT;
    default:
        return ERR_DATABASE;
    }
}

int sqlite_handle_fail(struct db_conn *c, const char *what, int status, struct error *e)
{
    struct sqlite_handle *h = sqlite_handle_of(c);
    assert(status != SQLITE_NOMEM);
    if (c->txn != ENGINE_TXN_NONE && sqlite3_get_autocommit(h->sqlite))
        c->doomed = true;
    return error_set(e, sqlite_handle_code(h->sqlite, sqlite3_extended_errcode(h->sqlite)), "%s: %s", what,
                     sqlite3_errmsg(h->sqlite));
}

void sqlite_handle_own(struct db_conn *c)
{
    struct sqlite_handle *h = sqlite_handle_of(c);
    if (h->resting && !atomic_exchange(&c->resting, NULL)) { /* it is being ended, under this lock */
        pthread_mutex_lock(&c->db->lock);
        pthread_mutex_unlock(&c->db->lock);
    }
    h->resting = false;
}

void sqlite_handle_enter(struct db_conn *c)
{
    struct sqlite_handle *h = sqlite_handle_of(c);
    if (h->cursors++ || !c->db->keep_snapshots || c->access != ENGINE_READ || c->txn != ENGINE_TXN_NONE)
        return;
    sqlite_handle_own(c);
    sqlite_snapshot_enter(&h->snapshot, h->sqlite, h->control[SQLITE_CONTROL_BEGIN_READ],
                          h->control[SQLITE_CONTROL_COMMIT]);
}

void sqlite_handle_leave(struct db_conn *c)
{
    struct sqlite_handle *h = sqlite_handle_of(c);
    if (--h->cursors || !c->db->keep_snapshots || c->access != ENGINE_READ || c->txn != ENGINE_TXN_NONE)
        return;
    h->resting = sqlite_snapshot_is_open(h->sqlite);
    if (h->resting)
        atomic_store(&c->resting, h);
}

void sqlite_handle_end(struct db_conn *c)
{
    struct sqlite_handle *h = sqlite_handle_of(c);
    sqlite_handle_own(c);
    if (c->access == ENGINE_READ && c->txn == ENGINE_TXN_NONE)
        sqlite_snapshot_end(h->sqlite, h->control[SQLITE_CONTROL_COMMIT]);
}

void sqlite_handle_rest(struct db_conn *c)
{
    struct sqlite_handle *h = atomic_exchange(&c->resting, NULL);
    if (h)
        sqlite_snapshot_end(h->sqlite, h->control[SQLITE_CONTROL_COMMIT]);
}

uint64_t sqlite_handle_generation(struct db_conn *c)
{
    struct sqlite_handle *h = sqlite_handle_of(c);
    return h->cursors ? 0 : sqlite_snapshot_generation(&h->snapshot); /* open rows are of a state that may be old */
}
