/* What every request goes through: connection, routing, permission, body, fault, answer. */
#include "tests/unit/api/http_fixture.h"
#include <zlib.h>

struct thing_create {
    int64_t id;
    const char *name;
};
static const struct json_field thing_fields[] = {
    {.name = "id",
     .kind = JSON_INT,
     .offset = offsetof(struct thing_create, id),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 1000000},
    {.name = "name", .kind = JSON_TEXT, .offset = offsetof(struct thing_create, name), .max = 20},
};
static const struct json_table thing_table = {.fields = thing_fields, .count = 2, .seen_offset = JSON_NO_SEEN};

DB_STATEMENT(http_thing_add, "INSERT INTO thing (id, name) VALUES ($1, $2)");

static int thing_create(struct request *request, struct reply *reply)
{
    struct thing_create *body = request->body;
    int rc =
        db_exec(request->conn, &http_thing_add, NULL, &request->error, DB_ARGS(db_int(body->id), db_text(body->name)));
    if (rc)
        return rc;
    reply->status = 201;
    reply_header(reply, "Location", "/t/v1/things/1");
    json_out_object(&reply->out, NULL);
    json_out_int(&reply->out, "id", body->id);
    json_out_object_end(&reply->out);
    if (body->id == 13)
        return error_set(&request->error, ERR_QUOTA, "No thing may be 13");
    return body->id == 500 ? error_set(&request->error, ERR_IO, "a secret of ours") : 0;
}

static int thing_show(struct request *request, struct reply *reply)
{
    const char *id = request_param(request, "id");
    int64_t count = 0;
    int rc = db_query_int(request->conn, &fixture_thing_has, &count, &request->error,
                          DB_ARGS(db_int(strtoll(id, NULL, 10))));
    if (rc)
        return rc;
    if (!count)
        return error_set(&request->error, ERR_NOT_FOUND, "Thing %s could not be found.", id);
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "id", id);
    json_out_text(&reply->out, "filter", request_query(request, "filter"));
    json_out_text(&reply->out, "user", request->credential.user_id);
    json_out_object_end(&reply->out);
    return 0;
}

static int thing_delete(struct request *request, struct reply *reply)
{
    (void)request;
    reply->status = 204;
    return 0;
}

static int about(struct request *request, struct reply *reply)
{
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "path", request->path);
    json_out_text(&reply->out, "base", request_base_url(request));
    json_out_int(&reply->out, "version", request->microversion);
    json_out_object_end(&reply->out);
    return 0;
}

static int newer(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_bool(&reply->out, "newer", true);
    json_out_object_end(&reply->out);
    return 0;
}

static int large(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_array(&reply->out, NULL);
    for (int i = 0; i < 2000; i++)
        json_out_int(&reply->out, NULL, i);
    json_out_array_end(&reply->out);
    return 0;
}

static int plain(struct request *request, struct reply *reply)
{
    (void)request;
    reply->content_type = "text/plain";
    strbuf_append_text(&reply->body, "plain");
    return 0;
}

static int raw(struct request *request, struct reply *reply)
{
    json_out_object(&reply->out, NULL);
    json_out_uint(&reply->out, "bytes", request->raw_size);
    json_out_bool(&reply->out, "json", request->json != NULL);
    json_out_object_end(&reply->out);
    return 0;
}

static int slow_before(struct request *request, struct reply *reply)
{
    (void)reply;
    request->state = arena_strdup(&request->arena, "hashed");
    return request->raw_size == 2 ? error_set(&request->error, ERR_FORBIDDEN, "An empty object is not enough") : 0;
}

