/* Every request of a cloud with something of everything in it, with every statement of it failing in turn. The process
 * goes on; who asks gets a whole answer: a fault of 5xx, or what there would have been without the failure; a write
 * that failed has left nothing behind, and succeeds when it is asked again. */
#include "api/compute/compute.h"
#include "api/identity/identity.h"
#include "api/image/image_service.h"
#include "api/network/network_service.h"
#include "api/placement/placement_service.h"
#include "api/rating/rating.h"
#include "db/store_assignment.h"
#include "db/store_project.h"
#include "db/store_role.h"
#include "db/store_user.h"
#include "tests/unit/api/api_steps.h"
#include "tests/unit/db/compute_fixture.h"

#define HOST "aaaaaaaa-0000-4000-8000-000000000001"
#define MOST 400 /* statements of one request */
#define C    "/compute/v2.1"
#define N    "/network/v2.0"
#define I    "/identity/v3"

/* ---- failing the statements of whoever serves the next request: one thread reads, one writes ---- */

static struct db_conn *reader, *writer;

static int fault_learn_reader(struct request *request, struct reply *reply)
{
    reader = request->conn;
    reply->status = 204;
    return 0;
}

static int fault_learn_writer(struct request *request, struct reply *reply)
{
    writer = request->conn;
    reply->status = 204;
    return 0;
}

static const struct route fault_rows[] = {
    {.method = "GET", .pattern = "/", .permission = PERMISSION_PUBLIC, .handler = fault_learn_reader},
    {.method = "POST",
     .pattern = "/",
     .permission = PERMISSION_PUBLIC,
     .kind = ROUTE_WRITE,
     .handler = fault_learn_writer},
};
static const struct route_table fault_routes = ROUTE_TABLE(fault_rows);
static const struct route_table *const fault_tables[] = {&fault_routes, NULL};
static const struct service fault_service = {.name = "fault", .prefix = "/fault", .tables = fault_tables};

const struct service *const http_services[] = {
    &identity_service, &identity_root_service, &image_service,  &network_service, &placement_service,
    &compute_service,  &compute_root_service,  &rating_service, &fault_service,   NULL};

static const int codes[] = {ERR_UNAVAILABLE, ERR_NO_SPACE};

/* ---- the cloud ---- */

static struct db_conn *conn;

static int seed(struct db_conn *c, void *arg, struct error *e)
{
    static const char *const roles[] = {"admin", "manager", "member", "reader"};
    struct project_row domain = {.id = "default",
                                 .domain_id = "",
                                 .is_domain = true,
                                 .enabled = true,
                                 .name = "Default",
                                 .description = "",
                                 .tags = "[]",
                                 .options = "{}",
                                 .extra = "{}",
                                 .created_us = 1};
    struct project_row project = domain;
    struct user_row user = {.id = "0123456789abcdef0123456789abcdef",
                            .domain_id = "default",
                            .name = "tester",
                            .enabled = true,
                            .password_hash = "x",
                            .options = "{}",
                            .extra = "{}",
                            .created_us = 1};
    (void)arg;
    project.id = PROJECT_A;
    project.domain_id = project.parent_id = "default";
    project.is_domain = false;
    project.name = "work";
    int rc = store_project_insert(c, &domain, e);
    rc = rc ? rc : store_project_insert(c, &project, e);
    rc = rc ? rc : store_user_insert(c, &user, e);
    for (size_t i = 0; !rc && i < 4; i++) {
        struct role_row role = {
            .id = roles[i], .name = roles[i], .domain_id = "", .options = "{}", .extra = "{}", .created_us = 1};
        rc = store_role_insert(c, &role, e);
    }
    struct assignment_row grant = {"user", user.id, "project", PROJECT_A, "admin", false};
    return rc ? rc : store_assignment_insert(c, &grant, e);
}

static int place_run(struct db_conn *c, void *arg, struct error *e)
{
    struct server_row row;
    int rc = store_server_get(c, arg, &compute_arena, &row, e);
    if (rc)
        return rc;
    row.observed_state = SERVER_STATE_RUNNING;
    row.observed_revision = row.desired_revision;
    row.launched_us = clock_now_us();
    row.deadline_us = 0;
    rc = store_operation_end_all(c, row.id, OPERATION_FINISH, NULL, clock_now_us(), e);
    row.operation_id = NULL;
    return rc ? rc : store_server_move(c, &row, e);
}

/* What the scheduler and the agent would do. */
static void run_server(const char *id)
{
    compute_place(conn, id, HOST);
    compute_transact(conn, place_run, (void *)(uintptr_t)id);
}

