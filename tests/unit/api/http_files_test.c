/* Bodies that go to a file and answers that come from one. */
#include "api/http/upload.h"
#include "tests/unit/api/http_fixture.h"
#include <dirent.h>
#include <errno.h>

static _Atomic int handled; /* uploads that reached the handler */

static const char *file_path(const char *name)
{
    static _Thread_local char path[128];
    snprintf(path, sizeof(path), "%s/%s", http_folder, name);
    return path;
}

static int file_before(struct request *request, struct reply *reply)
{
    (void)reply;
    const char *name = request_param(request, "name");
    return strcmp(name, "forbidden") ? 0 : error_set(&request->error, ERR_FORBIDDEN, "Not this one");
}

static int file_put(struct request *request, struct reply *reply)
{
    handled++;
    const char *name = request_param(request, "name");
    if (!strcmp(name, "refused"))
        return error_set(&request->error, ERR_CONFLICT, "Not now");
    if (rename(request_upload_path(request), file_path(name)))
        return error_set(&request->error, ERR_IO, "rename: %s", strerror(errno));
    reply->status = 201;
    json_out_object(&reply->out, NULL);
    json_out_int(&reply->out, "size", request_upload_size(request));
    json_out_text(&reply->out, "sha512", request_upload_sha512(request));
    json_out_text(&reply->out, "md5", request_upload_md5(request));
    json_out_object_end(&reply->out);
    return 0;
}

static int file_get(struct request *request, struct reply *reply)
{
    return reply_file(request, reply, file_path(request_param(request, "name")), "application/octet-stream");
}

static const struct route rows[] = {
    {.method = "PUT",
     .pattern = "/files/{name}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_UPLOAD,
     .body_limit = 1000000,
     .before = file_before,
     .handler = file_put},
    {.method = "GET", .pattern = "/files/{name}", .permission = PERMISSION_PUBLIC, .handler = file_get},
};
static const struct route_table routes = ROUTE_TABLE(rows);
static const struct route_table *const tables[] = {&routes, NULL};
static const struct service service = {.name = "test", .prefix = "/t", .tables = tables};
const struct service *const http_services[] = {&service, NULL};

/* Files that begin with "upload-". */
static int leftovers(void)
{
    int count = 0;
    DIR *dir = opendir(http_folder);
    CHECK(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += !strncmp(entry->d_name, "upload-", 7);
    closedir(dir);
    return count;
}

static void put_begin(int fd, const char *name, size_t size)
{
    http_send(fd,
              "PUT /t/files/%s HTTP/1.1\r\nHost: test\r\nX-Auth-Token: %s\r\nContent-Type: "
              "application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
              name, http_token, size);
}

#define EXPECT(answer, wanted_status, part)                                                                            \
    do {                                                                                                               \
        struct http_answer expect_answer = (answer);                                                                   \
        CHECK_INT(expect_answer.status, wanted_status);                                                                \
        CHECK_CONTAINS(expect_answer.body, part);                                                                      \
        http_answer_done(&expect_answer);                                                                              \
    } while (0)

TEST("an upload arrives whole, with its hashes, and comes back")
{
    enum { SIZE = 700000 };
    static char bytes[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7 % 251);
    http_begin();
    int fd = http_connect();
    struct http_answer answer;
    put_begin(fd, "a", SIZE);
    http_send_n(fd, bytes, SIZE);
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 201);
    /* python3: hashlib.sha512(bytes(i * 7 % 251 for i in range(700000))).hexdigest() */
    CHECK_CONTAINS(answer.body,
                   "\"size\":700000,\"sha512\":"
                   "\"6903a94c0195b54d3e5832bdf835130ada306448fd3bc024734e6d73def53ec583c4273986dd9d97ccb75abf660ed726e"
                   "141810c38ea01ebe323ec18e8eec297\",\"md5\":\"4929645161575aa4b58702b3f5e735af\"");
    http_answer_done(&answer);
    http_send(fd, "GET /t/files/a HTTP/1.1\r\nHost: test\r\n\r\n");
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 200);
    CHECK_INT(answer.size, SIZE);
    CHECK(!memcmp(answer.body, bytes, SIZE));
    CHECK_TEXT(http_field(&answer, "Accept-Ranges"), "bytes");
    CHECK_TEXT(http_field(&answer, "Content-Type"), "application/octet-stream");
    http_answer_done(&answer);
    close(fd);
    CHECK_INT(leftovers(), 0);
    http_end();
}

