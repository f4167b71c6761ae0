/* What a database engine does for db.c: the border behind which sqlite3 and libpq stay. For siblings in db/ and tests
 * only.
 *
 * An engine moves bytes and maps errors. When a transaction starts, what a failed statement means for it, retries,
 * savepoint nesting and fault injection are decided once, above (db.c, transaction.c), so that both engines behave
 * alike. */
#pragma once
#include "common/strbuf.h"
#include "db/db.h"
#include <pthread.h>
#include <stdatomic.h>

struct engine;

struct db {
    const struct engine *engine;
    void *shared;            /* the engine's state of the whole database */
    char *target;            /* path or connection string */
    pthread_key_t reader;    /* each thread's read connection */
    pthread_mutex_t lock;    /* guards the list below */
    struct db_conn *readers; /* all read connections, so that db_close finds them */
    char *region;            /* see db_set_region */
    bool keep_snapshots;     /* readers may leave their snapshots open; see db_keep_snapshots */
    struct wake_sender *wake;
    pthread_rwlock_t contended; /* shared by write transactions, held alone by one that lost several races (engines that
                                   have races) */
};

enum engine_access { ENGINE_READ, ENGINE_WRITE };
enum engine_txn { ENGINE_TXN_NONE, ENGINE_TXN_SNAPSHOT, ENGINE_TXN_WRITE };

struct db_conn {
    struct db *db;
    const struct engine *engine;
    void *handle; /* the engine's connection, NULL while not connected */
    enum engine_access access;
    enum engine_txn txn;
    int failed;                   /* a statement of the running transaction failed with this: only rolling back helps */
    bool doomed;                  /* ... and rolling back to a savepoint does not: the whole transaction is lost */
    struct strbuf wakes;          /* topics posted in the running transaction, each ended by a NUL */
    int64_t statements;           /* run since opened */
    int64_t fail_at;              /* number of the statement that fails, 0 for none */
    int fail_code;                /* its error */
    bool fail_repeat;             /* those after it too */
    uint64_t retries;             /* transactions run again after a serialization failure */
    int64_t lock_wait_us;         /* sum of waits for the start of write transactions */
    int64_t commit_us;            /* sum of commit times */
    struct db_conn *next, **link; /* in the database's list of readers */
    _Atomic(void *) resting; /* a snapshot that was left open: whoever takes it from here may end it, others than the
                                connection's thread under the database's lock */
};

/* All return 0 or a code with its sentence in `e`. `rows` of query stand before the first row. */
struct engine {
    enum db_kind kind;
    /* The database as a whole. `attach` makes db->shared from db->target. */
    int (*attach)(struct db *db, struct error *e);
    void (*detach)(struct db *db);
    /* Makes and drops c->handle. `usable` is false when the connection is lost and wants to be made anew. */
    int (*connect)(struct db_conn *c, struct error *e);
    void (*disconnect)(struct db_conn *c);
    bool (*usable)(const struct db_conn *c);
    /* Transactions. `rollback` always ends the transaction, if need be by losing the connection. */
    int (*begin)(struct db_conn *c, enum engine_txn kind, struct error *e);
    int (*commit)(struct db_conn *c, struct error *e);
    void (*rollback)(struct db_conn *c);
    int (*savepoint)(struct db_conn *c, struct error *e);
    int (*release)(struct db_conn *c, struct error *e);
    int (*rollback_to)(struct db_conn *c, struct error *e); /* undoes to the innermost savepoint and removes it */
    /* Statements. */
    int (*prepare)(struct db_conn *c, const struct db_statement *s, struct error *e);
    int (*exec)(struct db_conn *c, const struct db_statement *s, int64_t *ret_changed, struct error *e,
                const struct db_value *args, size_t count);
    int (*query)(struct db_conn *c, const struct db_statement *s, struct db_rows *ret_rows, struct error *e,
                 const struct db_value *args, size_t count);
    bool (*next)(struct db_rows *rows);
    int (*finish)(struct db_rows *rows, struct error *e);
    bool (*is_null)(const struct db_rows *rows, int column);
    int64_t (*get_int)(const struct db_rows *rows, int column);
    const char *(*get_text)(const struct db_rows *rows, int column, size_t *ret_size); /* ret_size may be NULL */
    const void *(*get_bytes)(const struct db_rows *rows, int column, size_t *ret_size);
    /* Several statements without arguments in one text; for migrations and tests. */
    int (*script)(struct db_conn *c, const char *sql, struct error *e);
    /* Ends what c->resting says; called under the database's lock, from any thread. NULL where nothing is left open. */
    void (*rest)(struct db_conn *c);
    /* See db_generation; outside transactions only. NULL where it cannot be told. */
    uint64_t (*generation)(struct db_conn *c);
    /* Keeps other processes from migrating at the same time, where the write transaction alone does not. */
    int (*schema_lock)(struct db_conn *c, struct error *e);
    void (*schema_unlock)(struct db_conn *c);
    /* Between `contend` and `calm` the connection's transactions run while no other contending one does, in any
     * process. NULL where write transactions never meet. */
    int (*contend)(struct db_conn *c, struct error *e);
    void (*calm)(struct db_conn *c);
    /* Wake-ups, see wake_internal.h. */
    const struct wake_transport *wake;
};
extern const struct engine engine_sqlite;
extern const struct engine engine_postgres;

/* Position of a registered statement in the program's table of them. */
size_t engine_statement_index(const struct db_statement *s);
/* A connection that is not in any list; connected on first use. */
struct db_conn *engine_conn_new(struct db *db, enum engine_access access);
/* Connects when it is not; counts the statement; refuses it when the transaction has failed or a fault is due. */
int engine_statement_start(struct db_conn *c, struct error *e);
/* Records that a statement failed with `code`; returns `code`. */
int engine_statement_failed(struct db_conn *c, int code);
/* Opens a database without looking at its schema. */
int engine_open(const char *url, struct db **ret_db, struct error *e);
