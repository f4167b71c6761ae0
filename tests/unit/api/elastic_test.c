/* The elastic service over HTTP: what is refused and by which words, whose groups one sees, and turns that are cut off
 * at every statement. */
#include "api/compute/compute.h"
#include "api/elastic/driver.h"
#include "api/elastic/elastic.h"
#include "api/elastic/turn.h"
#include "tests/unit/api/api_steps.h"
#include "tests/unit/db/compute_fixture.h"

const struct service *const http_services[] = {&elastic_service, &compute_service, NULL};

#define IMAGE       "bbbbbbbb-0000-4000-8000-000000000001"
#define TEMPLATE    "{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\",\"networks\":\"none\"}}"
#define GROUP(more) "{\"group\":{\"name\":\"web\",\"template\":" TEMPLATE ",\"maximum\":8,\"desired\":4" more "}}"

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
        "is_public, disabled, created_us) VALUES ('1', 'small', 1, 64, 1, 0, 0, 1000, 1, 0, 1);"
        "INSERT INTO image (id, name, status, visibility, disk_format, container_format, size_bytes, hash_algo, "
        "hash_value, min_disk_gib, min_ram_mib, protected, hidden, properties, tags, created_us, updated_us, "
        "revision) VALUES ('" IMAGE "', 'tiny', 'active', 'public', 'raw', 'bare', 1000, 'sha512', 'ab', 0, "
        "0, 0, 0, '{}', '[]', 1, 1, 1);");
    compute_add_host(conn, "host-a");
    compute_add_host(conn, "host-b");
    fixture_script(api.db, "UPDATE host SET zone = 'other' WHERE id = 'host-b'");
}

static void end(void)
{
    compute_check_invariants(conn);
    db_conn_close(&conn);
    arena_done(&compute_arena);
    steps_end();
}

DB_STATEMENT(elastic_test_members, "SELECT COUNT(*) FROM elastic_member");
DB_STATEMENT(elastic_test_servers, "SELECT COUNT(*) FROM server");
DB_STATEMENT(elastic_test_other, "SELECT COUNT(*) FROM server WHERE zone = 'other'");
DB_STATEMENT(elastic_test_orphans, "SELECT COUNT(*) FROM server s WHERE NOT EXISTS "
                                   "(SELECT 1 FROM elastic_member m WHERE m.server_id = s.id)");

static void drive(void)
{
    struct error e = {0};
    int64_t count = 0;
    CHECK_OK(driver_run(&api, clock_now_us(), 100, &count, &e), &e);
}

TEST("a group is refused by the name of what is wrong")
{
    begin();
    STEPS({A, "POST", "/elastic/v1/groups", "{\"group\":{\"name\":\"x\",\"maximum\":1}}", 400, "group.template"},
          {A, "POST", "/elastic/v1/groups", GROUP(",\"minimum\":9"), 400, "minimum: it is above maximum"},
          {A, "POST", "/elastic/v1/groups", GROUP(",\"zones\":[\"nowhere\"]"), 400, "zones[0]"},
          {A, "POST", "/elastic/v1/groups", GROUP(",\"zones\":[\"nova\",\"nova\"]"), 400, "zones[1]"},
          {A, "POST", "/elastic/v1/groups", GROUP(",\"spread\":\"wide\""), 400, "group.spread"},
          {A, "POST", "/elastic/v1/groups",
           "{\"group\":{\"name\":\"x\",\"maximum\":1,\"template\":{\"server\":{\"name\":\"x\",\"flavorRef\":\"9\","
           "\"imageRef\":\"" IMAGE "\",\"networks\":\"none\"}}}}",
           400, "Flavor 9 could not be found"},
          {A, "POST", "/elastic/v1/groups",
           "{\"group\":{\"name\":\"x\",\"maximum\":1,\"template\":{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\","
           "\"imageRef\":\"" IMAGE "\",\"networks\":\"none\",\"min_count\":2}}}}",
           400, "min_count and max_count are not for it"},
          {READER, "POST", "/elastic/v1/groups", GROUP(""), 403}, {NOBODY, "GET", "/elastic/v1/groups", NULL, 401},
          {A, "GET", "/elastic/v1/groups", NULL, 200, "{\"groups\":[]}"});
    end();
}

