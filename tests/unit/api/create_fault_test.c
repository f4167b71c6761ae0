/* POST /servers run straight on a connection whose n-th statement fails, for n = 1, 2, ... until it is accepted: what
 * fails leaves no server, port, address, quota or operation behind. */
#include "api/compute/compute.h"
#include "api/http/exchange.h"
#include "db/store_network.h"
#include "db/store_port.h"
#include "db/store_subnet.h"
#include "tests/unit/db/compute_fixture.h"

#define IMAGE   "bbbbbbbb-0000-4000-8000-000000000001"
#define NETWORK "cccccccc-0000-4000-8000-000000000001"
#define SUBNET  "cccccccc-0000-4000-8000-000000000002"

static struct db *db;
static struct db_conn *conn;

static int add_network(struct db_conn *c, void *arg, struct error *e)
{
    struct network_row network = {.id = NETWORK,
                                  .project_id = PROJECT,
                                  .name = "net",
                                  .description = "",
                                  .admin_state_up = true,
                                  .port_security = true,
                                  .mtu = 1500,
                                  .provider_type = "local",
                                  .zone_hints = "[]",
                                  .tags = "[]"};
    struct subnet_row subnet = {.id = SUBNET,
                                .network_id = NETWORK,
                                .project_id = PROJECT,
                                .name = "",
                                .description = "",
                                .ip_version = 4,
                                .cidr = "10.9.0.0/24",
                                .enable_dhcp = true,
                                .pools = "[{\"start\":\"10.9.0.2\",\"end\":\"10.9.0.20\"}]",
                                .dns_nameservers = "[]",
                                .host_routes = "[]",
                                .service_types = "[]",
                                .tags = "[]"};
    (void)arg;
    int rc = store_network_insert(c, &network, e);
    if (!rc)
        rc = store_subnet_insert(c, &subnet, e);
    return rc ? rc : store_ipam_fill(c, &subnet, &compute_arena, e);
}

static void begin(void)
{
    struct error e = {0};
    db = compute_begin();
    CHECK_OK(db_conn_open(db, &conn, &e), &e);
    fixture_script(
        db, "INSERT INTO flavor (id, name, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, rxtx_permille, "
            "is_public, disabled, created_us) VALUES ('1', 'small', 1, 64, 1, 0, 0, 1000, 1, 0, 1);"
            "INSERT INTO keypair (user_id, name, type, public_key, fingerprint, created_us) VALUES ('" USER
            "', 'k', 'ssh', 'ssh-rsa AAAA', 'aa', 1);"
            "INSERT INTO image (id, name, status, visibility, disk_format, container_format, size_bytes, hash_algo, "
            "hash_value, min_disk_gib, min_ram_mib, protected, hidden, properties, tags, created_us, updated_us, "
            "revision) VALUES ('" IMAGE "', 'tiny', 'active', 'public', 'raw', 'bare', 1000, 'sha512', 'ab', 0, "
            "0, 0, 0, '{}', '[]', 1, 1, 1);");
    compute_transact(conn, add_network, NULL);
    compute_add_host(conn, "host-a");
}

static void end(void)
{
    db_conn_close(&conn);
    compute_end(&db);
}

static const struct route *route_of_create(void)
{
    for (size_t i = 0; i < servers_create_routes.count; i++)
        if (!strcmp(servers_create_routes.rows[i].method, "POST"))
            return &servers_create_routes.rows[i];
    return NULL;
}

struct attempt {
    const char *body;
    int status;
};

