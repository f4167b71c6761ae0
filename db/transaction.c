/* Transactions, savepoints and the wake-ups that they publish when they commit.
 *
 * A statement that fails makes the transaction (or its innermost savepoint) fail: PostgreSQL refuses everything until
 * it is rolled back, and here SQLite does as well, so that a handler that works on one works on the other. Some
 * failures take the whole transaction with them (lost connection, serialization failure, SQLite's own rollback on a
 * full disk): then it is `doomed`, and no savepoint heals it. */
#include "common/clock.h"
#include "db/engine.h"
#include "db/wake_internal.h"
#include <assert.h>
#include <string.h>

#define TRANSACT_TRIES 20
#define PATIENT_TRIES  3 /* races lost before the transaction asks for the road to itself */

/* A second write transaction of the same thread would wait for itself for ever. */
static _Thread_local const struct db *writing;

static int txn_begin(struct db_conn *c, enum engine_txn kind, struct error *e)
{
    assert(c->txn == ENGINE_TXN_NONE);
    int rc = engine_statement_start(c, e);
    if (rc)
        return rc;
    int64_t before = clock_mono_us();
    struct error first;
    error_clear(&first);
    rc = c->engine->begin(c, kind, &first);
    if (rc && !c->engine->usable(c)) { /* it was lost while idle */
        c->engine->disconnect(c);
        rc = c->engine->connect(c, e);
        if (!rc)
            rc = c->engine->begin(c, kind, e);
    } else if (rc) {
        error_set(e, rc, "%s", error_text(&first));
    }
    if (rc)
        return rc;
    c->lock_wait_us += clock_mono_us() - before;
    c->txn = kind;
    c->failed = 0;
    c->doomed = false;
    strbuf_reset(&c->wakes);
    return 0;
}

static int txn_commit(struct db_conn *c, struct error *e)
{
    int rc = engine_statement_start(c, e);
    if (rc)
        return rc;
    int64_t before = clock_mono_us();
    rc = c->engine->commit(c, e);
    c->commit_us += clock_mono_us() - before;
    return rc;
}

/* Commits when all is well, rolls back otherwise. */
static int txn_end(struct db_conn *c, int rc, struct error *e)
{
    if (c->failed && (!rc || c->doomed))
        rc = rc ? c->failed : error_set(e, c->failed, "a statement of the transaction failed");
    if (!rc)
        rc = txn_commit(c, e);
    if (rc)
        c->engine->rollback(c);
    c->txn = ENGINE_TXN_NONE;
    c->failed = 0;
    c->doomed = false;
    return rc;
}

int db_snapshot(struct db_conn *c, db_fn fn, void *arg, struct error *e)
{
    int rc = txn_begin(c, ENGINE_TXN_SNAPSHOT, e);
    return rc ? rc : txn_end(c, fn(c, arg, e), e);
}

static int transact_once(struct db_conn *c, db_fn fn, void *arg, struct error *e)
{
    int rc = txn_begin(c, ENGINE_TXN_WRITE, e);
    return rc ? rc : txn_end(c, fn(c, arg, e), e);
}

/* Many transactions on one hot row would otherwise lose to each other without end: after some lost races, one goes on
 * alone. */
static int transact_alone(struct db_conn *c, db_fn fn, void *arg, struct error *e)
{
    int rc = engine_statement_start(c, e);
    if (!rc)
        rc = c->engine->contend(c, e);
    if (rc)
        return rc;
    _Static_assert(PATIENT_TRIES < TRANSACT_TRIES, "the last tries are those alone");
    for (int tries = PATIENT_TRIES; tries < TRANSACT_TRIES; tries++) {
        error_clear(e);
        c->retries++;
        rc = transact_once(c, fn, arg, e);
        if (rc != ERR_SERIALIZATION)
            break;
    }
    c->engine->calm(c);
    return rc;
}

/* As transact_once, again after lost races. */
static int transact_patiently(struct db_conn *c, db_fn fn, void *arg, struct error *e)
{
    pthread_rwlock_t *contended = c->engine->contend ? &c->db->contended : NULL;
    int rc = ERR_SERIALIZATION, most = contended ? PATIENT_TRIES : TRANSACT_TRIES;
    for (int tries = 0; rc == ERR_SERIALIZATION && tries < most; tries++) {
        error_clear(e);
        c->retries += tries > 0;
        if (contended)
            pthread_rwlock_rdlock(contended);
        rc = transact_once(c, fn, arg, e);
        if (contended)
            pthread_rwlock_unlock(contended);
    }
    if (rc != ERR_SERIALIZATION || !contended)
        return rc;
    error_clear(e);
    pthread_rwlock_wrlock(contended);
    rc = transact_alone(c, fn, arg, e);
    pthread_rwlock_unlock(contended);
    return rc;
}

int db_transact(struct db_conn *c, db_fn fn, void *arg, struct error *e)
{
    assert(c->access == ENGINE_WRITE && writing != c->db);
    const struct db *outer = writing;
    struct error mine;
    writing = c->db;
    int rc = transact_patiently(c, fn, arg, &mine);
    writing = outer;
    if (rc)
        error_set(e, rc, "%s", error_text(&mine));
    else if (c->wakes.size)
        wake_sender_send(c->db->wake, &c->wakes);
    return rc;
}

/* Back to before the savepoint, unless the whole transaction is lost. */
static void savepoint_undo(struct db_conn *c, size_t wakes)
{
    c->wakes.size = wakes;
    if (c->doomed)
        return;
    struct error why;
    error_clear(&why);
    c->failed = c->engine->rollback_to(c, &why);
    c->doomed = c->failed != 0;
}

int db_savepoint(struct db_conn *c, db_fn fn, void *arg, struct error *e)
{
    assert(c->txn == ENGINE_TXN_WRITE);
    int rc = engine_statement_start(c, e);
    if (!rc)
        rc = c->engine->savepoint(c, e);
    if (rc)
        return engine_statement_failed(c, rc);
    size_t wakes = c->wakes.size;
    rc = fn(c, arg, e);
    if (!rc && c->failed)
        rc = error_set(e, c->failed, "a statement failed");
    if (!rc)
        rc = engine_statement_start(c, e);
    if (!rc)
        rc = c->engine->release(c, e);
    if (rc)
        savepoint_undo(c, wakes);
    return rc;
}

void db_wake(struct db_conn *c, const char *topic)
{
    assert(c->txn == ENGINE_TXN_WRITE);
    strbuf_append(&c->wakes, topic, strlen(topic) + 1);
}
