/* SQLite: the embedded engine, and the only file that knows its library.
 *
 * WAL with synchronous=FULL: an acknowledged commit is on disk, readers never wait. Connections have no mutex (one
 * thread at a time), and keep each registered statement prepared in a slot by its index. Writers of all processes take
 * turns through write_lock.h, so that BEGIN IMMEDIATE meets contention only from foreign tools, which the busy timeout
 * is for.
 *
 * Failure modes: a full disk or an I/O error may make SQLite roll the whole transaction back by itself; `fail` notices
 * and dooms it. */
#include "common/log.h"
#include "common/memory.h"
#include "db/engine.h"
#include "db/sqlite_memory.h"
#include "db/sqlite_snapshot.h"
#include "db/wake_internal.h"
#include "db/write_lock.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOREIGN_BUSY_MS 5000

/* Each page is cached once per connection; the kernel's page cache stands behind. Memory mapping would count the whole
 * file as resident in every connection. temp_store and the sub-journal of savepoints stay in memory. */
#define SETTINGS                                                                                                       \
    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"                                 \
    "PRAGMA secure_delete = FAST; PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0;"                                  \
    "PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 67108864;"
#define SETTINGS_WRITE SETTINGS "PRAGMA cache_size = -8000;"
#define SETTINGS_READ  SETTINGS "PRAGMA cache_size = -2000; PRAGMA query_only = ON;"

/* A prepared statement. SQLite takes $1 for a name and numbers names by first appearance: map[i] is its number of $i+1.
 */
struct slot {
    sqlite3_stmt *stmt;
    uint16_t *map;
    uint16_t count; /* highest $n */
    bool open;      /* a cursor is on it */
    bool extra;     /* a second cursor on the same statement: freed when done */
};

enum control { BEGIN_WRITE, BEGIN_READ, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, ROLLBACK_TO, CONTROL_COUNT };
static const char *const control_sql[CONTROL_COUNT] = {
    [BEGIN_WRITE] = "BEGIN IMMEDIATE", [BEGIN_READ] = "BEGIN",      [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",           [SAVEPOINT] = "SAVEPOINT s", [RELEASE] = "RELEASE s",
    [ROLLBACK_TO] = "ROLLBACK TO s",
};

struct handle {
    sqlite3 *sqlite;
    struct slot *slots;
    sqlite3_stmt *control[CONTROL_COUNT];
    int lock_fd; /* -1 until the first write */
    bool locked;
    struct sqlite_snapshot snapshot;
    unsigned cursors; /* open ones */
    bool resting;     /* a snapshot was left open, for db_rest_readers to end if that comes first */
};

static struct handle *handle_of(const struct db_conn *c)
{
    return c->handle;
}

static int code_of(sqlite3 *sqlite, int status)
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

/* Translates `status`, just returned by a call on this connection. */
static int fail(struct db_conn *c, const char *what, int status, struct error *e)
{
    struct handle *h = handle_of(c);
    assert(status != SQLITE_NOMEM);
    if (c->txn != ENGINE_TXN_NONE && sqlite3_get_autocommit(h->sqlite))
        c->doomed = true;
    return error_set(e, code_of(h->sqlite, sqlite3_extended_errcode(h->sqlite)), "%s: %s", what,
                     sqlite3_errmsg(h->sqlite));
}

static void library_settings(void)
{
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite_memory_use();
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, 4 << 20);
    sqlite3_initialize();
}

/* The file is made here, so that only its owner may read it. An existing one is never opened but by SQLite: closing it
 * would drop the locks that SQLite has on it for the whole process. */
static int file_make(struct db *db, struct error *e)
{
    struct stat status;
    int fd = stat(db->target, &status) ? open(db->target, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (fd != -1)
        close(fd);
    char *path = realpath(db->target, NULL); /* one name for everybody: the lock's hangs on it */
    if (!path)
        return error_set(e, ERR_DATABASE, "cannot open the database file %s: %s", db->target, strerror(errno));
    free(db->target);
    db->target = path;
    return 0;
}

static int lock_open(const struct db *db, int *ret_fd, struct error *e)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s.lock", db->target);
    int rc = write_lock_open(path.data, ret_fd, e);
    strbuf_done(&path);
    return rc;
}

