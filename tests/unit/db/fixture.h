/* A fresh database for each test: an SQLite file in a folder of its own, or, when VIRGA_TEST_POSTGRES_URL is set
 * (tests/db/with-postgres), an emptied PostgreSQL database. The suites are the same for both engines. */
#pragma once
#include "common/clock.h"
#include "common/log.h"
#include "db/engine.h"
#include "db/migrate.h"
#include "tests/unit/check.h"
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>

/* A table for tests; as a migration, so that it is applied like any other. */
#define FIXTURE_SQL                                                                                                    \
    "CREATE TABLE thing (id BIGINT PRIMARY KEY, name TEXT, parent BIGINT REFERENCES thing (id), data BYTEA);"          \
    "CREATE UNIQUE INDEX thing_name ON thing (name);"

static char fixture_url[300]; /* of the running test's database */
static char fixture_folder[64];

__attribute__((unused)) static bool on_postgres(void)
{
    return getenv("VIRGA_TEST_POSTGRES_URL") != NULL;
}

static int fixture_remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

__attribute__((unused)) static void fixture_cleanup(void)
{
    if (*fixture_folder)
        nftw(fixture_folder, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    *fixture_folder = 0;
}

/* A connection for whatever the suite's own statements cannot say. */
__attribute__((unused)) static void fixture_script(struct db *db, const char *sql)
{
    struct error e = {0};
    struct db_conn *c;
    CHECK_OK(db_conn_open(db, &c, &e), &e);
    CHECK_OK(c->engine->script(c, sql, &e), &e);
    db_conn_close(&c);
}

/* Names an empty database in fixture_url. */
__attribute__((unused)) static void fixture_empty(void)
{
    struct error e = {0};
    static bool registered;
    if (!registered)
        atexit(fixture_cleanup);
    registered = true;
    log_init("test", NULL, LOG_LEVEL_ERROR);
    fixture_cleanup();
    if (on_postgres()) {
        struct db *db;
        snprintf(fixture_url, sizeof fixture_url, "%s", getenv("VIRGA_TEST_POSTGRES_URL"));
        CHECK_OK(engine_open(fixture_url, &db, &e), &e);
        fixture_script(db, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        db_close(&db);
        return;
    }
    snprintf(fixture_folder, sizeof fixture_folder, "/tmp/virga-db-test.XXXXXX");
    CHECK(mkdtemp(fixture_folder));
    snprintf(fixture_url, sizeof fixture_url, "%s/test.db", fixture_folder);
}

/* Opens the running test's database with the core tables and the table above. */
__attribute__((unused)) static struct db *fixture_again(void)
{
    struct error e = {0};
    struct db *db;
    struct db_migration list[] = {db_migrations[0], {9000, "thing", "both", FIXTURE_SQL, "fixture"}};
    CHECK_OK(engine_open(fixture_url, &db, &e), &e);
    CHECK_OK(migrate_run(db, list, 2, true, &e), &e);
    return db;
}

__attribute__((unused)) static struct db *fixture_open(void)
{
    fixture_empty();
    return fixture_again();
}

__attribute__((unused)) static struct db_conn *fixture_conn(struct db *db)
{
    struct error e = {0};
    struct db_conn *c;
    CHECK_OK(db_conn_open(db, &c, &e), &e);
    return c;
}

DB_STATEMENT(fixture_thing_count, "SELECT count(*) FROM thing");
DB_STATEMENT(fixture_thing_add, "INSERT INTO thing (id, name) VALUES ($1, $2)");
DB_STATEMENT(fixture_thing_has, "SELECT count(*) FROM thing WHERE id = $1");

/* As a new reader sees them. */
__attribute__((unused)) static int64_t fixture_things(struct db *db)
{
    struct error e = {0};
    int64_t count = -1;
    CHECK_OK(db_query_int(db_reader(db), &fixture_thing_count, &count, &e, DB_NO_ARGS), &e);
    return count;
}

__attribute__((unused)) static bool fixture_has(struct db *db, int64_t id)
{
    struct error e = {0};
    int64_t count = -1;
    CHECK_OK(db_query_int(db_reader(db), &fixture_thing_has, &count, &e, DB_ARGS(db_int(id))), &e);
    return count;
}

/* A db_fn: adds the thing whose number `arg` points to. */
__attribute__((unused)) static int fixture_add(struct db_conn *c, void *arg, struct error *e)
{
    return db_exec(c, &fixture_thing_add, NULL, e, DB_ARGS(db_int(*(int64_t *)arg), db_null()));
}