static int slow(struct request *request, struct reply *reply)
{
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "state", request->state);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/things/{id}", .permission = PERMISSION_READER, .handler = thing_show},
    {.method = "DELETE",
     .pattern = "/things/{id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = thing_delete},
    {.method = "PUT",
     .pattern = "/things/{id}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = thing_delete},
    {.method = "POST",
     .pattern = "/things",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &thing_table,
     .body_size = sizeof(struct thing_create),
     .member = "thing",
     .handler = thing_create},
    {.method = "GET", .pattern = "/about", .permission = PERMISSION_PUBLIC, .until = 9, .handler = about},
    {.method = "GET", .pattern = "/about", .permission = PERMISSION_PUBLIC, .since = 10, .handler = newer},
    {.method = "GET", .pattern = "/about/{rest*}", .permission = PERMISSION_PUBLIC, .handler = about},
    {.method = "GET", .pattern = "/large", .permission = PERMISSION_PUBLIC, .handler = large},
    {.method = "GET", .pattern = "/plain", .permission = PERMISSION_PUBLIC, .handler = plain},
    {.method = "POST", .pattern = "/raw", .permission = PERMISSION_PUBLIC, .body_limit = 100000, .handler = raw},
    {.method = "POST",
     .pattern = "/slow",
     .permission = PERMISSION_PUBLIC,
     .kind = ROUTE_WRITE,
     .before = slow_before,
     .handler = slow},
    {.method = "POST",
     .pattern = "/slow-read",
     .permission = PERMISSION_PUBLIC,
     .before = slow_before,
     .handler = slow},
    {.method = "GET", .pattern = "/token", .permission = PERMISSION_AUTHENTICATED, .handler = about},
};
static const struct route_table routes = ROUTE_TABLE(rows);
static const struct route_table *const tables[] = {&routes, NULL};

static void fault(struct request *request, struct reply *reply, int status, const char *message)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_int(&reply->out, "ours", status);
    json_out_text(&reply->out, "message", message);
    json_out_object_end(&reply->out);
}

static int negotiate(struct request *request, struct reply *reply)
{
    const char *asked = request_header(request, "OpenStack-API-Version");
    reply_header(reply, "Vary", "OpenStack-API-Version");
    if (!asked)
        return 0;
    request->microversion = (int)strtoll(asked, NULL, 10);
    return request->microversion > 20
               ? error_set(&request->error, ERR_NOT_ACCEPTABLE, "Version %s is not served", asked)
               : 0;
}

static const struct service service = {
    .name = "test", .prefix = "/t/v1", .tables = tables, .fault = fault, .negotiate = negotiate};
const struct service *const http_services[] = {&service, NULL};

