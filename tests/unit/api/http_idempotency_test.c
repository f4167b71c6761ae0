/* Idempotency-Key, and what happens to answers when the database fails. */
#include "api/http/idempotency.h"
#include "tests/unit/api/http_fixture.h"

static _Atomic int handled;
static _Atomic int fail_at; /* the n-th statement of the handler fails; 0: none */

static int thing_create(struct request *request, struct reply *reply)
{
    int64_t id = 0;
    json_in_int(json_in_member(request->json, "id"), &id);
    int n = ++handled;
    int rc = fixture_add(request->conn, &id, &request->error);
    if (rc)
        return rc;
    if (id == 13)
        return error_set(&request->error, ERR_QUOTA, "No thing may be 13");
    if (id == 500)
        return error_set(&request->error, ERR_IO, "broken");
    reply->status = 202;
    reply_header(reply, "Location", "/t/things/x");
    json_out_object(&reply->out, NULL);
    json_out_int(&reply->out, "run", n);
    json_out_text(&reply->out, "secret", "s3cr\"et\n");
    json_out_object_end(&reply->out);
    return 0;
}

static int thing_look(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_int(&reply->out, "looked", handled);
    json_out_object_end(&reply->out);
    return 0;
}

/* As os-getConsoleOutput among the actions: it is answered after the commit. Anything but {"id": 0} is carried out. */
static int thing_ask(struct request *request, struct reply *reply)
{
    int64_t id = 0;
    json_in_int(json_in_member(request->json, "id"), &id);
    if (id)
        return thing_create(request, reply);
    handled++;
    return request_continue(request, thing_look);
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/action",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = thing_ask},
    {.method = "POST",
     .pattern = "/things",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = thing_create},
    {.method = "POST",
     .pattern = "/others",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = thing_create},
    {.method = "POST",
     .pattern = "/public",
     .permission = PERMISSION_PUBLIC,
     .kind = ROUTE_WRITE,
     .handler = thing_create},
};
static const struct route_table routes = ROUTE_TABLE(rows);
static const struct route_table *const tables[] = {&routes, NULL};
static const struct service service = {.name = "test", .prefix = "/t", .tables = tables};
const struct service *const http_services[] = {&service, NULL};

static struct http_answer create(const char *path, const char *token, const char *key, int id)
{
    char headers[400], body[32];
    snprintf(headers, sizeof(headers), "%s%s%s" JSON_TYPE, key ? "Idempotency-Key: " : "", key ? key : "",
             key ? "\r\n" : "");
    snprintf(body, sizeof(body), "{\"id\":%d}", id);
    return http_ask("POST", path, token, headers, body);
}

#define EXPECT(answer, wanted_status, part)                                                                            \
    do {                                                                                                               \
        struct http_answer expect_answer = (answer);                                                                   \
        CHECK_INT(expect_answer.status, wanted_status);                                                                \
        CHECK_CONTAINS(expect_answer.body, part);                                                                      \
        http_answer_done(&expect_answer);                                                                              \
    } while (0)

TEST("a repeated request gets the first answer, and the work is done once")
{
    http_begin();
    handled = 0;
    for (int i = 0; i < 3; i++) {
        struct http_answer answer = create("/t/things", http_token, "k1", 1);
        CHECK_INT(answer.status, 202);
        CHECK_TEXT(answer.body, "{\"run\":1,\"secret\":\"s3cr\\\"et\\n\"}");
        CHECK_TEXT(http_field(&answer, "Location"), "/t/things/x");
        CHECK_TEXT(http_field(&answer, "Content-Type"), "application/json");
        http_answer_done(&answer);
    }
    CHECK_INT(handled, 1);
    http_end();
}

TEST("another request under the key is refused")
{
    http_begin();
    EXPECT(create("/t/things", http_token, "k1", 1), 202, "run");
    EXPECT(create("/t/things", http_token, "k1", 2), 409, "different request");
    EXPECT(create("/t/things?x=1", http_token, "k1", 1), 409, "different request");
    CHECK_INT(fixture_things(api.db), 1);
    http_end();
}

