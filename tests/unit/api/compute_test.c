/* The compute service over HTTP: who may call what, what others' servers look like, what bodies are refused, and which
 * keys each microversion shows. */
#include "api/compute/compute.h"
#include "tests/unit/api/http_fixture.h"
#include "tests/unit/db/compute_fixture.h"

const struct service *const http_services[] = {&compute_service, &compute_root_service, NULL};

#define MINE  "ffffffffffffffffffffffffffffffff" /* http_token's project */
#define HOST  "aaaaaaaa-0000-4000-8000-000000000001"
#define IMAGE "bbbbbbbb-0000-4000-8000-000000000001"
#define BASE  "/compute/v2.1"

static char admin[TOKEN_SIZE], stranger[TOKEN_SIZE];
static struct db_conn *conn;

static void begin(void)
{
    struct error e = {0};
    http_begin();
    arena_init(&compute_arena);
    http_issue("99999999999999999999999999999999", ROLE_READER | ROLE_MEMBER | ROLE_ADMIN, admin);
    http_issue("88888888888888888888888888888888", ROLE_READER | ROLE_MEMBER, stranger);
    CHECK_OK(db_conn_open(api.db, &conn, &e), &e);
    fixture_script(
        api.db,
        "INSERT INTO flavor (id, name, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, rxtx_permille, "
        "is_public, disabled, created_us) VALUES ('1', 'small', 1, 64, 1, 0, 0, 1000, 1, 0, 1), "
        "('2', 'secret', 1, 64, 1, 0, 0, 1000, 0, 0, 2), ('3', 'diskless', 1, 64, 0, 0, 0, 1000, 1, 0, 3);"
        "INSERT INTO image (id, name, status, visibility, disk_format, container_format, size_bytes, hash_algo, "
        "hash_value, min_disk_gib, min_ram_mib, protected, hidden, properties, tags, created_us, updated_us, "
        "revision) VALUES ('" IMAGE "', 'tiny', 'active', 'public', 'raw', 'bare', 1000, 'sha512', 'ab', 0, "
        "0, 0, 0, '{\"hw_disk_bus\":\"ide\"}', '[]', 1, 1, 1);");
    compute_add_host(conn, HOST);
}

static void end(void)
{
    compute_check_invariants(conn);
    db_conn_close(&conn);
    arena_done(&compute_arena);
    http_end();
}

/* Asks and checks the status; the body is in the arena. */
static const char *ask(const char *method, const char *path, const char *token, int version, const char *body,
                       int status)
{
    char headers[200] = JSON_TYPE;
    if (version)
        snprintf(headers, sizeof(headers), JSON_TYPE "OpenStack-API-Version: compute 2.%d\r\n", version);
    struct http_answer answer = http_ask(method, path, token, headers, body);
    const char *text = arena_strdup(&compute_arena, answer.body ? answer.body : "");
    if (answer.status != status)
        check_fail(__FILE__, __LINE__, "%s %s gave %d and not %d: %s", method, path, answer.status, status, text);
    http_answer_done(&answer);
    return text;
}

