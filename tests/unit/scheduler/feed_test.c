/* What placement knows of hosts follows the rows: also when one is removed, and when it joins again. */
#include "db/store_host_work.h"
#include "scheduler/reading/feed.h"
#include "tests/unit/db/compute_fixture.h"

static int remove_run(struct db_conn *c, void *arg, struct error *e)
{
    return store_host_work_remove(c, arg, clock_now_us(), e);
}

TEST("a removed host is forgotten, and known again when it joins again")
{
    struct db *db = compute_begin();
    struct db_conn *c = fixture_conn(db);
    struct feed feed = {.placement = placement_new(NULL), .alive_limit_us = 20 * SECOND};
    struct error e = {0};
    compute_add_host(c, "host-a");
    compute_add_host(c, "host-b");
    compute_add_host(c, "host-c");
    CHECK_OK(feed_refresh(&feed, c, clock_now_us(), &e), &e);
    CHECK_INT(placement_host_count(feed.placement), 3);
    clock_advance(60 * SECOND);
    compute_transact(c, remove_run, "host-b");
    CHECK_OK(feed_refresh_alive(&feed, c, clock_now_us(), &e), &e);
    CHECK_INT(placement_host_count(feed.placement), 2);
    CHECK_INT(placement_slot(feed.placement, "host-b"), PLACEMENT_NO_SLOT);
    CHECK(placement_slot(feed.placement, "host-a") != PLACEMENT_NO_SLOT);
    CHECK(placement_slot(feed.placement, "host-c") != PLACEMENT_NO_SLOT);
    compute_add_host(c, "host-b");
    CHECK_OK(feed_refresh(&feed, c, clock_now_us(), &e), &e);
    CHECK_OK(feed_refresh_alive(&feed, c, clock_now_us(), &e), &e);
    CHECK_INT(placement_host_count(feed.placement), 3);
    placement_free(&feed.placement);
    db_conn_close(&c);
    compute_end(&db);
}
