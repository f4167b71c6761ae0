/* The compute service over HTTP: who may call what, what others' servers look like, and which keys each microversion
 * shows. */
#include "tests/unit/api/servers_fixture.h"

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