static const char *at(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *at(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(&compute_arena, format, args);
    va_end(args);
    return text;
}

/* The text of a top-level object's member in the answer. */
static json_value *parse(const char *text)
{
    static struct json_doc doc; /* leaked between asks on purpose: freed at the next */
    struct error e = {0};
    if (doc.root)
        json_in_done(&doc);
    doc = (struct json_doc){0};
    CHECK_OK(json_in_parse(text, strlen(text), &doc, &e), &e);
    return doc.root;
}

static const char *create(const char *more)
{
    const char *text =
        ask("POST", BASE "/servers", http_token, 0,
            at("{\"server\":{\"name\":\"one\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\"%s}}", more), 202);
    return arena_strdup(&compute_arena, json_in_text(json_in_member(json_in_member(parse(text), "server"), "id")));
}

static json_value *show(const char *id, int version, const char *token)
{
    return json_in_member(parse(ask("GET", at(BASE "/servers/%s", id), token, version, NULL, 200)), "server");
}

/* Placed and running, as scheduler and agent would do it. */
static int run_run(struct db_conn *c, void *arg, struct error *e)
{
    struct server_row row;
    int rc = store_server_get(c, arg, &compute_arena, &row, e);
    row.observed_state = SERVER_STATE_RUNNING;
    row.observed_revision = row.desired_revision;
    row.launched_us = clock_now_us();
    row.deadline_us = 0;
    if (!rc)
        rc = store_operation_end_all(c, row.id, OPERATION_FINISH, NULL, clock_now_us(), e);
    return rc ? rc : store_server_move(c, &row, e);
}

static const char *run_server(void)
{
    const char *id = create("");
    compute_place(conn, id, HOST);
    compute_transact(conn, run_run, (void *)(uintptr_t)id);
    return id;
}

/* The pattern with every parameter replaced. */
static const char *fill(const char *pattern, const char *value)
{
    struct strbuf to;
    strbuf_init(&to, 0);
    strbuf_append_text(&to, BASE);
    for (const char *p = pattern; *p; p++) {
        if (*p != '{') {
            strbuf_append_char(&to, *p);
            continue;
        }
        strbuf_append_text(&to, value);
        p = strchr(p, '}');
    }
    const char *text = arena_strdup(&compute_arena, to.data);
    strbuf_done(&to);
    return text;
}

TEST("every route refuses who has no token, and who may not")
{
    begin();
    size_t count = 0;
    for (const struct route_table *const *table = compute_service.tables; *table; table++) {
        for (size_t i = 0; i < (*table)->count; i++) {
            const struct route *r = &(*table)->rows[i];
            const char *path = fill(r->pattern, "0f0f0f0f-0000-4000-8000-000000000000");
            if (r->permission == PERMISSION_PUBLIC)
                continue;
            const char *text = ask(r->method, path, NULL, r->since, NULL, 401);
            CHECK_CONTAINS(text, "The request you have made requires authentication.");
            if (r->permission == PERMISSION_MEMBER || r->permission == PERMISSION_ADMIN)
                CHECK_CONTAINS(ask(r->method, path, http_reader, r->since, NULL, 403), "{\"forbidden\":{\"code\":403,");
            if (r->permission == PERMISSION_ADMIN)
                ask(r->method, path, http_token, r->since, NULL, 403);
            count++;
        }
    }
    CHECK(count > 40);
    end();
}

TEST("others' servers and unknown ones look the same")
{
    begin();
    static const struct {
        const char *method, *path, *body;
        int version;
    } rows[] = {
        {"GET", "", NULL, 0},
        {"PUT", "", "{\"server\":{\"name\":\"x\"}}", 0},
        {"DELETE", "", NULL, 0},
        {"POST", "/action", "{\"os-stop\":null}", 0},
        {"POST", "/action", "{\"resize\":{\"flavorRef\":\"1\"}}", 0},
        {"GET", "/metadata", NULL, 0},
        {"PUT", "/metadata", "{\"metadata\":{}}", 0},
        {"POST", "/metadata", "{\"metadata\":{}}", 0},
        {"GET", "/metadata/k", NULL, 0},
        {"PUT", "/metadata/k", "{\"meta\":{\"k\":\"v\"}}", 0},
        {"DELETE", "/metadata/k", NULL, 0},
        {"GET", "/tags", NULL, 26},
        {"PUT", "/tags", "{\"tags\":[]}", 26},
        {"PUT", "/tags/x", NULL, 26},
        {"DELETE", "/tags/x", NULL, 26},
        {"DELETE", "/tags", NULL, 26},
        {"GET", "/ips", NULL, 0},
        {"GET", "/ips/net", NULL, 0},
        {"GET", "/os-instance-actions", NULL, 0},
        {"GET", "/os-instance-actions", NULL, 21},
        {"GET", "/os-instance-actions/req-1", NULL, 0},
        {"GET", "/os-server-password", NULL, 0},
    };
    const char *mine = run_server(), *unknown = compute_id();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *a = ask(rows[i].method, at(BASE "/servers/%s%s", mine, rows[i].path), stranger, rows[i].version,
                            rows[i].body, 404);
        CHECK_TEXT(a, at("{\"itemNotFound\":{\"code\":404,\"message\":\"Instance %s could not be found.\"}}", mine));
        ask(rows[i].method, at(BASE "/servers/%s%s", unknown, rows[i].path), http_token, rows[i].version, rows[i].body,
            404);
    }
    CHECK_TEXT(ask("GET", BASE "/servers", stranger, 0, NULL, 200), "{\"servers\":[]}");
    CHECK_CONTAINS(ask("GET", BASE "/servers?all_tenants=1", admin, 0, NULL, 200), mine);
    ask("GET", BASE "/servers?all_tenants=1", stranger, 0, NULL, 403);
    end();
}

