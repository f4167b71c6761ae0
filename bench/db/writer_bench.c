/* Group commit, measured: how many requests the size of "create a server" (four inserts with thirteen index entries,
 * one counter, two reads) get on disk per second through the writer, against a bare loop over SQLite's own interface
 * with as many requests per commit; how long a request waits; how evenly two processes share one file; what a point
 * read costs.
 *
 *     writer_bench [SECONDS per figure, default 2] [FOLDER, default /tmp]
 *
 * With VIRGA_TEST_POSTGRES_URL (tests/db/with-postgres) also on PostgreSQL, whose public schema it empties. */
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/uuid.h"
#include "db/engine.h"
#include "db/migrate.h"
#include "db/writer.h"
#include <assert.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TABLES                                                                                                         \
    "CREATE TABLE bench_server (id TEXT PRIMARY KEY, project_id TEXT NOT NULL, user_id TEXT NOT NULL,"                 \
    " name TEXT NOT NULL, flavor TEXT NOT NULL, body TEXT NOT NULL, host_id TEXT, created_us BIGINT NOT NULL,"         \
    " revision BIGINT NOT NULL);"                                                                                      \
    "CREATE INDEX bench_server_project ON bench_server (project_id, created_us, id);"                                  \
    "CREATE INDEX bench_server_created ON bench_server (created_us, id);"                                              \
    "CREATE INDEX bench_server_host ON bench_server (host_id, revision);"                                              \
    "CREATE TABLE bench_operation (id TEXT PRIMARY KEY, server_id TEXT NOT NULL, request_id TEXT NOT NULL,"            \
    " action TEXT NOT NULL, started_us BIGINT NOT NULL);"                                                              \
    "CREATE INDEX bench_operation_server ON bench_operation (server_id, started_us);"                                  \
    "CREATE INDEX bench_operation_request ON bench_operation (request_id);"                                            \
    "CREATE TABLE bench_queue (server_id TEXT PRIMARY KEY, created_us BIGINT NOT NULL);"                               \
    "CREATE INDEX bench_queue_created ON bench_queue (created_us, server_id);"                                         \
    "CREATE TABLE bench_port (id TEXT PRIMARY KEY, network_id TEXT NOT NULL, server_id TEXT NOT NULL,"                 \
    " address TEXT NOT NULL);"                                                                                         \
    "CREATE INDEX bench_port_network ON bench_port (network_id, address);"                                             \
    "CREATE INDEX bench_port_server ON bench_port (server_id);"                                                        \
    "INSERT INTO counter (name, value) VALUES ('quota:p1', 0);"

#define SQL_SERVER                                                                                                     \
    "INSERT INTO bench_server (id, project_id, user_id, name, flavor, body, host_id, created_us, revision)"            \
    " VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, 1)"
#define SQL_OPERATION                                                                                                  \
    "INSERT INTO bench_operation (id, server_id, request_id, action, started_us) VALUES ($1, $2, $3, $4, $5)"
#define SQL_QUEUE "INSERT INTO bench_queue (server_id, created_us) VALUES ($1, $2)"
#define SQL_PORT  "INSERT INTO bench_port (id, network_id, server_id, address) VALUES ($1, $2, $3, $4)"
#define SQL_QUOTA "SELECT value FROM counter WHERE name = $1"
#define SQL_NAME  "SELECT count(*) FROM bench_server WHERE id = $1"
#define SQL_COUNTER                                                                                                    \
    "INSERT INTO counter (name, value) VALUES ($1, $2)"                                                                \
    " ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value RETURNING value"
DB_STATEMENT(bench_server, SQL_SERVER);
DB_STATEMENT(bench_operation, SQL_OPERATION);
DB_STATEMENT(bench_queue, SQL_QUEUE);
DB_STATEMENT(bench_port, SQL_PORT);
DB_STATEMENT(bench_quota, SQL_QUOTA);
DB_STATEMENT(bench_name, SQL_NAME);

#define BODY_SIZE 600
static char body[BODY_SIZE + 1];
static double seconds = 2;
static const char *folder = "/tmp";
static char path[300];

struct request {
    char id[UUID_SIZE], operation[UUID_SIZE], port[UUID_SIZE], name[32], address[32];
    int64_t now_us;
};