#define EXPECT(answer, wanted_status, part)                                                                            \
    do {                                                                                                               \
        struct http_answer expect_answer = (answer);                                                                   \
        if (expect_answer.status != (wanted_status))                                                                   \
            check_fail(__FILE__, __LINE__, "%s is %d %s", #answer, expect_answer.status, expect_answer.body);          \
        CHECK_CONTAINS(expect_answer.body, part);                                                                      \
        CHECK(http_field(&expect_answer, "x-openstack-request-id"));                                                   \
        http_answer_done(&expect_answer);                                                                              \
    } while (0)

TEST("a write is answered when it is in the database, and read back")
{
    http_begin();
    struct http_answer answer =
        http_ask("POST", "/t/v1/things", http_token, JSON_TYPE, "{\"thing\":{\"id\":7,\"name\":\"x\"}}");
    CHECK_INT(answer.status, 201);
    CHECK_TEXT(answer.body, "{\"id\":7}");
    CHECK_TEXT(http_field(&answer, "Location"), "/t/v1/things/1");
    CHECK_TEXT(http_field(&answer, "Content-Type"), "application/json");
    CHECK_TEXT(http_field(&answer, "Vary"), "OpenStack-API-Version");
    CHECK_CONTAINS(http_field(&answer, "x-openstack-request-id"), "req-");
    http_answer_done(&answer);
    CHECK(fixture_has(api.db, 7));
    EXPECT(http_ask("GET", "/t/v1/things/7?filter=a%20b+c", http_token, "", NULL), 200,
           "{\"id\":\"7\",\"filter\":\"a b c\",\"user\":\"0123456789abcdef0123456789abcdef\"}");
    http_end();
}

TEST("a write that fails leaves nothing and is answered in the service's shape")
{
    http_begin();
    EXPECT(http_ask("POST", "/t/v1/things", http_token, JSON_TYPE, "{\"thing\":{\"id\":13}}"), 403,
           "{\"ours\":403,\"message\":\"No thing may be 13\"}");
    CHECK(!fixture_has(api.db, 13));
    http_end();
}

TEST("what went wrong inside of us is not told to the client")
{
    http_begin();
    log_init("test", "/dev/null", LOG_LEVEL_ERROR);
    EXPECT(http_ask("POST", "/t/v1/things", http_token, JSON_TYPE, "{\"thing\":{\"id\":500}}"), 500,
           "{\"ours\":500,\"message\":\"Reading or writing failed\"}");
    http_end();
}

TEST("a body that the table does not allow is refused by the field's name")
{
    http_begin();
    EXPECT(http_ask("POST", "/t/v1/things", http_token, JSON_TYPE, "{\"thing\":{\"id\":0}}"), 400, "thing.id");
    EXPECT(http_ask("POST", "/t/v1/things", http_token, JSON_TYPE, "{\"thing\":{\"name\":\"x\"}}"), 400, "id");
    EXPECT(http_ask("POST", "/t/v1/things", http_token, JSON_TYPE, "{\"thing\":{\"id\":1,\"other\":2}}"), 400, "other");
    EXPECT(http_ask("POST", "/t/v1/things", http_token, JSON_TYPE, "{\"thing\":{\"id\":1},\"beside\":2}"), 400,
           "beside");
    EXPECT(http_ask("POST", "/t/v1/things", http_token, JSON_TYPE, "{\"wrong\":{\"id\":1}}"), 400, "wrong");
    EXPECT(http_ask("POST", "/t/v1/things", http_token, JSON_TYPE, "{\"thing\":"), 400, "ours");
    EXPECT(http_ask("POST", "/t/v1/things", http_token, JSON_TYPE, "[]"), 400, "ours");
    EXPECT(http_ask("POST", "/t/v1/things", http_token, JSON_TYPE, NULL), 400, "A JSON body is required");
    EXPECT(http_ask("POST", "/t/v1/things", http_token, "Content-Type: text/xml\r\n", "<a/>"), 415, "text/xml");
    EXPECT(http_ask("POST", "/t/v1/things", http_token, "Content-Encoding: gzip\r\n" JSON_TYPE, "{}"), 415, "gzip");
    EXPECT(http_ask("POST", "/t/v1/things", http_token, "", "{\"thing\":{\"id\":3}}"), 201, "{\"id\":3}");
    CHECK_INT(fixture_things(api.db), 1);
    http_end();
}

TEST("who is unknown gets 401 in one shape, who may not gets 403")
{
    http_begin();
    struct http_answer answer = http_ask("GET", "/t/v1/things/1", NULL, "", NULL);
    CHECK_INT(answer.status, 401);
    CHECK_TEXT(answer.body,
               "{\"error\":{\"code\":401,\"title\":\"Unauthorized\",\"message\":\"The request you have made "
               "requires authentication.\"}}");
    CHECK_TEXT(http_field(&answer, "WWW-Authenticate"), "Keystone uri=\"http://test/identity/v3\"");
    http_answer_done(&answer);
    EXPECT(http_ask("GET", "/t/v1/things/1", "nonsense", "", NULL), 401, "Unauthorized");
    EXPECT(http_ask("GET", "/t/v1/things/1", http_unscoped, "", NULL), 403, "\"ours\":403");
    EXPECT(http_ask("GET", "/t/v1/token", http_unscoped, "", NULL), 200, "/t/v1/token");
    EXPECT(http_ask("GET", "/t/v1/things/1", http_reader, "", NULL), 404, "Thing 1 could not be found.");
    EXPECT(http_ask("PUT", "/t/v1/things/1", http_reader, "", NULL), 403, "\"ours\":403");
    EXPECT(http_ask("DELETE", "/t/v1/things/1", http_token, "", NULL), 403, "\"ours\":403");
    http_end();
}

TEST("unknown paths are 404 and known ones with another method 405 with Allow")
{
    http_begin();
    EXPECT(http_ask("GET", "/t/v1/nothing", http_token, "", NULL), 404, "\"ours\":404");
    EXPECT(http_ask("GET", "/elsewhere", http_token, "", NULL), 404, "{\"error\":{\"code\":404");
    struct http_answer answer = http_ask("PATCH", "/t/v1/things/1", http_token, "", NULL);
    CHECK_INT(answer.status, 405);
    CHECK_TEXT(http_field(&answer, "Allow"), "GET, HEAD, PUT, DELETE");
    http_answer_done(&answer);
    EXPECT(http_ask("BREW", "/t/v1/things", http_token, "", NULL), 405, "\"ours\":405");
    http_end();
}

TEST("targets that could be read in two ways are refused")
{
    http_begin();
    static const char *const bad[] = {
        "/t/v1/../x",       "/t/v1/%2e%2E/x",    "/t//v1", "/t/v1/%zz", "/t/v1/%4",   "/t/v1/a%00b", "/t/v1/%ff",
        "/t/v1/about?a=%g", "/t/v1/about?%00=1", "*",      "about",     "/t/v1/a%0Ab"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT(http_ask("GET", bad[i], NULL, "", NULL), 400, "400");
    int fd = http_connect();
    static const char nul[] = "GET /t/v1/about\0/x HTTP/1.1\r\nHost: test\r\n\r\n";
    struct http_answer answer;
    http_send_n(fd, nul, sizeof(nul) - 1);
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 400);
    http_answer_done(&answer);
    close(fd);
    EXPECT(http_ask("GET", "/t/v1/about/", NULL, "", NULL), 200, "\"path\":\"/t/v1/about\"");
    EXPECT(http_ask("GET", "/t/v1/about/a%2Fb/c%20d", NULL, "", NULL), 200, "\"path\":\"/t/v1/about/a/b/c d\"");
    EXPECT(http_ask("GET", "http://test/t/v1/about", NULL, "", NULL), 200, "\"path\":\"/t/v1/about\"");
    http_end();
}

TEST("a length that is not clear is refused")
{
    http_begin();
    EXPECT(http_ask("POST", "/t/v1/raw", NULL, "Content-Length: 5\r\n", "four"), 400, "length");
    EXPECT(http_ask("POST", "/t/v1/raw", NULL, "Host: other\r\n", "four"), 400, "Host");
    int fd = http_connect();
    struct http_answer answer;
    http_send(
        fd,
        "POST /t/v1/raw HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n");
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 400);
    http_answer_done(&answer);
    close(fd);
    http_end();
}

