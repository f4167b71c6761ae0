/* Hosts' reports and what they make of servers: repeated, out of order, late, about others' servers; deadlines;
 * deletes; and all of it with every statement failing in turn. */
#include "api/agent/desired_view.h"
#include "api/agent/report.h"
#include "api/agent/verdict.h"
#include "api/compute/server_life.h"
#include "common/json_out.h"
#include "tests/unit/db/compute_fixture.h"

#define HOST  "aaaaaaaa-0000-4000-8000-000000000001"
#define HOST2 "aaaaaaaa-0000-4000-8000-000000000002"

static const struct server_life_actor actor = {.request_id = "req-test", .user_id = USER, .project_id = PROJECT};

struct report {
    const char *host_id, *json;
    int64_t seq;
};

static int report_run(struct db_conn *c, void *arg, struct error *e)
{
    struct report *r = arg;
    struct arena a;
    struct json_doc doc;
    struct report_body body = {0};
    struct host_row host;
    arena_init(&a);
    int rc = json_in_parse(r->json, strlen(r->json), &doc, e);
    if (!rc)
        rc = json_in_read(doc.root, &report_body_table, &body, &a, e);
    if (!rc)
        rc = store_host_get(c, r->host_id, &a, &host, e);
    if (!rc)
        rc = report_apply(c, &host, &body, clock_now_us(), &a, &r->seq, e);
    json_in_done(&doc);
    arena_done(&a);
    return rc;
}

static int64_t report(struct db_conn *c, const char *host_id, const char *json)
{
    struct report r = {.host_id = host_id, .json = json};
    compute_transact(c, report_run, &r);
    compute_check_invariants(c);
    return r.seq;
}

/* One event in JSON. */
static const char *event(int64_t seq, const char *id, const char *state, int64_t revision, const char *more)
{
    return arena_printf(
        &compute_arena,
        "{\"seq\":%lld,\"at_us\":%lld,\"server_id\":\"%s\",\"kind\":\"state\",\"state\":\"%s\",\"revision\":%lld%s}",
        (long long)seq, (long long)clock_now_us(), id, state, (long long)revision, more);
}

static const char *events(const char *list)
{
    return arena_printf(&compute_arena, "{\"boot_id\":\"boot\",\"agent_version\":\"1\",\"events\":[%s]}", list);
}

/* A server on HOST, not yet started. */
static struct server_row placed(struct db_conn *c)
{
    struct server_row row = compute_row("one");
    compute_add_server(c, &row);
    compute_place(c, row.id, HOST);
    return compute_get(c, row.id);
}

static struct server_row running(struct db_conn *c, int64_t seq)
{
    struct server_row row = placed(c);
    report(c, HOST, events(event(seq, row.id, "running", row.desired_revision, "")));
    return compute_get(c, row.id);
}

static struct db_conn *begin(struct db **ret)
{
    *ret = compute_begin();
    struct db_conn *c = fixture_conn(*ret);
    compute_add_host(c, HOST);
    compute_add_host(c, HOST2);
    return c;
}

static void end(struct db_conn *c, struct db *db)
{
    compute_check_invariants(c);
    db_conn_close(&c);
    compute_end(&db);
}

DB_STATEMENT(report_test_events, "SELECT COUNT(*) FROM lifecycle_event");
DB_STATEMENT(report_test_history, "SELECT COUNT(*) FROM server_history");
DB_STATEMENT(report_test_failed, "SELECT COUNT(*) FROM operation WHERE state = 'failed'");

static const char *status(const struct server_row *row)
{
    struct server_situation s = store_server_situation(row);
    return server_words(&s).status;
}

DB_STATEMENT(report_test_lose, "UPDATE server SET image_properties = NULL WHERE id = $1");

TEST("a server whose image is gone is told to its host with the image's id and properties, never without an image")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = placed(c);
    struct strbuf text;
    struct json_out out;
    struct error e = {0};
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    CHECK_OK(desired_view_write(c, NULL, &row, row.id, "nova", &out, &compute_arena, &e), &e);
    CHECK_CONTAINS(text.data, "\"image\":{\"id\":\"i1\"");
    CHECK_CONTAINS(text.data, "\"properties\":{\"hw_disk_bus\":\"ide\"},\"deleted\":true}");
    strbuf_reset(&text);
    json_out_init(&out, &text);
    CHECK_OK(db_exec(c, &report_test_lose, NULL, &e, DB_ARGS(db_text(row.id))), &e);
    CHECK_OK(desired_view_write(c, NULL, &row, row.id, "nova", &out, &compute_arena, &e), &e);
    CHECK_CONTAINS(text.data, "\"properties\":{},\"deleted\":true,\"properties_lost\":true}");
    strbuf_reset(&text);
    json_out_init(&out, &text);
    row.image_id = NULL;
    CHECK_OK(desired_view_write(c, NULL, &row, row.id, "nova", &out, &compute_arena, &e), &e);
    CHECK_CONTAINS(text.data, "\"image\":null");
    strbuf_done(&text);
    end(c, db);
}

