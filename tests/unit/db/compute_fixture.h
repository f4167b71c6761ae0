/* A database with everything, hosts in it, and servers in whatever situation a test wants. */
#pragma once
#include "common/uuid.h"
#include "db/store_event.h"
#include "db/store_host.h"
#include "db/store_operation.h"
#include "db/store_placement.h"
#include "db/store_quota.h"
#include "db/store_server.h"
#include "tests/unit/db/fixture.h"

#define PROJECT "11111111111111111111111111111111"
#define OTHER   "22222222222222222222222222222222"
#define USER    "33333333333333333333333333333333"
#define SECOND  CLOCK_SECOND_US

static struct arena compute_arena;

/* All migrations; the clock stands still at a round moment until compute_end. */
__attribute__((unused)) static struct db *compute_begin(void)
{
    struct error e = {0};
    struct db *db;
    fixture_empty();
    CHECK_OK(db_open(fixture_url, 0, &db, &e), &e);
    arena_init(&compute_arena);
    clock_fake(1700000000 * SECOND);
    return db;
}

__attribute__((unused)) static void compute_end(struct db **db)
{
    clock_real();
    arena_done(&compute_arena);
    db_close(db);
}

/* A step of a test inside a transaction of its own. */
__attribute__((unused)) static int compute_transact(struct db_conn *c, db_fn fn, void *arg)
{
    struct error e = {0};
    int rc = db_transact(c, fn, arg, &e);
    if (rc)
        check_fail(__FILE__, __LINE__, "%s", error_text(&e));
    return rc;
}

static int compute_add_host_run(struct db_conn *c, void *arg, struct error *e)
{
    const char *id = arg;
    const char *containers = strstr(id, "lxc"); /* a host whose name says so has LXC, or templates */
    const char *templates = strstr(id, "esx"), *unread = strstr(id, "test"); /* or pretends */
    struct host_row row = {.id = id,
                           .hypervisor = containers ? "LXC"
                                         : unread   ? "test"
                                                    : "fake",
                           .architecture = "x86_64",
                           .address = "10.0.0.1",
                           .total = {{64, 65536, 1000}},
                           .traits = containers  ? "[\"CUSTOM_VM_MODE_EXE\",\"CUSTOM_LACKS_SUSPEND\"]"
                                     : templates ? "[\"CUSTOM_IMAGE_TEMPLATES\"]"
                                     : unread    ? "[\"CUSTOM_IMAGE_UNREAD\"]"
                                                 : "[]",
                           .cpu = "{}"};
    int rc = store_host_enrol(c, id, id, "nova", "aa", clock_now_us(), e);
    if (!rc)
        rc = store_host_write_inventory(c, &row, e);
    return rc ? rc : store_host_write_seen(c, id, clock_now_us(), "boot", "1", 0, true, e);
}

__attribute__((unused)) static void compute_add_host(struct db_conn *c, const char *id)
{
    compute_transact(c, compute_add_host_run, (void *)(uintptr_t)id);
}

__attribute__((unused)) static const char *compute_id(void)
{
    return uuid_ordered(arena_alloc(&compute_arena, UUID_SIZE));
}

/* A row as POST /servers would write it. */
__attribute__((unused)) static struct server_row compute_row(const char *name)
{
    return (struct server_row){.id = compute_id(),
                               .project_id = PROJECT,
                               .user_id = USER,
                               .name = name,
                               .hostname = "h",
                               .flavor_id = "f1",
                               .flavor_name = "small",
                               .vcpus = 2,
                               .memory_mib = 512,
                               .root_gib = 10,
                               .flavor_extra = "{}",
                               .image_id = "i1",
                               .image_properties = "{\"hw_disk_bus\":\"ide\"}",
                               .hints = "{}",
                               .metadata = "{}",
                               .tags = "[]",
                               .security_groups = "[]",
                               .addresses = "{}",
                               .access_ipv4 = "",
                               .access_ipv6 = "",
                               .disk_config = "MANUAL",
                               .reservation_id = "r-1",
                               .operation_id = compute_id(),
                               .deadline_us = clock_now_us() + 900 * SECOND,
                               .created_us = clock_now_us(),
                               .updated_us = clock_now_us()};
}

