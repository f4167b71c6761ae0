/* Servers of one request are placed as one batch: at least the minimum or none, as many as fit up to all of them,
 * whatever changes or fails meanwhile. */
#include "db/store_queue.h"
#include "tests/unit/scheduler/dispatch_fixture.h"

#define MOST 8

static const char *ids[MOST];

static void begin(int hosts)
{
    open_scheduler(4);
    for (int i = 0; i < hosts; i++)
        compute_add_host(dispatch.conn, arena_printf(&compute_arena, "host-%d", i));
    lead();
}

/* `count` servers of which one fills a host; `until_us` 0: they do not wait. */
static void add_batch(int count, int least, int64_t until_us, const char *group)
{
    for (int i = 0; i < count; i++) {
        struct server_row row = compute_row("of-many");
        row.memory_mib = group ? 512 : 90000;
        row.group_id = group;
        compute_add_server(dispatch.conn, &row);
        ids[i] = row.id;
    }
    for (int i = 0; i < count; i++)
        fixture_script(db, arena_printf(&compute_arena,
                                        "UPDATE placement_queue SET created_us = 1, until_us = %lld, batch_id = '%s', "
                                        "batch_least = %d WHERE server_id = '%s'",
                                        (long long)until_us, ids[0], least, ids[i]));
}

static int count_of(enum server_placement placement, int count)
{
    int found = 0;
    for (int i = 0; i < count; i++)
        found += compute_get(dispatch.conn, ids[i]).placement == placement;
    return found;
}

TEST("fewer than the minimum fit: none is placed, and each says why")
{
    begin(2);
    add_batch(3, 3, 0, NULL);
    work_well();
    CHECK_INT(count_of(SERVER_PLACEMENT_FAILED, 3), 3);
    const char *why = compute_get(dispatch.conn, ids[0]).fault_message;
    CHECK(strncmp(why, "No valid host: 2 hosts, 2 full (", 32) == 0);
    CHECK(strstr(why, "(2 of 3 asked for together fit, at least 3 were to)") != NULL);
    end();
}

TEST("as many as fit are placed once the minimum is met, in their order")
{
    begin(2);
    add_batch(3, 2, 0, NULL);
    work_well();
    CHECK_INT(count_of(SERVER_PLACEMENT_PLACED, 3), 2);
    CHECK_INT(compute_get(dispatch.conn, ids[2]).placement, SERVER_PLACEMENT_FAILED);
    end();
}

TEST("a batch that the scheduler's own limit cuts is read whole")
{
    begin(3);
    struct server_row alone = compute_row("alone");
    compute_add_server(dispatch.conn, &alone);
    fixture_script(db, "UPDATE placement_queue SET created_us = 0");
    add_batch(8, 8, 0, NULL); /* four at a time */
    work_well();
    CHECK_INT(count_of(SERVER_PLACEMENT_FAILED, 8), 8);
    CHECK_INT(compute_get(dispatch.conn, alone.id).placement, SERVER_PLACEMENT_PLACED);
    end();
}

TEST("members of an anti-affinity group keep apart inside the batch")
{
    begin(3);
    fixture_script(db, "INSERT INTO server_group (id, project_id, user_id, name, policy, max_per_host, created_us) "
                       "VALUES ('g', '" PROJECT "', '" USER "', 'g', 'anti-affinity', 1, 1)");
    add_batch(5, 2, 0, "g");
    work_well();
    CHECK_INT(count_of(SERVER_PLACEMENT_PLACED, 5), 3);
    CHECK_INT(count_of(SERVER_PLACEMENT_FAILED, 5), 2);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < i; k++)
            CHECK(strcmp(compute_get(dispatch.conn, ids[i]).host_id, compute_get(dispatch.conn, ids[k]).host_id) != 0);
    end();
}

TEST("an affinity group goes to the host that takes all of it")
{
    begin(2);
    fixture_script(db, "INSERT INTO server_group (id, project_id, user_id, name, policy, max_per_host, created_us) "
                       "VALUES ('g', '" PROJECT "', '" USER "', 'g', 'affinity', 1, 1)");
    /* Memory, which the weighers look at first, is on the host whose disk has room for two only. */
    fixture_script(db, "UPDATE host SET disk_gib = 20, memory_mib = 999999, feed = feed + 10 WHERE id = 'host-1'");
    fixture_script(db, "UPDATE counter SET value = value + 20 WHERE name = 'host_feed'");
    add_batch(4, 4, 0, "g");
    work_well();
    CHECK_INT(count_of(SERVER_PLACEMENT_PLACED, 4), 4);
    CHECK_TEXT(compute_get(dispatch.conn, ids[3]).host_id, "host-0");
    end();
}

TEST("who asks to wait waits together, and is placed together when room comes")
{
    begin(1);
    add_batch(3, 2, clock_now_us() + 600 * SECOND, NULL);
    work_well();
    CHECK_INT(count_of(SERVER_PLACEMENT_WAITING, 3), 3);
    CHECK_INT(dispatch.parked, 3);
    compute_add_host(dispatch.conn, "host-later");
    work_well();
    CHECK_INT(count_of(SERVER_PLACEMENT_PLACED, 3), 2);
    compute_add_host(dispatch.conn, "host-last"); /* the third waits alone by now */
    work_well();
    CHECK_INT(count_of(SERVER_PLACEMENT_PLACED, 3), 3);
    end();
}

TEST("a host that changed under the batch makes it start again, not halve")
{
    begin(3);
    struct error e = {0};
    add_batch(3, 3, 0, NULL);
    /* Another scheduler took host-1 without our noticing: its feed stays. */
    CHECK_OK(feed_refresh(&dispatch.feed, dispatch.conn, clock_now_us(), &e), &e);
    fixture_script(db, "UPDATE host SET allocation_revision = allocation_revision + 1 WHERE id = 'host-1'");
    work_well(); /* conflicts, reads all hosts anew, places */
    CHECK_INT(count_of(SERVER_PLACEMENT_PLACED, 3), 3);
    CHECK(dispatch.conflicts > 0);
    end();
}

TEST("whatever statement fails, the batch is whole or waits")
{
    begin(3);
    add_batch(4, 3, 0, NULL);
    int n = 1;
    for (; n < 100; n++) {
        struct error e = {0};
        db_fail_at(dispatch.conn, n, ERR_DATABASE, false);
        int rc = work(&e);
        db_fail_at(dispatch.conn, 0, 0, false);
        if (!rc)
            break;
        compute_check_invariants(dispatch.conn);
        CHECK(count_of(SERVER_PLACEMENT_WAITING, 4) == 4 || count_of(SERVER_PLACEMENT_PLACED, 4) == 3);
    }
    CHECK(n > 10 && n < 100);
    CHECK_INT(count_of(SERVER_PLACEMENT_PLACED, 4), 3);
    end();
}
