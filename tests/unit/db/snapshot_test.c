/* Readers that keep their snapshots: nothing that is committed stays unseen, and the log does not grow without end. */
#include "db/engine.h"
#include "tests/unit/db/fixture.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

DB_STATEMENT(snapshot_test_data, "INSERT INTO thing (id, data) VALUES ($1, $2)");

static struct db *open_keeping(void)
{
    struct db *db = fixture_open();
    db_keep_snapshots(db);
    return db;
}

TEST("a reader that keeps its snapshot sees each commit of its own process")
{
    struct error e = {0};
    struct db *db = open_keeping();
    struct db_conn *c = fixture_conn(db);
    for (int64_t i = 1; i <= 300; i++) {
        CHECK_OK(db_transact(c, fixture_add, &i, &e), &e);
        CHECK(fixture_has(db, i));
        CHECK_INT(fixture_things(db), i);
        if (i % 7 == 0)
            db_rest_readers(db);
    }
    db_conn_close(&c);
    db_close(&db);
}

/* In a process of its own: a thing for each byte that comes, a byte back when it is committed. */
static void write_when_told(int in, int out)
{
    struct error e = {0};
    struct db *db = fixture_again();
    struct db_conn *c = fixture_conn(db);
    char byte;
    for (int64_t i = 1; read(in, &byte, 1) == 1; i++) {
        CHECK_OK(db_transact(c, fixture_add, &i, &e), &e);
        CHECK(write(out, &byte, 1) == 1);
    }
    db_conn_close(&c);
    db_close(&db);
}

struct other {
    int to, from;
    pid_t child;
};

