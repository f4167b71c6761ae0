/* Servers that wait for room: parked instead of refused, looked at again when hosts changed, failed when their time is
 * over, whatever statement fails meanwhile. */
#include "db/store_queue.h"
#include "tests/unit/scheduler/dispatch_fixture.h"

static void begin(void)
{
    open_scheduler(10);
    compute_add_host(dispatch.conn, "host-a");
    lead();
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