TEST("bodies of POST /servers are refused with the field that is wrong, and leave nothing")
{
    begin();
    static const struct {
        const char *server; /* beside name, flavorRef, imageRef; or the whole document when it begins with a brace */
        int version, status;
        const char *text;
    } rows[] = {
        {"{}", 0, 400, "server"},
        {"[]", 0, 400, ""},
        {"{\"server\":7}", 0, 400, "server"},
        {"{\"server\":{}}", 0, 400, "name"},
        {"{\"server\":{\"name\":\"x\"}}", 0, 400, "flavorRef"},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\"}}", 0, 400, "imageRef"},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\",\"imageRef\":\"nonsense\"}}", 0, 400, "imageRef"},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"9\",\"imageRef\":\"" IMAGE "\"}}", 0, 400,
         "Flavor 9 could not be found."},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"2\",\"imageRef\":\"" IMAGE "\"}}", 0, 400,
         "Flavor 2 could not be found."},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"3\",\"imageRef\":\"" IMAGE "\"}}", 0, 403, "zero disk"},
        {"{\"server\":{\"name\":\"x\",\"flavorRef\":\"1\",\"imageRef\":\"cccccccc-0000-4000-8000-000000000001\"}}", 0,
         400, "Can not find requested image"},
        {",\"name\":\"\"", 0, 400, "name"},
        {",\"name\":\" x\"", 0, 400, "name"},
        {",\"name\":\"a\\u0007b\"", 0, 400, "name"},
        {",\"key_name\":\"none\"", 0, 400, "Invalid key_name provided."},
        {",\"networks\":[{\"uuid\":\"x\"}]", 0, 400, "Bad networks format"},
        {",\"networks\":[{\"uuid\":\"cccccccc-0000-4000-8000-000000000001\"}]", 0, 400, "could not be found"},
        {",\"networks\":[{\"colour\":\"red\"}]", 0, 400, "colour"},
        {",\"networks\":\"auto\"", 0, 400, "networks"},
        {",\"networks\":\"auto\"", 37, 400, "Unable to automatically allocate a network"},
        {"", 37, 400, "'networks' is a required property"},
        {",\"description\":\"x\"", 18, 400, "description"},
        {",\"tags\":[\"a\"],\"networks\":\"none\"", 51, 400, "tags"},
        {",\"tags\":[\"a,b\"],\"networks\":\"none\"", 52, 400, "a,b"},
        {",\"hostname\":\"x1\",\"networks\":\"none\"", 89, 400, "hostname"},
        {",\"hostname\":\"-x\",\"networks\":\"none\"", 90, 400, "hostname"},
        {",\"hostname\":\"a.b\",\"networks\":\"none\"", 93, 400, "hostname"},
        {",\"metadata\":{\"a/b\":\"c\"}", 0, 400, "a/b"},
        {",\"metadata\":{\"a\":7}", 0, 400, "metadata"},
        {",\"user_data\":\"!\"", 0, 400, "base 64"},
        {",\"config_drive\":\"perhaps\"", 0, 400, "config_drive"},
        {",\"min_count\":0", 0, 400, "min_count"},
        {",\"min_count\":3,\"max_count\":2", 0, 400, "min_count must be <= max_count"},
        {",\"min_count\":11", 0, 403, "Quota exceeded for instances: Requested 11, but already used 0 of 10 instances"},
        {",\"accessIPv4\":\"::1\"", 0, 400, "accessIPv4"},
        {",\"OS-DCF:diskConfig\":\"SOMETIMES\"", 0, 400, "diskConfig"},
        {",\"availability_zone\":\"mars\"", 0, 400, "availability zone is not available"},
        {",\"security_groups\":[{\"name\":\"walls\"}]", 0, 400, "Security group walls not found"},
        {",\"security_groups\":\"default\"", 0, 400, "security_groups"},
        {",\"personality\":[{\"path\":\"/x\",\"contents\":\"\"}]", 0, 400, "ersonality"},
        {",\"block_device_mapping_v2\":[{\"source_type\":\"blank\",\"destination_type\":\"volume\"}]", 0, 400,
         "Block Device"},
        {",\"colour\":\"red\"", 0, 400, "colour"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *body = rows[i].server;
        if (*body != '{' && *body != '[')
            body =
                at("{\"server\":{\"name\":\"one\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\"%s}}", rows[i].server);
        CHECK_CONTAINS(ask("POST", BASE "/servers", http_token, rows[i].version, body, rows[i].status), rows[i].text);
    }
    ask("POST", BASE "/servers", http_token, 0,
        "{\"server\":{\"name\":\"one\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
        "\"},\"os:scheduler_hints\":{\"group\":\"x\"}}",
        400);
    static const char *const hints[][2] = {
        {"\"same_host\":\"x\"", "same_host. It is not the id of a server"},
        {"\"different_host\":[\"x\"]", "different_host. It is not the id of a server"},
        {"\"query\":\"x\"", "query. It is no condition"},
        {"\"query\":{\"a\":1}", "query. It is not a text"},
        {"\"query\":\"[\\\"~\\\", 1, 2]\"", "is none of ="},
        {"\"query\":\"[\\\">\\\", \\\"$free_rma_mb\\\", 2]\"", "hosts have no $free_rma_mb"},
        {"\"build_near_host_ip\":\"10.0.0.300\"", "build_near_host_ip. It is not an address"},
        {"\"build_near_host_ip\":\"10.0.0.1\",\"cidr\":\"/33\"", "cidr. It is not the length"},
        {"\"cidr\":\"24\"", "cidr. It is not the length"},
    };
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        CHECK_CONTAINS(ask("POST", BASE "/servers", http_token, 0,
                           at("{\"server\":{\"name\":\"one\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
                              "\"},\"os:scheduler_hints\":{%s}}",
                              hints[i][0]),
                           400),
                       hints[i][1]);
    ask("POST", BASE "/servers", http_token, 0, "{\"server\":", 400);
    CHECK_TEXT(ask("GET", BASE "/servers", http_token, 0, NULL, 200), "{\"servers\":[]}");
    end();
}

DB_STATEMENT(compute_properties, "SELECT count(*) FROM server WHERE image_properties = '{\"hw_disk_bus\":\"ide\"}'");

TEST("a create answers as Nova does, and quotas count what is there")
{
    begin();
    struct http_answer answer =
        http_ask("POST", BASE "/servers", http_token, JSON_TYPE,
                 "{\"server\":{\"name\":\"one\",\"flavorRef\":1,\"imageRef\":\"" IMAGE "\",\"adminPass\":\"geheim\"}}");
    CHECK_INT(answer.status, 202);
    json_value *server = json_in_member(parse(answer.body), "server");
    CHECK_INT(json_in_count(server), 5);
    CHECK_TEXT(json_in_text(json_in_member(server, "adminPass")), "geheim");
    CHECK_CONTAINS(http_field(&answer, "location"), json_in_text(json_in_member(server, "id")));
    CHECK_CONTAINS(answer.body, "\"security_groups\":[{\"name\":\"default\"}]");
    http_answer_done(&answer);
    int64_t kept = 0;
    struct error e = {0};
    CHECK_OK(db_query_int(conn, &compute_properties, &kept, &e, DB_NO_ARGS), &e);
    CHECK_INT(kept, 1);
    const char *many = ask("POST", BASE "/servers", http_token, 0,
                           "{\"server\":{\"name\":\"many\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE
                           "\",\"min_count\":2,\"max_count\":\"99\",\"return_reservation_id\":true}}",
                           202);
    CHECK_CONTAINS(many, "{\"reservation_id\":\"r-");
    CHECK_CONTAINS(ask("POST", BASE "/servers", http_token, 0,
                       "{\"server\":{\"name\":\"more\",\"flavorRef\":\"1\",\"imageRef\":\"" IMAGE "\"}}", 403),
                   "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances");
    CHECK_INT(json_in_count(json_in_member(parse(ask("GET", BASE "/servers", http_token, 0, NULL, 200)), "servers")),
              10);
    CHECK_INT(json_in_count(json_in_member(
                  parse(ask("GET", BASE "/servers?name=many-[1-9]$", http_token, 0, NULL, 200)), "servers")),
              9);
    end();
}

