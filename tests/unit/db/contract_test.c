/* The contract of db.h, the same for both engines: statements, values, transactions, savepoints, snapshots,
 * connections. */
#include "db/db.h"
#include "tests/unit/db/fixture.h"

DB_STATEMENT(thing_add_full, "INSERT INTO thing (id, name, parent, data) VALUES ($1, $2, $3, $4)");
DB_STATEMENT(thing_get, "SELECT id, name, parent, data FROM thing WHERE id = $1");
DB_STATEMENT(thing_list, "SELECT id FROM thing WHERE id > $1 ORDER BY id");
DB_STATEMENT(thing_backwards, "SELECT id FROM thing WHERE name = $2 AND id = $1");
DB_STATEMENT(thing_filtered, "SELECT count(*) FROM thing WHERE (name = $1 OR $1 IS NULL) AND (id = $2 OR $2 IS NULL)");
DB_STATEMENT(thing_rename_all, "UPDATE thing SET name = name || $1");
DB_STATEMENT(thing_add_parent, "UPDATE thing SET parent = coalesce(parent, 0) + $2 WHERE id = $1 RETURNING parent");
DB_STATEMENT(thing_parent, "SELECT parent FROM thing WHERE id = $1");
DB_STATEMENT(thing_set_parent, "UPDATE thing SET parent = $2 WHERE id = $1");
DB_STATEMENT(thing_exists, "SELECT EXISTS (SELECT 1 FROM thing WHERE id = $1)");
DB_STATEMENT(thing_sum, "SELECT sum(id) FROM thing");
DB_STATEMENT2(backend_id, "SELECT 0", "SELECT pg_backend_pid()");
DB_STATEMENT2(backend_end, "SELECT $1", "SELECT count(*) FROM (SELECT pg_terminate_backend($1::int)) AS t");

struct thing {
    int64_t id;
    const char *name;
};

static int add_thing(struct db_conn *c, void *arg, struct error *e)
{
    const struct thing *t = arg;
    return db_exec(c, &fixture_thing_add, NULL, e, DB_ARGS(db_int(t->id), db_text(t->name)));
}

static int add(struct db_conn *c, int64_t id, const char *name, struct error *e)
{
    struct thing t = {id, name};
    return db_transact(c, add_thing, &t, e);
}

TEST("every registered statement can be prepared")
{
    struct error e = {0};
    struct db *db;
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    fixture_script(db, FIXTURE_SQL);
    struct db_conn *c = fixture_conn(db);
    CHECK(db_statement_count() > 20);
    for (size_t i = 0; i < db_statement_count(); i++)
        CHECK_OK(c->engine->prepare(c, db_statement_at(i), &e), &e);
    db_conn_close(&c);
    db_close(&db);
}

TEST("every statement's name is used once")
{
    for (size_t i = 0; i < db_statement_count(); i++)
        for (size_t k = 0; k < i; k++)
            if (!strcmp(db_statement_at(i)->name, db_statement_at(k)->name))
                check_fail(__FILE__, __LINE__, "two statements are called %s", db_statement_at(i)->name);
}

/* What is kept of a server outside the database is known by its revision (store_server_stamp). */
TEST("whatever changes a server's row makes its revision larger")
{
    int count = 0;
    for (size_t i = 0; i < db_statement_count(); i++) {
        const struct db_statement *s = db_statement_at(i);
        if (strncmp(s->sql, "UPDATE server SET ", 18) != 0)
            continue;
        count++;
        if (!strstr(s->sql, "revision = revision + 1"))
            check_fail(__FILE__, __LINE__, "%s leaves the revision alone", s->name);
    }
    CHECK(count > 4);
}

struct full {
    struct db_value args[4];
};

static int add_full(struct db_conn *c, void *arg, struct error *e)
{
    return db_exec(c, &thing_add_full, NULL, e, ((struct full *)arg)->args, 4);
}

