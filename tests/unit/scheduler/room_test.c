/* Servers that wait for room: parked instead of refused, looked at again when hosts changed, failed when their time is
 * over, whatever statement fails meanwhile. */
#include "db/store_queue.h"
#include "scheduler/room.h"
#include "tests/unit/db/compute_fixture.h"

static struct db *db;
static struct dispatch dispatch;
static struct room room;

static void begin(void)
{
    struct error e = {0};
    db = compute_begin();
    room = (struct room){.seen = 0};
    dispatch = (struct dispatch){.db = db, .batch = 10};
    snprintf(dispatch.holder, sizeof(dispatch.holder), "me");
    dispatch.feed.placement = placement_new(NULL);
    dispatch.feed.alive_limit_us = 3600 * SECOND;
    CHECK_OK(db_conn_open(db, &dispatch.conn, &e), &e);
    compute_add_host(dispatch.conn, "host-a");
    CHECK_OK(dispatch_lead(&dispatch, 36000 * SECOND, &e), &e);
}

static void end(void)
{
    compute_check_invariants(dispatch.conn);
    placement_free(&dispatch.feed.placement);
    db_conn_close(&dispatch.conn);
    compute_end(&db);
}

static int work(struct error *e)
{
    int rc = room_look(&room, &dispatch, e);
    return rc ? rc : dispatch_run(&dispatch, e);
}

static void work_well(void)
{
    struct error e = {0};
    CHECK_OK(work(&e), &e);
}

/* A server that fills the host, and waits for a minute. */
static const char *add_waiting(const char *name)
{
    struct server_row row = compute_row(name);
    row.memory_mib = 90000;
    compute_add_server(dispatch.conn, &row);
    fixture_script(db, arena_printf(&compute_arena, "UPDATE placement_queue SET until_us = %lld WHERE server_id = '%s'",
                                    (long long)(clock_now_us() + 60 * SECOND), row.id));
    return row.id;
}

static enum server_placement placement_of(const char *id)
{
    return compute_get(dispatch.conn, id).placement;
}

static int release_run(struct db_conn *c, void *arg, struct error *e)
{
    struct server_row row = compute_get(c, arg);
    struct quota_set held = {{[QUOTA_INSTANCES] = 1, [QUOTA_CORES] = row.vcpus, [QUOTA_RAM] = row.memory_mib}};
    int rc = store_host_release(c, row.id, e);
    rc = rc ? rc : store_quota_add(c, row.project_id, &held, -1, e);
    rc = rc ? rc : store_operation_end_all(c, row.id, OPERATION_FINISH, NULL, clock_now_us(), e);
    return rc ? rc : store_server_archive(c, &row, clock_now_us(), e);
}

TEST("who waits is parked, and placed when room comes")
{
    begin();
    const char *first = add_waiting("first");
    work_well();
    CHECK_INT(placement_of(first), SERVER_PLACEMENT_PLACED);
    const char *second = add_waiting("second");
    work_well();
    CHECK_INT(placement_of(second), SERVER_PLACEMENT_WAITING);
    CHECK_INT(dispatch.parked, 1);
    work_well(); /* nothing changed: nobody looks */
    CHECK_INT(dispatch.parked, 1);
    compute_transact(dispatch.conn, release_run, (void *)(uintptr_t)first);
    work_well();
    CHECK_INT(placement_of(second), SERVER_PLACEMENT_PLACED);
    CHECK_INT(dispatch.failed, 0);
    end();
}

TEST("whose time is over fails with the reason")
{
    begin();
    add_waiting("first");
    const char *second = add_waiting("second");
    work_well();
    clock_advance(61 * SECOND);
    work_well();
    struct server_row row = compute_get(dispatch.conn, second);
    CHECK_INT(row.placement, SERVER_PLACEMENT_FAILED);
    CHECK(strncmp(row.fault_message, "No room came in time: No valid host: 1 host, 1 full (MEMORY_MB)", 62) == 0);
    end();
}

TEST("whatever statement fails, nobody is lost")
{
    begin();
    const char *first = add_waiting("first"), *second;
    work_well();
    second = add_waiting("second");
    work_well();
    compute_transact(dispatch.conn, release_run, (void *)(uintptr_t)first);
    int n = 1;
    for (; n < 100; n++) {
        struct error e = {0};
        db_fail_at(dispatch.conn, n, ERR_DATABASE, false);
        int rc = work(&e);
        db_fail_at(dispatch.conn, 0, 0, false);
        if (!rc)
            break;
        compute_check_invariants(dispatch.conn);
    }
    CHECK(n > 5 && n < 100);
    work_well();
    CHECK_INT(placement_of(second), SERVER_PLACEMENT_PLACED);
    end();
}