/* Keys that a microversion brings, beside those of 2.1. */
static const struct {
    const char *key;
    int since;
    bool admin, list;
} keys[] = {
    {"OS-EXT-SRV-ATTR:reservation_id", 3, true, true},
    {"OS-EXT-SRV-ATTR:user_data", 3, true, true},
    {"locked", 9, false, true},
    {"host_status", 16, true, true},
    {"description", 19, false, true},
    {"tags", 26, false, true},
    {"trusted_image_certificates", 63, false, true},
    {"server_groups", 71, false, false},
    {"locked_reason", 73, false, true},
    {"pinned_availability_zone", 96, false, true},
};
static const char *const always[] = {"id",
                                     "name",
                                     "status",
                                     "tenant_id",
                                     "user_id",
                                     "metadata",
                                     "hostId",
                                     "image",
                                     "flavor",
                                     "created",
                                     "updated",
                                     "addresses",
                                     "accessIPv4",
                                     "accessIPv6",
                                     "links",
                                     "OS-DCF:diskConfig",
                                     "progress",
                                     "OS-EXT-AZ:availability_zone",
                                     "config_drive",
                                     "key_name",
                                     "OS-SRV-USG:launched_at",
                                     "OS-SRV-USG:terminated_at",
                                     "OS-EXT-STS:task_state",
                                     "OS-EXT-STS:vm_state",
                                     "OS-EXT-STS:power_state",
                                     "os-extended-volumes:volumes_attached"};

static void check_keys(json_value *server, int version, bool is_admin, bool in_list)
{
    size_t want = sizeof(always) / sizeof(always[0]);
    for (size_t i = 0; i < want; i++)
        CHECK(json_in_has(server, always[i]));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        bool there = version >= keys[i].since && (is_admin || !keys[i].admin) && (keys[i].list || !in_list);
        if (json_in_has(server, keys[i].key) != there)
            check_fail(__FILE__, __LINE__, "%s is %s 2.%d", keys[i].key, there ? "not in" : "in", version);
        want += (size_t)there;
    }
    if (is_admin)
        want +=
            3u + (version >= 3 ? 4u : 0u); /* host, instance, hypervisor; launch_index, kernel, ramdisk, root device */
    want += version >= 90 || (is_admin && version >= 3) ? 1u : 0u; /* hostname */
    CHECK_INT(json_in_count(server), want);
    CHECK_INT(json_in_has(json_in_member(server, "flavor"), "original_name"), version >= 47);
}

/* Often enough that every HTTP thread has kept an answer. */
static void sees(const char *id, int version, const char *token, const char *part)
{
    for (int i = 0; i < 8; i++) {
        const char *text = ask("GET", at(BASE "/servers/%s", id), token, version, NULL, 200);
        if (!strstr(text, part))
            check_fail(__FILE__, __LINE__, "%s is not in %s", part, text);
    }
}

TEST("a server that was shown before is shown as it is now, whatever changed it")
{
    begin();
    const char *id = run_server();
    const char *path = at(BASE "/servers/%s", id);
    sees(id, 90, http_token, "\"name\":\"one\"");
    sees(id, 90, admin, "\"host_status\":\"UP\"");
    ask("PUT", path, http_token, 0, "{\"server\":{\"name\":\"two\"}}", 200);
    sees(id, 90, http_token, "\"name\":\"two\"");
    ask("PUT", at("%s/metadata/k", path), http_token, 0, "{\"meta\":{\"k\":\"v\"}}", 200);
    sees(id, 90, http_token, "\"metadata\":{\"k\":\"v\"}");
    ask("POST", at("%s/action", path), http_token, 0, "{\"lock\":null}", 202);
    sees(id, 90, http_token, "\"locked\":true");
    ask("POST", at("%s/action", path), http_token, 0, "{\"unlock\":null}", 202);
    sees(id, 90, http_token, "\"locked\":false");
    CHECK(!json_in_has(show(id, 1, http_token), "locked"));
    CHECK(!json_in_has(show(id, 90, http_token), "host_status"));
    for (int i = 0; i < 8; i++)
        ask("GET", path, stranger, 90, NULL, 404);
    fixture_script(api.db, "UPDATE host SET enabled = 0;");
    sees(id, 90, admin, "\"host_status\":\"MAINTENANCE\"");
    fixture_script(api.db, "UPDATE host SET enabled = 1, seen_us = 1;");
    sees(id, 90, admin, "\"host_status\":\"UNKNOWN\"");
    fixture_script(api.db, "UPDATE host SET zone = 'elsewhere', name = 'renamed';");
    sees(id, 90, admin, "\"OS-EXT-AZ:availability_zone\":\"elsewhere\"");
    sees(id, 90, admin, "\"OS-EXT-SRV-ATTR:host\":\"renamed\"");
    ask("POST", at("%s/action", path), http_token, 0, "{\"os-stop\":null}", 202);
    sees(id, 90, http_token, "powering-off");
    end();
}

