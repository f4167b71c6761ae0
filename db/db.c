/* Databases, connections and statements: what both engines share. db_open finds the engine by the url and brings the
 * schema up to date; each thread's read connection hangs on a thread key and in the database's list; a statement goes
 * through engine_statement_start, which connects on first use, counts, refuses what a failed transaction cannot carry
 * and lets tests inject faults. */
#include "common/memory.h"
#include "db/engine.h"
#include "db/migrate.h"
#include "db/wake_internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void reader_close(void *reader);

static const struct engine *engine_of_url(const char *url, const char **ret_target)
{
    *ret_target = url;
    if (!strncmp(url, "postgres://", 11) || !strncmp(url, "postgresql://", 13))
        return &engine_postgres;
    if (!strncmp(url, "sqlite:", 7))
        *ret_target = url + 7;
    return &engine_sqlite;
}

/* One that wants it alone goes before those that would share it. */
static void rwlock_init(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

int engine_open(const char *url, struct db **ret_db, struct error *e)
{
    const char *target;
    const struct engine *engine = engine_of_url(url, &target);
    struct db *db = memory_new(sizeof *db);
    db->engine = engine;
    db->target = memory_strdup(target);
    pthread_mutex_init(&db->lock, NULL);
    rwlock_init(&db->contended);
    int rc = pthread_key_create(&db->reader, reader_close) ? error_set(e, ERR_DATABASE, "no thread key is left") : 0;
    bool keyed = !rc;
    if (!rc)
        rc = engine->attach(db, e);
    if (!rc) {
        db->wake = wake_sender_new(db);
        *ret_db = db;
        return 0;
    }
    if (keyed)
        pthread_key_delete(db->reader);
    pthread_rwlock_destroy(&db->contended);
    pthread_mutex_destroy(&db->lock);
    free(db->target);
    free(db);
    return rc;
}

int db_open(const char *url, unsigned flags, struct db **ret_db, struct error *e)
{
    struct db *db;
    int rc = engine_open(url, &db, e);
    if (rc)
        return rc;
    rc = migrate_run(db, db_migrations, db_migrations_count, !(flags & DB_OPEN_NO_MIGRATE), e);
    if (rc)
        db_close(&db);
    else
        *ret_db = db;
    return rc;
}

void db_close(struct db **db)
{
    struct db *d = *db;
    if (!d)
        return;
    *db = NULL;
    pthread_key_delete(d->reader);
    while (d->readers)
        reader_close(d->readers);
    wake_sender_free(d->wake);
    d->engine->detach(d);
    free(d->region);
    pthread_rwlock_destroy(&d->contended);
    pthread_mutex_destroy(&d->lock);
    free(d->target);
    free(d);
}

enum db_kind db_engine(const struct db *db)
{
    return db->engine->kind;
}

void db_set_region(struct db *db, const char *region)
{
    free(db->region);
    db->region = memory_strdup(region);
}

const char *db_region(const struct db_conn *c)
{
    return c->db->region ? c->db->region : "";
}

const char *db_path(const struct db *db)
{
    return db->engine->kind == DB_SQLITE ? db->target : NULL;
}

struct db_conn *engine_conn_new(struct db *db, enum engine_access access)
{
    struct db_conn *c = memory_new(sizeof *c);
    c->db = db;
    c->engine = db->engine;
    c->access = access;
    strbuf_init(&c->wakes, 0);
    return c;
}

int db_conn_open(struct db *db, struct db_conn **ret, struct error *e)
{
    struct db_conn *c = engine_conn_new(db, ENGINE_WRITE);
    int rc = c->engine->connect(c, e);
    if (rc)
        db_conn_close(&c);
    else
        *ret = c;
    return rc;
}

void db_conn_close(struct db_conn **c)
{
    struct db_conn *conn = *c;
    if (!conn)
        return;
    *c = NULL;
    assert(conn->txn == ENGINE_TXN_NONE);
    if (conn->handle)
        conn->engine->disconnect(conn);
    strbuf_done(&conn->wakes);
    free(conn);
}

struct db_conn *db_reader(struct db *db)
{
    struct db_conn *c = pthread_getspecific(db->reader);
    if (c)
        return c;
    c = engine_conn_new(db, ENGINE_READ);
    pthread_mutex_lock(&db->lock);
    c->next = db->readers;
    c->link = &db->readers;
    if (c->next)
        c->next->link = &c->next;
    db->readers = c;
    pthread_mutex_unlock(&db->lock);
    int rc = pthread_setspecific(db->reader, c);
    assert(rc == 0);
    return c;
}

static void reader_close(void *reader)
{
    struct db_conn *c = reader;
    struct db *db = c->db;
    pthread_mutex_lock(&db->lock);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    pthread_mutex_unlock(&db->lock);
    db_conn_close(&c);
}

void db_keep_snapshots(struct db *db)
{
    db->keep_snapshots = true;
}

void db_rest_readers(struct db *db)
{
    if (!db->engine->rest)
        return;
    pthread_mutex_lock(&db->lock);
    for (struct db_conn *c = db->readers; c; c = c->next)
        db->engine->rest(c);
    pthread_mutex_unlock(&db->lock);
}

uint64_t db_generation(struct db_conn *c)
{
    return c->engine->generation && c->handle && c->txn == ENGINE_TXN_NONE ? c->engine->generation(c) : 0;
}

void db_fail_at(struct db_conn *c, int64_t n, int code, bool repeat)
{
    c->fail_at = n ? c->statements + n : 0;
    c->fail_code = code;
    c->fail_repeat = repeat;
}

int64_t db_statements_run(const struct db_conn *c)
{
    return c->statements;
}

static bool fault_due(const struct db_conn *c)
{
    return c->fail_at && (c->statements == c->fail_at || (c->fail_repeat && c->statements > c->fail_at));
}

int engine_statement_start(struct db_conn *c, struct error *e)
{
    c->statements++;
    if (c->failed)
        return error_set(e, c->failed, "the transaction has failed before and must be rolled back");
    if (fault_due(c))
        return error_set(e, c->fail_code, "a fault was injected");
    if (c->txn == ENGINE_TXN_NONE && c->handle && !c->engine->usable(c))
        c->engine->disconnect(c);
    return c->handle ? 0 : c->engine->connect(c, e);
}

int engine_statement_failed(struct db_conn *c, int code)
{
    if (c->txn != ENGINE_TXN_NONE) {
        c->failed = code;
        if (code == ERR_SERIALIZATION || code == ERR_UNAVAILABLE)
            c->doomed = true;
    }
    return code;
}

/* A read that found its idle connection gone may run once more on a new one: nothing has happened yet. */
static bool connection_was_lost(const struct db_conn *c, int rc)
{
    return rc == ERR_UNAVAILABLE && c->txn == ENGINE_TXN_NONE && c->handle && !c->engine->usable(c);
}

struct exec_call {
    const struct db_statement *statement;
    int64_t *ret_changed;
    const struct db_value *args;
    size_t count;
};

static int exec_in_transaction(struct db_conn *c, void *arg, struct error *e)
{
    struct exec_call *call = arg;
    return db_exec(c, call->statement, call->ret_changed, e, call->args, call->count);
}

int db_exec(struct db_conn *c, const struct db_statement *s, int64_t *ret_changed, struct error *e,
            const struct db_value *args, size_t count)
{
    if (c->txn == ENGINE_TXN_NONE && c->access == ENGINE_WRITE) {
        struct exec_call call = {s, ret_changed, args, count};
        return db_transact(c, exec_in_transaction, &call, e);
    }
    int rc = engine_statement_start(c, e);
    if (!rc)
        rc = c->engine->exec(c, s, ret_changed, e, args, count);
    return rc ? engine_statement_failed(c, rc) : 0;
}

static int query_once(struct db_conn *c, const struct db_statement *s, struct db_rows *ret_rows, struct error *e,
                      const struct db_value *args, size_t count)
{
    int rc = engine_statement_start(c, e);
    return rc ? rc : c->engine->query(c, s, ret_rows, e, args, count);
}

int db_query(struct db_conn *c, const struct db_statement *s, struct db_rows *ret_rows, struct error *e,
             const struct db_value *args, size_t count)
{
    struct error first;
    error_clear(&first);
    int rc = query_once(c, s, ret_rows, &first, args, count);
    if (rc && connection_was_lost(c, rc))
        rc = query_once(c, s, ret_rows, e, args, count);
    else if (rc)
        error_set(e, rc, "%s", error_text(&first));
    return rc ? engine_statement_failed(c, rc) : 0;
}

bool db_next(struct db_rows *rows)
{
    return rows->conn->engine->next(rows);
}

int db_rows_done(struct db_rows *rows, struct error *e)
{
    int rc = rows->conn->engine->finish(rows, e);
    return rc ? engine_statement_failed(rows->conn, rc) : 0;
}

bool db_is_null(const struct db_rows *rows, int column)
{
    return rows->conn->engine->is_null(rows, column);
}

int64_t db_get_int(const struct db_rows *rows, int column)
{
    return rows->conn->engine->get_int(rows, column);
}

const char *db_get_text(const struct db_rows *rows, int column)
{
    return rows->conn->engine->get_text(rows, column, NULL);
}

const char *db_get_text_n(const struct db_rows *rows, int column, size_t *ret_size)
{
    return rows->conn->engine->get_text(rows, column, ret_size);
}

const void *db_get_bytes(const struct db_rows *rows, int column, size_t *ret_size)
{
    return rows->conn->engine->get_bytes(rows, column, ret_size);
}

char *db_dup_text(const struct db_rows *rows, int column, struct arena *a)
{
    size_t size;
    const char *text = rows->conn->engine->get_text(rows, column, &size);
    return text ? arena_strndup(a, text, size) : NULL;
}

int db_query_int(struct db_conn *c, const struct db_statement *s, int64_t *ret, struct error *e,
                 const struct db_value *args, size_t count)
{
    struct db_rows rows;
    int rc = db_query(c, s, &rows, e, args, count);
    if (rc)
        return rc;
    bool found = db_next(&rows);
    int64_t value = found ? db_get_int(&rows, 0) : 0;
    rc = db_rows_done(&rows, e);
    if (rc)
        return rc;
    if (!found)
        return error_set(e, ERR_NOT_FOUND, "%s found no row", s->name);
    *ret = value;
    return 0;
}

DB_STATEMENT(ping, "SELECT 1");

int db_ping(struct db_conn *c, struct error *e)
{
    int64_t one;
    return db_query_int(c, &ping, &one, e, DB_NO_ARGS);
}