TEST("values come back as they were given")
{
    static const unsigned char bytes[] = {0, 1, 255, 0, '\\', 'x', '4', 0};
    static const char text[] = "caf\xc3\xa9 'quoted' \\ $1 \xf0\x9f\x8c\xa7";
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    struct full rows[] = {
        {{db_int(INT64_MAX), db_text(text), db_null(), db_bytes(bytes, sizeof bytes)}},
        {{db_int(INT64_MIN), db_text(""), db_int(INT64_MAX), db_bytes("", 0)}},
        {{db_int(0), db_text(NULL), db_int_opt(false, 7), db_bytes(NULL, 0)}},
        {{db_int(1), db_text_n("cut here", 3), db_int_opt(true, 0), db_null()}},
    };
    for (size_t i = 0; i < 4; i++)
        CHECK_OK(db_transact(c, add_full, &rows[i], &e), &e);

    struct arena a;
    struct db_rows r;
    size_t size;
    arena_init(&a);
    CHECK_OK(db_query(db_reader(db), &thing_get, &r, &e, DB_ARGS(db_int(INT64_MAX))), &e);
    CHECK(db_next(&r));
    CHECK_INT(db_get_int(&r, 0), INT64_MAX);
    CHECK_TEXT(db_get_text(&r, 1), text);
    CHECK_TEXT(db_dup_text(&r, 1, &a), text);
    CHECK_TEXT(db_get_text_n(&r, 1, &size), text);
    CHECK_INT(size, strlen(text));
    CHECK(db_is_null(&r, 2));
    CHECK_INT(db_get_int(&r, 2), 0);
    CHECK(!memcmp(db_get_bytes(&r, 3, &size), bytes, sizeof bytes) && size == sizeof bytes);
    CHECK(!memcmp(db_get_bytes(&r, 3, &size), bytes, sizeof bytes) && size == sizeof bytes);
    CHECK(!db_next(&r));
    CHECK_OK(db_rows_done(&r, &e), &e);

    CHECK_OK(db_query(db_reader(db), &thing_get, &r, &e, DB_ARGS(db_int(INT64_MIN))), &e);
    CHECK(db_next(&r));
    CHECK_INT(db_get_int(&r, 0), INT64_MIN);
    CHECK(!db_is_null(&r, 1));
    CHECK_TEXT(db_get_text(&r, 1), "");
    CHECK_INT(db_get_int(&r, 2), INT64_MAX);
    CHECK(db_get_bytes(&r, 3, &size) && size == 0);
    CHECK_OK(db_rows_done(&r, &e), &e);

    CHECK_OK(db_query(db_reader(db), &thing_get, &r, &e, DB_ARGS(db_int(0))), &e);
    CHECK(db_next(&r));
    CHECK_TEXT(db_get_text(&r, 1), NULL);
    CHECK(!db_dup_text(&r, 1, &a));
    CHECK(db_is_null(&r, 1) && db_is_null(&r, 2) && db_is_null(&r, 3));
    CHECK(!db_get_bytes(&r, 3, &size) && size == 0);
    CHECK_OK(db_rows_done(&r, &e), &e);

    CHECK_OK(db_query(db_reader(db), &thing_get, &r, &e, DB_ARGS(db_int(1))), &e);
    CHECK(db_next(&r));
    CHECK_TEXT(db_get_text(&r, 1), "cut");
    CHECK(!db_is_null(&r, 2) && db_get_int(&r, 2) == 0);
    CHECK_OK(db_rows_done(&r, &e), &e);
    arena_done(&a);
    db_conn_close(&c);
    db_close(&db);
}

TEST("truth values and sums are integers")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    int64_t value = -1;
    CHECK_OK(add(c, 4000000000, "a", &e), &e);
    CHECK_OK(add(c, 5000000000, "b", &e), &e);
    CHECK_OK(db_query_int(c, &thing_exists, &value, &e, DB_ARGS(db_int(4000000000))), &e);
    CHECK_INT(value, 1);
    CHECK_OK(db_query_int(c, &thing_exists, &value, &e, DB_ARGS(db_int(7))), &e);
    CHECK_INT(value, 0);
    CHECK_OK(db_query_int(c, &thing_sum, &value, &e, DB_NO_ARGS), &e);
    CHECK_INT(value, 9000000000);
    db_conn_close(&c);
    db_close(&db);
}

TEST("arguments are bound by their number, in whatever order the text uses them")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    int64_t value = -1;
    CHECK_OK(add(c, 11, "eleven", &e), &e);
    CHECK_OK(db_query_int(c, &thing_backwards, &value, &e, DB_ARGS(db_int(11), db_text("eleven"))), &e);
    CHECK_INT(value, 11);
    db_conn_close(&c);
    db_close(&db);
}