TEST("every answer has its own version and the request's id twice")
{
    begin();
    const char *path = at(BASE "/servers/%s", run_server());
    char last[64] = "";
    for (int i = 0; i < 60; i++) {
        int version = i % 3 == 0 ? 1 : i % 3 == 1 ? 89 : 90;
        const char *headers = at("OpenStack-API-Version: compute 2.%d\r\n", version);
        struct http_answer answer = http_ask("GET", path, i % 2 ? admin : http_token, headers, NULL);
        CHECK_INT(answer.status, 200);
        CHECK_TEXT(http_field(&answer, "OpenStack-API-Version"), at("compute 2.%d", version));
        CHECK_TEXT(http_field(&answer, "X-OpenStack-Nova-API-Version"), at("2.%d", version));
        CHECK_TEXT(http_field(&answer, "x-compute-request-id"), http_field(&answer, "x-openstack-request-id"));
        CHECK(strcmp(http_field(&answer, "x-compute-request-id"), last) != 0);
        snprintf(last, sizeof(last), "%s", http_field(&answer, "x-compute-request-id"));
        http_answer_done(&answer);
    }
    end();
}

TEST("a host that is not heard of any more shows without anything being committed")
{
    begin();
    const char *id = run_server();
    int64_t now = clock_now_us();
    fixture_script(api.db, at("UPDATE host SET seen_us = %lld;", (long long)now));
    clock_fake(now);
    sees(id, 90, admin, "\"host_status\":\"UP\"");
    clock_advance(STORE_HOST_ALIVE_US + 1);
    sees(id, 90, admin, "\"host_status\":\"UNKNOWN\"");
    clock_real();
    sees(id, 90, admin, "\"host_status\":\"UP\"");
    end();
}

TEST("each microversion shows its keys and no others")
{
    begin();
    const char *id = run_server();
    for (int version = COMPUTE_VERSION_MIN; version <= COMPUTE_VERSION_MAX; version++) {
        for (int who = 0; who < 2; who++) {
            const char *token = who ? admin : http_token;
            check_keys(show(id, version, token), version, who, false);
            const char *path = version < 75 || !who ? BASE "/servers/detail" : BASE "/servers/detail?all_tenants=1";
            if (who && version < 75)
                path = BASE "/servers/detail?all_tenants=True";
            json_value *list = json_in_member(parse(ask("GET", path, token, version, NULL, 200)), "servers");
            CHECK_INT(json_in_count(list), 1);
            check_keys(json_in_item(list, 0), version, who, true);
        }
    }
    /* The answer to PUT grew in 2.75. */
    json_value *old = json_in_member(
        parse(ask("PUT", at(BASE "/servers/%s", id), http_token, 74, "{\"server\":{\"name\":\"n\"}}", 200)), "server");
    CHECK(!json_in_has(old, "key_name") && json_in_has(old, "locked_reason"));
    json_value *new = json_in_member(
        parse(ask("PUT", at(BASE "/servers/%s", id), http_token, 75, "{\"server\":{\"name\":\"n\"}}", 200)), "server");
    CHECK(json_in_has(new, "key_name"));
    end();
}

