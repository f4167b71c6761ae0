/* What operators see of hosts through the compute API, in the words of each microversion: aggregates, os-hosts,
 * os-hypervisors, and the quotas of all projects. */
#include "api/compute/compute.h"
#include "tests/unit/api/api_steps.h"
#include "tests/unit/db/compute_fixture.h"

const struct service *const http_services[] = {&compute_service, NULL};

#define V        "/compute/v2.1"
#define HOST     "aaaaaaaa-0000-4000-8000-000000000001" /* its name too */
#define AT(text) JSON_TYPE "OpenStack-API-Version: compute " text "\r\n"

static struct db_conn *conn;

static void begin(void)
{
    struct error e = {0};
    steps_begin();
    arena_init(&compute_arena);
    CHECK_OK(db_conn_open(api.db, &conn, &e), &e);
    compute_add_host(conn, HOST);
}

static void end(void)
{
    db_conn_close(&conn);
    arena_done(&compute_arena);
    steps_end();
}

TEST("a fresh aggregate is shown without what it cannot have yet")
{
    begin();
    STEPS({ADMIN, "POST", V "/os-aggregates", "{\"aggregate\":{\"name\":\"a\"}}", 200, "\"name\":\"a\"", "\"hosts\""},
          {ADMIN, "GET", V "/os-aggregates/1", NULL, 200, "\"hosts\":[],\"metadata\":{}"},
          {ADMIN, "GET", V "/os-aggregates/-1", NULL, 404, "Aggregate -1 could not be found."},
          {ADMIN, "GET", V "/os-aggregates/x", NULL, 400}, {A, "GET", V "/os-aggregates/1", NULL, 403});
    end();
}

TEST("os-hosts lists, shows and switches hosts until 2.42")
{
    begin();
    STEPS({ADMIN, "GET", V "/os-hosts", NULL, 200,
           "{\"hosts\":[{\"host_name\":\"" HOST "\",\"service\":\"compute\",\"zone\":\"nova\"}]}"},
          {ADMIN, "GET", V "/os-hosts?zone=", NULL, 200, HOST}, {ADMIN, "GET", V "/os-hosts?zone=x", NULL, 200, "[]"},
          {ADMIN, "GET", V "/os-hosts/" HOST, NULL, 200,
           "\"project\":\"(total)\",\"cpu\":64,\"memory_mb\":65536,\"disk_gb\":1000"},
          {ADMIN, "GET", V "/os-hosts/x", NULL, 404}, {A, "GET", V "/os-hosts", NULL, 403},
          {ADMIN, "PUT", V "/os-hosts/" HOST, "{\"status\":\"disable\"}", 200, "\"status\":\"disabled\""},
          {ADMIN, "GET", V "/os-services", NULL, 200, "\"status\":\"disabled\""},
          {ADMIN, "PUT", V "/os-hosts/" HOST, "{\"status\":\"perhaps\"}", 400, "status"},
          {ADMIN, "PUT", V "/os-hosts/" HOST, "{}", 400},
          {ADMIN, "PUT", V "/os-hosts/" HOST, "{\"maintenance_mode\":\"enable\"}", 501},
          {ADMIN, "PUT", V "/os-hosts/x", "{\"status\":\"enable\"}", 404},
          {ADMIN, "GET", V "/os-hosts/" HOST "/reboot", NULL, 501}, {ADMIN, "GET", V "/os-hosts/x/reboot", NULL, 404},
          {ADMIN, "GET", V "/os-hosts", NULL, 404, NULL, NULL, NULL, AT("2.43")});
    end();
}

TEST("hypervisors name their servers, by a path of their own before 2.53")
{
    begin();
    STEPS({ADMIN, "GET", V "/os-hypervisors/aaaa/servers", NULL, 200, "\"hypervisor_hostname\":\"" HOST, "\"servers\""},
          {ADMIN, "GET", V "/os-hypervisors/x/servers", NULL, 404},
          {ADMIN, "GET", V "/os-hypervisors/aaaa/servers", NULL, 404, NULL, NULL, NULL, AT("2.53")},
          {ADMIN, "GET", V "/os-hypervisors?with_servers=1", NULL, 200, HOST, "\"servers\"", NULL, AT("2.74")},
          {ADMIN, "GET", V "/os-hypervisors?with_servers=1", NULL, 200, "\"servers\":[]", NULL, NULL, AT("2.75")},
          {ADMIN, "GET", V "/os-hypervisors/" HOST "?with_servers=1", NULL, 200, "\"servers\":[]", NULL, NULL,
           AT("2.75")},
          {ADMIN, "GET", V "/os-hypervisors", NULL, 200, HOST, "\"servers\"", NULL, AT("2.75")});
    end();
}

TEST("the quotas of all projects change what projects without their own have")
{
    begin();
    STEPS(
        {ADMIN, "GET", V "/os-quota-class-sets/default", NULL, 200, "\"id\":\"default\"", "server_groups"},
        {ADMIN, "GET", V "/os-quota-class-sets/default", NULL, 200, "server_groups", "floating_ips", NULL, AT("2.50")},
        {ADMIN, "GET", V "/os-quota-class-sets/default", NULL, 200, "server_groups", "injected_files", NULL,
         AT("2.57")},
        {ADMIN, "PUT", V "/os-quota-class-sets/default", "{\"quota_class_set\":{\"cores\":7,\"ram\":\"9\"}}", 200,
         "\"cores\":7", "\"id\""},
        {A, "GET", V "/os-quota-sets/" PROJECT_A, NULL, 200, "\"cores\":7"},
        {ADMIN, "PUT", V "/os-quota-class-sets/default", "{\"quota_class_set\":{\"nonsense\":7}}", 400, "nonsense"},
        {ADMIN, "PUT", V "/os-quota-class-sets/default", "{\"quota_class_set\":{\"cores\":-2}}", 400, "cores"},
        {ADMIN, "PUT", V "/os-quota-class-sets/default", "{}", 400},
        {A, "GET", V "/os-quota-class-sets/default", NULL, 403});
    end();
}