static void request_make(struct request *r)
{
    static atomic_long number;
    long n = atomic_fetch_add(&number, 1);
    uuid_ordered(r->id);
    uuid_ordered(r->operation);
    uuid_ordered(r->port);
    snprintf(r->name, sizeof r->name, "server-%ld", n);
    snprintf(r->address, sizeof r->address, "10.%ld.%ld.%ld", n >> 16 & 255, n >> 8 & 255, n & 255);
    r->now_us = clock_now_us();
}

static int request_insert(struct db_conn *c, const struct request *r, struct error *e)
{
    int rc = db_exec(c, &bench_server, NULL, e,
                     DB_ARGS(db_text(r->id), db_text("p1"), db_text("u1"), db_text(r->name), db_text("m1.small"),
                             db_text_n(body, BODY_SIZE), db_int(r->now_us)));
    if (!rc)
        rc = db_exec(
            c, &bench_operation, NULL, e,
            DB_ARGS(db_text(r->operation), db_text(r->id), db_text(r->port), db_text("create"), db_int(r->now_us)));
    if (!rc)
        rc = db_exec(c, &bench_queue, NULL, e, DB_ARGS(db_text(r->id), db_int(r->now_us)));
    if (!rc)
        rc = db_exec(c, &bench_port, NULL, e,
                     DB_ARGS(db_text(r->port), db_text("n1"), db_text(r->id), db_text(r->address)));
    return rc;
}

static int request_run(struct db_conn *c, const struct request *r, struct error *e)
{
    int64_t value;
    int rc = db_query_int(c, &bench_quota, &value, e, DB_ARGS(db_text("quota:p1")));
    if (!rc)
        rc = db_query_int(c, &bench_name, &value, e, DB_ARGS(db_text(r->id)));
    if (!rc)
        rc = request_insert(c, r, e);
    return rc ? rc : db_counter_next(c, "quota:p1", 1, &value, e);
}

static void must(int rc, const struct error *e)
{
    if (rc) {
        fprintf(stderr, "writer_bench: %s\n", error_text(e));
        exit(1);
    }
}

static void fresh_path(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char old[320];
    snprintf(path, sizeof path, "%s/writer_bench.%d.db", folder, (int)getpid());
    for (size_t i = 0; i < 4; i++) {
        snprintf(old, sizeof old, "%s%s", path, suffixes[i]);
        unlink(old);
    }
    snprintf(old, sizeof old, "%s.wake", path);
    rmdir(old);
}

static struct db *fresh_db(void)
{
    struct error e = {0};
    struct db *db;
    struct db_conn *c;
    fresh_path();
    must(db_open(path, 0, &db, &e), &e);
    must(db_conn_open(db, &c, &e), &e);
    must(c->engine->script(c, TABLES, &e), &e);
    db_conn_close(&c);
    return db;
}

/* ---- through the writer: clients that send the next request when the last is answered ---- */

enum { CLIENT_THREADS = 2, SAMPLES = 1 << 20 };
struct client_thread;
struct client {
    struct writer_job job;
    struct request request;
    struct client_thread *home;
    struct client *next; /* answered, waits for its thread */
    int64_t sent_us;
};
struct load {
    struct writer *writer;
    atomic_bool stop;
    atomic_long answered;
    uint32_t *latency_us;
};
struct client_thread {
    struct load *load;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct client *answered;
    struct client *clients;
    int count;
};

static int client_run(struct db_conn *c, void *arg, struct error *e)
{
    return request_run(c, arg, e);
}

static void client_answered(struct writer_job *job, int rc, const struct error *e)
{
    struct client *client = (struct client *)job;
    struct client_thread *home = client->home;
    must(rc, e);
    long n = atomic_fetch_add(&home->load->answered, 1);
    if (n < SAMPLES)
        home->load->latency_us[n] = (uint32_t)(clock_mono_us() - client->sent_us);
    pthread_mutex_lock(&home->lock);
    bool idle = !home->answered;
    client->next = home->answered;
    home->answered = client;
    if (idle)
        pthread_cond_signal(&home->some);
    pthread_mutex_unlock(&home->lock);
}

static void client_send(struct client *client)
{
    request_make(&client->request);
    client->sent_us = clock_mono_us();
    client->job = (struct writer_job){.run = client_run, .done = client_answered, .arg = &client->request};
    int rc = writer_submit(client->home->load->writer, &client->job);
    assert(!rc);
}