TEST("an optional filter that is NULL filters nothing")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    int64_t count = -1;
    for (int64_t i = 0; i < 5; i++)
        CHECK_OK(add(c, i, i == 3 ? "three" : NULL, &e), &e);
    CHECK_OK(db_query_int(c, &thing_filtered, &count, &e, DB_ARGS(db_null(), db_int_opt(false, 0))), &e);
    CHECK_INT(count, 5);
    CHECK_OK(db_query_int(c, &thing_filtered, &count, &e, DB_ARGS(db_text("three"), db_null())), &e);
    CHECK_INT(count, 1);
    CHECK_OK(db_query_int(c, &thing_filtered, &count, &e, DB_ARGS(db_text("three"), db_int(2))), &e);
    CHECK_INT(count, 0);
    db_conn_close(&c);
    db_close(&db);
}

TEST("a wrong number of arguments is refused and leaves the connection usable")
{
    struct error e = {0};
    struct db *db = fixture_open();
    int64_t count;
    CHECK_INT(db_query_int(db_reader(db), &fixture_thing_has, &count, &e, DB_NO_ARGS), ERR_DATABASE);
    CHECK_CONTAINS(e.text, "fixture_thing_has");
    CHECK_INT(fixture_things(db), 0);
    db_close(&db);
}

TEST("a statement says how many rows it changed")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    int64_t changed = -1;
    CHECK_OK(add(c, 1, "a", &e), &e);
    CHECK_OK(add(c, 2, "b", &e), &e);
    CHECK_OK(db_exec(c, &thing_rename_all, &changed, &e, DB_ARGS(db_text("!"))), &e);
    CHECK_INT(changed, 2);
    CHECK_OK(db_exec(c, &thing_set_parent, &changed, &e, DB_ARGS(db_int(99), db_null())), &e);
    CHECK_INT(changed, 0);
    CHECK_OK(db_exec(c, &thing_add_parent, &changed, &e, DB_ARGS(db_int(1), db_int(1))), &e);
    CHECK_INT(changed, 1);
    CHECK_OK(db_exec(c, &fixture_thing_count, &changed, &e, DB_NO_ARGS), &e);
    CHECK_INT(changed, 0);
    db_conn_close(&c);
    db_close(&db);
}

TEST("one integer that is not there is NOT_FOUND")
{
    struct error e = {0};
    struct db *db = fixture_open();
    int64_t value = 5;
    CHECK_INT(db_query_int(db_reader(db), &thing_parent, &value, &e, DB_ARGS(db_int(1))), ERR_NOT_FOUND);
    CHECK_INT(value, 5);
    db_close(&db);
}

TEST("violated unique and foreign keys are conflicts that name what was violated")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    CHECK_OK(add(c, 1, "a", &e), &e);
    CHECK_INT(add(c, 1, "b", &e), ERR_CONFLICT);
    CHECK_CONTAINS(e.text, "thing");
    error_clear(&e);
    CHECK_INT(add(c, 2, "a", &e), ERR_CONFLICT);
    CHECK_CONTAINS(e.text, "name");
    error_clear(&e);
    struct full orphan = {{db_int(3), db_null(), db_int(1000), db_null()}};
    CHECK_INT(db_transact(c, add_full, &orphan, &e), ERR_CONFLICT);
    CHECK_INT(fixture_things(db), 1);
    db_conn_close(&c);
    db_close(&db);
}

static int add_two_then_fail(struct db_conn *c, void *arg, struct error *e)
{
    struct thing a = {1, "a"}, b = {2, "b"};
    CHECK_OK(add_thing(c, &a, e), e);
    CHECK_OK(add_thing(c, &b, e), e);
    (void)arg;
    return error_set(e, ERR_QUOTA, "no more than this");
}

TEST("a transaction whose function fails leaves nothing and returns that error")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    CHECK_INT(db_transact(c, add_two_then_fail, NULL, &e), ERR_QUOTA);
    CHECK_TEXT(e.text, "no more than this");
    CHECK_INT(fixture_things(db), 0);
    error_clear(&e);
    CHECK_OK(add(c, 1, "a", &e), &e);
    CHECK_INT(fixture_things(db), 1);
    db_conn_close(&c);
    db_close(&db);
}

