/* Actions of servers over HTTP: which states and hosts take them, their bodies, and the console. */
#include "tests/unit/api/servers_fixture.h"

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

#define LACKS                                                                                                          \
    "[\"CUSTOM_LACKS_PAUSE\",\"CUSTOM_LACKS_SUSPEND\",\"CUSTOM_LACKS_NIC_PLUG\",\"CUSTOM_LACKS_CONSOLE\","             \
    "\"CUSTOM_LACKS_GUEST_AGENT\",\"CUSTOM_LACKS_SNAPSHOT\",\"CUSTOM_LACKS_MIGRATE\",\"CUSTOM_LACKS_RESIZE\","         \
    "\"CUSTOM_LACKS_LIVE_MIGRATION\",\"CUSTOM_LACKS_BLOCK_MIGRATION\"]"
DB_STATEMENT(actions_lack, "UPDATE host SET hypervisor = 'Bochs', traits = $1");
DB_STATEMENT(actions_rows,
             "SELECT (SELECT count(*) FROM operation) + (SELECT count(*) FROM image) + (SELECT count(*) FROM "
             "migration) + (SELECT count(*) FROM agent_query) + (SELECT count(*) FROM port)");

static int64_t count_rows(void)
{
    struct error e = {0};
    struct db_rows rows;
    int64_t count = -1;
    CHECK_OK(db_query(conn, &actions_rows, &rows, &e, DB_NO_ARGS), &e);
    if (db_next(&rows))
        count = db_get_int(&rows, 0);
    CHECK_OK(db_rows_done(&rows, &e), &e);
    return count;
}

TEST("a driver that lacks everything refuses each action that is not for all, by its name, and nothing is written")
{
    static const struct {
        const char *name, *value;
        int version;
    } rows[] = {{"pause", "null", 0},
                {"unpause", "null", 0},
                {"suspend", "null", 0},
                {"resume", "null", 0},
                {"os-getConsoleOutput", "{}", 0},
                {"changePassword", "{\"adminPass\":\"s3cret\"}", 0},
                {"resize", "{\"flavorRef\":\"3\"}", 0},
                {"migrate", "null", 0},
                {"os-migrateLive", "{\"host\":null,\"block_migration\":\"auto\"}", 30},
                {"createImage", "{\"name\":\"x\"}", 0},
                {"createBackup", "{\"name\":\"x\",\"backup_type\":\"daily\",\"rotation\":1}", 0},
                {"shelve", "null", 0}};
    struct error e = {0};
    begin();
    const char *id = run_server(), *path = at(BASE "/servers/%s/action", id);
    CHECK_OK(db_exec(conn, &actions_lack, NULL, &e, DB_ARGS(db_text(LACKS))), &e);
    const char *before = ask("GET", at(BASE "/servers/%s", id), admin, 0, NULL, 200);
    int64_t had = count_rows();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_CONTAINS(ask("POST", path, admin, rows[i].version, at("{\"%s\":%s}", rows[i].name, rows[i].value), 501),
                       at("The hypervisor Bochs of the server's host cannot do %s.", rows[i].name));
    CHECK_INT(count_rows(), had);
    CHECK_TEXT(ask("GET", at(BASE "/servers/%s", id), admin, 0, NULL, 200), before);
    end();
}

TEST("what the cloud has not is said, and of which server")
{
    static const char body[] = "{\"remote_console\":{\"protocol\":\"vnc\",\"type\":\"novnc\"}}";
    begin();
    const char *path = at(BASE "/servers/%s/remote-consoles", run_server());
    CHECK_CONTAINS(ask("POST", path, http_token, 6, body, 501), "A remote console is not implemented");
    ask("POST", path, http_token, 5, body, 404);
    ask("POST", path, stranger, 6, body, 404);
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
    CHECK_SOON(http_server_parked(api.http) == 1);
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