TEST("microversions choose the row, and versions that are not served are refused")
{
    http_begin();
    EXPECT(http_ask("GET", "/t/v1/about", NULL, "", NULL), 200, "\"version\":1");
    EXPECT(http_ask("GET", "/t/v1/about", NULL, "OpenStack-API-Version: 9\r\n", NULL), 200, "\"version\":9");
    EXPECT(http_ask("GET", "/t/v1/about", NULL, "OpenStack-API-Version: 10\r\n", NULL), 200, "{\"newer\":true}");
    struct http_answer answer = http_ask("GET", "/t/v1/about", NULL, "OpenStack-API-Version: 21\r\n", NULL);
    CHECK_INT(answer.status, 406);
    CHECK_TEXT(http_field(&answer, "Vary"), "OpenStack-API-Version");
    http_answer_done(&answer);
    http_end();
}

TEST("an Accept that excludes JSON is 406, also before anything was written")
{
    http_begin();
    EXPECT(http_ask("GET", "/t/v1/about", NULL, "Accept: text/html, */*;q=0.1\r\n", NULL), 200, "path");
    EXPECT(http_ask("GET", "/t/v1/about", NULL, "Accept: text/plain\r\n", NULL), 200, "path");
    EXPECT(http_ask("GET", "/t/v1/about", NULL, "Accept: text/html\r\n", NULL), 406, "\"ours\":406");
    EXPECT(http_ask("GET", "/t/v1/plain", NULL, "Accept: text/html\r\n", NULL), 200, "plain");
    EXPECT(http_ask("POST", "/t/v1/things", http_token, "Accept: text/html\r\n" JSON_TYPE, "{\"thing\":{\"id\":7}}"),
           406, "ours");
    CHECK_INT(fixture_things(api.db), 0);
    http_end();
}