TEST("keys of other users, paths and requests without a key do not meet")
{
    char other[TOKEN_SIZE];
    http_begin();
    handled = 0;
    http_issue("eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", ROLE_MEMBER, other);
    EXPECT(create("/t/things", http_token, "k1", 1), 202, "\"run\":1");
    EXPECT(create("/t/things", other, "k1", 2), 202, "\"run\":2");
    EXPECT(create("/t/others", http_token, "k1", 3), 202, "\"run\":3");
    EXPECT(create("/t/things", http_token, "k2", 4), 202, "\"run\":4");
    EXPECT(create("/t/things", http_token, NULL, 5), 202, "\"run\":5");
    EXPECT(create("/t/public", NULL, "k1", 6), 202, "\"run\":6");
    EXPECT(create("/t/public", NULL, "k1", 7), 202, "\"run\":7");
    http_end();
}

TEST("a key that asked for an answer of the moment asks again, and does nothing else")
{
    http_begin();
    handled = 0;
    EXPECT(create("/t/action", http_token, "k1", 0), 200, "\"looked\":1");
    EXPECT(create("/t/action", http_token, "k1", 0), 200, "\"looked\":2");
    EXPECT(create("/t/action", http_token, "k1", 1), 409, "different request");
    CHECK_INT(fixture_things(api.db), 0);
    EXPECT(create("/t/action", http_token, "k2", 1), 202, "\"run\":3");
    EXPECT(create("/t/action", http_token, "k2", 0), 409, "different request");
    http_end();
}

TEST("a fault is an answer as well, its writes are undone; a failure of ours is not")
{
    http_begin();
    handled = 0;
    EXPECT(create("/t/things", http_token, "k1", 13), 403, "No thing may be 13");
    EXPECT(create("/t/things", http_token, "k1", 13), 403, "No thing may be 13");
    CHECK_INT(handled, 1);
    CHECK_INT(fixture_things(api.db), 0);
    log_init("test", "/dev/null", LOG_LEVEL_ERROR);
    EXPECT(create("/t/things", http_token, "k2", 500), 500, "error");
    EXPECT(create("/t/things", http_token, "k2", 500), 500, "error");
    CHECK_INT(handled, 3);
    CHECK_INT(fixture_things(api.db), 0);
    http_end();
}

TEST("a key that is not one is refused")
{
    char key[300];
    memset(key, 'k', sizeof(key));
    key[256] = 0;
    http_begin();
    EXPECT(create("/t/things", http_token, key, 1), 400, "Idempotency-Key");
    key[255] = 0;
    EXPECT(create("/t/things", http_token, key, 1), 202, "run");
    EXPECT(create("/t/things", http_token, "k\303\244se", 2), 400, "Idempotency-Key");
    http_end();
}

DB_STATEMENT(http_answers, "SELECT count(*) FROM idempotency");
DB_STATEMENT(http_answers_clear,
             "SELECT count(*) FROM idempotency WHERE answer LIKE '%s3cr%' OR id LIKE '%thekey1%' OR answer IS NULL");

static int64_t count(const struct db_statement *statement)
{
    struct error e = {0};
    int64_t n = -1;
    CHECK_OK(db_query_int(db_reader(api.db), statement, &n, &e, DB_NO_ARGS), &e);
    return n;
}

TEST("no stored row shows the answer or the key")
{
    http_begin();
    EXPECT(create("/t/things", http_token, "thekey1", 1), 202, "s3cr");
    CHECK_INT(count(&http_answers), 1);
    CHECK_INT(count(&http_answers_clear), 0);
    http_end();
}

TEST("after a day the key is new again, and the old answer is removed")
{
    http_begin();
    handled = 0;
    clock_fake(clock_now_us());
    EXPECT(create("/t/things", http_token, "k1", 1), 202, "\"run\":1");
    EXPECT(create("/t/things", http_token, "k2", 2), 202, "\"run\":2");
    clock_advance(IDEMPOTENCY_LIFE_US - CLOCK_SECOND_US);
    http_issue("ffffffffffffffffffffffffffffffff", ROLE_MEMBER, http_token);
    EXPECT(create("/t/things", http_token, "k1", 1), 202, "\"run\":1");
    clock_advance(2 * CLOCK_SECOND_US);
    EXPECT(create("/t/things", http_token, "k1", 3), 202, "\"run\":3");
    CHECK_INT(count(&http_answers), 2);
    idempotency_purge(&api, NULL);
    CHECK_INT(count(&http_answers), 1);
    clock_real();
    http_end();
}

