/* NUMA cells in rows: what hosts have, what allocations hold, and that it comes and goes with them. */
#include "db/store_cells.h"
#include "db/store_migration.h"
#include "db/store_resource.h"
#include "tests/unit/db/compute_fixture.h"

#define TOPOLOGY "{\"cells\":[{\"id\":0,\"memory_mib\":1024,\"dedicated\":\"1-3\",\"shared\":\"0\"}]}"
#define FIRST    "{\"page_kib\":0,\"cells\":[{\"host\":0,\"vcpus\":\"0\",\"memory_mib\":512,\"pins\":[1]}],\"held\":\"1\"}"
#define SECOND_                                                                                                        \
    "{\"page_kib\":0,\"cells\":[{\"host\":0,\"vcpus\":\"0\",\"memory_mib\":512,\"pins\":[2]}],\"held\":\"2\"}"

static struct db *db;
static struct db_conn *conn;

static int set_run(struct db_conn *c, void *arg, struct error *e)
{
    return store_cells_set(c, "host-a", arg, clock_now_us(), e);
}

static void begin(void)
{
    struct error e = {0};
    db = compute_begin();
    CHECK_OK(db_conn_open(db, &conn, &e), &e);
    compute_add_host(conn, "host-a");
    compute_transact(conn, set_run, TOPOLOGY);
}

static void end(void)
{
    db_conn_close(&conn);
    compute_end(&db);
}

static int hold_run(struct db_conn *c, void *arg, struct error *e)
{
    const char *const *what = arg;
    struct store_holding holding = {.need = {{0, 512, 10}}, .topology = what[1]};
    return store_resource_hold(c, what[0], "host-a", PROJECT, &holding, clock_now_us(), e);
}

static void hold(const char *consumer, const char *topology)
{
    const char *what[] = {consumer, topology};
    compute_transact(conn, hold_run, what);
}

static const char *given(void)
{
    struct error e = {0};
    const char *topology, *list;
    CHECK_OK(store_cells_of_host(conn, "host-a", &compute_arena, &topology, &list, &e), &e);
    CHECK_TEXT(topology, TOPOLOGY);
    return list;
}

static const char *held(const char *consumer)
{
    struct error e = {0};
    const char *text = "not read";
    CHECK_OK(store_cells_held(conn, consumer, &compute_arena, &text, &e), &e);
    return text;
}

static int see_host(void *arg, const struct placement_host_row *row, struct error *e)
{
    (void)e;
    CHECK_TEXT(row->topology, TOPOLOGY);
    *(const char **)arg = row->given ? arena_strdup(&compute_arena, row->given) : NULL;
    return 0;
}

static const char *fed(void)
{
    struct error e = {0};
    const char *list = "no host";
    CHECK_OK(store_placement_hosts(conn, 0, see_host, &list, &e), &e);
    return list;
}

TEST("what servers hold of a host's cells is what their allocations say")
{
    struct error e = {0};
    const char *none;
    begin();
    CHECK_TEXT(given(), NULL);
    CHECK_TEXT(fed(), NULL);
    hold("s1", FIRST);
    hold("s2", NULL);
    CHECK_TEXT(given(), "[" FIRST "]");
    CHECK_TEXT(fed(), "[" FIRST "]");
    CHECK_TEXT(held("s1"), FIRST);
    CHECK_TEXT(held("s2"), NULL);
    CHECK_TEXT(held("nobody"), NULL);
    hold("s3", SECOND_);
    CHECK_CONTAINS(given(), FIRST);
    CHECK_CONTAINS(given(), SECOND_);
    CHECK_INT(store_cells_of_host(conn, "host-z", &compute_arena, &none, &none, &e), ERR_NOT_FOUND);
    end();
}

static int release_run(struct db_conn *c, void *arg, struct error *e)
{
    return store_host_release(c, arg, e);
}

TEST("what a server held is free when its allocation is, and the scheduler reads the host again")
{
    begin();
    hold("s1", FIRST);
    struct error e = {0};
    struct host_row before, after;
    CHECK_OK(store_host_get(conn, "host-a", &compute_arena, &before, &e), &e);
    compute_transact(conn, release_run, "s1");
    CHECK_OK(store_host_get(conn, "host-a", &compute_arena, &after, &e), &e);
    CHECK_TEXT(given(), NULL);
    CHECK(after.feed > before.feed && after.allocation_revision > before.allocation_revision);
    end();
}

static int exchange_run(struct db_conn *c, void *arg, struct error *e)
{
    (void)arg;
    struct migration_row row = {.server_id = "s1", .uuid = "m1"};
    return store_migration_exchange(c, &row, e);
}

TEST("a server that moved has what its migration held")
{
    begin();
    hold("s1", FIRST);
    hold("m1", SECOND_);
    compute_transact(conn, exchange_run, NULL);
    CHECK_TEXT(held("s1"), SECOND_);
    CHECK_TEXT(held("m1"), FIRST);
    end();
}

TEST("PCPU is no class that an operator sets")
{
    CHECK(!store_resource_valid("PCPU"));
    CHECK(store_resource_valid("CUSTOM_PCPU"));
}