TEST("HEAD is GET without the body")
{
    http_begin();
    struct http_answer answer = http_ask("HEAD", "/t/v1/large", NULL, "", NULL);
    CHECK_INT(answer.status, 200);
    CHECK_TEXT(http_field(&answer, "Content-Length"), "8891");
    CHECK_INT(answer.size, 0);
    http_answer_done(&answer);
    http_end();
}

TEST("a large answer is compressed for who asks for it")
{
    http_begin();
    struct http_answer answer = http_ask("GET", "/t/v1/large", NULL, "Accept-Encoding: gzip, deflate\r\n", NULL);
    CHECK_INT(answer.status, 200);
    CHECK_TEXT(http_field(&answer, "Content-Encoding"), "gzip");
    CHECK(answer.size < 8891);
    static unsigned char text[20000];
    z_stream z = {.next_in = (unsigned char *)answer.body,
                  .avail_in = (unsigned)answer.size,
                  .next_out = text,
                  .avail_out = sizeof(text)};
    CHECK_INT(inflateInit2(&z, 15 + 16), Z_OK);
    CHECK_INT(inflate(&z, Z_FINISH), Z_STREAM_END);
    CHECK_INT(z.total_out, 8891);
    CHECK(!strncmp((char *)text, "[0,1,2,", 7));
    inflateEnd(&z);
    http_answer_done(&answer);
    answer = http_ask("GET", "/t/v1/large", NULL, "Accept-Encoding: gzip;q=0\r\n", NULL);
    CHECK(!http_field(&answer, "Content-Encoding"));
    http_answer_done(&answer);
    http_end();
}

/* Several of the same size and headers at once, so that what serves one is used again for another. */
TEST("answers that look alike have each their own body and id")
{
    enum { CLIENTS = 8, ROUNDS = 40 };
    http_begin();
    int fds[CLIENTS];
    struct strbuf got[CLIENTS];
    char seen[CLIENTS * ROUNDS][64];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = http_connect();
        strbuf_init(&got[i], 0);
    }
    fixture_script(api.db, "INSERT INTO thing (id) VALUES (10), (11), (12), (13), (14), (15), (16), (17);");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CLIENTS; i++)
            http_send(fds[i], "GET /t/v1/things/%d HTTP/1.1\r\nHost: test\r\nX-Auth-Token: %s\r\n\r\n",
                      10 + (i + round) % CLIENTS + (round % 4 ? 0 : 100), http_token);
        for (int i = 0; i < CLIENTS; i++) {
            struct http_answer answer;
            char id[32];
            http_receive_n(fds[i], &got[i], false, &answer);
            CHECK_INT(answer.status, round % 4 ? 200 : 404);
            snprintf(id, sizeof(id), round % 4 ? "\"id\":\"%d\"" : "%d",
                     10 + (i + round) % CLIENTS + (round % 4 ? 0 : 100));
            CHECK(strstr(answer.body, id));
            char *mine = seen[round * CLIENTS + i];
            snprintf(mine, sizeof(seen[0]), "%s", http_field(&answer, "x-openstack-request-id"));
            CHECK_INT(strlen(mine), 40);
            for (int k = 0; k < round * CLIENTS + i; k++)
                CHECK(strcmp(seen[k], mine) != 0);
            http_answer_done(&answer);
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        strbuf_done(&got[i]);
        close(fds[i]);
    }
    http_end();
}

TEST("a connection serves many requests, also those sent ahead")
{
    http_begin();
    int fd = http_connect();
    struct strbuf got;
    strbuf_init(&got, 0);
    for (int i = 20; i < 40; i++)
        http_send(fd,
                  "POST /t/v1/things HTTP/1.1\r\nHost: test\r\nX-Auth-Token: %s\r\n" JSON_TYPE
                  "Content-Length: %d\r\n\r\n"
                  "{\"thing\":{\"id\":%d}}GET /t/v1/things/%d HTTP/1.1\r\nHost: test\r\nX-Auth-Token: %s\r\n\r\n",
                  http_token, 19, i, i, http_token);
    for (int i = 20; i < 40; i++) {
        struct http_answer answer;
        char id[32];
        snprintf(id, sizeof(id), "{\"id\":%d}", i);
        http_receive_n(fd, &got, false, &answer);
        CHECK_INT(answer.status, 201);
        CHECK_TEXT(answer.body, id);
        http_answer_done(&answer);
        http_receive_n(fd, &got, false, &answer);
        CHECK_INT(answer.status, 200);
        http_answer_done(&answer);
    }
    strbuf_done(&got);
    close(fd);
    CHECK_INT(fixture_things(api.db), 20);
    http_end();
}

