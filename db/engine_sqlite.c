/* SQLite: the embedded engine; with db/sqlite_*.c the only files that know its library.
 *
 * WAL with synchronous=FULL: an acknowledged commit is on disk, readers never wait. Connections have no mutex (one
 * thread at a time). Writers of all processes take turns through write_lock.h, so that BEGIN IMMEDIATE meets contention
 * only from foreign tools, which the busy timeout is for. */
#include "common/log.h"
#include "common/memory.h"
#include "db/sqlite_memory.h"
#include "db/sqlite_statement.h"
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

static const char *const control_sql[SQLITE_CONTROL_COUNT] = {
    [SQLITE_CONTROL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQLITE_CONTROL_BEGIN_READ] = "BEGIN",
    [SQLITE_CONTROL_COMMIT] = "COMMIT",
    [SQLITE_CONTROL_ROLLBACK] = "ROLLBACK",
    [SQLITE_CONTROL_SAVEPOINT] = "SAVEPOINT s",
    [SQLITE_CONTROL_RELEASE] = "RELEASE s",
    [SQLITE_CONTROL_ROLLBACK_TO] = "ROLLBACK TO s",
};

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
        rc = error_set(e, sqlite_handle_code(sqlite, status), "%s: %s", db->target, sqlite3_errmsg(sqlite));
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

static void sqlite_disconnect(struct db_conn *c)
{
    struct sqlite_handle *h = sqlite_handle_of(c);
    sqlite_handle_own(c);
    for (size_t i = 0; i < db_statement_count(); i++)
        sqlite_statement_done(&h->slots[i]);
    for (size_t i = 0; i < SQLITE_CONTROL_COUNT; i++)
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
    struct sqlite_handle *h = sqlite_handle_of(c);
    int rc = sqlite3_exec(h->sqlite, c->access == ENGINE_WRITE ? SETTINGS_WRITE : SETTINGS_READ, NULL, NULL, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < SQLITE_CONTROL_COUNT; i++)
        rc = sqlite3_prepare_v3(h->sqlite, control_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &h->control[i], NULL);
    return rc == SQLITE_OK ? 0 : sqlite_handle_fail(c, c->db->target, rc, e);
}

static int sqlite_connect(struct db_conn *c, struct error *e)
{
    struct sqlite_handle *h = memory_new(sizeof *h);
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
        rc = sqlite_handle_fail(c, c->db->target, rc, e);
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

static int control_run(struct db_conn *c, enum sqlite_control which, struct error *e)
{
    struct sqlite_handle *h = sqlite_handle_of(c);
    sqlite3_stmt *stmt = h->control[which];
    int status = sqlite3_step(stmt);
    int rc = status == SQLITE_DONE ? 0 : sqlite_handle_fail(c, control_sql[which], status, e);
    sqlite3_reset(stmt);
    return rc;
}

static int lock_take(struct db_conn *c, struct error *e)
{
    struct sqlite_handle *h = sqlite_handle_of(c);
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
    struct sqlite_handle *h = sqlite_handle_of(c);
    if (h->locked)
        write_lock_drop(h->lock_fd);
    h->locked = false;
}

static int sqlite_begin(struct db_conn *c, enum engine_txn kind, struct error *e)
{
    if (kind == ENGINE_TXN_SNAPSHOT) {
        sqlite_handle_end(c);
        return control_run(c, SQLITE_CONTROL_BEGIN_READ, e);
    }
    int rc = lock_take(c, e);
    if (rc)
        return rc;
    rc = control_run(c, SQLITE_CONTROL_BEGIN_WRITE, e);
    if (rc)
        lock_drop(c);
    return rc;
}

static int sqlite_commit(struct db_conn *c, struct error *e)
{
    int rc = control_run(c, SQLITE_CONTROL_COMMIT, e);
    if (!rc)
        lock_drop(c);
    return rc;
}

static void sqlite_rollback(struct db_conn *c)
{
    struct sqlite_handle *h = sqlite_handle_of(c);
    if (!sqlite3_get_autocommit(h->sqlite)) {
        struct error why;
        error_clear(&why);
        if (control_run(c, SQLITE_CONTROL_ROLLBACK, &why))
            log_error("rollback failed", "error=%s", error_text(&why));
        assert(sqlite3_get_autocommit(h->sqlite));
    }
    lock_drop(c);
}

static int sqlite_savepoint(struct db_conn *c, struct error *e)
{
    return control_run(c, SQLITE_CONTROL_SAVEPOINT, e);
}

static int sqlite_release(struct db_conn *c, struct error *e)
{
    return control_run(c, SQLITE_CONTROL_RELEASE, e);
}

static int sqlite_rollback_to(struct db_conn *c, struct error *e)
{
    int rc = control_run(c, SQLITE_CONTROL_ROLLBACK_TO, e);
    return rc ? rc : control_run(c, SQLITE_CONTROL_RELEASE, e);
}

static int sqlite_script(struct db_conn *c, const char *sql, struct error *e)
{
    int status = sqlite3_exec(sqlite_handle_of(c)->sqlite, sql, NULL, NULL, NULL);
    return status == SQLITE_OK ? 0 : sqlite_handle_fail(c, "script", status, e);
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
    .prepare = sqlite_statement_prepare,
    .exec = sqlite_statement_exec,
    .query = sqlite_statement_query,
    .next = sqlite_statement_next,
    .finish = sqlite_statement_finish,
    .is_null = sqlite_statement_is_null,
    .get_int = sqlite_statement_get_int,
    .get_text = sqlite_statement_get_text,
    .get_bytes = sqlite_statement_get_bytes,
    .script = sqlite_script,
    .rest = sqlite_handle_rest,
    .generation = sqlite_handle_generation,
    .schema_lock = sqlite_schema_lock,
    .schema_unlock = sqlite_schema_unlock,
    .wake = &wake_transport_socket,
};
