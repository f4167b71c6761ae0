/* What was measured of a server goes with it to its new host. */
#include "db/store_host_load.h"
#include "tests/unit/db/compute_fixture.h"

static const struct host_load known = {.server_id = "s", .at_us = 9, .cpu_ns = 900, .cpu_milli = 100, .memory_mib = 64};

struct put {
    const char *host;
    const struct host_load *loads;
    size_t count;
};

static int put(struct db_conn *c, void *arg, struct error *e)
{
    const struct put *p = arg;
    return store_host_load_put(c, p->host, p->loads, p->count, 1, e);
}

static int move(struct db_conn *c, void *arg, struct error *e)
{
    (void)arg;
    return store_host_load_move(c, "s", "host-a", "host-b", 2, e);
}

/* The one line of host-b after the move; host-a has none of the server. */
static struct host_load moved(struct db_conn *c)
{
    struct host_load *loads = NULL;
    struct error e = {0};
    size_t count = 0;
    compute_transact(c, move, NULL);
    CHECK_OK(store_host_load_get(c, "host-a", &compute_arena, &loads, &count, &e), &e);
    CHECK_INT(count, 0);
    CHECK_OK(store_host_load_get(c, "host-b", &compute_arena, &loads, &count, &e), &e);
    CHECK_INT(count, 1);
    return loads[0];
}

TEST("what was measured goes with the server")
{
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    compute_add_host(c, "host-a");
    compute_add_host(c, "host-b");
    compute_transact(c, put, &(struct put){"host-a", &known, 1});
    struct host_load load = moved(c);
    CHECK_INT(load.cpu_milli, 100);
    CHECK_INT(load.cpu_ns, 900);
    db_conn_close(&c);
    compute_end(&db);
}

TEST("a first sample of the new host, from before the guest ran there, does not count for more")
{
    static const struct host_load early = {.server_id = "s", .at_us = 10, .cpu_ns = 5, .cpu_milli = 1, .memory_mib = 2};
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    compute_add_host(c, "host-a");
    compute_add_host(c, "host-b");
    compute_transact(c, put, &(struct put){"host-a", &known, 1});
    compute_transact(c, put, &(struct put){"host-b", &early, 1});
    struct host_load load = moved(c);
    CHECK_INT(load.cpu_milli, 100);
    CHECK_INT(load.memory_mib, 64);
    CHECK_INT(load.cpu_ns, 5);
    CHECK_INT(load.at_us, 10);
    db_conn_close(&c);
    compute_end(&db);
}