TEST("a refused body leaves the connection usable when it is small, and is not waited for when it is large")
{
    http_begin();
    struct strbuf got;
    struct http_answer answer;
    strbuf_init(&got, 0);
    int fd = http_connect();
    http_send(fd, "POST /t/v1/things HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbodyGET /t/v1/plain "
                  "HTTP/1.1\r\nHost: test\r\n\r\n");
    http_receive_n(fd, &got, false, &answer);
    CHECK_INT(answer.status, 401);
    http_answer_done(&answer);
    http_receive_n(fd, &got, false, &answer);
    CHECK_INT(answer.status, 200);
    http_answer_done(&answer);
    close(fd);
    fd = http_connect();
    strbuf_reset(&got);
    http_send(fd, "POST /t/v1/things HTTP/1.1\r\nHost: test\r\nX-Auth-Token: %s\r\nContent-Length: 50000000\r\n\r\n",
              http_token);
    http_receive_n(fd, &got, false, &answer);
    CHECK_INT(answer.status, 413);
    http_answer_done(&answer);
    CHECK(http_is_closed(fd));
    close(fd);
    strbuf_done(&got);
    http_end();
}

TEST("Expect: 100-continue is answered before the body, or refused")
{
    http_begin();
    struct strbuf got;
    struct http_answer answer;
    strbuf_init(&got, 0);
    int fd = http_connect();
    http_send(fd, "POST /t/v1/raw HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n" JSON_TYPE
                  "Content-Length: 2\r\n\r\n");
    http_receive_n(fd, &got, false, &answer);
    CHECK_INT(answer.status, 100);
    http_answer_done(&answer);
    http_send(fd, "{}");
    http_receive_n(fd, &got, false, &answer);
    CHECK_INT(answer.status, 200);
    CHECK_TEXT(answer.body, "{\"bytes\":2,\"json\":true}");
    http_answer_done(&answer);
    close(fd);
    fd = http_connect();
    http_send(fd, "POST /t/v1/things HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    http_receive_n(fd, &got, false, &answer);
    CHECK_INT(answer.status, 401);
    http_answer_done(&answer);
    close(fd);
    strbuf_done(&got);
    http_end();
}

TEST("a chunked body is read up to its row's limit")
{
    http_begin();
    struct http_answer answer;
    int fd = http_connect();
    http_send(
        fd, "POST /t/v1/raw HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 10; i++)
        http_send(fd, "5\r\nhello\r\n");
    http_send(fd, "0\r\n\r\n");
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 200);
    CHECK_TEXT(answer.body, "{\"bytes\":50,\"json\":false}");
    http_answer_done(&answer);
    http_send(
        fd, "POST /t/v1/raw HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
    static char filler[20001];
    memset(filler, 'x', sizeof(filler) - 1);
    for (int i = 0; i < 6; i++)
        http_send(fd, "4e20\r\n%s\r\n", filler);
    http_send(fd, "0\r\n\r\n");
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 413);
    CHECK_CONTAINS(answer.body, "100000 bytes");
    http_answer_done(&answer);
    close(fd);
    http_end();
}

TEST("slow work runs before the handler and may refuse")
{
    http_begin();
    EXPECT(http_ask("POST", "/t/v1/slow", NULL, JSON_TYPE, "{\"a\":1}"), 200, "{\"state\":\"hashed\"}");
    EXPECT(http_ask("POST", "/t/v1/slow", NULL, JSON_TYPE, "{}"), 403, "not enough");
    EXPECT(http_ask("POST", "/t/v1/slow-read", NULL, JSON_TYPE, "{\"a\":1}"), 200, "{\"state\":\"hashed\"}");
    http_end();
}

TEST("a connection that trickles its headers or its body is closed")
{
    http_options.header_timeout_ms = 300;
    http_options.body_timeout_ms = 300;
    http_begin();
    int slow_head = http_connect(), slow_body = http_connect(), silent = http_connect();
    http_send(slow_head, "GET /t/v1/about HTTP/1.1\r\nX-A");
    http_send(slow_body, "POST /t/v1/raw HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nab");
    CHECK(http_is_closed(slow_head));
    CHECK(http_is_closed(slow_body));
    CHECK(http_is_closed(silent));
    close(slow_head);
    close(slow_body);
    close(silent);
    http_end();
}

TEST("a client that leaves within its body is let go before the body's time is up")
{
    http_begin();
    int fd = http_connect();
    http_send(fd, "POST /t/v1/raw HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nab");
    shutdown(fd, SHUT_WR);
    CHECK(http_is_closed(fd));
    close(fd);
    http_end();
}

TEST("a client that closed its side along with its request gets its answer and is let go")
{
    http_begin();
    struct http_answer answer;
    int fd = http_connect();
    http_send(fd, "GET /t/v1/plain HTTP/1.1\r\nHost: test\r\n\r\n");
    shutdown(fd, SHUT_WR);
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 200);
    http_answer_done(&answer);
    CHECK(http_is_closed(fd)); /* long before the idle timeout */
    close(fd);
    http_end();
}