static int add_beside_a_failing_savepoint(struct db_conn *c, void *arg, struct error *e)
{
    struct thing before = {10, "before"}, after = {11, "after"};
    struct error inner = {0};
    (void)arg;
    CHECK_OK(add_thing(c, &before, e), e);
    CHECK_INT(db_savepoint(c, add_two_then_fail, NULL, &inner), ERR_QUOTA);
    return add_thing(c, &after, e);
}

TEST("a savepoint whose function fails is undone alone")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    CHECK_OK(db_transact(c, add_beside_a_failing_savepoint, NULL, &e), &e);
    CHECK_INT(fixture_things(db), 2);
    CHECK(fixture_has(db, 10) && fixture_has(db, 11));
    db_conn_close(&c);
    db_close(&db);
}

/* Adds one thing per level down to level 7; level 3 fails after the deeper ones went well. */
static int add_nested(struct db_conn *c, void *arg, struct error *e)
{
    int64_t level = *(int64_t *)arg, deeper = level + 1;
    struct error inner = {0};
    int rc = fixture_add(c, &level, e);
    if (!rc && level < 7)
        db_savepoint(c, add_nested, &deeper, &inner);
    return rc ? rc : level == 3 ? error_set(e, ERR_PRECONDITION, "level three") : 0;
}

TEST("savepoints nest: what fails takes along what is inside it and nothing else")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    int64_t level = 0;
    CHECK_OK(db_transact(c, add_nested, &level, &e), &e);
    CHECK_INT(fixture_things(db), 3);
    CHECK(fixture_has(db, 0) && fixture_has(db, 1) && fixture_has(db, 2));
    db_conn_close(&c);
    db_close(&db);
}

static int conflict_in_savepoint(struct db_conn *c, void *arg, struct error *e)
{
    struct thing same = {1, "same"}, other = {2, "other"};
    struct error inner = {0};
    (void)arg;
    CHECK_OK(add_thing(c, &same, e), e);
    CHECK_INT(db_savepoint(c, add_thing, &same, &inner), ERR_CONFLICT);
    return add_thing(c, &other, e);
}

TEST("a conflict inside a savepoint can be forgiven")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    CHECK_OK(db_transact(c, conflict_in_savepoint, NULL, &e), &e);
    CHECK_INT(fixture_things(db), 2);
    db_conn_close(&c);
    db_close(&db);
}

static int swallow_a_conflict(struct db_conn *c, void *arg, struct error *e)
{
    struct thing same = {1, "same"}, other = {2, "other"};
    struct error inner = {0};
    (void)arg;
    CHECK_OK(add_thing(c, &same, e), e);
    CHECK_INT(add_thing(c, &same, &inner), ERR_CONFLICT);
    error_clear(&inner);
    CHECK_INT(add_thing(c, &other, &inner), ERR_CONFLICT);
    return 0;
}

TEST("a failed statement without a savepoint fails the transaction, even when its error is swallowed")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    CHECK_INT(db_transact(c, swallow_a_conflict, NULL, &e), ERR_CONFLICT);
    CHECK_INT(fixture_things(db), 0);
    error_clear(&e);
    CHECK_OK(add(c, 1, "a", &e), &e);
    db_conn_close(&c);
    db_close(&db);
}

struct two_states {
    struct db *db;
    struct db_conn *writer;
    int64_t inside[2], id;
};

static int look_twice(struct db_conn *c, void *arg, struct error *e)
{
    struct two_states *s = arg;
    int rc = db_query_int(c, &fixture_thing_count, &s->inside[0], e, DB_NO_ARGS);
    if (!rc)
        rc = add(s->writer, s->id, NULL, e);
    return rc ? rc : db_query_int(c, &fixture_thing_count, &s->inside[1], e, DB_NO_ARGS);
}

TEST("a snapshot keeps one state while others commit")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct two_states s = {.db = db, .writer = fixture_conn(db), .id = 1};
    CHECK_OK(db_snapshot(db_reader(db), look_twice, &s, &e), &e);
    CHECK_INT(s.inside[0], 0);
    CHECK_INT(s.inside[1], 0);
    CHECK_INT(fixture_things(db), 1);
    db_conn_close(&s.writer);
    db_close(&db);
}

TEST("a snapshot on a writing connection works too")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct two_states s = {.db = db, .writer = fixture_conn(db), .id = 1};
    struct db_conn *c = fixture_conn(db);
    CHECK_OK(db_snapshot(c, look_twice, &s, &e), &e);
    CHECK_INT(s.inside[1], 0);
    CHECK_OK(add(c, 2, NULL, &e), &e);
    CHECK_INT(fixture_things(db), 2);
    db_conn_close(&c);
    db_conn_close(&s.writer);
    db_close(&db);
}