TEST("a server whose host went down is being powered on until it runs again, and is not if that takes too long")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = running(c, 1);
    report(c, HOST, events(event(2, row.id, "stopped", row.desired_revision, ",\"resuming\":true")));
    row = compute_get(c, row.id);
    struct server_situation s = store_server_situation(&row);
    CHECK_TEXT(server_words(&s).status, "SHUTOFF");
    CHECK_TEXT(server_words(&s).task_state, "powering-on");
    CHECK_INT(row.desired_power, SERVER_POWER_RUNNING);
    CHECK(row.deadline_us > clock_now_us());
    report(c, HOST, events(event(3, row.id, "running", row.desired_revision, "")));
    row = compute_get(c, row.id);
    CHECK_TEXT(status(&row), "ACTIVE");
    CHECK_INT(row.deadline_us, 0);
    report(c, HOST, events(event(4, row.id, "stopped", row.desired_revision, ",\"resuming\":true")));
    report(c, HOST, events(event(5, row.id, "stopped", row.desired_revision, ",\"error\":{\"message\":\"no\"}")));
    row = compute_get(c, row.id);
    CHECK_TEXT(status(&row), "SHUTOFF");
    CHECK_INT(row.desired_power, SERVER_POWER_STOPPED);
    CHECK_INT(row.deadline_us, 0);
    end(c, db);
}

TEST("a server runs when its host says so, once")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = placed(c);
    CHECK_TEXT(status(&row), "BUILD");
    const char *say = events(event(1, row.id, "running", row.desired_revision, ""));
    CHECK_INT(report(c, HOST, say), 1);
    row = compute_get(c, row.id);
    CHECK_TEXT(status(&row), "ACTIVE");
    CHECK_INT(row.launched_us, clock_now_us());
    CHECK_INT(row.deadline_us, 0);
    CHECK_INT(compute_count(c, &compute_fixture_running), 0);
    /* The answer was lost: the same again changes nothing. */
    int64_t revision = row.revision;
    CHECK_INT(report(c, HOST, say), 1);
    CHECK_INT(compute_get(c, row.id).revision, revision);
    CHECK_INT(compute_count(c, &report_test_events), 1);
    end(c, db);
}

TEST("events below what was taken are dropped, whatever their order in the report")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = placed(c);
    report(c, HOST, events(event(5, row.id, "running", row.desired_revision, "")));
    const char *list = arena_printf(&compute_arena, "%s,%s,%s", event(4, row.id, "crashed", row.desired_revision, ""),
                                    event(6, row.id, "stopped", row.desired_revision, ""),
                                    event(5, row.id, "paused", row.desired_revision, ""));
    CHECK_INT(report(c, HOST, events(list)), 6);
    row = compute_get(c, row.id);
    CHECK_TEXT(status(&row), "SHUTOFF");
    CHECK_INT(compute_count(c, &report_test_events), 2);
    end(c, db);
}

TEST("a host speaks about its own servers only")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = running(c, 1);
    CHECK_INT(report(c, HOST2, events(event(1, row.id, "gone", 99, ""))), 1);
    CHECK_INT(report(c, HOST2, events(event(2, compute_id(), "running", 1, ""))), 2);
    row = compute_get(c, row.id);
    CHECK_TEXT(status(&row), "ACTIVE");
    CHECK_INT(compute_count(c, &report_test_events), 1);
    end(c, db);
}

TEST("words that nobody understands are taken and forgotten")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = running(c, 1);
    CHECK_INT(report(c, HOST, events(event(2, row.id, "juggling", 1, ""))), 2);
    CHECK_INT(report(c, HOST, events(event(3, "not-an-id", "running", 1, ""))), 3);
    CHECK_INT(report(c, HOST, events(event(4, row.id, "stopped", row.desired_revision, ",\"later\":{\"x\":1}"))), 4);
    row = compute_get(c, row.id);
    CHECK_TEXT(status(&row), "SHUTOFF");
    end(c, db);
}