TEST("headers that are too large are refused, and so is a request without a host")
{
    http_begin();
    static char filler[60001];
    memset(filler, 'x', sizeof(filler) - 1);
    int fd = http_connect();
    struct http_answer answer;
    http_send(fd, "GET /t/v1/about HTTP/1.1\r\nHost: test\r\nX-Filler: %s\r\n\r\n", filler);
    http_receive(fd, &answer);
    CHECK(answer.status == 431 || answer.status == 413 || answer.status == 0);
    http_answer_done(&answer);
    close(fd);
    fd = http_connect();
    http_send(fd, "GET /t/v1/about HTTP/1.1\r\n\r\n");
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 400);
    http_answer_done(&answer);
    close(fd);
    http_end();
}

TEST("the base URL is the configured one, else the proxy's, else the client's")
{
    http_begin();
    EXPECT(http_ask("GET", "/t/v1/about", NULL, "", NULL), 200, "\"base\":\"http://test\"");
    EXPECT(http_ask("GET", "/t/v1/about", NULL, "X-Forwarded-Proto: https\r\nX-Forwarded-Host: cloud.example:444\r\n",
                    NULL),
           200, "\"base\":\"https://cloud.example:444\"");
    EXPECT(http_ask("GET", "/t/v1/about", NULL, "X-Forwarded-Host: evil\"<x>\r\n", NULL), 200,
           "\"base\":\"http://test\"");
    http_end();
    http_options.endpoint = "https://cloud.example";
    http_begin();
    EXPECT(http_ask("GET", "/t/v1/about", NULL, "", NULL), 200, "\"base\":\"https://cloud.example\"");
    http_end();
}

TEST("requests are counted by route and class of status")
{
    http_begin();
    EXPECT(http_ask("GET", "/t/v1/about/x", NULL, "", NULL), 200, "path");
    EXPECT(http_ask("GET", "/t/v1/about/y", NULL, "", NULL), 200, "path");
    EXPECT(http_ask("GET", "/t/v1/nothing", NULL, "", NULL), 404, "ours");
    struct strbuf text;
    strbuf_init(&text, 0);
    metrics_text(api.metrics, &text);
    CHECK_CONTAINS(
        text.data,
        "virga_http_requests_total{service=\"test\",method=\"GET\",route=\"/t/v1/about/{rest*}\",status=\"2xx\"} 2\n");
    CHECK_CONTAINS(text.data,
                   "virga_http_requests_total{service=\"none\",method=\"any\",route=\"none\",status=\"4xx\"} 1\n");
    CHECK_CONTAINS(text.data, "virga_http_request_seconds_bucket{service=\"test\",method=\"GET\",route=\"/t/v1/about/"
                              "{rest*}\",le=\"+Inf\"} 2\n");
    strbuf_done(&text);
    http_end();
}