TEST("a reader cannot write")
{
    struct error e = {0};
    struct db *db = fixture_open();
    CHECK_INT(db_exec(db_reader(db), &fixture_thing_add, NULL, &e, DB_ARGS(db_int(1), db_null())), ERR_DATABASE);
    CHECK_INT(fixture_things(db), 0);
    db_close(&db);
}

TEST("a write outside a transaction is one of its own")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    CHECK_OK(db_exec(c, &fixture_thing_add, NULL, &e, DB_ARGS(db_int(1), db_null())), &e);
    CHECK_INT(fixture_things(db), 1);
    db_conn_close(&c);
    db_close(&db);
}

TEST("one statement may be read at two levels at once")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    int64_t pairs = 0;
    for (int64_t i = 1; i <= 4; i++)
        CHECK_OK(add(c, i, NULL, &e), &e);
    struct db_rows outer, inner;
    CHECK_OK(db_query(db_reader(db), &thing_list, &outer, &e, DB_ARGS(db_int(0))), &e);
    while (db_next(&outer)) {
        CHECK_OK(db_query(db_reader(db), &thing_list, &inner, &e, DB_ARGS(db_int(db_get_int(&outer, 0)))), &e);
        while (db_next(&inner))
            pairs++;
        CHECK_OK(db_rows_done(&inner, &e), &e);
    }
    CHECK_OK(db_rows_done(&outer, &e), &e);
    CHECK_INT(pairs, 3 + 2 + 1);
    db_conn_close(&c);
    db_close(&db);
}

TEST("rows may be left before their end")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    struct db_rows rows;
    for (int64_t i = 1; i <= 4; i++)
        CHECK_OK(add(c, i, NULL, &e), &e);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(db_query(db_reader(db), &thing_list, &rows, &e, DB_ARGS(db_int(0))), &e);
        CHECK(db_next(&rows));
        CHECK_INT(db_get_int(&rows, 0), 1);
        CHECK_OK(db_rows_done(&rows, &e), &e);
    }
    CHECK_OK(add(c, 5, NULL, &e), &e);
    CHECK_INT(fixture_things(db), 5);
    db_conn_close(&c);
    db_close(&db);
}

/* Reads, and writes what depends on it: what serialisability is for. */
static int add_one(struct db_conn *c, void *arg, struct error *e)
{
    int64_t value;
    (void)arg;
    int rc = db_query_int(c, &thing_parent, &value, e, DB_ARGS(db_int(0)));
    return rc ? rc : db_exec(c, &thing_set_parent, NULL, e, DB_ARGS(db_int(0), db_int(value + 1)));
}

static void *add_one_often(void *arg)
{
    struct error e = {0};
    struct db_conn *c = fixture_conn(arg);
    for (int done = 0; done < 50;) {
        int rc = db_transact(c, add_one, NULL, &e);
        if (rc && rc != ERR_SERIALIZATION)
            check_fail(__FILE__, __LINE__, "%s", error_text(&e));
        done += !rc;
        error_clear(&e);
    }
    db_conn_close(&c);
    return NULL;
}

TEST("transactions of several threads that read and then write lose no update")
{
    struct error e = {0};
    struct db *db = fixture_open();
    fixture_script(db,
                   "DROP TABLE thing; CREATE TABLE thing (id BIGINT PRIMARY KEY, name TEXT, parent BIGINT, data BYTEA);"
                   "INSERT INTO thing (id, parent) VALUES (0, 0)");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK(!pthread_create(&threads[i], NULL, add_one_often, db));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    int64_t value = 0;
    CHECK_OK(db_query_int(db_reader(db), &thing_parent, &value, &e, DB_ARGS(db_int(0))), &e);
    CHECK_INT(value, 200);
    db_close(&db);
}

struct losing {
    int runs, lose;
    int64_t id;
};

static int lose_the_race(struct db_conn *c, void *arg, struct error *e)
{
    struct losing *l = arg;
    db_fail_at(c, ++l->runs <= l->lose ? 2 : 0, ERR_SERIALIZATION, false);
    int rc = fixture_add(c, &l->id, e);
    int64_t count;
    return rc ? rc : db_query_int(c, &fixture_thing_count, &count, e, DB_NO_ARGS);
}