TEST("a clock that runs ahead writes no future")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = placed(c);
    report(c, HOST,
           events(arena_printf(&compute_arena,
                               "{\"seq\":1,\"at_us\":%lld,\"server_id\":\"%s\",\"kind\":\"state\",\"state\":"
                               "\"running\",\"revision\":%lld}",
                               (long long)(clock_now_us() + 3600 * SECOND), row.id, (long long)row.desired_revision)));
    CHECK_INT(compute_get(c, row.id).launched_us, clock_now_us());
    end(c, db);
}

TEST("a build that failed for good is a fault with the host's words, and can be deleted")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = placed(c);
    report(c, HOST,
           events(event(1, row.id, "building", row.desired_revision,
                        ",\"error\":{\"message\":\"no space\",\"details\":\"/var is full\"}")));
    row = compute_get(c, row.id);
    CHECK_TEXT(status(&row), "ERROR");
    CHECK_TEXT(row.fault_message, "no space");
    CHECK_TEXT(row.fault_details, "/var is full");
    CHECK_INT(compute_count(c, &report_test_failed), 1);
    end(c, db);
}

struct step {
    struct server_row *row;
    enum server_action action;
    int64_t now_us;
};

static int act_run(struct db_conn *c, void *arg, struct error *e)
{
    struct step *s = arg;
    struct server_row row = *s->row;
    if (s->action == SERVER_ACTION_DELETE)
        return server_life_delete(c, &row, &actor, clock_now_us(), e);
    return server_life_act(c, &row, s->action, &actor, clock_now_us(), e);
}

static void act(struct db_conn *c, struct server_row *row, enum server_action action)
{
    struct step s = {.row = row, .action = action};
    compute_transact(c, act_run, &s);
    compute_check_invariants(c);
}

static void check_verdict(struct db_conn *c, const char *host_id, const char *server_id, enum verdict_kind kind,
                          bool removable)
{
    struct verdict v;
    struct error e = {0};
    CHECK_OK(verdict_of(c, host_id, server_id, &compute_arena, &v, &e), &e);
    CHECK_TEXT(verdict_name(v.kind), verdict_name(kind));
    CHECK_INT(v.removable, removable);
}

TEST("a copy of a server that lives on another host may go when that host has it, and nothing is under way")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = placed(c);
    check_verdict(c, HOST, row.id, VERDICT_HERE, false);
    check_verdict(c, HOST2, row.id, VERDICT_ELSEWHERE, false); /* its host has not said anything yet */
    report(c, HOST, events(event(1, row.id, "building", 0, "")));
    check_verdict(c, HOST2, row.id, VERDICT_ELSEWHERE, false);
    report(c, HOST, events(event(2, row.id, "running", row.desired_revision, "")));
    check_verdict(c, HOST2, row.id, VERDICT_ELSEWHERE, true);
    check_verdict(c, HOST, row.id, VERDICT_HERE, false);
    row = compute_get(c, row.id);
    act(c, &row, SERVER_ACTION_REBOOT_HARD);
    check_verdict(c, HOST2, row.id, VERDICT_ELSEWHERE, false);
    check_verdict(c, HOST2, "aaaaaaaa-0000-4000-8000-00000000ffff", VERDICT_UNKNOWN, false);
    end(c, db);
}

TEST("an action waits for the host that has seen it")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = running(c, 1);
    int64_t before = row.desired_revision;
    act(c, &row, SERVER_ACTION_STOP);
    row = compute_get(c, row.id);
    CHECK(row.desired_revision > before);
    report(c, HOST, events(event(2, row.id, "running", before, ""))); /* said before it knew */
    CHECK_INT(compute_count(c, &compute_fixture_running), 1);
    report(c, HOST, events(event(3, row.id, "stopped", row.desired_revision, "")));
    CHECK_INT(compute_count(c, &compute_fixture_running), 0);
    row = compute_get(c, row.id);
    CHECK_TEXT(status(&row), "SHUTOFF");
    /* And a reboot for the host that names it. */
    act(c, &row, SERVER_ACTION_REBOOT_HARD);
    row = compute_get(c, row.id);
    CHECK_INT(row.operation, SERVER_OPERATION_REBOOT_HARD);
    report(c, HOST, events(event(4, row.id, "running", row.desired_revision, "")));
    CHECK_INT(compute_get(c, row.id).operation, SERVER_OPERATION_REBOOT_HARD);
    report(c, HOST,
           events(event(5, row.id, "running", row.desired_revision,
                        arena_printf(&compute_arena, ",\"operation_id\":\"%s\"", row.operation_id))));
    CHECK_INT(compute_get(c, row.id).operation, SERVER_OPERATION_NONE);
    CHECK_INT(compute_count(c, &compute_fixture_running), 0);
    end(c, db);
}

