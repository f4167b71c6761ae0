/* A server of one small service on a free port, and a client that speaks raw sockets, so that tests decide about every
 * byte. Tokens are real ones. The service keeps things (tests/unit/db/fixture.h). */
#pragma once
#include "api/api.h"
#include "api/http/fault.h"
#include "api/http/handler.h"
#include "api/http/http_server.h"
#include "api/http/metrics.h"
#include "api/identity/token.h"
#include "common/seal.h"
#include "tests/unit/db/fixture.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>

#define HTTP_WAIT_MS    60000
#define HTTP_PATIENT_MS 120000 /* of the server, where a test is not about its patience: machines may be busy */

static struct api api;
static struct http_options http_options; /* for the next http_begin; empty again after http_end */
static char http_folder[64];
static char http_token[TOKEN_SIZE], http_reader[TOKEN_SIZE], http_unscoped[TOKEN_SIZE];

/* The test's own. */
extern const struct service *const http_services[];

static void http_issue(const char *project, unsigned roles, char ret[TOKEN_SIZE])
{
    struct error e = {0};
    struct credential c = {.user_id = "0123456789abcdef0123456789abcdef",
                           .user_domain_id = "default",
                           .roles = roles,
                           .methods = 1,
                           .issued_us = clock_now_us(),
                           .expires_us = clock_now_us() + 3600 * CLOCK_SECOND_US};
    snprintf(c.project_id, sizeof(c.project_id), "%s", project);
    snprintf(c.project_domain_id, sizeof(c.project_domain_id), "%s", *project ? "default" : "");
    token_audit_id(c.audit_id);
    CHECK_OK(token_issue(api.tokens, &c, ret, &e), &e);
}

__attribute__((unused)) static void http_begin(void)
{
    struct error e = {0};
    char path[128];
    fixture_empty();
    snprintf(http_folder, sizeof(http_folder), "/tmp/virga-http-test.XXXXXX");
    CHECK(mkdtemp(http_folder));
    snprintf(path, sizeof(path), "%s/master.key", http_folder);
    CHECK_OK(seal_key_create(path, &e), &e);
    CHECK_OK(db_open(fixture_url, 0, &api.db, &e), &e);
    db_keep_snapshots(api.db);
    fixture_script(api.db, FIXTURE_SQL);
    CHECK_OK(writer_new(api.db, 0, 0, &api.writer, &e), &e);
    CHECK_OK(token_keys_new(api.db, path, &api.tokens, &e), &e);
    http_issue("ffffffffffffffffffffffffffffffff", ROLE_READER | ROLE_MEMBER, http_token);
    http_issue("ffffffffffffffffffffffffffffffff", ROLE_READER, http_reader);
    http_issue("", 0, http_unscoped);
    api.metrics = metrics_new();
    http_options.services = http_services;
    if (!http_options.listen)
        http_options.listen = "127.0.0.1:0";
    if (!http_options.upload_dir)
        http_options.upload_dir = http_folder;
    if (!http_options.header_timeout_ms)
        http_options.header_timeout_ms = HTTP_PATIENT_MS;
    if (!http_options.body_timeout_ms)
        http_options.body_timeout_ms = HTTP_PATIENT_MS;
    if (!http_options.idle_timeout_ms)
        http_options.idle_timeout_ms = HTTP_PATIENT_MS;
    CHECK_OK(http_server_start(&api, &http_options, &api.http, &e), &e);
    CHECK_OK(wake_listen(api.db, api_wake, &api, &api.wake, &e), &e);
}

__attribute__((unused)) static void http_end(void)
{
    wake_close(&api.wake);
    http_server_stop(&api.http, 5000);
    writer_free(&api.writer);
    token_keys_free(&api.tokens);
    metrics_free(&api.metrics);
    db_close(&api.db);
    memset(&http_options, 0, sizeof(http_options));
    nftw(http_folder, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

__attribute__((unused)) static int http_connect(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(api.http))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof(to)));
    int on = 1; /* a request is sent in pieces: none waits for the other's acknowledgement */
    CHECK(!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
    return fd;
}

__attribute__((unused)) static void http_send_n(int fd, const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t sent = send(fd, text + at, size - at, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the server hung up: the test looks at the answer */
        at += (size_t)sent;
    }
}

