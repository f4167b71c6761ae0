/* Reach of hosts and resources that agents tell of: an operator's word beats the agent's, what is held stays. */
#include "db/store_host_reach.h"
#include "db/store_resource.h"
#include "tests/unit/db/compute_fixture.h"

static int64_t feed_of(struct db_conn *c)
{
    struct host_row row;
    struct error e = {0};
    CHECK_OK(store_host_get(c, "host-a", &compute_arena, &row, &e), &e);
    return row.feed;
}

static int tell_reach(struct db_conn *c, void *arg, struct error *e)
{
    return store_host_reach_tell(c, "host-a", arg, "ssd", e);
}

static int set_reach(struct db_conn *c, void *arg, struct error *e)
{
    return store_host_reach_set(c, "host-a", arg, NULL, e);
}

TEST("an operator's word beats the agent's, and the scheduler hears of changes alone")
{
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    struct host_reach reach;
    struct error e = {0};
    compute_add_host(c, "host-a");
    CHECK_OK(store_host_reach_get(c, "host-a", &compute_arena, &reach, &e), &e);
    CHECK(!store_host_reach_of(reach.networks, reach.told_networks));
    int64_t feed = feed_of(c);
    compute_transact(c, tell_reach, (void *)(uintptr_t) "p1,p2");
    CHECK(feed_of(c) > feed);
    feed = feed_of(c);
    compute_transact(c, tell_reach, (void *)(uintptr_t) "p1,p2");
    CHECK_INT(feed_of(c), feed);
    CHECK_OK(store_host_reach_get(c, "host-a", &compute_arena, &reach, &e), &e);
    CHECK_TEXT(store_host_reach_of(reach.networks, reach.told_networks), "p1,p2");
    compute_transact(c, set_reach, (void *)(uintptr_t) "*");
    CHECK_OK(store_host_reach_get(c, "host-a", &compute_arena, &reach, &e), &e);
    CHECK(!store_host_reach_of(reach.networks, reach.told_networks));
    CHECK_TEXT(store_host_reach_of(reach.storage, reach.told_storage), "ssd");
    CHECK_INT(store_host_reach_get(c, "nobody", &compute_arena, &reach, &e), ERR_NOT_FOUND);
    db_conn_close(&c);
    compute_end(&db);
}

TEST("lists of names are told from what is none")
{
    CHECK(store_host_reach_valid("*"));
    CHECK(store_host_reach_valid(""));
    CHECK(store_host_reach_valid("physnet1:42,ab-c_d.e"));
    CHECK(!store_host_reach_valid("a,"));
    CHECK(!store_host_reach_valid(",a"));
    CHECK(!store_host_reach_valid("a b"));
    CHECK(!store_host_reach_valid("*,a"));
}

struct telling {
    const char *name;
    int64_t total;
    int rc;
};

static int tell_resource(struct db_conn *c, void *arg, struct error *e)
{
    struct telling *t = arg;
    struct error own = {0};
    (void)e;
    t->rc = store_resource_tell(c, "host-a", t->name, t->total, clock_now_us(), &own);
    return 0;
}

static int tell(struct db_conn *c, const char *name, int64_t total)
{
    struct telling t = {name, total, -1};
    compute_transact(c, tell_resource, &t);
    return t.rc;
}

static int operator_says(struct db_conn *c, void *arg, struct error *e)
{
    const struct resource_change *change = arg;
    return store_resource_change(c, "host-a", "CUSTOM_GPU", change, clock_now_us(), e);
}

static int untell(struct db_conn *c, void *arg, struct error *e)
{
    return store_resource_untell(c, "host-a", arg, clock_now_us(), &compute_arena, e);
}

TEST("a resource follows the agent's word until an operator says another total")
{
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    struct resource_change reserve = {.has_reserved = true, .reserved = 1}, total = {.has_total = true, .total = 9};
    struct host_resource_row row;
    struct error e = {0};
    compute_add_host(c, "host-a");
    CHECK_INT(tell(c, "CUSTOM_GPU", 4), 0);
    CHECK_INT(tell(c, "gpu", 4), ERR_INVALID);
    CHECK_INT(tell(c, "VCPU", 4), ERR_INVALID);
    compute_transact(c, operator_says, &reserve);
    CHECK_INT(tell(c, "CUSTOM_GPU", 6), 0);
    CHECK_OK(store_resource_get(c, "host-a", "CUSTOM_GPU", &row, &e), &e);
    CHECK_INT(row.inventory.total, 6);
    CHECK_INT(row.inventory.reserved, 1);
    compute_transact(c, untell, (void *)(uintptr_t) "{\"CUSTOM_GPU\": 6}");
    CHECK_OK(store_resource_get(c, "host-a", "CUSTOM_GPU", &row, &e), &e);
    compute_transact(c, operator_says, &total);
    CHECK_INT(tell(c, "CUSTOM_GPU", 4), 0);
    compute_transact(c, untell, (void *)(uintptr_t) "{}");
    CHECK_OK(store_resource_get(c, "host-a", "CUSTOM_GPU", &row, &e), &e);
    CHECK_INT(row.inventory.total, 9);
    CHECK_INT(tell(c, "CUSTOM_VF", 2), 0);
    compute_transact(c, untell, (void *)(uintptr_t) "{}");
    CHECK_INT(store_resource_get(c, "host-a", "CUSTOM_VF", &row, &e), ERR_NOT_FOUND);
    db_conn_close(&c);
    compute_end(&db);
}

TEST("an operator's none stays when the agent says a total again, and can be given back")
{
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    struct resource_change none = {.has_total = true, .total = 0}, back = {.has_total = true, .total = -1};
    struct host_resource_row row;
    struct error e = {0};
    compute_add_host(c, "host-a");
    CHECK_INT(tell(c, "CUSTOM_GPU", 4), 0);
    compute_transact(c, operator_says, &none);
    CHECK_INT(tell(c, "CUSTOM_GPU", 4), 0);
    compute_transact(c, untell, (void *)(uintptr_t) "{}");
    CHECK_OK(store_resource_get(c, "host-a", "CUSTOM_GPU", &row, &e), &e);
    CHECK_INT(row.inventory.total, 0);
    CHECK(!row.told);
    compute_transact(c, operator_says, &back);
    CHECK_INT(store_resource_get(c, "host-a", "CUSTOM_GPU", &row, &e), ERR_NOT_FOUND);
    CHECK_INT(tell(c, "CUSTOM_GPU", 4), 0);
    CHECK_OK(store_resource_get(c, "host-a", "CUSTOM_GPU", &row, &e), &e);
    CHECK_INT(row.inventory.total, 4);
    CHECK(row.told);
    db_conn_close(&c);
    compute_end(&db);
}