TEST("a transaction that lost a race runs again, and no trace of the first run stays")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    struct losing l = {.lose = 3, .id = 1};
    CHECK_OK(db_transact(c, lose_the_race, &l, &e), &e);
    CHECK_INT(l.runs, 4);
    CHECK_INT(fixture_things(db), 1);
    CHECK_INT(e.code, 0);
    db_conn_close(&c);
    db_close(&db);
}

TEST("a transaction that loses every race gives up after 20 runs")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    struct losing l = {.lose = 1000, .id = 1};
    CHECK_INT(db_transact(c, lose_the_race, &l, &e), ERR_SERIALIZATION);
    CHECK_INT(l.runs, 20);
    db_fail_at(c, 0, 0, false);
    CHECK_INT(fixture_things(db), 0);
    db_conn_close(&c);
    db_close(&db);
}

static int lose_inside_savepoint(struct db_conn *c, void *arg, struct error *e)
{
    struct losing *l = arg;
    struct error inner = {0};
    (void)e;
    db_fail_at(c, ++l->runs == 1 ? 2 : 0, ERR_SERIALIZATION, false);
    db_savepoint(c, fixture_add, &l->id, &inner);
    return 0;
}

TEST("a race lost inside a savepoint is the whole transaction's, even when it is swallowed")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    struct losing l = {.id = 1};
    CHECK_OK(db_transact(c, lose_inside_savepoint, &l, &e), &e);
    CHECK_INT(l.runs, 2);
    CHECK_INT(fixture_things(db), 1);
    db_conn_close(&c);
    db_close(&db);
}

static int three_steps(struct db_conn *c, void *arg, struct error *e)
{
    int64_t *ids = arg;
    int rc = fixture_add(c, &ids[0], e);
    if (!rc)
        rc = db_savepoint(c, fixture_add, &ids[1], e);
    return rc ? rc : fixture_add(c, &ids[2], e);
}

TEST("whichever statement fails, and with whatever, a transaction is whole or absent and the connection goes on")
{
    static const int codes[] = {ERR_CONFLICT, ERR_NO_SPACE, ERR_UNAVAILABLE, ERR_DATABASE, ERR_BUSY};
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    int64_t whole = 0;
    for (size_t k = 0; k < sizeof codes / sizeof *codes; k++)
        for (int repeat = 0; repeat < 2; repeat++) {
            int rc = -1;
            for (int64_t n = 1; rc; n++) {
                int64_t base = 1000 * (int64_t)(2 * k + (size_t)repeat + 1) + 3 * n;
                int64_t ids[] = {base, base + 1, base + 2};
                error_clear(&e);
                db_fail_at(c, n, codes[k], repeat);
                rc = db_transact(c, three_steps, ids, &e);
                CHECK(rc == 0 || rc == codes[k]);
                CHECK_INT(rc == 0, e.code == 0);
                db_fail_at(c, 0, 0, false);
                whole += rc ? 0 : 3;
                CHECK_INT(fixture_things(db), whole);
                CHECK(n < 20);
            }
        }
    CHECK_INT(whole, 3 * 2 * (int64_t)(sizeof codes / sizeof *codes));
    db_conn_close(&c);
    db_close(&db);
}

static int take_numbers(struct db_conn *c, void *arg, struct error *e)
{
    return db_counter_next(c, "test", 3, arg, e);
}

static int take_numbers_and_fail(struct db_conn *c, void *arg, struct error *e)
{
    int rc = take_numbers(c, arg, e);
    return rc ? rc : error_set(e, ERR_PRECONDITION, "not this time");
}

TEST("a counter gives consecutive numbers from 1, and takes back those of a transaction that failed")
{
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    int64_t first = 0;
    CHECK_OK(db_transact(c, take_numbers, &first, &e), &e);
    CHECK_INT(first, 1);
    CHECK_INT(db_transact(c, take_numbers_and_fail, &first, &e), ERR_PRECONDITION);
    error_clear(&e);
    CHECK_OK(db_transact(c, take_numbers, &first, &e), &e);
    CHECK_INT(first, 4);
    db_conn_close(&c);
    db_close(&db);
}

static void *count_often(void *arg)
{
    struct error e = {0};
    struct db_conn *c = fixture_conn(arg);
    int64_t first;
    for (int i = 0; i < 100; i++)
        CHECK_OK(db_transact(c, take_numbers, &first, &e), &e);
    db_conn_close(&c);
    return NULL;
}

