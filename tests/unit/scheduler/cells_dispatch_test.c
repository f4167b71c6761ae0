/* Pinned servers through the whole of dispatch: each gets processors of its own, whichever of two schedulers places it,
 * whatever statement fails meanwhile, and after a restart. */
#include "common/model/numa.h"
#include "db/store_cells.h"
#include "scheduler/dispatch.h"
#include "tests/unit/db/compute_fixture.h"

#define TOPOLOGY                                                                                                       \
    "{\"cells\":[{\"id\":0,\"memory_mib\":32768,\"dedicated\":\"2-5\",\"shared\":\"0-1\",\"cores\":[\"0-1\",\"2-3\","  \
    "\"4-5\"],\"pages\":[{\"kib\":1048576,\"total\":2}]}]}"

static struct db *db;
static struct dispatch first, second;

static int set_cells(struct db_conn *c, void *arg, struct error *e)
{
    return store_cells_set(c, arg, TOPOLOGY, clock_now_us(), e);
}

static void open_dispatch(struct dispatch *d, const char *holder)
{
    struct error e = {0};
    *d = (struct dispatch){.db = db, .batch = 10};
    snprintf(d->holder, sizeof(d->holder), "%s", holder);
    d->feed.placement = placement_new(NULL);
    d->feed.alive_limit_us = 3600 * SECOND;
    CHECK_OK(db_conn_open(db, &d->conn, &e), &e);
}

static void close_dispatch(struct dispatch *d)
{
    placement_free(&d->feed.placement);
    db_conn_close(&d->conn);
}

static void begin(int hosts)
{
    struct error e = {0};
    db = compute_begin();
    open_dispatch(&first, "first");
    for (int i = 0; i < hosts; i++) {
        const char *id = arena_printf(&compute_arena, "host-%c", 'a' + i);
        compute_add_host(first.conn, id);
        compute_transact(first.conn, set_cells, (void *)(uintptr_t)id);
    }
    CHECK_OK(dispatch_lead(&first, 36000 * SECOND, &e), &e);
}

static void end(void)
{
    compute_check_invariants(first.conn);
    close_dispatch(&first);
    compute_end(&db);
}

static const char *add(const char *name, const char *extra)
{
    struct server_row row = compute_row(name);
    row.memory_mib = 1024;
    row.flavor_extra = extra;
    compute_add_server(first.conn, &row);
    return row.id;
}

static struct cpuset seen;
static int64_t held_count;

static void note_held(void *arg, const struct numa_given *g)
{
    (void)arg;
    CHECK(!cpuset_meets(&seen, &g->held));
    cpuset_join(&seen, &g->held);
    held_count++;
}

/* No processor of the host is held twice. Returns how many servers hold some. */
static int64_t check_host(const char *host)
{
    struct error e = {0};
    const char *topology, *given;
    memset(&seen, 0, sizeof(seen));
    held_count = 0;
    CHECK_OK(store_cells_of_host(first.conn, host, &compute_arena, &topology, &given, &e), &e);
    if (given)
        CHECK_OK(numa_given_each(given, note_held, NULL, &e), &e);
    return held_count;
}

static void run(struct dispatch *d)
{
    struct error e = {0};
    CHECK_OK(dispatch_run(d, &e), &e);
}

#define PINNED "{\"hw:cpu_policy\":\"dedicated\"}"

TEST("pinned servers get processors of their own, and the one too many is told what it lacks")
{
    begin(1);
    const char *a = add("a", PINNED), *b = add("b", PINNED), *c = add("c", PINNED), *plain = add("d", "{}");
    run(&first);
    CHECK_INT(check_host("host-a"), 2);
    CHECK_INT(compute_get(first.conn, a).placement, SERVER_PLACEMENT_PLACED);
    CHECK_INT(compute_get(first.conn, b).placement, SERVER_PLACEMENT_PLACED);
    CHECK_INT(compute_get(first.conn, plain).placement, SERVER_PLACEMENT_PLACED);
    struct server_row refused = compute_get(first.conn, c);
    CHECK_INT(refused.placement, SERVER_PLACEMENT_FAILED);
    CHECK_CONTAINS(refused.fault_message, "1 full (PCPU); nearest: 1 host lacks 2 PCPU");
    end();
}

