/* Migrations: what is missing is applied once and whole; what does not fit is refused. */
#include "db/migrate.h"
#include "tests/unit/db/fixture.h"

DB_STATEMENT(migrate_test_rows, "SELECT count(*) FROM schema_migration");
DB_STATEMENT(migrate_test_egg, "SELECT count(*) FROM egg");

#define EGG "CREATE TABLE egg (id BIGINT PRIMARY KEY); INSERT INTO egg (id) VALUES (1), (2);"
#define FIRST                                                                                                          \
    {                                                                                                                  \
        1, "egg", "both", EGG, "aaaaaaaaaaaaaaaa"                                                                      \
    }
static const struct db_migration list[] = {
    FIRST,
    {2, "sqlite_only", "sqlite", "INSERT INTO egg (id) VALUES (20)", "bbbbbbbbbbbbbbbb"},
    {2, "postgres_only", "postgres", "INSERT INTO egg (id) VALUES (20)", "cccccccccccccccc"},
    {3, "more", "both", "-- a comment with a ';'\nINSERT INTO egg (id) VALUES (30);\n-- the end\n", "dddddddddddddddd"},
};

static struct db *open_bare(void)
{
    struct error e = {0};
    struct db *db;
    CHECK_OK(engine_open(fixture_url, &db, &e), &e);
    return db;
}

static int64_t ask(struct db *db, const struct db_statement *s)
{
    struct error e = {0};
    int64_t value = -1;
    CHECK_OK(db_query_int(db_reader(db), s, &value, &e, DB_NO_ARGS), &e);
    return value;
}

TEST("an empty database gets all migrations of its engine, in order, once")
{
    struct error e = {0};
    fixture_empty();
    struct db *db = open_bare();
    for (int i = 0; i < 2; i++) {
        CHECK_OK(migrate_run(db, list, 4, true, &e), &e);
        CHECK_INT(ask(db, &migrate_test_rows), 3);
        CHECK_INT(ask(db, &migrate_test_egg), 4);
    }
    db_close(&db);
}

TEST("a database that lacks the last migrations gets just these")
{
    struct error e = {0};
    fixture_empty();
    struct db *db = open_bare();
    CHECK_OK(migrate_run(db, list, 1, true, &e), &e);
    CHECK_INT(ask(db, &migrate_test_egg), 2);
    CHECK_OK(migrate_run(db, list, 4, true, &e), &e);
    CHECK_INT(ask(db, &migrate_test_egg), 4);
    db_close(&db);
}

TEST("a schema newer than the program is refused, and nothing is changed")
{
    struct error e = {0};
    fixture_empty();
    struct db *db = open_bare();
    CHECK_OK(migrate_run(db, list, 4, true, &e), &e);
    CHECK_INT(migrate_run(db, list, 1, true, &e), ERR_DATABASE);
    CHECK_CONTAINS(e.text, "newer than this program");
    CHECK_CONTAINS(e.text, "migration 2");
    CHECK_INT(ask(db, &migrate_test_rows), 3);
    db_close(&db);
}

TEST("a newer schema is refused even when older migrations are missing")
{
    struct error e = {0};
    fixture_empty();
    struct db *db = open_bare();
    struct db_migration other[] = {list[0], {7, "later", "both", "SELECT 1", "eeeeeeeeeeeeeeee"}};
    CHECK_OK(migrate_run(db, other, 2, true, &e), &e);
    CHECK_INT(migrate_run(db, list, 4, true, &e), ERR_DATABASE);
    CHECK_CONTAINS(e.text, "newer than this program");
    CHECK_INT(ask(db, &migrate_test_rows), 2);
    db_close(&db);
}

TEST("a migration whose text changed after it was applied is refused")
{
    struct error e = {0};
    fixture_empty();
    struct db *db = open_bare();
    CHECK_OK(migrate_run(db, list, 4, true, &e), &e);
    struct db_migration changed[4];
    memcpy(changed, list, sizeof list);
    changed[0].checksum = "ffffffffffffffff";
    CHECK_INT(migrate_run(db, changed, 4, true, &e), ERR_DATABASE);
    CHECK_CONTAINS(e.text, "migration 1 (egg)");
    CHECK_CONTAINS(e.text, "another text");
    db_close(&db);
}

TEST("without leave to migrate, an older schema is refused and a fitting one taken")
{
    struct error e = {0};
    fixture_empty();
    struct db *db = open_bare();
    CHECK_INT(migrate_run(db, list, 4, false, &e), ERR_DATABASE);
    CHECK_CONTAINS(e.text, "3 migrations are missing");
    error_clear(&e);
    CHECK_OK(migrate_run(db, list, 1, true, &e), &e);
    CHECK_INT(migrate_run(db, list, 4, false, &e), ERR_DATABASE);
    CHECK_CONTAINS(e.text, "2 migrations are missing");
    error_clear(&e);
    CHECK_OK(migrate_run(db, list, 4, true, &e), &e);
    CHECK_OK(migrate_run(db, list, 4, false, &e), &e);
    db_close(&db);
}