TEST("a group belongs to its project")
{
    begin();
    STEPS({A, "POST", "/elastic/v1/groups", GROUP(""), 201, "\"status\":\"ACTIVE\"", .save = "g"},
          {B, "GET", "/elastic/v1/groups/$g", NULL, 404}, {B, "GET", "/elastic/v1/groups", NULL, 200, "[]"},
          {B, "PATCH", "/elastic/v1/groups/$g", "{\"group\":{\"desired\":1}}", 404},
          {B, "DELETE", "/elastic/v1/groups/$g", NULL, 404}, {B, "GET", "/elastic/v1/groups/$g/members", NULL, 404},
          {B, "GET", "/elastic/v1/groups?all_projects=1", NULL, 403},
          {B, "POST", "/elastic/v1/groups/$g/metrics", "{\"metric\":{\"name\":\"m\",\"value\":1}}", 404},
          {ADMIN, "GET", "/elastic/v1/groups?all_projects=1", NULL, 200, "$g"},
          {A, "PATCH", "/elastic/v1/groups/$g", "{\"group\":{\"desired\":9}}", 400, "not between"},
          {A, "PATCH", "/elastic/v1/groups/$g", "{\"group\":{\"spread\":\"hard\"}}", 400, "settled"},
          {A, "POST", "/elastic/v1/groups/$g/roll", "{\"action\":\"back\"}", 409},
          {A, "GET", "/elastic/v1/groups/$g", NULL, 200, "\"desired\":4"});
    end();
}

TEST("policies are refused by the name of what is wrong, hooks by their secret")
{
    begin();
#define POLICIES "/elastic/v1/groups/$g/policies"
    STEPS({A, "POST", "/elastic/v1/groups", GROUP(""), 201, .save = "g"},
          {A, "POST", POLICIES, "{\"policy\":{\"kind\":\"guess\"}}", 400, "kind"},
          {A, "POST", POLICIES, "{\"policy\":{\"kind\":\"target\",\"metric\":\"cpu\"}}", 400, "target: a policy"},
          {A, "POST", POLICIES, "{\"policy\":{\"kind\":\"target\",\"metric\":\"cpu\",\"target\":0}}", 400, "above 0"},
          {A, "POST", POLICIES, "{\"policy\":{\"kind\":\"target\",\"metric\":\"cpu\",\"target\":5,\"per\":\"group\"}}",
           400, "per: cpu"},
          {A, "POST", POLICIES, "{\"policy\":{\"kind\":\"step\",\"metric\":\"m\",\"steps\":[{\"add\":1}]}}", 400,
           "steps[0]"},
          {A, "POST", POLICIES, "{\"policy\":{\"kind\":\"schedule\",\"at\":\"soon\",\"desired\":1}}", 400, "at:"},
          {A, "POST", POLICIES, "{\"policy\":{\"kind\":\"hook\"}}", 400, "what changes"},
          {A, "POST", POLICIES, "{\"policy\":{\"kind\":\"hook\",\"add\":1},\"x\":1}", 400, "policy"},
          {A, "POST", POLICIES, "{\"policy\":{\"kind\":\"hook\",\"add\":1}}", 201, "hook_url", .save = "h"},
          {NOBODY, "POST", "/elastic/v1/hooks/$h", NULL, 404},
          {NOBODY, "POST", "/elastic/v1/hooks/$h?secret=guess", NULL, 404},
          {A, "GET", POLICIES, NULL, 200, "$h", "secret"}, {A, "DELETE", POLICIES "/$h", NULL, 204},
          {A, "DELETE", POLICIES "/$h", NULL, 404},
          {A, "POST", "/elastic/v1/groups/$g/metrics", "{\"metric\":{\"name\":\"cpu\",\"value\":1}}", 400, "measured"});
    end();
}

TEST("members are balanced over the zones, and leave with their group")
{
    begin();
    STEPS({A, "POST", "/elastic/v1/groups", GROUP(",\"zones\":[\"nova\",\"other\"],\"spread\":\"soft\""), 201,
           .save = "g"});
    drive();
    CHECK_INT(compute_count(conn, &elastic_test_members), 4);
    CHECK_INT(compute_count(conn, &elastic_test_other), 2);
    CHECK_INT(compute_count(conn, &elastic_test_orphans), 0);
    STEPS({A, "GET", "/elastic/v1/groups/$g", NULL, 200, "\"starting\":4"},
          {A, "GET", "/elastic/v1/groups/$g/events", NULL, 200, "\"kind\":\"made\",\"message\":\"web-4 in other\""},
          {A, "DELETE", "/elastic/v1/groups/$g", NULL, 202},
          {A, "PATCH", "/elastic/v1/groups/$g", "{\"group\":{\"desired\":1}}", 409, "being deleted"});
    drive(); /* nobody was placed: the servers go at once */
    CHECK_INT(compute_count(conn, &elastic_test_servers), 0);
    fixture_script(api.db, "UPDATE elastic_group SET next_us = 0");
    drive();
    STEPS({A, "GET", "/elastic/v1/groups/$g", NULL, 404},
          {A, "GET", "/compute/v2.1/os-server-groups", NULL, 200, "{\"server_groups\":[]}"});
    end();
}

struct cut {
    const char *group_id;
};

static int turn(struct db_conn *c, void *arg, struct error *e)
{
    const struct cut *cut = arg;
    return turn_run(&api, c, cut->group_id, clock_now_us(), e);
}