/* As the HTTP thread and the writer do it. */
static int create_run(struct db_conn *c, void *arg, struct error *e)
{
    struct attempt *attempt = arg;
    struct http_server server = {.options = {.endpoint = "http://test"}};
    struct exchange x = {.server = &server};
    struct request *request = &x.request;
    struct json_doc doc;
    int rc = json_in_parse(attempt->body, strlen(attempt->body), &doc, e);
    if (rc)
        return rc;
    arena_init(&request->arena);
    strbuf_init(&x.reply.body, 0);
    x.reply.file = -1;
    reply_start(&x.reply, &request->arena);
    request->service = &compute_service;
    request->route = route_of_create();
    request->microversion = 60;
    snprintf(request->id, sizeof(request->id), "req-01234567");
    snprintf(request->credential.user_id, sizeof(request->credential.user_id), USER);
    snprintf(request->credential.project_id, sizeof(request->credential.project_id), PROJECT);
    request->credential.roles = ROLE_MEMBER | ROLE_READER;
    request->body = arena_alloc(&request->arena, request->route->body_size);
    rc = json_in_read(doc.root, request->route->body, request->body, &request->arena, &request->error);
    if (!rc)
        rc = exchange_call(&x, request->route->handler, c);
    attempt->status = x.reply.status;
    if (rc)
        error_set(e, rc, "%s", error_text(&request->error));
    json_in_done(&doc);
    reply_done(&x.reply);
    strbuf_done(&x.reply.body);
    arena_done(&request->arena);
    return rc;
}

DB_STATEMENT(create_test_servers, "SELECT COUNT(*) FROM server");
DB_STATEMENT(create_test_ports, "SELECT COUNT(*) FROM port");
DB_STATEMENT(create_test_addresses, "SELECT COUNT(*) FROM port_address");
DB_STATEMENT(create_test_operations, "SELECT COUNT(*) FROM operation");
DB_STATEMENT(create_test_waiting, "SELECT COUNT(*) FROM placement_queue");
DB_STATEMENT(create_test_used, "SELECT COALESCE(SUM(instances), 0) FROM project_usage");

static void expect(int64_t count)
{
    const struct db_statement *all[] = {&create_test_servers,    &create_test_ports,   &create_test_addresses,
                                        &create_test_operations, &create_test_waiting, &create_test_used};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (compute_count(conn, all[i]) != count)
            check_fail(__FILE__, __LINE__, "%s is %lld and not %lld", all[i]->sql,
                       (long long)compute_count(conn, all[i]), (long long)count);
    compute_check_invariants(conn);
}

TEST("whatever statement of a create fails, nothing is left")
{
    begin();
    struct attempt attempt = {.body = "{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
                                      "\",\"key_name\":\"k\",\"networks\":"
                                      "[{\"uuid\":\"" NETWORK
                                      "\"}],\"min_count\":2,\"metadata\":{\"a\":\"b\"},\"tags\":[\"t\"]},"
                                      "\"os:scheduler_hints\":{\"target_cell\":\"x\"}}"};
    int n = 1, codes[] = {ERR_DATABASE, ERR_NO_SPACE};
    for (;; n++) {
        struct error e = {0};
        db_fail_at(conn, n, codes[n % 2], false);
        int rc = db_transact(conn, create_run, &attempt, &e);
        db_fail_at(conn, 0, 0, false);
        if (!rc)
            break;
        CHECK(n < 200);
        expect(0);
    }
    CHECK(n > 15); /* the loop went through it */
    CHECK_INT(attempt.status, 202);
    expect(2);
    end();
}

TEST("what is refused late leaves nothing")
{
    static const struct {
        const char *more;
        int code;
    } rows[] = {
        {"\"networks\":[{\"uuid\":\"" NETWORK "\",\"fixed_ip\":\"10.9.0.5\"},{\"uuid\":\"" NETWORK
         "\",\"fixed_ip\":\"10.9.0.5\"}]",
         ERR_INVALID},
        {"\"networks\":[{\"uuid\":\"" NETWORK "\"},{\"uuid\":\"dddddddd-0000-4000-8000-000000000001\"}]", ERR_INVALID},
        {"\"networks\":\"none\",\"min_count\":11", ERR_QUOTA},
        {"\"networks\":[{\"uuid\":\"" NETWORK "\"},{\"port\":\"dddddddd-0000-4000-8000-000000000001\"}]", ERR_INVALID},
    };
    begin();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error e = {0};
        struct attempt attempt = {
            .body = arena_printf(&compute_arena,
                                 "{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\",%s}}",
                                 rows[i].more)};
        int rc = db_transact(conn, create_run, &attempt, &e);
        if (rc != rows[i].code)
            check_fail(__FILE__, __LINE__, "%s gave %d: %s", rows[i].more, rc, error_text(&e));
        expect(0);
    }
    end();
}