/* An empty database, another process that writes to it when it is told, and readers here that keep their snapshots. */
static struct db *other_begin(struct other *o)
{
    int to[2], from[2];
    fixture_empty();
    struct db *db = fixture_again();
    db_close(&db);
    CHECK(!pipe(to) && !pipe(from));
    fflush(stdout);
    o->child = fork();
    if (!o->child) {
        close(to[1]);
        close(from[0]);
        write_when_told(to[0], from[1]);
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    o->to = to[1];
    o->from = from[0];
    db = fixture_again();
    db_keep_snapshots(db);
    return db;
}

static void other_commits(const struct other *o)
{
    char byte = 0;
    CHECK(write(o->to, &byte, 1) == 1 && read(o->from, &byte, 1) == 1);
}

static void other_end(const struct other *o)
{
    close(o->to);
    close(o->from);
    CHECK(waitpid(o->child, NULL, 0) == o->child);
}

TEST("a reader that keeps its snapshot sees each commit of another process")
{
    struct other other;
    struct db *db = other_begin(&other);
    for (int64_t i = 1; i <= 100; i++) {
        CHECK_INT(fixture_things(db), i - 1);
        other_commits(&other);
        CHECK_INT(fixture_things(db), i);
    }
    other_end(&other);
    db_close(&db);
}

/* The number, asked for as whoever keeps what was read does it; something is read then. */
static uint64_t generation_of(struct db *db)
{
    uint64_t generation = db_generation(db_reader(db));
    fixture_things(db);
    return generation;
}

TEST("the generation stays while nothing is committed, and changes with each commit of any process")
{
    struct other other;
    struct db *db = other_begin(&other);
    CHECK_INT(db_generation(db_reader(db)), 0); /* nothing was read yet */
    fixture_things(db);
    for (int i = 1; i <= 100; i++) {
        uint64_t before = generation_of(db);
        for (int again = 0; again < 3; again++) {
            CHECK_INT(generation_of(db), before);
            db_rest_readers(db);
        }
        other_commits(&other);
        CHECK(on_postgres() ? !generation_of(db) : before && generation_of(db) != before);
        CHECK_INT(fixture_things(db), i);
    }
    other_end(&other);
    db_close(&db);
}

static int generation_within(struct db_conn *c, void *arg, struct error *e)
{
    (void)arg;
    (void)e;
    CHECK_INT(db_generation(c), 0);
    return 0;
}

TEST("what may be of an older state has no generation: snapshots, transactions, open rows; and who keeps no snapshots")
{
    struct error e = {0};
    struct db *db = fixture_open();
    fixture_things(db);
    CHECK_INT(generation_of(db), 0);
    db_keep_snapshots(db);
    fixture_things(db);
    CHECK_INT(generation_of(db) > 0, !on_postgres());
    struct db_conn *c = fixture_conn(db);
    CHECK_OK(db_transact(c, generation_within, NULL, &e), &e);
    CHECK_INT(db_generation(c), 0);
    CHECK_OK(db_snapshot(db_reader(db), generation_within, NULL, &e), &e);
    struct db_rows rows;
    CHECK_OK(db_query(db_reader(db), &fixture_thing_count, &rows, &e, DB_NO_ARGS), &e);
    CHECK_INT(db_generation(db_reader(db)), 0);
    CHECK_OK(db_rows_done(&rows, &e), &e);
    CHECK_INT(generation_of(db) > 0, !on_postgres());
    db_conn_close(&c);
    db_close(&db);
}

struct crowd {
    struct db *db;
    atomic_long committed;
    atomic_bool over;
};

static void *read_on(void *arg)
{
    struct crowd *crowd = arg;
    uint64_t known_at = 0;
    long known = 0;
    while (!crowd->over) {
        long committed = crowd->committed;
        uint64_t generation = db_generation(db_reader(crowd->db));
        if (generation && generation == known_at) {
            CHECK(known >= committed);
            continue;
        }
        known = (long)fixture_things(crowd->db);
        known_at = generation;
        CHECK(known >= committed);
    }
    return NULL;
}

static void *rest_on(void *arg)
{
    struct crowd *crowd = arg;
    while (!crowd->over) {
        db_rest_readers(crowd->db);
        sched_yield();
    }
    return NULL;
}

TEST("many readers that keep their snapshots, and one who ends them, miss nothing")
{
    enum { READERS = 3, WRITES = 600 };
    struct error e = {0};
    struct crowd crowd = {.db = open_keeping()};
    struct db_conn *c = fixture_conn(crowd.db);
    pthread_t threads[READERS + 1];
    for (int i = 0; i <= READERS; i++)
        CHECK(!pthread_create(&threads[i], NULL, i < READERS ? read_on : rest_on, &crowd));
    for (int64_t i = 1; i <= WRITES; i++) {
        CHECK_OK(db_transact(c, fixture_add, &i, &e), &e);
        crowd.committed = i;
    }
    crowd.over = true;
    for (int i = 0; i <= READERS; i++)
        pthread_join(threads[i], NULL);
    db_conn_close(&c);
    db_close(&crowd.db);
}

static int add_data(struct db_conn *c, void *arg, struct error *e)
{
    static char bytes[40000]; /* ten pages */
    return db_exec(c, &snapshot_test_data, NULL, e, DB_ARGS(db_int(*(int64_t *)arg), db_bytes(bytes, sizeof bytes)));
}

static int64_t log_bytes(struct db *db)
{
    char path[400];
    struct stat status;
    snprintf(path, sizeof path, "%s-wal", db_path(db));
    CHECK(!stat(path, &status));
    return (int64_t)status.st_size;
}

/* 1,000 transactions of eleven pages: 45 MB of log if it were never started over. */
TEST("the log starts over while readers keep snapshots, whether they go on or rest")
{
    if (on_postgres())
        return;
    struct error e = {0};
    struct db *db = open_keeping();
    struct db_conn *c = fixture_conn(db);
    for (int64_t i = 1; i <= 1000; i++) {
        CHECK_OK(db_transact(c, add_data, &i, &e), &e);
        if (i <= 500)
            CHECK_INT(fixture_things(db), i);
        else if (i % 50 == 0) {
            CHECK_INT(fixture_things(db), i);
            db_rest_readers(db);
        }
        CHECK(log_bytes(db) < 12 << 20);
    }
    db_conn_close(&c);
    db_close(&db);
}