TEST("whatever statement of a turn fails, each server made is a member and the other way round")
{
    begin();
    STEPS({A, "POST", "/elastic/v1/groups", GROUP(""), 201, .save = "g"});
    struct cut cut = {.group_id = steps_value("g", 1)};
    int n = 1, codes[] = {ERR_DATABASE, ERR_NO_SPACE};
    for (;; n++) {
        struct error e = {0};
        db_fail_at(conn, n, codes[n % 2], false);
        int rc = db_transact(conn, turn, &cut, &e);
        db_fail_at(conn, 0, 0, false);
        CHECK_INT(compute_count(conn, &elastic_test_orphans), 0);
        CHECK_INT(compute_count(conn, &elastic_test_members), compute_count(conn, &elastic_test_servers));
        compute_check_invariants(conn);
        if (!rc)
            break;
        CHECK(n < 500);
    }
    CHECK(n > 40); /* the loop went through it */
    CHECK_INT(compute_count(conn, &elastic_test_members), 4);
    end();
}

TEST("what is served is described")
{
    begin();
    STEPS({NOBODY, "GET", "/elastic/v1/openapi.json", NULL, 200, "\"/groups/{id}/policies/{policy_id}\":{\"delete\":"},
          {NOBODY, "GET", "/elastic/v1/openapi.json", NULL, 200,
           "\"maximum\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":10000}"});
    end();
}

TEST("a host is dedicated by administrators, while no other project is on it")
{
    begin();
    struct server_row row = compute_row("other");
    compute_add_server(conn, &row);
    compute_place(conn, row.id, "host-a");
#define DEDICATED "/elastic/v1/dedicated-hosts"
#define TO_A      "{\"dedicated_host\":{\"project_id\":\"" PROJECT_A "\"}}"
    fixture_script(api.db, "INSERT INTO project (id, domain_id, name, description, enabled, is_domain, tags, options, "
                           "extra, created_us) VALUES "
                           "('" PROJECT_A "', 'default', 'a', '', 1, 0, '[]', '{}', '{}', 1)");
    STEPS({A, "PUT", DEDICATED "/host-b", TO_A, 403}, {ADMIN, "PUT", DEDICATED "/host-x", TO_A, 404},
          {ADMIN, "PUT", DEDICATED "/host-a", TO_A, 409, "1 servers of other projects"},
          {ADMIN, "PUT", DEDICATED "/host-b", "{\"dedicated_host\":{\"project_id\":\"nobody\"}}", 400, "project_id"},
          {ADMIN, "PUT", DEDICATED "/host-b", TO_A, 200, "\"name\":\"host-b\""},
          {A, "GET", DEDICATED, NULL, 200, "host-b"}, {B, "GET", DEDICATED, NULL, 200, "{\"dedicated_hosts\":[]}"},
          {ADMIN, "DELETE", DEDICATED "/host-b", NULL, 204}, {A, "GET", DEDICATED, NULL, 200, "[]"});
    end();
}

TEST("a reservation is refused by the name of what is wrong, and within the quota")
{
    begin();
#define RESERVE "/elastic/v1/reservations"
    STEPS(
        {A, "POST", RESERVE, "{\"reservation\":{\"name\":\"r\",\"flavor\":\"9\",\"count\":1}}", 400, "flavor: 9"},
        {A, "POST", RESERVE, "{\"reservation\":{\"name\":\"r\",\"flavor\":\"1\",\"count\":0}}", 400, "count"},
        {A, "POST", RESERVE, "{\"reservation\":{\"name\":\"r\",\"flavor\":\"1\",\"count\":1,\"zone\":\"x\"}}", 400,
         "zone: there"},
        {A, "POST", RESERVE, "{\"reservation\":{\"name\":\"r\",\"flavor\":\"1\",\"count\":1,\"until\":\"2001-01-01\"}}",
         400, "until: it comes after"},
        {A, "POST", RESERVE, "{\"reservation\":{\"name\":\"r\",\"flavor\":\"1\",\"count\":6}}", 202, "pending",
         .save = "r"},
        {A, "POST", RESERVE, "{\"reservation\":{\"name\":\"r\",\"flavor\":\"1\",\"count\":6}}", 403, "Quota exceeded"},
        {B, "GET", RESERVE "/$r", NULL, 404}, {B, "DELETE", RESERVE "/$r", NULL, 404},
        {A, "POST", "/compute/v2.1/servers",
         "{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
         "\"},\"os:scheduler_hints\":{\"reservation\":\"$r\"}}",
         409, "is pending"},
        {B, "POST", "/compute/v2.1/servers",
         "{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
         "\"},\"os:scheduler_hints\":{\"reservation\":\"$r\"}}",
         400, "could not be found"},
        {A, "DELETE", RESERVE "/$r", NULL, 204}, {A, "GET", RESERVE "/$r", NULL, 200, "ended"});
    CHECK_INT(compute_count(conn, &elastic_test_servers), 0);
    end();
}