TEST("a migration that fails in its middle leaves nothing, those before it stay")
{
    struct error e = {0};
    fixture_empty();
    struct db *db = open_bare();
    struct db_migration bad[] = {
        list[0], {2, "bad", "both", "CREATE TABLE half (id BIGINT); INSERT INTO egg (id) VALUES (1);", "x"}};
    CHECK(migrate_run(db, bad, 2, true, &e));
    CHECK_CONTAINS(e.text, "migration 2 (bad)");
    CHECK_INT(ask(db, &migrate_test_rows), 1);
    error_clear(&e);
    bad[1].sql = "CREATE TABLE half (id BIGINT)";
    CHECK_OK(migrate_run(db, bad, 2, true, &e), &e);
    CHECK_INT(ask(db, &migrate_test_rows), 2);
    db_close(&db);
}

static void *migrate_too(void *arg)
{
    struct error e = {0};
    struct db *db = open_bare();
    (void)arg;
    CHECK_OK(migrate_run(db, list, 4, true, &e), &e);
    db_close(&db);
    return NULL;
}

/* Children that migrate at once; `threads` of them each. Returns true when all succeeded. */
static bool migrate_in_children(int children)
{
    pid_t pids[8];
    int gate[2], status;
    bool good = true;
    CHECK(!pipe(gate));
    for (int i = 0; i < children; i++) {
        fflush(stdout);
        pids[i] = fork();
        if (pids[i] == 0) {
            char byte;
            close(gate[1]);
            (void)!read(gate[0], &byte, 1); /* all start when the parent closes its end */
            check_thread = 0;               /* a failed check ends the child */
            migrate_too(NULL);
            _exit(0);
        }
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < children; i++)
        good &= waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return good;
}

TEST("processes that start at once migrate once")
{
    for (int round = 0; round < 5; round++) {
        fixture_empty();
        CHECK(migrate_in_children(4));
        struct db *db = open_bare();
        CHECK_INT(ask(db, &migrate_test_rows), 3);
        CHECK_INT(ask(db, &migrate_test_egg), 4);
        db_close(&db);
    }
}

#define MANY_EGGS                                                                                                      \
    "CREATE TABLE nest (id BIGINT);"                                                                                   \
    "INSERT INTO egg (id) WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"        \
    " SELECT i FROM n; INSERT INTO nest (id) VALUES (1);"
static const struct db_migration slow_list[] = {
    FIRST,
    {2, "many", "both", MANY_EGGS, "gggggggggggggggg"},
    {3, "last", "both", "INSERT INTO egg (id) VALUES (30)", "hhhhhhhhhhhhhhhh"},
};

/* Kills a child that migrates as soon as it has said that `said` of the migrations are applied. */
static void kill_after_saying(int said)
{
    int output[2];
    char c;
    CHECK(!pipe(output));
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        struct error e = {0};
        check_thread = 0;
        CHECK(dup2(output[1], STDERR_FILENO) == STDERR_FILENO);
        log_init("test", NULL, LOG_LEVEL_INFO);
        struct db *db = open_bare();
        CHECK_OK(migrate_run(db, slow_list, 3, true, &e), &e);
        _exit(0);
    }
    close(output[1]);
    while (said && read(output[0], &c, 1) == 1)
        said -= c == '\n';
    kill(child, SIGKILL);
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK_INT(said, 0);
    close(output[0]);
}

TEST("a process killed while it migrates leaves each migration whole or absent, and the next one goes on")
{
    for (int said = 0; said < 3; said++) {
        struct error e = {0};
        fixture_empty();
        kill_after_saying(said);
        struct db *db = open_bare();
        if (said) {
            int64_t rows = ask(db, &migrate_test_rows);
            CHECK(rows >= said);
            CHECK_INT(ask(db, &migrate_test_egg), rows == 1 ? 2 : rows == 2 ? 299003 : 299004);
        }
        CHECK_OK(migrate_run(db, slow_list, 3, true, &e), &e);
        CHECK_INT(ask(db, &migrate_test_rows), 3);
        CHECK_INT(ask(db, &migrate_test_egg), 299004);
        db_close(&db);
    }
}

TEST("the program's own migrations apply to an empty database and fit it afterwards")
{
    struct error e = {0};
    struct db *db;
    fixture_empty();
    CHECK_INT(db_open(fixture_url, DB_OPEN_NO_MIGRATE, &db, &e), ERR_DATABASE);
    error_clear(&e);
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    db_close(&db);
    CHECK_OK(db_open(fixture_url, DB_OPEN_NO_MIGRATE, &db, &e), &e);
    db_close(&db);
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    db_close(&db);
    for (size_t i = 1; i < db_migrations_count; i++)
        CHECK(db_migrations[i - 1].number <= db_migrations[i].number);
}