static void furnish(void)
{
    STEPS({ADMIN, "POST", C "/flavors", "{\"flavor\":{\"name\":\"f\",\"ram\":64,\"vcpus\":1,\"disk\":1,\"id\":\"f1\"}}",
           200},
          {ADMIN, "POST", C "/flavors/f1/os-extra_specs", "{\"extra_specs\":{\"a\":\"b\"}}", 200},
          {ADMIN, "POST", "/image/v2/images", "{\"name\":\"i\",\"disk_format\":\"raw\",\"container_format\":\"bare\"}",
           201, NULL, NULL, "image"},
          {ADMIN, "PUT", "/image/v2/images/$image/file", "hello", 204, NULL, NULL, NULL,
           "Content-Type: application/octet-stream\r\n"},
          {ADMIN, "POST", N "/networks", "{\"network\":{\"name\":\"n\"}}", 201, NULL, NULL, "network"},
          {ADMIN, "POST", N "/subnets",
           "{\"subnet\":{\"network_id\":\"$network\",\"ip_version\":4,\"cidr\":\"10.1.0.0/24\"}}", 201, NULL, NULL,
           "subnet"},
          {ADMIN, "POST", N "/security-groups", "{\"security_group\":{\"name\":\"g\"}}", 201, NULL, NULL, "secgroup"},
          {ADMIN, "POST", N "/ports", "{\"port\":{\"network_id\":\"$network\"}}", 201, NULL, NULL, "port"},
          {ADMIN, "POST", C "/os-keypairs", "{\"keypair\":{\"name\":\"k\"}}", 200},
          {ADMIN, "POST", C "/os-server-groups", "{\"server_group\":{\"name\":\"sg\",\"policies\":[\"affinity\"]}}",
           200, NULL, NULL, "group"},
          {ADMIN, "POST", C "/os-aggregates", "{\"aggregate\":{\"name\":\"a\",\"availability_zone\":\"z\"}}", 200},
          {ADMIN, "POST", I "/groups", "{\"group\":{\"name\":\"g\",\"domain_id\":\"default\"}}", 201, NULL, NULL,
           "usergroup"},
          {ADMIN, "PUT", I "/groups/$usergroup/users/0123456789abcdef0123456789abcdef", NULL, 204},
          {ADMIN, "POST", I "/regions", "{\"region\":{\"id\":\"r\"}}", 201},
          {ADMIN, "POST", I "/services", "{\"service\":{\"type\":\"compute\",\"name\":\"virga\"}}", 201, NULL, NULL,
           "service"},
          {ADMIN, "POST", I "/endpoints",
           "{\"endpoint\":{\"service_id\":\"$service\",\"region_id\":\"r\",\"interface\":\"public\",\"url\":\"http://"
           "x\"}}",
           201, NULL, NULL, "endpoint"},
          {ADMIN, "POST", I "/credentials",
           "{\"credential\":{\"type\":\"cert\",\"blob\":\"{}\",\"project_id\":\"" PROJECT_A
           "\",\"user_id\":\"0123456789abcdef0123456789abcdef\"}}",
           201, NULL, NULL, "credential"},
          {ADMIN, "POST", C "/servers",
           "{\"server\":{\"name\":\"s\",\"flavorRef\":\"f1\",\"imageRef\":\"$image\",\"key_name\":\"k\",\"networks\":[{"
           "\"uuid\":\"$network\"}],\"metadata\":{\"a\":\"b\"}},\"os:scheduler_hints\":{\"group\":\"$group\"}}",
           202, NULL, NULL, "server"});
    run_server(steps_value("server", 6));
    STEPS({ADMIN, "PUT", C "/servers/$server/tags", "{\"tags\":[\"t\"]}", 200, NULL, NULL, NULL,
           JSON_TYPE "OpenStack-API-Version: compute 2.93\r\n"});
}

static void begin(void)
{
    struct error e = {0};
    http_options.threads = http_options.workers = 1;
    steps_begin();
    arena_init(&compute_arena);
    CHECK_OK(db_conn_open(api.db, &conn, &e), &e);
    compute_transact(conn, seed, NULL);
    compute_add_host(conn, HOST);
    furnish();
    STEPS({NOBODY, "GET", "/fault", NULL, 204}, {NOBODY, "POST", "/fault", NULL, 204});
}

static void end(void)
{
    compute_check_invariants(conn);
    db_conn_close(&conn);
    arena_done(&compute_arena);
    steps_end();
}

/* ---- asking ---- */

struct asked {
    const char *method, *path, *body, *headers;
};

