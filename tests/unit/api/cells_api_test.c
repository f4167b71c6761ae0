/* NUMA cells, pages and dedicated processors through the compute API: what flavors and images may ask for, Nova's
 * sentences where they may not, and what is shown of what was given. */
#include "api/compute/compute.h"
#include "db/store_cells.h"
#include "db/store_resource.h"
#include "tests/unit/api/api_steps.h"
#include "tests/unit/db/compute_fixture.h"

const struct service *const http_services[] = {&compute_service, NULL};

#define V        "/compute/v2.1"
#define IMAGE    "dddddddd-0000-4000-8000-000000000001"
#define PINNED   "dddddddd-0000-4000-8000-000000000002"
#define AT(text) JSON_TYPE "OpenStack-API-Version: compute " text "\r\n"
#define SPECS    V "/flavors/1/os-extra_specs"
#define CREATE(image)                                                                                                  \
    "{\"server\":{\"name\":\"one\",\"flavorRef\":\"1\",\"imageRef\":\"" image "\",\"networks\":\"none\"}}"

static struct db_conn *conn;

static void begin(void)
{
    struct error e = {0};
    steps_begin();
    arena_init(&compute_arena);
    CHECK_OK(db_conn_open(api.db, &conn, &e), &e);
    fixture_script(
        api.db,
        "INSERT INTO flavor (id, name, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, rxtx_permille, "
        "is_public, disabled, created_us) VALUES ('1', 'small', 4, 1024, 1, 0, 0, 1000, 1, 0, 1);"
        "INSERT INTO image (id, project_id, name, status, visibility, disk_format, container_format, size_bytes, "
        "hash_algo, hash_value, min_disk_gib, min_ram_mib, protected, hidden, properties, tags, created_us, "
        "updated_us, revision) VALUES ('" IMAGE "', '" PROJECT_A "', 'tiny', 'active', 'public', 'raw', 'bare', 1000, "
        "'sha512', 'ab', 0, 0, 0, 0, '{}', '[]', 1000000, 2000000, 1), ('" PINNED "', '" PROJECT_A
        "', 'pinned', 'active', 'public', 'raw', 'bare', 1000, 'sha512', 'ab', 0, 0, 0, 0, "
        "'{\"hw_cpu_policy\":\"dedicated\"}', '[]', 1000000, 2000000, 1);");
}

static void end(void)
{
    db_conn_close(&conn);
    arena_done(&compute_arena);
    steps_end();
}

TEST("extra specs are looked at from 2.86 on, in Nova's words")
{
    begin();
    STEPS({ADMIN, "POST", SPECS, "{\"extra_specs\":{\"hw:cpu_policy\":\"often\"}}", 400,
           "Validation failed; 'often' is not one of: dedicated, mixed, shared.", NULL, NULL, AT("2.86")},
          {ADMIN, "POST", SPECS, "{\"extra_specs\":{\"hw:numa_nodes\":\"0\"}}", 400,
           "Validation failed; '0' is less than the min value of '1'.", NULL, NULL, AT("2.86")},
          {ADMIN, "PUT", SPECS "/hw:cpu_sockets", "{\"hw:cpu_sockets\":\"two\"}", 400, "is not a valid integer value",
           NULL, NULL, AT("2.86")},
          {ADMIN, "POST", SPECS, "{\"extra_specs\":{\"hw:cpu_policy\":\"dedicated\"}}", 200, "dedicated", NULL, NULL,
           AT("2.86")},
          {ADMIN, "POST", SPECS, "{\"extra_specs\":{\"hw:cpu_policy\":\"often\"}}", 200});
    end();
}

TEST("a server whose flavor and image contradict is a bad request")
{
    begin();
    STEPS({ADMIN, "POST", SPECS, "{\"extra_specs\":{\"hw:cpu_policy\":\"shared\"}}", 200},
          {A, "POST", V "/servers", CREATE(PINNED), 400,
           "Image property 'hw_cpu_policy' is not permitted to override CPU pinning policy", NULL, NULL, AT("2.37")},
          {ADMIN, "POST", SPECS, "{\"extra_specs\":{\"hw:cpu_policy\":\"dedicated\",\"hw:numa_nodes\":\"3\"}}", 200},
          {A, "POST", V "/servers", CREATE(IMAGE), 400, "cannot be evenly distributed across instance NUMA nodes", NULL,
           NULL, AT("2.37")},
          {ADMIN, "POST", SPECS,
           "{\"extra_specs\":{\"hw:numa_nodes\":\"2\",\"hw:cpu_max_sockets\":\"1\","
           "\"hw:cpu_max_cores\":\"1\",\"hw:cpu_max_threads\":\"1\"}}",
           200},
          {A, "POST", V "/servers", CREATE(IMAGE), 400, "are impossible to satisfy for vcpus count 4", NULL, NULL,
           AT("2.37")},
          {ADMIN, "DELETE", SPECS "/hw:cpu_max_threads", NULL, 200},
          {ADMIN, "DELETE", SPECS "/hw:cpu_max_cores", NULL, 200},
          {A, "POST", V "/servers", CREATE(PINNED), 202, NULL, NULL, NULL, AT("2.37")});
    end();
}

static int hold_run(struct db_conn *c, void *arg, struct error *e)
{
    struct store_holding holding = {
        .need = {{0, 0, 1}},
        .topology = "{\"page_kib\":2048,\"explicit\":true,\"cells\":[{\"host\":1,\"vcpus\":\"0-1\",\"memory_mib\":512,"
                    "\"pins\":[5,-1],\"floats\":\"0\"}],\"held\":\"5\",\"emulator\":\"\"}"};
    return store_resource_hold(c, arg, "h", PROJECT_A, &holding, 1, e);
}

TEST("a server's topology is what it was given; the host's side is for administrators")
{
    begin();
    STEPS({A, "POST", V "/servers", CREATE(IMAGE), 202, NULL, NULL, "one", AT("2.37")},
          {A, "GET", V "/servers/$one/topology", NULL, 200, "{\"nodes\":[],\"pagesize_kb\":null}", NULL, NULL,
           AT("2.78")});
    compute_transact(conn, hold_run, (void *)(uintptr_t)steps_value("one", 3));
    STEPS({A, "GET", V "/servers/$one/topology", NULL, 200,
           "{\"nodes\":[{\"memory_mb\":512,\"siblings\":[],\"vcpu_set\":[0,1]}],\"pagesize_kb\":2048}", NULL, NULL,
           AT("2.78")},
          {ADMIN, "GET", V "/servers/$one/topology", NULL, 200,
           "{\"nodes\":[{\"cpu_pinning\":{\"0\":5},\"host_node\":1,\"memory_mb\":512", NULL, NULL, AT("2.78")});
    end();
}
