/* Who chooses the placement policy: the flavor, else the pool that the request is confined to, else the configuration;
 * and what the lifetime policy knows from servers that ended. */
#include "scheduler/foresight.h"
#include "tests/unit/db/compute_fixture.h"

#define DAY (86400 * SECOND)

static struct db *db;
static struct dispatch dispatch;

static void begin(void)
{
    struct error e = {0};
    db = compute_begin();
    dispatch = (struct dispatch){.db = db, .batch = 10};
    snprintf(dispatch.holder, sizeof(dispatch.holder), "me");
    dispatch.feed.placement = placement_new(NULL);
    dispatch.feed.alive_limit_us = 3600 * SECOND;
    CHECK_OK(db_conn_open(db, &dispatch.conn, &e), &e);
    compute_add_host(dispatch.conn, "host-0");
    compute_add_host(dispatch.conn, "host-1");
    CHECK_OK(dispatch_lead(&dispatch, 36000 * SECOND, &e), &e);
}

static void end(void)
{
    compute_check_invariants(dispatch.conn);
    foresight_free(&dispatch.foresight);
    placement_free(&dispatch.feed.placement);
    db_conn_close(&dispatch.conn);
    compute_end(&db);
}

static const char *place(const char *extra, const char *project)
{
    struct error e = {0};
    struct server_row row = compute_row("one");
    row.flavor_extra = extra;
    row.project_id = project;
    compute_add_server(dispatch.conn, &row);
    CHECK_OK(dispatch_run(&dispatch, &e), &e);
    return compute_get(dispatch.conn, row.id).host_id;
}

TEST("a flavor's policy beats the configured one")
{
    begin();
    const char *first = place("{}", PROJECT);
    CHECK_TEXT(place("{\"placement:policy\":\"pack\"}", PROJECT), first);
    CHECK(strcmp(place("{}", PROJECT), first) != 0); /* weighers spread */
    placement_set_goal(dispatch.feed.placement, PLACEMENT_GOAL_PACK);
    CHECK_TEXT(place("{}", PROJECT), first);
    CHECK(strcmp(place("{\"placement:policy\":\"spread\"}", PROJECT), first) != 0);
    CHECK(place("{\"placement:policy\":\"tidy\"}", PROJECT) == NULL);
    end();
}

TEST("a pool's policy counts for requests that can go to that pool alone")
{
    begin();
    compute_add_host(dispatch.conn, "pool-0");
    compute_add_host(dispatch.conn, "pool-1");
    fixture_script(db, "INSERT INTO aggregate (id, uuid, name, metadata, created_us) VALUES (7, 'u', 'pool', "
                       "'{\"disk\":\"ssd,nvme\",\"placement_policy\":\"pack\"}', 1)");
    fixture_script(db, "INSERT INTO aggregate_host (aggregate_id, host_id) VALUES (7, 'pool-0')");
    fixture_script(db, "INSERT INTO aggregate_host (aggregate_id, host_id) VALUES (7, 'pool-1')");
    fixture_script(db, "UPDATE host SET feed = 100 WHERE id LIKE 'pool%'");
    static const char ssd[] = "{\"aggregate_instance_extra_specs:disk\":\"ssd\"}",
                      nvme[] = "{\"aggregate_instance_extra_specs:disk\":\"nvme\"}";
    const char *first = place(ssd, PROJECT);
    CHECK(strncmp(first, "pool", 4) == 0);
    CHECK_TEXT(place(nvme, PROJECT), first);
    CHECK_TEXT(place(ssd, PROJECT), first);
    CHECK(strcmp(place("{}", PROJECT), first) != 0);
    end();
}

TEST("the lifetime policy fills the host whose servers live long, by what ended before, also for a new leader")
{
    struct error e = {0};
    begin();
    for (int i = 0; i < 20; i++)
        fixture_script(db, arena_printf(&compute_arena,
                                        "INSERT INTO server_history (id, project_id, user_id, name, hostname, "
                                        "flavor_id, flavor_name, vcpus, memory_mib, root_gib, ephemeral_gib, metadata, "
                                        "tags, created_us, launched_us, deleted_us) VALUES ('gone-%d', '%s', 'u', 'n', "
                                        "'h', 'f', 'f', 2, 512, 10, 0, '{}', '[]', 1, %lld, %lld)",
                                        i, i % 2 ? PROJECT : OTHER,
                                        (long long)(clock_now_us() - (i % 2 ? 3 * DAY : 600 * SECOND)),
                                        (long long)clock_now_us() - i));
    const char *brief = place("{}", OTHER), *lasting = place("{}", PROJECT); /* the weighers spread them */
    CHECK(strcmp(brief, lasting) != 0);
    placement_set_goal(dispatch.feed.placement, PLACEMENT_GOAL_LIFETIME);
    dispatch.foresight = foresight_new();
    CHECK_OK(foresight_look(dispatch.foresight, &dispatch, &e), &e);
    CHECK_TEXT(place("{}", OTHER), lasting);
    end();
}