TEST("microversions are negotiated, echoed, and refused outside the window")
{
    begin();
    static const struct {
        const char *headers;
        int status;
        const char *version;
    } rows[] = {
        {"", 200, "2.1"},
        {"OpenStack-API-Version: compute 2.90\r\n", 200, "2.90"},
        {"OpenStack-API-Version: volume 3.59, compute 2.7\r\n", 200, "2.7"},
        {"OpenStack-API-Version: volume 3.59\r\n", 200, "2.1"},
        {"X-OpenStack-Nova-API-Version: 2.15\r\n", 200, "2.15"},
        {"OpenStack-API-Version: compute latest\r\n", 200, "2.96"},
        {"OpenStack-API-Version: compute 2.90\r\nX-OpenStack-Nova-API-Version: 2.15\r\n", 200, "2.90"},
        {"OpenStack-API-Version: compute 2.999\r\n", 406, "2.999"},
        {"OpenStack-API-Version: compute 3.1\r\n", 406, "3.1"},
        {"OpenStack-API-Version: compute 2.0\r\n", 406, "2.0"},
        {"OpenStack-API-Version: compute two\r\n", 400, "2.1"},
        {"OpenStack-API-Version: compute 2.01\r\n", 400, "2.1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_answer answer = http_ask("GET", BASE "/servers", http_token, rows[i].headers, NULL);
        CHECK_INT(answer.status, rows[i].status);
        CHECK_TEXT(http_field(&answer, "X-OpenStack-Nova-API-Version"), rows[i].version);
        CHECK_TEXT(http_field(&answer, "OpenStack-API-Version"), at("compute %s", rows[i].version));
        CHECK(http_field(&answer, "x-compute-request-id") != NULL);
        if (rows[i].status == 406)
            CHECK_TEXT(answer.body,
                       at("{\"computeFault\":{\"code\":406,\"message\":\"Version %s is not supported by the API. "
                          "Minimum is 2.1 and maximum is 2.96.\"}}",
                          rows[i].version));
        http_answer_done(&answer);
    }
    CHECK_CONTAINS(ask("GET", "/compute", NULL, 0, NULL, 200), "\"versions\":[{\"id\":\"v2.1\"");
    CHECK_CONTAINS(ask("GET", "/compute/v2.1/", NULL, 0, NULL, 200), "\"version\":\"2.96\",\"min_version\":\"2.1\"");
    end();
}

TEST("actions follow the state, and a lock keeps them away")
{
    begin();
    const char *id = run_server(), *path = at(BASE "/servers/%s/action", id);
    static const struct {
        const char *body;
        int status;
        const char *text;
    } rows[] = {
        {"{\"os-start\":null}", 409, "while it is in vm_state active"},
        {"{\"unpause\":null}", 409, "Cannot 'unpause' instance"},
        {"{\"juggle\":null}", 400, "There is no such action: juggle"},
        {"{\"resize\":{\"flavorRef\":\"1\"}}", 400, "When resizing, instances must change flavor!"},
        {"{\"resize\":{\"flavorRef\":\"none\"}}", 400, "Flavor none could not be found."},
        {"{\"resize\":{}}", 400, "'flavorRef' is a required property"},
        {"{\"confirmResize\":null}", 409, "Cannot 'confirmResize' instance"},
        {"{\"rescue\":null}", 501, "{\"notImplemented\":{\"code\":501,"},
        {"{\"restore\":null}", 409, "Cannot 'restore' instance"},
        {"{}", 400, "Malformed request body"},
        {"{\"os-stop\":null,\"os-start\":null}", 400, ""},
        {"{\"reboot\":{\"type\":\"WARM\"}}", 400, "WARM"},
        {"{\"reboot\":{}}", 400, "'type' is a required property"},
        {"{\"os-resetState\":{\"state\":\"error\"}}", 403, "forbidden"},
        {"{\"os-getConsoleOutput\":{\"length\":-2}}", 400, "length"},
        {"{\"lock\":null}", 202, ""},
        {"{\"os-stop\":null}", 202, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) - 1; i++)
        CHECK_CONTAINS(ask("POST", path, http_token, 0, rows[i].body, rows[i].status), rows[i].text);
    CHECK_CONTAINS(ask("POST", path, http_token, 0, "{\"os-stop\":null}", 409), at("Instance %s is locked", id));
    CHECK_CONTAINS(ask("DELETE", at(BASE "/servers/%s", id), http_token, 0, NULL, 409), "is locked");
    ask("PUT", at(BASE "/servers/%s/metadata", id), http_token, 0, "{\"metadata\":{}}", 409);
    ask("POST", path, http_token, 0, "{\"unlock\":null}", 202);
    ask("POST", path, admin, 0, "{\"lock\":null}", 202);
    CHECK_CONTAINS(ask("POST", path, http_token, 0, "{\"unlock\":null}", 403), "unlock_override");
    ask("POST", path, admin, 0, "{\"unlock\":null}", 202);
    ask("POST", path, http_token, 0, "{\"os-stop\":null}", 202);
    CHECK_TEXT(json_in_text(json_in_member(show(id, 0, http_token), "OS-EXT-STS:task_state")), "powering-off");
    CHECK_CONTAINS(ask("POST", path, http_token, 0, "{\"pause\":null}", 409), "task_state powering-off");
    CHECK_CONTAINS(ask("GET", at(BASE "/servers/%s/os-instance-actions", id), http_token, 0, NULL, 200),
                   "\"action\":\"stop\"");
    ask("DELETE", at(BASE "/servers/%s", id), http_token, 0, NULL, 204);
    CHECK_TEXT(json_in_text(json_in_member(show(id, 0, http_token), "OS-EXT-STS:task_state")), "deleting");
    ask("DELETE", at(BASE "/servers/%s", id), http_token, 0, NULL, 204);
    end();
}

TEST("what a server's hypervisor cannot do is refused with its name, and nothing happens")
{
    begin();
    compute_add_host(conn, "lxc-1");
    const char *id = create(""), *path = at(BASE "/servers/%s/action", id);
    compute_place(conn, id, "lxc-1");
    compute_transact(conn, run_run, (void *)(uintptr_t)id);
    CHECK_CONTAINS(ask("POST", path, http_token, 0, "{\"suspend\":null}", 501),
                   "The hypervisor LXC of the server's host cannot do suspend.");
    CHECK(json_in_is_null(json_in_member(show(id, 0, http_token), "OS-EXT-STS:task_state")));
    ask("POST", path, http_token, 0, "{\"pause\":null}", 202);
    end();
}

TEST("a resize says what becomes of the disk, and a cold migration reads its body from 2.56 on")
{
    static const char *const bodies[] = {"null", "{}", "{\"host\":null}", "{\"colour\":1}"};
    begin();
    fixture_script(api.db, "INSERT INTO flavor (id, name, vcpus, memory_mib, root_gib, ephemeral_gib, swap_mib, "
                           "rxtx_permille, is_public, disabled, created_us) VALUES ('9', 'more', 1, 128, 1, 0, 0, "
                           "1000, 1, 0, 9);");
    const char *id = run_server(), *path = at(BASE "/servers/%s/action", id);
    CHECK_CONTAINS(
        ask("POST", path, http_token, 0, "{\"resize\":{\"flavorRef\":\"9\",\"OS-DCF:diskConfig\":\"x\"}}", 400),
        "'AUTO', 'MANUAL'");
    ask("POST", path, http_token, 0, "{\"resize\":{\"flavorRef\":\"9\",\"OS-DCF:diskConfig\":\"AUTO\"}}", 202);
    CHECK_TEXT(json_in_text(json_in_member(show(id, 0, http_token), "OS-DCF:diskConfig")), "AUTO");
    for (size_t i = 0; i < 4; i++) {
        id = run_server();
        ask("POST", at(BASE "/servers/%s/action", id), admin, i % 2 ? 55 : 0, at("{\"migrate\":%s}", bodies[i]), 202);
        id = run_server();
        ask("POST", at(BASE "/servers/%s/action", id), admin, 56, at("{\"migrate\":%s}", bodies[i]),
            i == 3 ? 400 : 202);
    }
    end();
}

DB_STATEMENT(compute_test_question, "SELECT id FROM agent_query");
DB_STATEMENT(compute_test_answer, "UPDATE agent_query SET answer = $1");

static int answer_run(struct db_conn *c, void *arg, struct error *e)
{
    struct db_rows rows;
    char topic[80] = "";
    int rc = db_query(c, &compute_test_question, &rows, e, DB_NO_ARGS);
    if (!rc && db_next(&rows))
        snprintf(topic, sizeof(topic), "query:%s", db_get_text(&rows, 0));
    if (!rc)
        rc = db_rows_done(&rows, e);
    db_wake(c, topic);
    return rc ? rc : db_exec(c, &compute_test_answer, NULL, e, DB_ARGS(db_text(arg)));
}

static const char *ask_console(const char *id, const char *agents_answer, int status)
{
    struct http_answer answer;
    const char *body = "{\"os-getConsoleOutput\":{\"length\":5}}";
    int fd = http_connect();
    http_send(fd,
              "POST " BASE "/servers/%s/action HTTP/1.1\r\nHost: test\r\nX-Auth-Token: %s\r\n" JSON_TYPE
              "Content-Length: %zu\r\n\r\n%s",
              id, http_token, strlen(body), body);
    while (http_server_parked(api.http) != 1)
        sched_yield();
    compute_transact(conn, answer_run, (void *)(uintptr_t)agents_answer);
    http_receive(fd, &answer);
    CHECK_INT(answer.status, status);
    const char *text = arena_strdup(&compute_arena, answer.body);
    http_answer_done(&answer);
    close(fd);
    fixture_script(api.db, "DELETE FROM agent_query");
    return text;
}

TEST("a console's text is asked of the agent while nobody's thread waits")
{
    begin();
    const char *id = run_server();
    CHECK_TEXT(ask_console(id, "{\"output\":\"a\\u0007b\\nc\"}", 200), "{\"output\":\"ab\\nc\"}");
    CHECK_TEXT(ask_console(id, "{\"output\":\"1\\n2\\n3\\n4\\n5\\n\"}", 200), "{\"output\":\"2\\n3\\n4\\n5\\n\"}");
    CHECK_CONTAINS(ask_console(id, "{\"error\":\"no such domain\"}", 409), "no such domain");
    const char *waiting = create("");
    CHECK_CONTAINS(
        ask("POST", at(BASE "/servers/%s/action", waiting), http_token, 0, "{\"os-getConsoleOutput\":{}}", 409),
        at("Instance %s is not ready", waiting));
    end();
}

TEST("lists page by links, sort, filter, and refuse what they do not know")
{
    begin();
    for (int i = 0; i < 5; i++)
        create("");
    const char *path = BASE "/servers?limit=2&sort_key=uuid&sort_dir=asc";
    size_t count = 0;
    for (int page = 0; path; page++) {
        json_value *root = parse(ask("GET", path, http_token, 0, NULL, 200));
        json_value *next = json_in_item(json_in_member(root, "servers_links"), 0);
        const char *href = json_in_text(json_in_member(next, "href"));
        count += json_in_count(json_in_member(root, "servers"));
        path = href ? arena_strdup(&compute_arena, strstr(href, BASE)) : NULL;
        CHECK(page < 4);
    }
    CHECK_INT(count, 5);
    static const struct {
        const char *query;
        int version, status;
    } rows[] = {
        {"limit=x", 0, 400},
        {"limit=-1", 0, 400},
        {"limit=0", 0, 200},
        {"marker=nothing", 0, 400},
        {"sort_key=colour", 0, 400},
        {"sort_key=host", 0, 403},
        {"sort_dir=up", 0, 400},
        {"status=foo", 0, 200},
        {"status=foo", 38, 400},
        {"status=deleted", 0, 403},
        {"changes-since=x", 0, 400},
        {"colour=red", 74, 200},
        {"colour=red", 75, 400},
        {"name=(", 0, 400},
        {"name=a{9}", 0, 200},
        {"tags=x", 0, 200},
        {"all_tenants=perhaps", 0, 400},
        {"locked=perhaps", 73, 400},
        {"deleted=1", 0, 200},
        {"ip=10", 0, 200},
        {"sort_key=locked", 72, 200},
        {"sort_key=vcpus", 74, 200},
        {"sort_key=vcpus", 75, 400},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ask("GET", at(BASE "/servers?%s", rows[i].query), http_token, rows[i].version, NULL, rows[i].status);
    end();
}

TEST("metadata and tags are read, merged, replaced and removed")
{
    begin();
    const char *id = run_server(), *m = at(BASE "/servers/%s/metadata", id), *t = at(BASE "/servers/%s/tags", id);
    CHECK_TEXT(ask("POST", m, http_token, 0, "{\"metadata\":{\"a\":\"1\",\"b\":\"2\"}}", 200),
               "{\"metadata\":{\"a\":\"1\",\"b\":\"2\"}}");
    CHECK_TEXT(ask("PUT", at("%s/b", m), http_token, 0, "{\"meta\":{\"b\":\"3\"}}", 200), "{\"meta\":{\"b\":\"3\"}}");
    ask("PUT", at("%s/c", m), http_token, 0, "{\"meta\":{\"b\":\"3\"}}", 400);
    ask("DELETE", at("%s/a", m), http_token, 0, NULL, 204);
    ask("DELETE", at("%s/a", m), http_token, 0, NULL, 404);
    CHECK_TEXT(ask("GET", m, http_token, 0, NULL, 200), "{\"metadata\":{\"b\":\"3\"}}");
    CHECK_TEXT(ask("PUT", m, http_token, 0, "{\"metadata\":{}}", 200), "{\"metadata\":{}}");
    ask("GET", t, http_token, 25, NULL, 404);
    ask("PUT", at("%s/blue", t), http_token, 26, NULL, 201);
    ask("PUT", at("%s/blue", t), http_token, 26, NULL, 204);
    CHECK_TEXT(ask("PUT", t, http_token, 26, "{\"tags\":[\"z\",\"a\",\"z\"]}", 200), "{\"tags\":[\"a\",\"z\"]}");
    ask("GET", at("%s/a", t), http_token, 26, NULL, 204);
    ask("DELETE", at("%s/a", t), http_token, 26, NULL, 204);
    ask("GET", at("%s/a", t), http_token, 26, NULL, 404);
    ask("DELETE", t, http_token, 26, NULL, 204);
    CHECK_TEXT(ask("GET", t, http_token, 26, NULL, 200), "{\"tags\":[]}");
    const char *building = create("");
    CHECK_CONTAINS(ask("PUT", at(BASE "/servers/%s/metadata", building), http_token, 0, "{\"metadata\":{}}", 409),
                   "Cannot 'update metadata' instance");
    end();
}

TEST("flavors and keypairs are made, shown, listed and removed")
{
    begin();
    CHECK_CONTAINS(
        ask("POST", BASE "/flavors", admin, 61,
            "{\"flavor\":{\"name\":\"big\",\"ram\":\"512\",\"vcpus\":2,\"disk\":3,\"id\":7,\"rxtx_factor\":1.5}}", 200),
        "\"rxtx_factor\":1.5");
    ask("POST", BASE "/flavors", admin, 0,
        "{\"flavor\":{\"name\":\"other\",\"ram\":1,\"vcpus\":1,\"disk\":1,\"id\":\"7\"}}", 409);
    ask("POST", BASE "/flavors", admin, 0, "{\"flavor\":{\"name\":\"big\",\"ram\":1,\"vcpus\":1,\"disk\":1}}", 409);
    ask("POST", BASE "/flavors", admin, 0, "{\"flavor\":{\"name\":\"bad\",\"ram\":0,\"vcpus\":1,\"disk\":1}}", 400);
    ask("POST", BASE "/flavors/7/os-extra_specs", admin, 0, "{\"extra_specs\":{\"a:b\":\"c\",\"n\":7}}", 200);
    CHECK_TEXT(ask("GET", BASE "/flavors/7/os-extra_specs/n", http_token, 0, NULL, 200), "{\"n\":\"7\"}");
    ask("DELETE", BASE "/flavors/7/os-extra_specs/n", admin, 0, NULL, 200);
    ask("GET", BASE "/flavors/7/os-extra_specs/n", http_token, 0, NULL, 404);
    ask("GET", BASE "/flavors/2", http_token, 0, NULL, 404);
    ask("GET", BASE "/flavors/2", admin, 0, NULL, 200);
    CHECK_INT(json_in_count(json_in_member(parse(ask("GET", BASE "/flavors", http_token, 0, NULL, 200)), "flavors")),
              3);
    CHECK_INT(json_in_count(json_in_member(
                  parse(ask("GET", BASE "/flavors/detail?is_public=none", admin, 0, NULL, 200)), "flavors")),
              4);
    ask("DELETE", BASE "/flavors/7", admin, 0, NULL, 202);
    ask("DELETE", BASE "/flavors/7", admin, 0, NULL, 404);
    CHECK_CONTAINS(ask("POST", BASE "/os-keypairs", http_token, 2,
                       "{\"keypair\":{\"name\":\"mine\",\"public_key\":\"ssh-ed25519 "
                       "AAAAC3NzaC1lZDI1NTE5AAAAIJ7rS5S8XyTpT7Yv7D6cdWvKJvNn7h9GqYUv1rZV7x2A me\"}}",
                       201),
                   "\"fingerprint\":\"");
    ask("POST", BASE "/os-keypairs", http_token, 2,
        "{\"keypair\":{\"name\":\"mine\",\"public_key\":\"ssh-ed25519 "
        "AAAAC3NzaC1lZDI1NTE5AAAAIJ7rS5S8XyTpT7Yv7D6cdWvKJvNn7h9GqYUv1rZV7x2A me\"}}",
        409);
    ask("POST", BASE "/os-keypairs", http_token, 2, "{\"keypair\":{\"name\":\"bad\",\"public_key\":\"ssh-rsa AAAA\"}}",
        400);
    ask("POST", BASE "/os-keypairs", http_token, 92, "{\"keypair\":{\"name\":\"none\"}}", 400);
    CHECK_CONTAINS(ask("POST", BASE "/os-keypairs", http_token, 0, "{\"keypair\":{\"name\":\"made\"}}", 200),
                   "BEGIN RSA PRIVATE KEY");
    CHECK_CONTAINS(
        ask("POST", BASE "/os-keypairs", http_token, 2, "{\"keypair\":{\"name\":\"win\",\"type\":\"x509\"}}", 201),
        "BEGIN CERTIFICATE");
    create(",\"key_name\":\"made\"");
    ask("DELETE", BASE "/os-keypairs/made", http_token, 0, NULL, 202);
    ask("DELETE", BASE "/os-keypairs/made", http_token, 2, NULL, 404);
    end();
}