static int enter_wal(struct db *db, struct error *e)
{
    sqlite3 *sqlite;
    int status = sqlite3_open_v2(db->target, &sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    sqlite3_busy_timeout(sqlite, FOREIGN_BUSY_MS);
    if (status == SQLITE_OK)
        status = sqlite3_exec(sqlite, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    int rc = 0;
    if (status != SQLITE_OK)
        rc = error_set(e, code_of(sqlite, status), "%s: %s", db->target, sqlite3_errmsg(sqlite));
    sqlite3_close(sqlite);
    return rc;
}

/* SQLite does not wait when several want to switch a file to WAL at once, hence the lock. */
static int enter_wal_alone(struct db *db, struct error *e)
{
    int fd;
    int rc = lock_open(db, &fd, e);
    if (rc)
        return rc;
    rc = write_lock_take(fd, e);
    if (!rc)
        rc = enter_wal(db, e);
    close(fd);
    return rc;
}

static int sqlite_attach(struct db *db, struct error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    pthread_once(&once, library_settings);
    pthread_mutex_lock(&one_at_a_time);
    int rc = file_make(db, e);
    if (!rc)
        rc = enter_wal_alone(db, e);
    pthread_mutex_unlock(&one_at_a_time);
    return rc;
}

static void sqlite_detach(struct db *db)
{
    (void)db;
}

static void slot_done(struct slot *slot)
{
    sqlite3_finalize(slot->stmt);
    free(slot->map);
}

/* Takes the open snapshot back from whoever may end it meanwhile. */
static void snapshot_own(struct db_conn *c)
{
    struct handle *h = handle_of(c);
    if (h->resting && !atomic_exchange(&c->resting, NULL)) { /* it is being ended, under this lock */
        pthread_mutex_lock(&c->db->lock);
        pthread_mutex_unlock(&c->db->lock);
    }
    h->resting = false;
}

/* Around the cursors of a reader. */
static void snapshot_enter(struct db_conn *c)
{
    struct handle *h = handle_of(c);
    if (h->cursors++ || !c->db->keep_snapshots || c->access != ENGINE_READ || c->txn != ENGINE_TXN_NONE)
        return;
    snapshot_own(c);
    sqlite_snapshot_enter(&h->snapshot, h->sqlite, h->control[BEGIN_READ], h->control[COMMIT]);
}

static void snapshot_leave(struct db_conn *c)
{
    struct handle *h = handle_of(c);
    if (--h->cursors || !c->db->keep_snapshots || c->access != ENGINE_READ || c->txn != ENGINE_TXN_NONE)
        return;
    h->resting = sqlite_snapshot_is_open(h->sqlite);
    if (h->resting)
        atomic_store(&c->resting, h);
}

static void snapshot_end(struct db_conn *c)
{
    struct handle *h = handle_of(c);
    snapshot_own(c);
    if (c->access == ENGINE_READ && c->txn == ENGINE_TXN_NONE)
        sqlite_snapshot_end(h->sqlite, h->control[COMMIT]);
}

static void sqlite_rest(struct db_conn *c)
{
    struct handle *h = atomic_exchange(&c->resting, NULL);
    if (h)
        sqlite_snapshot_end(h->sqlite, h->control[COMMIT]);
}

static void sqlite_disconnect(struct db_conn *c)
{
    struct handle *h = handle_of(c);
    snapshot_own(c);
    for (size_t i = 0; i < db_statement_count(); i++)
        slot_done(&h->slots[i]);
    for (size_t i = 0; i < CONTROL_COUNT; i++)
        sqlite3_finalize(h->control[i]);
    int rc = sqlite3_close(h->sqlite);
    assert(rc == SQLITE_OK);
    if (h->lock_fd != -1)
        close(h->lock_fd);
    free(h->slots);
    free(h);
    c->handle = NULL;
}

static int handle_prepare(struct db_conn *c, struct error *e)
{
    struct handle *h = handle_of(c);
    int rc = sqlite3_exec(h->sqlite, c->access == ENGINE_WRITE ? SETTINGS_WRITE : SETTINGS_READ, NULL, NULL, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < CONTROL_COUNT; i++)
        rc = sqlite3_prepare_v3(h->sqlite, control_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &h->control[i], NULL);
    return rc == SQLITE_OK ? 0 : fail(c, c->db->target, rc, e);
}

static int sqlite_connect(struct db_conn *c, struct error *e)
{
    struct handle *h = memory_new(sizeof *h);
    h->slots = memory_array(db_statement_count() + 1, sizeof *h->slots);
    h->lock_fd = -1;
    c->handle = h;
    int rc = sqlite3_open_v2(c->db->target, &h->sqlite,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    assert(h->sqlite);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(h->sqlite, 1);
        sqlite3_busy_timeout(h->sqlite, FOREIGN_BUSY_MS);
        rc = handle_prepare(c, e);
    } else {
        rc = fail(c, c->db->target, rc, e);
    }
    if (rc)
        sqlite_disconnect(c);
    return rc;
}

static bool sqlite_usable(const struct db_conn *c)
{
    (void)c;
    return true;
}

static int control_run(struct db_conn *c, enum control which, struct error *e)
{
    struct handle *h = handle_of(c);
    sqlite3_stmt *stmt = h->control[which];
    int status = sqlite3_step(stmt);
    int rc = status == SQLITE_DONE ? 0 : fail(c, control_sql[which], status, e);
    sqlite3_reset(stmt);
    return rc;
}

static int lock_take(struct db_conn *c, struct error *e)
{
    struct handle *h = handle_of(c);
    int rc = 0;
    if (h->lock_fd == -1)
        rc = lock_open(c->db, &h->lock_fd, e);
    if (!rc)
        rc = write_lock_take(h->lock_fd, e);
    h->locked = !rc;
    return rc;
}

static void lock_drop(struct db_conn *c)
{
    struct handle *h = handle_of(c);
    if (h->locked)
        write_lock_drop(h->lock_fd);
    h->locked = false;
}

static int sqlite_begin(struct db_conn *c, enum engine_txn kind, struct error *e)
{
    if (kind == ENGINE_TXN_SNAPSHOT) {
        snapshot_end(c);
        return control_run(c, BEGIN_READ, e);
    }
    int rc = lock_take(c, e);
    if (rc)
        return rc;
    rc = control_run(c, BEGIN_WRITE, e);
    if (rc)
        lock_drop(c);
    return rc;
}

static int sqlite_commit(struct db_conn *c, struct error *e)
{
    int rc = control_run(c, COMMIT, e);
    if (!rc)
        lock_drop(c);
    return rc;
}

static void sqlite_rollback(struct db_conn *c)
{
    struct handle *h = handle_of(c);
    if (!sqlite3_get_autocommit(h->sqlite)) {
        struct error why;
        error_clear(&why);
        if (control_run(c, ROLLBACK, &why))
            log_error("rollback failed", "error=%s", error_text(&why));
        assert(sqlite3_get_autocommit(h->sqlite));
    }
    lock_drop(c);
}

static int sqlite_savepoint(struct db_conn *c, struct error *e)
{
    return control_run(c, SAVEPOINT, e);
}

static int sqlite_release(struct db_conn *c, struct error *e)
{
    return control_run(c, RELEASE, e);
}

static int sqlite_rollback_to(struct db_conn *c, struct error *e)
{
    int rc = control_run(c, ROLLBACK_TO, e);
    return rc ? rc : control_run(c, RELEASE, e);
}

/* Finds out where each $n is. */
static int slot_map(struct slot *slot, const struct db_statement *s, struct error *e)
{
    int names = sqlite3_bind_parameter_count(slot->stmt);
    slot->map = memory_array((size_t)names + 1, sizeof *slot->map);
    for (int i = 1; i <= names; i++) {
        const char *name = sqlite3_bind_parameter_name(slot->stmt, i);
        char *end = NULL;
        long number = name && *name == '$' ? strtol(name + 1, &end, 10) : 0;
        if (!end || *end || number < 1 || number > names)
            return error_set(e, ERR_DATABASE, "%s: placeholders must be $1 to $n without a gap", s->name);
        slot->map[number - 1] = (uint16_t)i;
    }
    slot->count = (uint16_t)names;
    return 0;
}

static int slot_prepare(struct db_conn *c, struct slot *slot, const struct db_statement *s, struct error *e)
{
    const char *rest;
    int status = sqlite3_prepare_v3(handle_of(c)->sqlite, s->sql, -1, SQLITE_PREPARE_PERSISTENT, &slot->stmt, &rest);
    int rc = status == SQLITE_OK ? 0 : fail(c, s->name, status, e);
    if (!rc && (!slot->stmt || *rest))
        rc = error_set(e, ERR_DATABASE, "%s: exactly one statement is wanted", s->name);
    if (!rc)
        rc = slot_map(slot, s, e);
    if (rc) {
        slot_done(slot);
        *slot = (struct slot){0};
    }
    return rc;
}

static int slot_extra(struct db_conn *c, const struct db_statement *s, struct slot **ret, struct error *e)
{
    struct slot *slot = memory_new(sizeof *slot);
    int rc = slot_prepare(c, slot, s, e);
    slot->extra = true;
    if (rc)
        free(slot);
    else
        *ret = slot;
    return rc;
}

/* The statement's slot, prepared and free for use. */
static int slot_take(struct db_conn *c, const struct db_statement *s, struct slot **ret, struct error *e)
{
    struct slot *slot = &handle_of(c)->slots[engine_statement_index(s)];
    if (slot->open)
        return slot_extra(c, s, ret, e);
    int rc = slot->stmt ? 0 : slot_prepare(c, slot, s, e);
    if (!rc)
        *ret = slot;
    return rc;
}

/* Bindings stay: they are never read before they are bound again, as every use binds them all. */
static int slot_release(struct db_conn *c, struct slot *slot)
{
    int status = sqlite3_reset(slot->stmt);
    snapshot_leave(c);
    slot->open = false;
    if (slot->extra) {
        slot_done(slot);
        free(slot);
    }
    return status;
}

static int bind_one(sqlite3_stmt *stmt, int index, const struct db_value *v)
{
    switch (v->type) {
    case DB_TYPE_INT:
        return sqlite3_bind_int64(stmt, index, v->integer);
    case DB_TYPE_TEXT:
        return sqlite3_bind_text64(stmt, index, v->data, v->size, SQLITE_STATIC, SQLITE_UTF8);
    case DB_TYPE_BYTES:
        return sqlite3_bind_blob64(stmt, index, v->data, v->size, SQLITE_STATIC);
    case DB_TYPE_NULL:
        break;
    }
    return sqlite3_bind_null(stmt, index);
}

static int slot_bind(struct db_conn *c, struct slot *slot, const struct db_statement *s, const struct db_value *args,
                     size_t count, struct error *e)
{
    if (count != slot->count)
        return error_set(e, ERR_DATABASE, "%s wants %u arguments and got %zu", s->name, slot->count, count);
    for (size_t i = 0; i < count; i++) {
        int status = bind_one(slot->stmt, slot->map[i], &args[i]);
        if (status != SQLITE_OK)
            return fail(c, s->name, status, e);
    }
    return 0;
}

/* Takes the statement's slot, binds and makes the first step. On failure the slot is free again. */
static int slot_start(struct db_conn *c, const struct db_statement *s, struct slot **ret_slot, int *ret_status,
                      struct error *e, const struct db_value *args, size_t count)
{
    struct slot *slot;
    int rc = slot_take(c, s, &slot, e);
    if (rc)
        return rc;
    slot->open = true;
    snapshot_enter(c);
    rc = slot_bind(c, slot, s, args, count, e);
    int status = rc ? SQLITE_OK : sqlite3_step(slot->stmt);
    if (!rc && status != SQLITE_ROW && status != SQLITE_DONE)
        rc = fail(c, s->name, status, e);
    if (rc) {
        slot_release(c, slot);
        return rc;
    }
    *ret_slot = slot;
    *ret_status = status;
    return 0;
}

static int sqlite_prepare(struct db_conn *c, const struct db_statement *s, struct error *e)
{
    struct slot *slot;
    return slot_take(c, s, &slot, e);
}

static int sqlite_exec(struct db_conn *c, const struct db_statement *s, int64_t *ret_changed, struct error *e,
                       const struct db_value *args, size_t count)
{
    struct slot *slot;
    int status;
    int rc = slot_start(c, s, &slot, &status, e, args, count);
    if (rc)
        return rc;
    while (status == SQLITE_ROW)
        status = sqlite3_step(slot->stmt);
    if (status != SQLITE_DONE)
        rc = fail(c, s->name, status, e);
    else if (ret_changed)
        *ret_changed = sqlite3_stmt_readonly(slot->stmt) ? 0 : sqlite3_changes64(handle_of(c)->sqlite);
    slot_release(c, slot);
    return rc;
}

static int sqlite_query(struct db_conn *c, const struct db_statement *s, struct db_rows *ret_rows, struct error *e,
                        const struct db_value *args, size_t count)
{
    struct slot *slot;
    int status;
    int rc = slot_start(c, s, &slot, &status, e, args, count);
    if (!rc)
        *ret_rows = (struct db_rows){.conn = c, .cursor = slot, .row = -1, .status = status};
    return rc;
}

static bool sqlite_next(struct db_rows *rows)
{
    struct slot *slot = rows->cursor;
    if (rows->row >= 0 && rows->status == SQLITE_ROW)
        rows->status = sqlite3_step(slot->stmt);
    rows->row++;
    return rows->status == SQLITE_ROW;
}

static int sqlite_finish(struct db_rows *rows, struct error *e)
{
    struct slot *slot = rows->cursor;
    bool failed = rows->status != SQLITE_ROW && rows->status != SQLITE_DONE;
    rows->cursor = NULL;
    int rc = 0;
    if (failed) /* reset brings the statement's own error back */
        rc = fail(rows->conn, "reading rows", sqlite3_reset(slot->stmt), e);
    slot_release(rows->conn, slot);
    return rc;
}

static sqlite3_stmt *stmt_of(const struct db_rows *rows)
{
    return ((struct slot *)rows->cursor)->stmt;
}

static bool sqlite_is_null(const struct db_rows *rows, int column)
{
    return sqlite3_column_type(stmt_of(rows), column) == SQLITE_NULL;
}

static int64_t sqlite_get_int(const struct db_rows *rows, int column)
{
    return sqlite3_column_int64(stmt_of(rows), column);
}

static const char *sqlite_get_text(const struct db_rows *rows, int column, size_t *ret_size)
{
    const unsigned char *text = sqlite3_column_text(stmt_of(rows), column);
    if (ret_size)
        *ret_size = text ? (size_t)sqlite3_column_bytes(stmt_of(rows), column) : 0;
    return (const char *)text;
}

static const void *sqlite_get_bytes(const struct db_rows *rows, int column, size_t *ret_size)
{
    sqlite3_stmt *stmt = stmt_of(rows);
    bool null = sqlite3_column_type(stmt, column) == SQLITE_NULL;
    const void *bytes = sqlite3_column_blob(stmt, column);
    *ret_size = (size_t)sqlite3_column_bytes(stmt, column);
    return null ? NULL : bytes ? bytes : "";
}

static int sqlite_script(struct db_conn *c, const char *sql, struct error *e)
{
    int status = sqlite3_exec(handle_of(c)->sqlite, sql, NULL, NULL, NULL);
    return status == SQLITE_OK ? 0 : fail(c, "script", status, e);
}

/* The write transaction of each migration is lock enough. */
static int sqlite_schema_lock(struct db_conn *c, struct error *e)
{
    (void)c;
    (void)e;
    return 0;
}

static void sqlite_schema_unlock(struct db_conn *c)
{
    (void)c;
}

const struct engine engine_sqlite = {
    .kind = DB_SQLITE,
    .attach = sqlite_attach,
    .detach = sqlite_detach,
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .usable = sqlite_usable,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .savepoint = sqlite_savepoint,
    .release = sqlite_release,
    .rollback_to = sqlite_rollback_to,
    .prepare = sqlite_prepare,
    .exec = sqlite_exec,
    .query = sqlite_query,
    .next = sqlite_next,
    .finish = sqlite_finish,
    .is_null = sqlite_is_null,
    .get_int = sqlite_get_int,
    .get_text = sqlite_get_text,
    .get_bytes = sqlite_get_bytes,
    .script = sqlite_script,
    .rest = sqlite_rest,
    .schema_lock = sqlite_schema_lock,
    .schema_unlock = sqlite_schema_unlock,
    .wake = &wake_transport_socket,
};