TEST("a guest that powers off by itself is wanted so, and the host is told")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = running(c, 1);
    report(c, HOST, events(event(2, row.id, "stopped", row.desired_revision, "")));
    struct server_row after = compute_get(c, row.id);
    CHECK_INT(after.desired_power, SERVER_POWER_STOPPED);
    CHECK(after.desired_revision > row.desired_revision);
    CHECK_TEXT(status(&after), "SHUTOFF");
    end(c, db);
}

TEST("a delete wins over what runs, and the server is history when its host says gone")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct error e = {0};
    struct server_row row = running(c, 1), none;
    act(c, &row, SERVER_ACTION_SUSPEND);
    row = compute_get(c, row.id);
    act(c, &row, SERVER_ACTION_DELETE);
    row = compute_get(c, row.id);
    act(c, &row, SERVER_ACTION_DELETE); /* again: nothing */
    report(c, HOST, events(event(2, row.id, "suspended", row.desired_revision - 1, "")));
    CHECK(!compute_get(c, row.id).desired_exists);
    clock_advance(SECOND);
    report(c, HOST, events(event(3, row.id, "gone", row.desired_revision, "")));
    CHECK_INT(store_server_get(c, row.id, &compute_arena, &none, &e), ERR_NOT_FOUND);
    CHECK_INT(compute_count(c, &report_test_history), 1);
    CHECK_INT(compute_count(c, &compute_fixture_running), 0);
    end(c, db);
}

TEST("a server that waits for its host is deleted at once")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = compute_row("one");
    compute_add_server(c, &row);
    row = compute_get(c, row.id);
    act(c, &row, SERVER_ACTION_DELETE);
    CHECK_INT(compute_count(c, &report_test_history), 1);
    CHECK_INT(compute_count(c, &report_test_events), 0);
    end(c, db);
}

static int expire_run(struct db_conn *c, void *arg, struct error *e)
{
    return server_life_expire(c, arg, clock_now_us(), &compute_arena, e);
}

static void expire(struct db_conn *c, const char *id)
{
    compute_transact(c, expire_run, (void *)(uintptr_t)id);
    compute_check_invariants(c);
}

TEST("no transition lasts beyond its deadline")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row waiting = compute_row("waits"), building = placed(c), stopping = running(c, 1);
    compute_add_server(c, &waiting);
    act(c, &stopping, SERVER_ACTION_STOP);
    const char *ids[] = {waiting.id, building.id, stopping.id};
    for (size_t i = 0; i < 3; i++)
        expire(c, ids[i]); /* too early */
    CHECK_INT(compute_count(c, &compute_fixture_running), 3);
    clock_advance(3600 * SECOND);
    for (size_t i = 0; i < 3; i++)
        expire(c, ids[i]);
    CHECK_INT(compute_count(c, &compute_fixture_running), 0);
    waiting = compute_get(c, waiting.id);
    building = compute_get(c, building.id);
    stopping = compute_get(c, stopping.id);
    CHECK_TEXT(status(&waiting), "ERROR");
    CHECK_TEXT(status(&building), "ERROR");
    CHECK_TEXT(status(&stopping), "ACTIVE");
    CHECK_INT(stopping.desired_power, SERVER_POWER_RUNNING);
    CHECK_CONTAINS(waiting.fault_message, "scheduling");
    /* A build that comes in after all is a success. */
    report(c, HOST, events(event(2, building.id, "running", building.desired_revision, "")));
    building = compute_get(c, building.id);
    CHECK_TEXT(status(&building), "ACTIVE");
    end(c, db);
}