__attribute__((unused, format(printf, 2, 3))) static void http_send(int fd, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int size = vasprintf(&text, format, args);
    va_end(args);
    CHECK(size >= 0);
    http_send_n(fd, text, (size_t)size);
    free(text);
}

/* One answer. `rest` holds what came after it (pipelining). */
struct http_answer {
    int status; /* 0: the connection was closed without one */
    char head[8192];
    char *body;
    size_t size;
};

static bool http_read_more(int fd, struct strbuf *got)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char buffer[65536];
    if (poll(&wait, 1, HTTP_WAIT_MS) != 1)
        check_fail(__FILE__, __LINE__, "no answer within %d ms; so far: %s", HTTP_WAIT_MS, got->data);
    ssize_t size = recv(fd, buffer, sizeof(buffer), 0);
    if (size <= 0)
        return false;
    strbuf_append(got, buffer, (size_t)size);
    return true;
}

/* The value of a header in the answer's head, in a static buffer; NULL when absent. */
__attribute__((unused)) static const char *http_field(const struct http_answer *answer, const char *name)
{
    static char value[4][1024];
    static int turn;
    size_t size = strlen(name);
    for (const char *line = strstr(answer->head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (!strncasecmp(line + 2, name, size) && line[2 + size] == ':') {
            turn = (turn + 1) % 4;
            const char *start = line + 3 + size;
            start += strspn(start, " ");
            snprintf(value[turn], sizeof(value[turn]), "%.*s", (int)strcspn(start, "\r"), start);
            return value[turn];
        }
    return NULL;
}

/* Reads one answer; bytes beyond it stay in `got`. `head`: it has no body whatever its length says. */
__attribute__((unused)) static void http_receive_n(int fd, struct strbuf *got, bool head, struct http_answer *ret)
{
    memset(ret, 0, sizeof(*ret));
    const char *end;
    while (!(end = memmem(got->data, got->size, "\r\n\r\n", 4)))
        if (!http_read_more(fd, got))
            return;
    size_t head_size = (size_t)(end - got->data) + 4;
    CHECK(head_size < sizeof(ret->head));
    memcpy(ret->head, got->data, head_size);
    CHECK(sscanf(ret->head, "HTTP/1.1 %d", &ret->status) == 1);
    const char *length = http_field(ret, "Content-Length");
    ret->size = length && !head && ret->status != 204 && ret->status >= 200 ? strtoul(length, NULL, 10) : 0;
    while (got->size < head_size + ret->size)
        if (!http_read_more(fd, got))
            break;
    size_t there = got->size < head_size + ret->size ? got->size - head_size : ret->size;
    ret->size = there;
    ret->body = calloc(1, there + 1);
    memcpy(ret->body, got->data + head_size, there);
    size_t used = head_size + there;
    memmove(got->data, got->data + used, got->size - used + 1);
    got->size -= used;
}

__attribute__((unused)) static void http_receive(int fd, struct http_answer *ret)
{
    struct strbuf got;
    strbuf_init(&got, 0);
    http_receive_n(fd, &got, false, ret);
    strbuf_done(&got);
}

__attribute__((unused)) static void http_answer_done(struct http_answer *answer)
{
    free(answer->body);
    answer->body = NULL;
}

/* One request on a connection of its own. `headers`: lines that end with CRLF, or "". */
__attribute__((unused)) static struct http_answer http_ask(const char *method, const char *path, const char *token,
                                                           const char *headers, const char *body)
{
    struct http_answer answer;
    struct strbuf got;
    strbuf_init(&got, 0);
    int fd = http_connect();
    http_send(fd, "%s %s HTTP/1.1\r\nHost: test\r\n%s%s%s%s", method, path, token ? "X-Auth-Token: " : "",
              token ? token : "", token ? "\r\n" : "", headers);
    if (body)
        http_send(fd, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    else
        http_send(fd, "\r\n");
    http_receive_n(fd, &got, !strcmp(method, "HEAD"), &answer);
    strbuf_done(&got);
    close(fd);
    return answer;
}

/* True when the server has closed the connection (nothing more comes). */
__attribute__((unused)) static bool http_is_closed(int fd)
{
    char byte;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, HTTP_WAIT_MS) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

#define JSON_TYPE "Content-Type: application/json\r\n"