TEST("many at once under one key: one does the work, all get its answer")
{
    enum { COUNT = 32 };
    int fds[COUNT];
    http_begin();
    handled = 0;
    for (int i = 0; i < COUNT; i++) {
        fds[i] = http_connect();
        http_send(fds[i],
                  "POST /t/things HTTP/1.1\r\nHost: test\r\nX-Auth-Token: %s\r\nIdempotency-Key: k\r\n" JSON_TYPE
                  "Content-Length: 8\r\n\r\n{\"id\":1}",
                  http_token);
    }
    for (int i = 0; i < COUNT; i++) {
        struct http_answer answer;
        http_receive(fds[i], &answer);
        CHECK_INT(answer.status, 202);
        CHECK_CONTAINS(answer.body, "\"run\":1,");
        http_answer_done(&answer);
        close(fds[i]);
    }
    CHECK_INT(fixture_things(api.db), 1);
    http_end();
}

/* In front of the handler: makes the n-th statement of this transaction fail. */
static int broken_create(struct request *request, struct reply *reply)
{
    db_fail_at(request->conn, fail_at, ERR_DATABASE, false);
    int rc = thing_create(request, reply);
    int64_t id = 0;
    json_in_int(json_in_member(request->json, "id"), &id);
    id += 1000;
    if (!rc)
        rc = fixture_add(request->conn, &id, &request->error);
    return rc;
}
static const struct route broken_rows[] = {{.method = "POST",
                                            .pattern = "/things",
                                            .permission = PERMISSION_MEMBER,
                                            .kind = ROUTE_WRITE,
                                            .handler = broken_create}};
static const struct route_table broken_routes = ROUTE_TABLE(broken_rows);
static const struct route_table *const broken_tables[] = {&broken_routes, NULL};
static const struct service broken = {.name = "broken", .prefix = "/b", .tables = broken_tables};
static const struct service *const broken_services[] = {&broken, NULL};

/* Fails statement after statement of one request until it succeeds. Returns how many failed. */
static int fail_each(bool keyed, int first_id)
{
    for (int n = 1;; n++) {
        char key[16];
        int id = first_id + n;
        snprintf(key, sizeof(key), "key-%d", id);
        fail_at = n;
        struct http_answer answer = create("/b/things", http_token, keyed ? key : NULL, id);
        bool good = answer.status == 202;
        CHECK(good || answer.status >= 500);
        CHECK_INT(fixture_has(api.db, id), good);
        CHECK_INT(fixture_has(api.db, 1000 + id), good);
        http_answer_done(&answer);
        fail_at = 0;
        if (good) { /* the fault still waits for its statement: it meets this request, or is switched off by it */
            answer = create("/b/things", http_token, NULL, id + 500);
            http_answer_done(&answer);
            return n - 1;
        }
        answer = create("/b/things", http_token, keyed ? key : NULL, id);
        CHECK_INT(answer.status, 202);
        http_answer_done(&answer);
    }
}

TEST("whichever statement fails, the answer is 5xx, nothing is left, and the next request works")
{
    http_begin();
    struct error e = {0};
    http_server_stop(&api.http, 1000);
    http_options.services = broken_services;
    CHECK_OK(http_server_start(&api, &http_options, &api.http, &e), &e);
    log_init("test", "/dev/null", LOG_LEVEL_ERROR);
    writer_free(&api.writer); /* on PostgreSQL, too, all on one connection */
    CHECK_OK(writer_new(api.db, 0, 1, &api.writer, &e), &e);
    int plain = fail_each(false, 0);
    CHECK(plain >= 2);                        /* its two statements */
    CHECK(fail_each(true, 100) >= plain + 1); /* and the answer's */
    http_end();
}
