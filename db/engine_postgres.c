/* PostgreSQL: for those who outgrow one machine, and the only file that knows libpq.
 *
 * Statements are prepared by name on first use per connection. Integers travel as text (a parameter may have been
 * inferred to be narrower than 64 bits), text and bytes as they are, results as text. Write transactions are
 * SERIALIZABLE, snapshots REPEATABLE READ READ ONLY. Wake-ups are NOTIFY on one channel, sent after the commit on a
 * connection of their own: inside the transaction they would serialise all commits of the server.
 *
 * Failure modes: a lost connection is noticed by the call that finds it, marked broken and opened anew before the next
 * transaction. The outcome of a COMMIT whose answer was lost is unknown and reported as a failure. */
#include "common/library.h"
#include "common/memory.h"
#include "db/engine.h"
#include "db/wake_internal.h"
#include <assert.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETERS_MAX      128
#define INTEGER_TEXT        24
#define SCHEMA_LOCK_KEY     "8243127301"
#define CONTEND_LOCK_KEY    "8243127302"
#define LISTEN_RECONNECT_MS 1000

#define SETTINGS                                                                                                       \
    "SET client_min_messages = warning; SET bytea_output = hex; SET timezone = 'UTC';"                                 \
    "SET idle_in_transaction_session_timeout = '60s';"
#define SETTINGS_READ SETTINGS "SET default_transaction_read_only = on;"
#define SETTINGS_WAKE SETTINGS "SET synchronous_commit = off;"

#define PQ_FUNCTIONS(X)                                                                                                \
    X(clear)                                                                                                           \
    X(cmdStatus)                                                                                                       \
    X(cmdTuples)                                                                                                       \
    X(connectdbParams)                                                                                                 \
    X(conninfoFree)                                                                                                    \
    X(conninfoParse)                                                                                                   \
    X(consumeInput)                                                                                                    \
    X(errorMessage)                                                                                                    \
    X(exec)                                                                                                            \
    X(execParams)                                                                                                      \
    X(execPrepared)                                                                                                    \
    X(finish)                                                                                                          \
    X(freemem)                                                                                                         \
    X(getisnull)                                                                                                       \
    X(getlength)                                                                                                       \
    X(getvalue)                                                                                                        \
    X(notifies)                                                                                                        \
    X(ntuples)                                                                                                         \
    X(prepare)                                                                                                         \
    X(resultAlloc)                                                                                                     \
    X(resultErrorField)                                                                                                \
    X(resultStatus)                                                                                                    \
    X(setNoticeProcessor)                                                                                              \
    X(socket)                                                                                                          \
    X(status)
#define PQ_MEMBER(name) __typeof__(PQ##name) *name;
#define PQ_NAME(name)   "PQ" #name,
/* libpq's functions. It brings some twenty libraries with it and is loaded by who uses PostgreSQL. */
static struct {
    PQ_FUNCTIONS(PQ_MEMBER)
} pq;
static const char *const pq_names[] = {PQ_FUNCTIONS(PQ_NAME)};

struct handle {
    PGconn *pg;
    bool *prepared; /* by statement index */
    bool broken;    /* to be opened anew */
};

static struct handle *handle_of(const struct db_conn *c)
{
    return c->handle;
}

static bool in_class(const char *state, const char *class)
{
    return !strncmp(state, class, 2);
}

static bool any_of(const char *state, const char *const *states)
{
    while (*states && strcmp(state, *states) != 0)
        states++;
    return *states;
}

/* By SQLSTATE, appendix A of PostgreSQL's manual. */
static int code_of(const char *state)
{
    static const char *const conflicts[] = {"23505", "23503", "23P01", NULL};
    static const char *const races[] = {"40001", "40P01", NULL};
    static const char *const ends[] = {"57P01", "57P02", "57P03", "57P05", "25P03", "25006", "53300", NULL};
    if (any_of(state, races))
        return ERR_SERIALIZATION;
    if (any_of(state, conflicts))
        return ERR_CONFLICT;
    if (!strcmp(state, "53100"))
        return ERR_NO_SPACE;
    if (any_of(state, ends) || (in_class(state, "08") && strcmp(state, "08P01") != 0))
        return ERR_UNAVAILABLE;
    return in_class(state, "XX") && strcmp(state, "XX000") != 0 ? ERR_CORRUPT : ERR_DATABASE;
}