static void *client_loop(void *arg)
{
    struct client_thread *t = arg;
    for (int i = 0; i < t->count; i++)
        client_send(&t->clients[i]);
    for (int out = t->count; out;) {
        pthread_mutex_lock(&t->lock);
        while (!t->answered)
            pthread_cond_wait(&t->some, &t->lock);
        struct client *client = t->answered;
        t->answered = NULL;
        pthread_mutex_unlock(&t->lock);
        for (struct client *next; client; client = next) {
            next = client->next;
            if (t->load->stop)
                out--;
            else
                client_send(client);
        }
    }
    return NULL;
}

static int compare_samples(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

struct figures {
    double per_second, group_mean, lock_wait_us, commit_us, retries;
    uint64_t group_max;
    uint32_t p50_us, p99_us, p999_us, max_us;
};

static void threads_start(struct client_thread *threads, int used, int submitters, struct load *load)
{
    for (int i = 0; i < used; i++) {
        struct client_thread *t = &threads[i];
        *t = (struct client_thread){.load = load, .count = submitters / used};
        pthread_mutex_init(&t->lock, NULL);
        pthread_cond_init(&t->some, NULL);
        t->clients = memory_array((size_t)t->count, sizeof *t->clients);
        for (int k = 0; k < t->count; k++)
            t->clients[k].home = t;
        int rc = pthread_create(&t->thread, NULL, client_loop, t);
        assert(!rc);
    }
}

static void pause_seconds(double s)
{
    struct timespec time = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
    nanosleep(&time, NULL);
}

static struct figures measure_writer(struct db *db, int submitters)
{
    struct error e = {0};
    struct load load = {.latency_us = memory_array(SAMPLES, sizeof(uint32_t))};
    struct client_thread threads[CLIENT_THREADS];
    int used = submitters < CLIENT_THREADS ? 1 : CLIENT_THREADS;
    must(writer_new(db, 0, 0, &load.writer, &e), &e);
    int64_t start = clock_mono_us();
    threads_start(threads, used, submitters, &load);
    pause_seconds(seconds);
    load.stop = true;
    for (int i = 0; i < used; i++) {
        pthread_join(threads[i].thread, NULL);
        free(threads[i].clients);
    }
    double elapsed = (double)(clock_mono_us() - start) / 1e6;
    struct writer_stats stats;
    writer_read_stats(load.writer, &stats);
    writer_free(&load.writer);
    size_t n = (size_t)load.answered < SAMPLES ? (size_t)load.answered : SAMPLES;
    qsort(load.latency_us, n, sizeof *load.latency_us, compare_samples);
    struct figures f = {.per_second = (double)load.answered / elapsed,
                        .group_mean = (double)stats.group_size_sum / (double)stats.groups,
                        .retries = (double)stats.retries / (double)stats.jobs,
                        .group_max = stats.group_size_max,
                        .lock_wait_us = (double)stats.lock_wait_us_sum / (double)stats.groups,
                        .commit_us = (double)stats.commit_us_sum / (double)stats.groups,
                        .p50_us = load.latency_us[n / 2],
                        .p99_us = load.latency_us[n * 99 / 100],
                        .p999_us = load.latency_us[n * 999 / 1000],
                        .max_us = load.latency_us[n - 1]};
    free(load.latency_us);
    return f;
}

/* ---- the bare loop ---- */

struct bare {
    sqlite3 *sqlite;
    sqlite3_stmt *quota, *name, *server, *operation, *queue, *port, *counter, *begin, *commit;
};

static sqlite3_stmt *bare_prepare(struct bare *b, const char *sql)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v3(b->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    assert(rc == SQLITE_OK);
    return stmt;
}

static void bare_step(sqlite3_stmt *stmt)
{
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        sqlite3_column_int64(stmt, 0);
    assert(rc == SQLITE_DONE);
    sqlite3_reset(stmt);
}

static void bare_text(sqlite3_stmt *stmt, int index, const char *text)
{
    sqlite3_bind_text(stmt, index, text, (int)strlen(text), SQLITE_STATIC);
}

static void bare_request(struct bare *b, const struct request *r)
{
    bare_text(b->quota, 1, "quota:p1");
    bare_step(b->quota);
    bare_text(b->name, 1, r->id);
    bare_step(b->name);
    bare_text(b->server, 1, r->id);
    bare_text(b->server, 2, "p1");
    bare_text(b->server, 3, "u1");
    bare_text(b->server, 4, r->name);
    bare_text(b->server, 5, "m1.small");
    bare_text(b->server, 6, body);
    sqlite3_bind_int64(b->server, 7, r->now_us);
    bare_step(b->server);
    bare_text(b->operation, 1, r->operation);
    bare_text(b->operation, 2, r->id);
    bare_text(b->operation, 3, r->port);
    bare_text(b->operation, 4, "create");
    sqlite3_bind_int64(b->operation, 5, r->now_us);
    bare_step(b->operation);
    bare_text(b->queue, 1, r->id);
    sqlite3_bind_int64(b->queue, 2, r->now_us);
    bare_step(b->queue);
    bare_text(b->port, 1, r->port);
    bare_text(b->port, 2, "n1");
    bare_text(b->port, 3, r->id);
    bare_text(b->port, 4, r->address);
    bare_step(b->port);
    bare_text(b->counter, 1, "quota:p1");
    sqlite3_bind_int64(b->counter, 2, 1);
    bare_step(b->counter);
}

static struct bare bare_open(void)
{
    struct bare b;
    int rc = sqlite3_open_v2(path, &b.sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    assert(rc == SQLITE_OK);
    sqlite3_exec(b.sqlite, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;", NULL,
                 NULL, NULL);
    b.quota = bare_prepare(&b, SQL_QUOTA);
    b.name = bare_prepare(&b, SQL_NAME);
    b.server = bare_prepare(&b, SQL_SERVER);
    b.operation = bare_prepare(&b, SQL_OPERATION);
    b.queue = bare_prepare(&b, SQL_QUEUE);
    b.port = bare_prepare(&b, SQL_PORT);
    b.counter = bare_prepare(&b, SQL_COUNTER);
    b.begin = bare_prepare(&b, "BEGIN IMMEDIATE");
    b.commit = bare_prepare(&b, "COMMIT");
    return b;
}

static void bare_close(struct bare *b)
{
    for (sqlite3_stmt *stmt; (stmt = sqlite3_next_stmt(b->sqlite, NULL));)
        sqlite3_finalize(stmt);
    sqlite3_close(b->sqlite);
}

static double measure_bare(int per_commit)
{
    struct bare b = bare_open();
    struct request r;
    long done = 0;
    int64_t start = clock_mono_us(), end = start + (int64_t)(seconds * 1e6);
    while (clock_mono_us() < end) {
        bare_step(b.begin);
        for (int i = 0; i < per_commit; i++, done++) {
            request_make(&r);
            bare_request(&b, &r);
        }
        bare_step(b.commit);
    }
    double elapsed = (double)(clock_mono_us() - start) / 1e6;
    bare_close(&b);
    return (double)done / elapsed;
}

/* ---- figures ---- */

static void figures_group_commit(void)
{
    static const int submitters[] = {1, 16, 64, 256};
    printf("requests/s through the writer, synchronous=FULL (5 rows, 13 index entries, 9 statements each)\n");
    printf("%10s %10s %9s %8s %10s %9s %9s %9s %9s %10s %7s\n", "submitters", "requests/s", "rows/s", "per grp",
           "commit us", "p50 us", "p99 us", "p99.9 us", "max us", "bare req/s", "ratio");
    for (size_t i = 0; i < sizeof submitters / sizeof *submitters; i++) {
        struct db *db = fresh_db();
        struct figures f = measure_writer(db, submitters[i]);
        db_close(&db);
        db = fresh_db();
        db_close(&db);
        double bare = measure_bare((int)(f.group_mean + 0.5));
        printf("%10d %10.0f %9.0f %8.1f %10.0f %9u %9u %9u %9u %10.0f %7.2f\n", submitters[i], f.per_second,
               f.per_second * 5, f.group_mean, f.commit_us, f.p50_us, f.p99_us, f.p999_us, f.max_us, bare,
               f.per_second / bare);
        fflush(stdout);
    }
}

struct shared_result {
    double per_second, lock_wait_us;
};

static void figures_two_processes(void)
{
    struct shared_result *results =
        mmap(NULL, 2 * sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(results != MAP_FAILED);
    struct db *db = fresh_db();
    db_close(&db);
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        fflush(stdout);
        children[i] = fork();
        if (children[i] == 0) {
            struct error e = {0};
            must(db_open(path, 0, &db, &e), &e);
            struct figures f = measure_writer(db, 64);
            results[i] = (struct shared_result){f.per_second, f.lock_wait_us};
            db_close(&db);
            _exit(0);
        }
    }
    for (int i = 0; i < 2; i++)
        waitpid(children[i], NULL, 0);
    double a = results[0].per_second, b = results[1].per_second;
    printf(
        "two processes on one file, 64 submitters each: %.0f and %.0f requests/s, together %.0f; smaller/larger %.2f;"
        " wait for the lock %.0f and %.0f us per group\n",
        a, b, a + b, a < b ? a / b : b / a, results[0].lock_wait_us, results[1].lock_wait_us);
    munmap(results, 2 * sizeof *results);
}

static double measure_reads(struct db *db, char (*ids)[UUID_SIZE], int count)
{
    struct error e = {0};
    struct db_conn *c = db_reader(db);
    int64_t start = clock_mono_us(), end = start + (int64_t)(seconds * 1e6), value;
    long n = 0;
    for (; clock_mono_us() < end; n++)
        must(db_query_int(c, &bench_name, &value, &e, DB_ARGS(db_text_n(ids[n * 7919 % count], UUID_SIZE - 1))), &e);
    return (double)(clock_mono_us() - start) / (double)n;
}

static int insert_many(struct db_conn *c, void *arg, struct error *e)
{
    char(*ids)[UUID_SIZE] = arg;
    struct request r;
    int rc = 0;
    for (int i = 0; !rc && i < 1000; i++) {
        request_make(&r);
        memcpy(ids[i], r.id, UUID_SIZE);
        rc = request_insert(c, &r, e);
    }
    return rc;
}

static void *write_meanwhile(void *arg)
{
    measure_writer(arg, 16);
    return NULL;
}

static void figures_reads(void)
{
    enum { COUNT = 20000 };
    struct error e = {0};
    struct db *db = fresh_db();
    struct db_conn *c;
    char(*ids)[UUID_SIZE] = memory_array(COUNT, UUID_SIZE);
    must(db_conn_open(db, &c, &e), &e);
    for (int i = 0; i < COUNT; i += 1000)
        must(db_transact(c, insert_many, ids + i, &e), &e);
    printf("point read of 20,000 by primary key: %.2f us", measure_reads(db, ids, COUNT));
    fflush(stdout);
    pthread_t writer;
    int rc = pthread_create(&writer, NULL, write_meanwhile, db);
    assert(!rc);
    printf("; while 16 submitters write: %.2f us\n", measure_reads(db, ids, COUNT));
    pthread_join(writer, NULL);
    db_conn_close(&c);
    db_close(&db);
    free(ids);
}

/* The same requests on PostgreSQL: a transaction each, on a pool of writers. All of them count in one row, as requests
 * of one project do. */
static void figures_postgres(const char *url)
{
    static const int submitters[] = {1, 16, 64};
    struct error e = {0};
    struct db *db;
    struct db_conn *c;
    must(engine_open(url, &db, &e), &e);
    must(db_conn_open(db, &c, &e), &e);
    for (size_t i = 0; i < sizeof submitters / sizeof *submitters; i++) {
        must(c->engine->script(c, "DROP SCHEMA public CASCADE; CREATE SCHEMA public", &e), &e);
        must(migrate_run(db, db_migrations, 1, true, &e), &e);
        must(c->engine->script(c, TABLES, &e), &e);
        struct figures f = measure_writer(db, submitters[i]);
        printf("PostgreSQL, %d submitters: %.0f requests/s, p50 %u us, p99 %u us, %.3f retries per request\n",
               submitters[i], f.per_second, f.p50_us, f.p99_us, f.retries);
        fflush(stdout);
    }
    db_conn_close(&c);
    db_close(&db);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seconds = strtod(argv[1], NULL);
    if (argc > 2)
        folder = argv[2];
    log_init("writer_bench", NULL, LOG_LEVEL_ERROR);
    memset(body, 'b', BODY_SIZE);
    figures_group_commit();
    figures_two_processes();
    figures_reads();
    fresh_path();
    if (getenv("VIRGA_TEST_POSTGRES_URL"))
        figures_postgres(getenv("VIRGA_TEST_POSTGRES_URL"));
    return 0;
}