TEST("huge pages are counted, are no plain memory, and are named when they are short")
{
    struct error e = {0};
    struct host_row row;
    begin(1);
    for (int i = 0; i < 3; i++)
        add("p", "{\"hw:mem_page_size\":\"1GB\"}");
    run(&first);
    CHECK_INT(check_host("host-a"), 2);
    CHECK_OK(store_host_get(first.conn, "host-a", &compute_arena, &row, &e), &e);
    CHECK_INT(row.used.amount[RESOURCE_MEMORY_MIB], 0);
    CHECK_INT(row.used.amount[RESOURCE_VCPU], 4);
    const char *d = add("d", "{\"hw:mem_page_size\":\"1GB\"}");
    run(&first);
    CHECK_CONTAINS(compute_get(first.conn, d).fault_message, "1 host lacks 1 pages of 1 GiB in one NUMA cell");
    end();
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

TEST("a scheduler that took over knows what is held, and what came free")
{
    struct error e = {0};
    begin(1);
    const char *a = add("a", PINNED);
    add("b", PINNED);
    run(&first);
    compute_transact(first.conn, release_run, (void *)(uintptr_t)a);
    clock_advance(36001 * SECOND);
    fixture_script(db, arena_printf(&compute_arena, "UPDATE host SET seen_us = %lld", (long long)clock_now_us()));
    open_dispatch(&second, "second");
    CHECK_OK(dispatch_lead(&second, 36000 * SECOND, &e), &e);
    const char *c = add("c", PINNED), *d = add("d", PINNED);
    run(&second);
    CHECK_INT(check_host("host-a"), 2);
    CHECK_INT((compute_get(first.conn, c).placement == SERVER_PLACEMENT_PLACED) +
                  (compute_get(first.conn, d).placement == SERVER_PLACEMENT_PLACED),
              1);
    close_dispatch(&second);
    end();
}

TEST("a scheduler that decided on what was before books no processor twice")
{
    struct error e = {0};
    begin(2);
    open_dispatch(&second, "second");
    CHECK_OK(feed_refresh(&second.feed, second.conn, clock_now_us(), &e), &e);
    for (int i = 0; i < 3; i++)
        add("a", PINNED);
    run(&first);
    CHECK_INT(check_host("host-a") + check_host("host-b"), 3);
    /* The second one has the lease now, and a picture of both hosts from when they were empty. */
    second.leader = true;
    second.epoch = first.epoch;
    snprintf(second.holder, sizeof(second.holder), "%s", first.holder);
    second.feed.position = INT32_MAX;
    const char *last = add("b", PINNED);
    const char *many = add("c", PINNED);
    run(&second);
    CHECK_INT(check_host("host-a") + check_host("host-b"), 4);
    CHECK_INT((compute_get(first.conn, last).placement == SERVER_PLACEMENT_PLACED) +
                  (compute_get(first.conn, many).placement == SERVER_PLACEMENT_PLACED),
              1);
    CHECK(second.conflicts > 0);
    close_dispatch(&second);
    end();
}

TEST("whatever statement fails, no processor is lost or held twice")
{
    begin(1);
    add("a", PINNED);
    add("b", PINNED);
    int n = 1;
    for (; n < 200; n++) {
        struct error e = {0};
        db_fail_at(first.conn, n, ERR_DATABASE, false);
        int rc = dispatch_run(&first, &e);
        db_fail_at(first.conn, 0, 0, false);
        if (!rc)
            break;
        check_host("host-a");
        compute_check_invariants(first.conn);
    }
    CHECK(n > 5 && n < 200);
    run(&first);
    CHECK_INT(check_host("host-a"), 2);
    end();
}