TEST("a delete goes on without a host that is dead, and waits for one that lives")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct error e = {0};
    bool deleted = false;
    struct server_row row = running(c, 1);
    act(c, &row, SERVER_ACTION_DELETE);
    clock_advance(600 * SECOND);
    report(c, HOST, "{\"boot_id\":\"boot\",\"agent_version\":\"1\"}");
    expire(c, row.id);
    CHECK(!compute_get(c, row.id).desired_exists);
    CHECK(compute_get(c, row.id).deadline_us > clock_now_us());
    clock_advance(600 * SECOND);
    expire(c, row.id);
    CHECK_OK(store_server_was_deleted(c, row.id, &deleted, &e), &e);
    CHECK(deleted);
    CHECK_INT(compute_count(c, &report_test_events), 2); /* the controller ends what is billed */
    /* The host comes back and tells the same: nobody minds. */
    CHECK_INT(report(c, HOST, events(event(2, row.id, "gone", 9, ""))), 2);
    CHECK_INT(compute_count(c, &report_test_events), 2);
    end(c, db);
}

TEST("a silent host's row is written every five seconds at most")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct error e = {0};
    struct host_row host;
    int64_t start = clock_now_us();
    for (int i = 0; i < 10; i++) {
        clock_advance(SECOND);
        report(c, HOST, "{\"boot_id\":\"boot\",\"agent_version\":\"1\"}");
        CHECK_OK(store_host_get(c, HOST, &compute_arena, &host, &e), &e);
        CHECK_INT(host.seen_us, start + (i < 4 ? 0 : i < 9 ? 5 : 10) * SECOND);
    }
    int64_t feed = host.feed;
    clock_advance(60 * SECOND);
    report(c, HOST, "{\"boot_id\":\"boot\",\"agent_version\":\"1\"}");
    CHECK_OK(store_host_get(c, HOST, &compute_arena, &host, &e), &e);
    CHECK(host.feed > feed); /* back from the dead: the scheduler looks */
    end(c, db);
}

/* Runs `fn` with its n-th statement failing, for n = 1, 2, ... until it succeeds; the invariants hold each time, and
 * what failed left nothing. */
static void fail_each(struct db_conn *c, db_fn fn, void *arg)
{
    for (int n = 1; n < 200; n++) {
        struct error e = {0};
        db_fail_at(c, n, ERR_DATABASE, false);
        int rc = db_transact(c, fn, arg, &e);
        db_fail_at(c, 0, 0, false);
        compute_check_invariants(c);
        if (!rc)
            return;
        CHECK_INT(rc, ERR_DATABASE);
    }
    CHECK(false);
}

TEST("whatever statement fails, a report, an action, a deadline and a delete leave nothing half done")
{
    struct db *db;
    struct db_conn *c = begin(&db);
    struct server_row row = placed(c), second = placed(c);
    const char *list = arena_printf(&compute_arena, "%s,%s", event(1, row.id, "running", row.desired_revision, ""),
                                    event(2, second.id, "running", second.desired_revision, ""));
    struct report r = {.host_id = HOST,
                       .json =
                           arena_printf(&compute_arena,
                                        "{\"boot_id\":\"b2\",\"events\":[%s],\"inventory\":{\"hypervisor\":\"fake\","
                                        "\"architecture\":\"x86_64\",\"vcpus\":8},\"samples\":[{\"at_us\":5,"
                                        "\"server_id\":\"%s\",\"cpu_ns\":7}]}",
                                        list, row.id)};
    fail_each(c, report_run, &r);
    row = compute_get(c, row.id);
    CHECK_TEXT(status(&row), "ACTIVE");
    CHECK_INT(compute_count(c, &report_test_events), 2);
    struct step s = {.row = &row, .action = SERVER_ACTION_REBOOT_SOFT};
    fail_each(c, act_run, &s);
    clock_advance(3600 * SECOND);
    fail_each(c, expire_run, (void *)(uintptr_t)row.id);
    row = compute_get(c, row.id);
    s.action = SERVER_ACTION_DELETE;
    fail_each(c, act_run, &s);
    row = compute_get(c, row.id);
    r.json = events(event(3, row.id, "gone", row.desired_revision, ""));
    fail_each(c, report_run, &r);
    second = compute_get(c, second.id);
    s.row = &second;
    fail_each(c, act_run, &s);
    clock_advance(3600 * SECOND);
    fail_each(c, expire_run, (void *)(uintptr_t)second.id); /* the host is dead by now */
    CHECK_INT(compute_count(c, &report_test_history), 2);
    CHECK_INT(compute_count(c, &compute_fixture_running), 0);
    end(c, db);
}