/* The connection is of no more use after these: it ended, it is read-only now, or its prepared statements are stale. */
static bool breaks_connection(const char *state, int code)
{
    static const char *const stale[] = {"0A000", "26000", NULL};
    return code == ERR_UNAVAILABLE || any_of(state, stale);
}

/* Translates and frees a result that is not what was wanted. */
static int fail(struct db_conn *c, const char *what, PGresult *result, struct error *e)
{
    struct handle *h = handle_of(c);
    const char *state = pq.resultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = pq.resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    /* Without a state it is libpq that speaks: the connection broke, whatever its status says yet. */
    bool lost = !state || pq.status(h->pg) != CONNECTION_OK;
    int code = state ? code_of(state) : ERR_UNAVAILABLE;
    if (code == ERR_UNAVAILABLE && c->access == ENGINE_READ && state && !strcmp(state, "25006"))
        code = ERR_DATABASE; /* a write through a reader is a mistake, not a server that became a standby */
    if (lost || (state && breaks_connection(state, code)))
        h->broken = true;
    int rc = error_set(e, code, "%s: %s", what, message ? message : pq.errorMessage(h->pg));
    pq.clear(result);
    return rc;
}

static bool succeeded(const PGresult *result)
{
    ExecStatusType status = pq.resultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static int run_text(struct db_conn *c, const char *sql, struct error *e)
{
    PGresult *result = pq.exec(handle_of(c)->pg, sql);
    if (!succeeded(result))
        return fail(c, "transaction", result, e);
    pq.clear(result);
    return 0;
}

static int pq_load(struct error *e)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    int rc = pq.connectdbParams ? 0 : library_load(VIRGA_LIBPQ, pq_names, sizeof(pq_names) / sizeof(*pq_names), &pq, e);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int postgres_attach(struct db *db, struct error *e)
{
    char *why = NULL;
    if (pq_load(e))
        return ERR_UNAVAILABLE;
    PQconninfoOption *options = pq.conninfoParse(db->target, &why);
    int rc = options ? 0 : error_set(e, ERR_INVALID, "the database's address is not valid: %s", why ? why : "");
    pq.conninfoFree(options);
    pq.freemem(why);
    return rc;
}

static void postgres_detach(struct db *db)
{
    (void)db;
}

static void notice_drop(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

/* A connection with our settings; NULL with the sentence in `e`. */
static PGconn *pg_open(const char *target, const char *settings, struct error *e)
{
    const char *const keys[] = {"connect_timeout", "tcp_user_timeout", "fallback_application_name",
                                "dbname",          "client_encoding",  NULL};
    const char *const values[] = {"10", "30000", "virga", target, "UTF8", NULL};
    PGconn *pg = pq.connectdbParams(keys, values, 1);
    assert(pg);
    pq.setNoticeProcessor(pg, notice_drop, NULL);
    PGresult *result = pq.status(pg) == CONNECTION_OK ? pq.exec(pg, settings) : NULL;
    if (!succeeded(result)) {
        error_set(e, ERR_UNAVAILABLE, "cannot connect to PostgreSQL: %s", pq.errorMessage(pg));
        pq.finish(pg);
        pg = NULL;
    }
    pq.clear(result);
    return pg;
}

static int postgres_connect(struct db_conn *c, struct error *e)
{
    PGconn *pg = pg_open(c->db->target, c->access == ENGINE_READ ? SETTINGS_READ : SETTINGS, e);
    if (!pg)
        return ERR_UNAVAILABLE;
    struct handle *h = memory_new(sizeof *h);
    h->pg = pg;
    h->prepared = memory_array(db_statement_count() + 1, sizeof *h->prepared);
    c->handle = h;
    return 0;
}

static void postgres_disconnect(struct db_conn *c)
{
    struct handle *h = handle_of(c);
    pq.finish(h->pg);
    free(h->prepared);
    free(h);
    c->handle = NULL;
}

static bool postgres_usable(const struct db_conn *c)
{
    const struct handle *h = handle_of(c);
    return h && !h->broken;
}

static int postgres_begin(struct db_conn *c, enum engine_txn kind, struct error *e)
{
    return run_text(c,
                    kind == ENGINE_TXN_WRITE ? "BEGIN ISOLATION LEVEL SERIALIZABLE"
                                             : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                    e);
}

static int postgres_commit(struct db_conn *c, struct error *e)
{
    PGresult *result = pq.exec(handle_of(c)->pg, "COMMIT");
    if (!succeeded(result))
        return fail(c, "commit", result, e);
    bool committed = !strcmp(pq.cmdStatus(result), "COMMIT");
    pq.clear(result);
    return committed ? 0 : error_set(e, ERR_DATABASE, "the transaction was rolled back instead of committed");
}

static void postgres_rollback(struct db_conn *c)
{
    struct handle *h = handle_of(c);
    if (!h || h->broken)
        return;
    struct error why;
    error_clear(&why);
    if (run_text(c, "ROLLBACK", &why))
        h->broken = true;
}

static int postgres_savepoint(struct db_conn *c, struct error *e)
{
    return run_text(c, "SAVEPOINT s", e);
}

static int postgres_release(struct db_conn *c, struct error *e)
{
    return run_text(c, "RELEASE s", e);
}

static int postgres_rollback_to(struct db_conn *c, struct error *e)
{
    return run_text(c, "ROLLBACK TO s; RELEASE s", e);
}

static char *statement_label(size_t index, char label[INTEGER_TEXT])
{
    snprintf(label, INTEGER_TEXT, "s%zu", index);
    return label;
}

static int postgres_prepare(struct db_conn *c, const struct db_statement *s, struct error *e)
{
    struct handle *h = handle_of(c);
    size_t index = engine_statement_index(s);
    if (h->prepared[index])
        return 0;
    char label[INTEGER_TEXT];
    PGresult *result = pq.prepare(h->pg, statement_label(index, label), s->postgres ? s->postgres : s->sql, 0, NULL);
    if (!succeeded(result))
        return fail(c, s->name, result, e);
    pq.clear(result);
    h->prepared[index] = true;
    return 0;
}

struct parameters {
    const char *values[PARAMETERS_MAX];
    int sizes[PARAMETERS_MAX], formats[PARAMETERS_MAX];
    char integers[PARAMETERS_MAX][INTEGER_TEXT];
};

static void parameter_set(struct parameters *p, size_t i, const struct db_value *v)
{
    p->formats[i] = v->type == DB_TYPE_TEXT || v->type == DB_TYPE_BYTES;
    p->sizes[i] = (int)v->size;
    switch (v->type) {
    case DB_TYPE_NULL:
        p->values[i] = NULL;
        break;
    case DB_TYPE_INT:
        snprintf(p->integers[i], INTEGER_TEXT, "%" PRId64, v->integer);
        p->values[i] = p->integers[i];
        break;
    case DB_TYPE_TEXT:
    case DB_TYPE_BYTES:
        p->values[i] = v->data;
        break;
    }
}

static int run_prepared(struct db_conn *c, const struct db_statement *s, PGresult **ret, struct error *e,
                        const struct db_value *args, size_t count)
{
    assert(count <= PARAMETERS_MAX);
    int rc = postgres_prepare(c, s, e);
    if (rc)
        return rc;
    struct parameters p;
    for (size_t i = 0; i < count; i++)
        parameter_set(&p, i, &args[i]);
    char label[INTEGER_TEXT];
    PGresult *result = pq.execPrepared(handle_of(c)->pg, statement_label(engine_statement_index(s), label), (int)count,
                                       p.values, p.sizes, p.formats, 0);
    if (!succeeded(result))
        return fail(c, s->name, result, e);
    *ret = result;
    return 0;
}

static int postgres_exec(struct db_conn *c, const struct db_statement *s, int64_t *ret_changed, struct error *e,
                         const struct db_value *args, size_t count)
{
    PGresult *result;
    int rc = run_prepared(c, s, &result, e, args, count);
    if (rc)
        return rc;
    if (ret_changed)
        *ret_changed = !strncmp(pq.cmdStatus(result), "SELECT", 6) ? 0 : strtoll(pq.cmdTuples(result), NULL, 10);
    pq.clear(result);
    return 0;
}

static int postgres_query(struct db_conn *c, const struct db_statement *s, struct db_rows *ret_rows, struct error *e,
                          const struct db_value *args, size_t count)
{
    PGresult *result;
    int rc = run_prepared(c, s, &result, e, args, count);
    if (!rc)
        *ret_rows = (struct db_rows){.conn = c, .cursor = result, .row = -1, .status = pq.ntuples(result)};
    return rc;
}

static bool postgres_next(struct db_rows *rows)
{
    return ++rows->row < rows->status;
}

static int postgres_finish(struct db_rows *rows, struct error *e)
{
    (void)e;
    pq.clear(rows->cursor);
    rows->cursor = NULL;
    return 0;
}

static bool postgres_is_null(const struct db_rows *rows, int column)
{
    return pq.getisnull(rows->cursor, (int)rows->row, column);
}

/* Also of a boolean, which SQLite gives as 0 or 1. */
static int64_t postgres_get_int(const struct db_rows *rows, int column)
{
    const char *text = pq.getvalue(rows->cursor, (int)rows->row, column);
    return *text == 't' ? 1 : strtoll(text, NULL, 10);
}

static const char *postgres_get_text(const struct db_rows *rows, int column, size_t *ret_size)
{
    bool null = postgres_is_null(rows, column);
    if (ret_size)
        *ret_size = null ? 0 : (size_t)pq.getlength(rows->cursor, (int)rows->row, column);
    return null ? NULL : pq.getvalue(rows->cursor, (int)rows->row, column);
}

static unsigned char hex_digit(char c)
{
    return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Decoded into memory of the result. */
static const void *postgres_get_bytes(const struct db_rows *rows, int column, size_t *ret_size)
{
    size_t size;
    const char *text = postgres_get_text(rows, column, &size);
    *ret_size = 0;
    if (!text || size < 2 || text[0] != '\\' || text[1] != 'x')
        return text ? (*ret_size = size, text) : NULL;
    unsigned char *bytes = pq.resultAlloc(rows->cursor, size / 2);
    assert(bytes);
    for (size_t i = 2; i + 1 < size; i += 2)
        bytes[(*ret_size)++] = (unsigned char)(hex_digit(text[i]) << 4 | hex_digit(text[i + 1]));
    return bytes;
}

static int postgres_script(struct db_conn *c, const char *sql, struct error *e)
{
    PGresult *result = pq.exec(handle_of(c)->pg, sql);
    if (!succeeded(result) && pq.resultStatus(result) != PGRES_EMPTY_QUERY)
        return fail(c, "script", result, e);
    pq.clear(result);
    return 0;
}

/* A lock of the session that everybody agrees on; the end of the connection frees it. */
static void advisory_unlock(struct db_conn *c, const char *sql)
{
    struct error why;
    error_clear(&why);
    if (postgres_usable(c) && run_text(c, sql, &why))
        handle_of(c)->broken = true;
}

static int postgres_schema_lock(struct db_conn *c, struct error *e)
{
    return run_text(c, "SELECT pg_advisory_lock(" SCHEMA_LOCK_KEY ")", e);
}

static void postgres_schema_unlock(struct db_conn *c)
{
    advisory_unlock(c, "SELECT pg_advisory_unlock(" SCHEMA_LOCK_KEY ")");
}

static int postgres_contend(struct db_conn *c, struct error *e)
{
    return run_text(c, "SELECT pg_advisory_lock(" CONTEND_LOCK_KEY ")", e);
}

static void postgres_calm(struct db_conn *c)
{
    advisory_unlock(c, "SELECT pg_advisory_unlock(" CONTEND_LOCK_KEY ")");
}

struct notifier {
    const char *target;
    PGconn *pg;
};

static void *notifier_new(struct db *db)
{
    struct notifier *n = memory_new(sizeof *n);
    n->target = db->target;
    return n;
}

static void notifier_free(void *sender)
{
    struct notifier *n = sender;
    pq.finish(n->pg);
    free(n);
}

static void notifier_send(void *sender, const char *message, size_t size)
{
    struct notifier *n = sender;
    (void)size;
    if (!n->pg)
        n->pg = pg_open(n->target, SETTINGS_WAKE, NULL);
    if (!n->pg)
        return;
    PGresult *result =
        pq.execParams(n->pg, "SELECT pg_notify('virga', $1)", 1, NULL, (const char *const[]){message}, NULL, NULL, 0);
    if (!succeeded(result)) {
        pq.finish(n->pg);
        n->pg = NULL;
    }
    pq.clear(result);
}

static int listener_open(struct db *db, void **ret_listener, struct error *e)
{
    struct notifier *n = notifier_new(db);
    n->pg = pg_open(n->target, SETTINGS "LISTEN virga;", e);
    if (!n->pg) {
        free(n);
        return ERR_UNAVAILABLE;
    }
    *ret_listener = n;
    return 0;
}

/* False when the connection is lost. */
static bool listener_read(struct notifier *n, struct wake *w)
{
    if (!pq.consumeInput(n->pg))
        return false;
    for (PGnotify *notify; (notify = pq.notifies(n->pg)); pq.freemem(notify))
        wake_deliver(w, notify->extra, strlen(notify->extra));
    return pq.status(n->pg) == CONNECTION_OK;
}

/* Opens the connection again; what was said meanwhile is lost, so everything may have changed. */
static void listener_reopen(struct notifier *n, struct wake *w)
{
    pq.finish(n->pg);
    n->pg = pg_open(n->target, SETTINGS "LISTEN virga;", NULL);
    if (n->pg)
        wake_deliver(w, (char[]){"*\n"}, 2);
}

static void listener_run(void *listener, int stop_fd, struct wake *w)
{
    struct notifier *n = listener;
    for (;;) {
        struct pollfd fds[] = {{.fd = stop_fd, .events = POLLIN},
                               {.fd = n->pg ? pq.socket(n->pg) : -1, .events = POLLIN}};
        poll(fds, 2, n->pg ? -1 : LISTEN_RECONNECT_MS);
        if (fds[0].revents)
            return;
        if (!n->pg || !listener_read(n, w))
            listener_reopen(n, w);
    }
}

static const struct wake_transport wake_transport_notify = {
    .sender_new = notifier_new,
    .sender_free = notifier_free,
    .send = notifier_send,
    .listen = listener_open,
    .run = listener_run,
    .unlisten = notifier_free,
};

const struct engine engine_postgres = {
    .kind = DB_POSTGRES,
    .attach = postgres_attach,
    .detach = postgres_detach,
    .connect = postgres_connect,
    .disconnect = postgres_disconnect,
    .usable = postgres_usable,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .savepoint = postgres_savepoint,
    .release = postgres_release,
    .rollback_to = postgres_rollback_to,
    .prepare = postgres_prepare,
    .exec = postgres_exec,
    .query = postgres_query,
    .next = postgres_next,
    .finish = postgres_finish,
    .is_null = postgres_is_null,
    .get_int = postgres_get_int,
    .get_text = postgres_get_text,
    .get_bytes = postgres_get_bytes,
    .script = postgres_script,
    .schema_lock = postgres_schema_lock,
    .schema_unlock = postgres_schema_unlock,
    .contend = postgres_contend,
    .calm = postgres_calm,
    .wake = &wake_transport_notify,
};
