/* The whole way of bytes from a socket to a handler and back, in process: each input is what a client sends on one
 * connection before it hangs up. What comes back is HTTP, and the server still serves others afterwards. */
#include "api/api.h"
#include "api/http/handler.h"
#include "api/http/http_server.h"
#include "api/http/metrics.h"
#include "common/log.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct body {
    int64_t number;
    const char *text;
    struct json_list list;
};
static const struct json_field fields[] = {
    {.name = "number", .kind = JSON_INT, .offset = offsetof(struct body, number), .flags = JSON_REQUIRED, .max = 100},
    {.name = "text", .kind = JSON_TEXT, .offset = offsetof(struct body, text), .max = 20, .flags = JSON_NULLABLE},
    {.name = "list", .kind = JSON_TEXTS, .offset = offsetof(struct body, list), .max = 4},
};
static const struct json_table table = {.fields = fields, .count = 3, .seen_offset = JSON_NO_SEEN};

static int echo(struct request *request, struct reply *reply)
{
    int64_t limit = 0;
    const char *marker = NULL;
    int rc = request_page(request, 100, &limit, &marker);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "path", request->path);
    json_out_text(&reply->out, "marker", marker);
    json_out_text(&reply->out, "base", request_base_url(request));
    json_out_text_n(&reply->out, "raw", request->raw ? request->raw : "", request->raw_size);
    json_out_object_end(&reply->out);
    return 0;
}

static int file(struct request *request, struct reply *reply)
{
    return reply_file(request, reply, "/etc/passwd", "text/plain");
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/e/{rest*}", .permission = PERMISSION_PUBLIC, .handler = echo},
    {.method = "POST",
     .pattern = "/b",
     .permission = PERMISSION_PUBLIC,
     .body = &table,
     .body_size = sizeof(struct body),
     .member = "b",
     .handler = echo},
    {.method = "PUT", .pattern = "/r", .permission = PERMISSION_PUBLIC, .body_limit = 100, .handler = echo},
    {.method = "POST", .pattern = "/w", .permission = PERMISSION_PUBLIC, .kind = ROUTE_WRITE, .handler = echo},
    {.method = "PUT",
     .pattern = "/u",
     .permission = PERMISSION_PUBLIC,
     .kind = ROUTE_UPLOAD,
     .body_limit = 100,
     .handler = echo},
    {.method = "GET", .pattern = "/f", .permission = PERMISSION_PUBLIC, .handler = file},
};
static const struct route_table routes = ROUTE_TABLE(rows);
static const struct route_table *const tables[] = {&routes, NULL};
static const struct service service = {.name = "fuzz", .prefix = "", .tables = tables};
static const struct service *const services[] = {&service, NULL};
static struct api api;

static void must(int rc, const struct error *e)
{
    if (!rc)
        return;
    fprintf(stderr, "http_fuzz: %s\n", error_text(e));
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    static char folder[200], database[220];
    struct error e = {0};
    log_init("http_fuzz", NULL, LOG_LEVEL_ERROR);
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/http_fuzz.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder))
        abort();
    snprintf(database, sizeof(database), "%s/db", folder);
    must(db_open(database, 0, &api.db, &e), &e);
    must(writer_new(api.db, 0, 0, &api.writer, &e), &e);
    api.metrics = metrics_new();
    struct http_options options = {.listen = "127.0.0.1:0", .services = services, .threads = 2, .upload_dir = folder};
    must(http_server_start(&api, &options, &api.http, &e), &e);
    return 0;
}

/* The fuzzer's own timer interrupts whatever waits: poll goes on, and a connection that was interrupted is waited for.
 */
static int wait_for(struct pollfd *wait, int ms)
{
    int n;
    do
        n = poll(wait, 1, ms);
    while (n < 0 && errno == EINTR);
    return n;
}

static void connect_or_abort(int fd, const struct sockaddr_in *to)
{
    int failed = 0;
    socklen_t size = sizeof(failed);
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    if (fd >= 0 && !connect(fd, (const struct sockaddr *)to, sizeof(*to)))
        return;
    if (fd >= 0 && errno == EINTR && wait_for(&wait, 20000) == 1 &&
        !getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) && !failed)
        return;
    fprintf(stderr, "http_fuzz: connection: %s\n", strerror(failed ? failed : errno));
    abort();
}

/* Sends, reads until nothing comes for `quiet_ms`, and hangs up. Returns how many bytes of answer there were; the first
 * ones in `ret`. */
static size_t talk(const void *data, size_t size, int quiet_ms, char *ret, size_t room)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(api.http))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct linger reset = {.l_onoff = 1}; /* no TIME_WAIT: ports would run out */
    struct pollfd wait = {.events = POLLIN};
    int fd = wait.fd = socket(AF_INET, SOCK_STREAM, 0);
    connect_or_abort(fd, &to);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    send(fd, data, size, MSG_NOSIGNAL);
    char bytes[4096];
    size_t total = 0;
    ssize_t got;
    while (wait_for(&wait, quiet_ms) == 1 && (got = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        size_t left = total < room - 1 ? room - 1 - total : 0;
        memcpy(ret + (left ? total : 0), bytes, (size_t)got < left ? (size_t)got : left);
        total += (size_t)got;
    }
    ret[total < room - 1 ? total : room - 1] = 0;
    close(fd);
    return total;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static unsigned count;
    char answer[64];
    if (talk(data, size, 1, answer, sizeof(answer)) >= 9)
        assert(!strncmp(answer, "HTTP/1.1 ", 9));
    if (++count % 256 == 0) { /* still there? */
        static const char plain[] = "GET /e/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        talk(plain, sizeof(plain) - 1, 20000, answer, sizeof(answer));
        assert(!strncmp(answer, "HTTP/1.1 200", 12));
    }
    return 0;
}