TEST("however many threads fight for one counter, none gives up")
{
    enum { THREADS = 12 };
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    pthread_t threads[THREADS];
    int64_t first = 0;
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, count_often, db));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_OK(db_transact(c, take_numbers, &first, &e), &e);
    CHECK_INT(first, THREADS * 100 * 3 + 1);
    db_conn_close(&c);
    db_close(&db);
}

static void *read_once(void *arg)
{
    CHECK_INT(fixture_things(arg), 0);
    return NULL;
}

TEST("a thread's reader goes with the thread")
{
    struct db *db = fixture_open();
    CHECK_INT(fixture_things(db), 0);
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        CHECK(!pthread_create(&thread, NULL, read_once, db));
        pthread_join(thread, NULL);
    }
    CHECK(db->readers == db_reader(db));
    CHECK(!db->readers->next);
    db_close(&db);
}

static int transact_inside(struct db_conn *c, void *arg, struct error *e)
{
    (void)c;
    return add(arg, 1, NULL, e);
}

static void transact_within_transact(void)
{
    struct error e = {0};
    struct db *db = fixture_again();
    struct db_conn *c = fixture_conn(db), *other = fixture_conn(db);
    db_transact(c, transact_inside, other, &e);
}

TEST("a write transaction within a write transaction of the same thread is a programming mistake")
{
    struct db *db = fixture_open();
    db_close(&db);
    CHECK(check_aborts(transact_within_transact));
}

TEST("a database that cannot be opened says which and why")
{
    struct error e = {0};
    struct db *db = NULL;
    CHECK(db_open("/no/such/folder/x.db", 0, &db, &e));
    CHECK_CONTAINS(e.text, "/no/such/folder/x.db");
    CHECK(!db);
    error_clear(&e);
    CHECK_INT(db_open("postgres://virga@/virga?host=/no/such/folder", 0, &db, &e), ERR_UNAVAILABLE);
    error_clear(&e);
    CHECK_INT(db_open("postgres://virga:secret@/virga?nonsense=1", 0, &db, &e), ERR_INVALID);
    CHECK(!strstr(e.text, "secret"));
    CHECK(!db);
}

/* Ends the server's side of a connection. */
static void end_backend(struct db *db, struct db_conn *victim)
{
    struct error e = {0};
    int64_t id = 0, count;
    CHECK_OK(db_query_int(victim, &backend_id, &id, &e, DB_NO_ARGS), &e);
    struct db_conn *c = fixture_conn(db);
    CHECK_OK(db_query_int(c, &backend_end, &count, &e, DB_ARGS(db_int(id))), &e);
    db_conn_close(&c);
}

struct interrupted {
    struct db *db;
    int runs;
};

static int interrupt_once(struct db_conn *c, void *arg, struct error *e)
{
    struct interrupted *i = arg;
    int64_t id = ++i->runs;
    int rc = fixture_add(c, &id, e);
    if (rc || id > 1)
        return rc;
    end_backend(i->db, c);
    id = 100;
    return fixture_add(c, &id, e);
}

TEST("a lost connection is opened again: reads do not notice, a transaction under way fails")
{
    if (!on_postgres())
        return;
    struct error e = {0};
    struct db *db = fixture_open();
    struct db_conn *c = fixture_conn(db);
    struct interrupted i = {.db = db};
    CHECK_INT(fixture_things(db), 0);
    end_backend(db, db_reader(db));
    CHECK_INT(fixture_things(db), 0);
    end_backend(db, c);
    CHECK_OK(add(c, 500, NULL, &e), &e);
    CHECK_INT(db_transact(c, interrupt_once, &i, &e), ERR_UNAVAILABLE);
    CHECK_INT(fixture_things(db), 1);
    error_clear(&e);
    CHECK_OK(db_transact(c, interrupt_once, &i, &e), &e);
    CHECK(fixture_has(db, 2) && fixture_has(db, 500));
    end_backend(db, db_reader(db));
    struct two_states s = {.db = db, .writer = c, .id = 7};
    CHECK_OK(db_snapshot(db_reader(db), look_twice, &s, &e), &e);
    CHECK_INT(s.inside[1], 2);
    db_conn_close(&c);
    db_close(&db);
}