static int compute_add_server_run(struct db_conn *c, void *arg, struct error *e)
{
    const struct server_row *row = arg;
    struct operation_row operation = {.id = row->operation_id,
                                      .server_id = row->id,
                                      .project_id = row->project_id,
                                      .user_id = row->user_id,
                                      .request_id = "req-create",
                                      .action = "create",
                                      .started_us = row->created_us};
    struct quota_set held = {{0}};
    held.amount[QUOTA_INSTANCES] = 1;
    held.amount[QUOTA_CORES] = row->vcpus;
    held.amount[QUOTA_RAM] = row->memory_mib;
    int rc = store_server_insert(c, row, e);
    if (!rc)
        rc = store_operation_insert(c, &operation, false, e);
    if (!rc)
        rc = store_quota_add(c, row->project_id, &held, 1, e);
    return rc ? rc : store_server_enqueue(c, row->id, row->created_us, e);
}

/* Waiting for its host. */
__attribute__((unused)) static void compute_add_server(struct db_conn *c, struct server_row *row)
{
    compute_transact(c, compute_add_server_run, row);
}

struct compute_placing {
    const char *server_id, *host_id;
};

static int compute_place_run(struct db_conn *c, void *arg, struct error *e)
{
    const struct compute_placing *p = arg;
    struct placement_waiting_row waiting = {.project_id = PROJECT, .need = {{2, 512, 10}}};
    struct host_row host;
    int64_t revision = 0, feed = 0;
    snprintf(waiting.id, sizeof(waiting.id), "%s", p->server_id);
    int rc = store_host_get(c, p->host_id, &compute_arena, &host, e);
    if (!rc)
        rc = db_counter_next(c, "host_feed", 1, &feed, e);
    if (!rc)
        rc = store_placement_take(c, p->host_id, host.allocation_revision, &waiting.need, 1, feed, &revision, e);
    struct store_holding holding = {.need = waiting.need};
    return rc ? rc : store_placement_bind(c, &waiting, &holding, p->host_id, revision, clock_now_us(), e);
}

/* As the scheduler does. */
__attribute__((unused)) static void compute_place(struct db_conn *c, const char *server_id, const char *host_id)
{
    compute_transact(c, compute_place_run, &(struct compute_placing){server_id, host_id});
}

__attribute__((unused)) static struct server_row compute_get(struct db_conn *c, const char *id)
{
    struct error e = {0};
    struct server_row row = {0};
    CHECK_OK(store_server_get(c, id, &compute_arena, &row, &e), &e);
    return row;
}

DB_STATEMENT(compute_fixture_running, "SELECT COUNT(*) FROM operation WHERE state = 'running'");
DB_STATEMENT(compute_fixture_twice,
             "SELECT COUNT(*) FROM server s WHERE EXISTS (SELECT 1 FROM server_history h WHERE h.id = s.id)");
DB_STATEMENT(compute_fixture_orphans, "SELECT COUNT(*) FROM allocation a WHERE NOT EXISTS "
                                      "(SELECT 1 FROM server s WHERE s.id = a.server_id AND s.host_id = a.host_id)");
DB_STATEMENT(compute_fixture_queue, "SELECT COUNT(*) FROM placement_queue q WHERE NOT EXISTS "
                                    "(SELECT 1 FROM server s WHERE s.id = q.server_id AND s.placement = 'waiting')");
DB_STATEMENT(compute_fixture_rest,
             "SELECT COUNT(*) FROM operation o WHERE o.state = 'running' AND NOT EXISTS "
             "(SELECT 1 FROM server s WHERE s.id = o.server_id AND s.deadline_us IS NOT NULL) AND "
             "NOT EXISTS (SELECT 1 FROM migration m WHERE m.operation_id = o.id)");

static int64_t compute_count(struct db_conn *c, const struct db_statement *s)
{
    struct error e = {0};
    int64_t count = -1;
    CHECK_OK(db_query_int(c, s, &count, &e, DB_NO_ARGS), &e);
    return count;
}

/* What must hold after every transaction, whatever failed. */
__attribute__((unused)) static void compute_check_invariants(struct db_conn *c)
{
    struct error e = {0};
    struct store_host_gauges g;
    CHECK_OK(store_host_gauges(c, clock_now_us(), &g, &e), &e);
    CHECK_INT(g.allocation_drift, 0);
    CHECK_INT(g.usage_drift, 0);
    CHECK_INT(compute_count(c, &compute_fixture_twice), 0);
    CHECK_INT(compute_count(c, &compute_fixture_orphans), 0);
    CHECK_INT(compute_count(c, &compute_fixture_queue), 0);
    CHECK_INT(compute_count(c, &compute_fixture_rest), 0);
}