static struct http_answer ask(const struct asked *a)
{
    char *path = steps_expand(a->path), *body = a->body ? steps_expand(a->body) : NULL;
    const char *headers = a->headers ? a->headers : body ? JSON_TYPE : "";
    struct http_answer answer = http_ask(a->method, path, steps_tokens[ADMIN], headers, body);
    free(path);
    free(body);
    return answer;
}

/* Asks with the n-th statement of that connection failing; *ret_came: there were so many. Nobody else uses it
 * meanwhile. */
static struct http_answer ask_with_fault(const struct asked *a, struct db_conn *c, int n, bool *ret_came)
{
    int64_t at = db_statements_run(c) + n;
    db_fail_at(c, n, codes[n % 2], false);
    struct http_answer answer = ask(a);
    *ret_came = db_statements_run(c) >= at;
    db_fail_at(c, 0, 0, false);
    return answer;
}

static void judge(const struct asked *a, int n, const struct http_answer *got, int good, bool came)
{
    bool whole = got->status == 204 || got->size > 0 || !strcmp(a->method, "HEAD");
    bool refused = got->status >= 500 && whole;
    if (got->status != good && !(came && refused))
        check_fail(__FILE__, __LINE__, "%s %s with statement %d failing (%s): %d instead of %d or 5xx: %s", a->method,
                   a->path, n, came ? "it did" : "it was not reached", got->status, good, got->body);
}

/* A GET with each of its statements failing in turn. Returns how many there were. */
static int loop_read(const struct asked *a)
{
    struct http_answer answer = ask(a);
    int good = answer.status, n = 1;
    bool came = true;
    http_answer_done(&answer);
    for (; came; n++) {
        CHECK(n < MOST);
        answer = ask_with_fault(a, reader, n, &came);
        judge(a, n, &answer, good, came);
        http_answer_done(&answer);
    }
    return n - 2;
}

/* A write: whatever fails, nothing is left of it, until nothing fails and it gives `status`. Returns how many
 * statements there were. */
static int loop_write(const struct asked *a, int status)
{
    for (int n = 1;; n++) {
        bool came;
        CHECK(n < MOST);
        struct http_answer answer = ask_with_fault(a, writer, n, &came);
        judge(a, n, &answer, status, came);
        compute_check_invariants(conn);
        bool done = answer.status == status;
        http_answer_done(&answer);
        if (done)
            return n - 1;
    }
}

/* The value for a pattern's parameter, by what stands before it. */
static const char *parameter(const char *before, size_t size)
{
    static const char *const values[][2] = {{"/servers/", "$server"},
                                            {"/flavors/", "f1"},
                                            {"/images/", "$image"},
                                            {"/networks/", "$network"},
                                            {"/subnets/", "$subnet"},
                                            {"/ports/", "$port"},
                                            {"/security-groups/", "$secgroup"},
                                            {"/os-keypairs/", "k"},
                                            {"/os-server-groups/", "$group"},
                                            {"/os-aggregates/", "1"},
                                            {"/os-hypervisors/", HOST},
                                            {"/groups/", "$usergroup"},
                                            {"/regions/", "r"},
                                            {"/services/", "$service"},
                                            {"/endpoints/", "$endpoint"},
                                            {"/credentials/", "$credential"},
                                            {"/projects/", PROJECT_A},
                                            {"/domains/", "default"},
                                            {"/roles/", "admin"},
                                            {"/users/", "0123456789abcdef0123456789abcdef"},
                                            {"/resource_providers/", HOST},
                                            {"/allocations/", "$server"},
                                            {"/quotas/", PROJECT_A},
                                            {"/os-quota-sets/", PROJECT_A},
                                            {"/os-simple-tenant-usage/", PROJECT_A},
                                            {"/metadata/", "a"},
                                            {"/tags/", "t"},
                                            {"/ips/", "n"},
                                            {"/os-extra_specs/", "a"},
                                            {"/implies/", "member"},
                                            {"/traits/", "HW_CPU_X86_VMX"},
                                            {"/resource_classes/", "VCPU"}};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        size_t length = strlen(values[i][0]);
        if (length <= size && strncmp(before + size - length, values[i][0], length) == 0)
            return values[i][1];
    }
    return "x";
}

static char *fill(const char *prefix, const char *pattern)
{
    struct strbuf s;
    strbuf_init(&s, 0);
    strbuf_append_text(&s, prefix);
    for (const char *at = pattern; *at; at++) {
        if (*at == '{') {
            strbuf_append_text(&s, parameter(s.data, s.size));
            at = strchr(at, '}');
        } else {
            strbuf_append_char(&s, *at);
        }
    }
    return strbuf_take(&s);
}

/* ---- the tests ---- */