TEST("ranges are served one at a time")
{
    http_begin();
    EXPECT(http_ask("PUT", "/t/files/a", http_token, "", "0123456789"), 201, "\"size\":10");
    static const struct {
        const char *range;
        int status;
        const char *body, *content_range;
    } cases[] = {
        {"bytes=0-3", 206, "0123", "bytes 0-3/10"},       {"bytes=4-", 206, "456789", "bytes 4-9/10"},
        {"bytes=-3", 206, "789", "bytes 7-9/10"},         {"bytes=8-99", 206, "89", "bytes 8-9/10"},
        {"bytes=-99", 206, "0123456789", "bytes 0-9/10"}, {"bytes=0-1,3-4", 200, "0123456789", NULL},
        {"lines=0-1", 200, "0123456789", NULL},           {"bytes=5-2", 200, "0123456789", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char header[64];
        snprintf(header, sizeof(header), "Range: %s\r\n", cases[i].range);
        struct http_answer answer = http_ask("GET", "/t/files/a", NULL, header, NULL);
        CHECK_INT(answer.status, cases[i].status);
        CHECK_TEXT(answer.body, cases[i].body);
        CHECK_TEXT(http_field(&answer, "Content-Range"), cases[i].content_range);
        http_answer_done(&answer);
    }
    struct http_answer answer = http_ask("GET", "/t/files/a", NULL, "Range: bytes=10-\r\n", NULL);
    CHECK_INT(answer.status, 416);
    CHECK_TEXT(http_field(&answer, "Content-Range"), "bytes */10");
    http_answer_done(&answer);
    EXPECT(http_ask("GET", "/t/files/none", NULL, "", NULL), 404, "404");
    http_end();
}

TEST("an upload that is too large, refused or broken off leaves nothing")
{
    http_begin();
    handled = 0;
    int fd = http_connect();
    struct http_answer answer;
    put_begin(fd, "a", 10000001);
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 413);
    http_answer_done(&answer);
    close(fd);
    fd = http_connect();
    http_send(fd, "PUT /t/files/a HTTP/1.1\r\nHost: test\r\nX-Auth-Token: %s\r\nTransfer-Encoding: chunked\r\n\r\n",
              http_token);
    static char filler[50001];
    memset(filler, 'x', sizeof(filler) - 1);
    for (int i = 0; i < 21; i++)
        http_send(fd, "c350\r\n%s\r\n", filler);
    http_send(fd, "0\r\n\r\n");
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 413);
    http_answer_done(&answer);
    close(fd);
    EXPECT(http_ask("PUT", "/t/files/forbidden", http_token, "", "x"), 403, "Not this one");
    CHECK_INT(handled, 0);
    EXPECT(http_ask("PUT", "/t/files/refused", http_token, "", "x"), 409, "Not now");
    EXPECT(http_ask("PUT", "/t/files/a", http_reader, "", "x"), 403, "403");
    fd = http_connect();
    put_begin(fd, "a", 1000);
    http_send(fd, "half");
    CHECK_SOON(leftovers());
    close(fd);
    CHECK_SOON(!http_server_connections(api.http));
    CHECK_INT(leftovers(), 0);
    CHECK_INT(handled, 1);
    CHECK(access(file_path("a"), F_OK));
    http_end();
}

TEST("an empty upload is a file of no bytes")
{
    http_begin();
    EXPECT(http_ask("PUT", "/t/files/empty", http_token, "Content-Length: 0\r\n", NULL), 201, "\"size\":0");
    struct http_answer answer = http_ask("GET", "/t/files/empty", NULL, "", NULL);
    CHECK_INT(answer.status, 200);
    CHECK_INT(answer.size, 0);
    http_answer_done(&answer);
    http_end();
}

TEST("a client is told to send the upload only when it will be taken")
{
    http_begin();
    int fd = http_connect();
    struct http_answer answer;
    http_send(fd,
              "PUT /t/files/forbidden HTTP/1.1\r\nHost: test\r\nX-Auth-Token: %s\r\nExpect: "
              "100-continue\r\nContent-Length: 5\r\n\r\n",
              http_token);
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 403);
    http_answer_done(&answer);
    close(fd);
    http_end();
}

TEST("uploads of a killed process are removed at start, those of living ones stay")
{
    struct error e = {0};
    http_begin();
    FILE *file = fopen(file_path("upload-dead"), "w");
    CHECK(file && !fclose(file));
    int fd = http_connect();
    put_begin(fd, "a", 10);
    http_send(fd, "half");
    CHECK_SOON(leftovers() == 2);
    CHECK_OK(upload_sweep(http_folder, &e), &e); /* maybe before the living one is locked: then it is made again */
    CHECK(access(file_path("upload-dead"), F_OK));
    CHECK_SOON(leftovers() == 1);
    struct http_answer answer;
    http_send(fd, "+half2");
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 201);
    http_answer_done(&answer);
    close(fd);
    http_end();
}