TEST("whatever statement of whatever GET fails, there is a whole answer and the process goes on")
{
    static const char *const versions[] = {"", "OpenStack-API-Version: compute 2.93, placement 1.39\r\n"};
    begin();
    int routes = 0, statements = 0;
    for (const struct service *const *s = http_services; *s; s++)
        for (const struct route_table *const *t = (*s)->tables; *t; t++)
            for (size_t i = 0; i < (*t)->count; i++) {
                const struct route *route = &(*t)->rows[i];
                if (strcmp(route->method, "GET") != 0 || *s == &fault_service || strstr(route->pattern, "/diagnostics"))
                    continue; /* diagnostics wait for a host */
                char *path = fill((*s)->prefix, route->pattern);
                for (size_t v = 0; v < 2; v++) {
                    struct asked a = {"GET", path, NULL, versions[v]};
                    statements += loop_read(&a);
                }
                free(path);
                routes++;
            }
    CHECK(routes > 90 && statements > 400);
    end();
}

TEST("whatever statement of whatever write fails, nothing is left of it and it can be asked again")
{
    static const struct {
        struct asked asked;
        int status;
    } writes[] = {
        {{"POST", C "/servers",
          "{\"server\":{\"name\":\"w\",\"flavorRef\":\"f1\",\"imageRef\":\"$image\",\"networks\":[{\"uuid\":\"$"
          "network\"}]}}",
          JSON_TYPE "Idempotency-Key: once\r\n"},
         202},
        {{"POST", C "/servers/$server/action", "{\"os-stop\":null}", NULL}, 202},
        {{"PUT", C "/servers/$server", "{\"server\":{\"name\":\"x\"}}", NULL}, 200},
        {{"POST", C "/servers/$server/metadata", "{\"metadata\":{\"c\":\"d\"}}", NULL}, 200},
        {{"POST", C "/servers/$server/action", "{\"os-resetState\":{\"state\":\"active\"}}", NULL}, 202},
        {{"DELETE", C "/servers/$server", NULL, NULL}, 204},
        {{"POST", C "/os-keypairs", "{\"keypair\":{\"name\":\"kw\"}}", NULL}, 200},
        {{"DELETE", C "/os-keypairs/kw", NULL, NULL}, 202},
        {{"POST", C "/flavors", "{\"flavor\":{\"name\":\"fw\",\"ram\":64,\"vcpus\":1,\"disk\":1,\"id\":\"fw\"}}", NULL},
         200},
        {{"DELETE", C "/flavors/fw", NULL, NULL}, 202},
        {{"PUT", C "/os-quota-sets/" PROJECT_A, "{\"quota_set\":{\"cores\":30,\"ram\":-1}}", NULL}, 200},
        {{"POST", C "/os-aggregates", "{\"aggregate\":{\"name\":\"aw\"}}", NULL}, 200},
        {{"POST", N "/networks", "{\"network\":{\"name\":\"nw\"}}", NULL}, 201},
        {{"POST", N "/subnets", "{\"subnet\":{\"network_id\":\"$network\",\"ip_version\":4,\"cidr\":\"10.2.0.0/24\"}}",
          NULL},
         201},
        {{"POST", N "/ports", "{\"port\":{\"network_id\":\"$network\",\"security_groups\":[\"$secgroup\"]}}", NULL},
         201},
        {{"DELETE", N "/ports/$port", NULL, NULL}, 204},
        {{"POST", N "/security-groups", "{\"security_group\":{\"name\":\"gw\"}}", NULL}, 201},
        {{"DELETE", N "/security-groups/$secgroup", NULL, NULL}, 409},
        {{"POST", "/image/v2/images", "{\"name\":\"iw\",\"tags\":[\"t\"]}", NULL}, 201},
        {{"DELETE", "/image/v2/images/$image", NULL, NULL}, 204},
        {{"POST", I "/projects", "{\"project\":{\"name\":\"pw\",\"domain_id\":\"default\"}}", NULL}, 201},
        {{"POST", I "/users", "{\"user\":{\"name\":\"uw\",\"domain_id\":\"default\"}}", NULL}, 201},
        {{"PUT", I "/projects/" PROJECT_A "/users/0123456789abcdef0123456789abcdef/roles/member", NULL, NULL}, 204},
        {{"DELETE", I "/services/$service", NULL, NULL}, 204},
        {{"DELETE", I "/groups/$usergroup", NULL, NULL}, 204}, /* voids the member's tokens, ours too */
    };
    int statements = 0;
    begin();
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
        statements += loop_write(&writes[i].asked, writes[i].status);
    CHECK(statements > 200);
    end();
}
