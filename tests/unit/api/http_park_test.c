/* Requests that wait: for a topic, for the time, for the writer; clients that go away meanwhile; and how a server
 * stops. */
#include "tests/unit/api/http_fixture.h"
#include <sys/resource.h>

#define WAIT_US (CLOCK_SECOND_US * 200) /* longer than any test waits for an answer: only a wake ends it in time */

static _Atomic int runs; /* of the parked handler */

/* Answers once there are more than `than` things, or after `wait_ms` with what there is. */
static int things_wait(struct request *request, struct reply *reply)
{
    int64_t count = 0, wait_us = strtoll(request_query(request, "wait_ms"), NULL, 10) * 1000;
    runs++;
    request_watch(request, "things");
    int rc = db_query_int(request->conn, &fixture_thing_count, &count, &request->error, DB_NO_ARGS);
    if (rc)
        return rc;
    int64_t left_us = request->arrived_us + wait_us - request->now_us;
    if (count <= strtoll(request_query(request, "than"), NULL, 10) && left_us > 0)
        return request_park(request, clock_mono_us() + left_us);
    json_out_object(&reply->out, NULL);
    json_out_int(&reply->out, "things", count);
    json_out_object_end(&reply->out);
    return 0;
}

static int things_add(struct request *request, struct reply *reply)
{
    int64_t id = strtoll(request_param(request, "id"), NULL, 10);
    reply->status = 204;
    db_wake(request->conn, "things");
    return fixture_add(request->conn, &id, &request->error);
}

/* Writes a thing and answers as things_wait does. */
static int things_add_and_wait(struct request *request, struct reply *reply)
{
    int64_t id = strtoll(request_param(request, "id"), NULL, 10);
    reply->status = 500; /* dropped */
    db_wake(request->conn, "things");
    int rc = fixture_add(request->conn, &id, &request->error);
    return rc ? rc : request_continue(request, things_wait);
}

/* The writer stands still in a handler until the test opens the gate. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static bool gate_shut, gate_reached;

static int things_gate(struct request *request, struct reply *reply)
{
    (void)request;
    pthread_mutex_lock(&gate_lock);
    gate_reached = true;
    pthread_cond_broadcast(&gate_moved);
    while (gate_shut)
        pthread_cond_wait(&gate_moved, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
    reply->status = 204;
    return 0;
}

static void gate_set(bool shut)
{
    pthread_mutex_lock(&gate_lock);
    gate_shut = shut;
    gate_reached = gate_reached && !shut;
    pthread_cond_broadcast(&gate_moved);
    pthread_mutex_unlock(&gate_lock);
}

static void gate_wait(void)
{
    pthread_mutex_lock(&gate_lock);
    while (!gate_reached)
        pthread_cond_wait(&gate_moved, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/things", .permission = PERMISSION_PUBLIC, .handler = things_wait},
    {.method = "PUT",
     .pattern = "/things/{id}",
     .permission = PERMISSION_PUBLIC,
     .kind = ROUTE_WRITE,
     .handler = things_add},
    {.method = "POST",
     .pattern = "/things/{id}",
     .permission = PERMISSION_PUBLIC,
     .kind = ROUTE_WRITE,
     .handler = things_add_and_wait},
    {.method = "POST",
     .pattern = "/gate",
     .permission = PERMISSION_PUBLIC,
     .kind = ROUTE_WRITE,
     .handler = things_gate},
};
static const struct route_table routes = ROUTE_TABLE(rows);
static const struct route_table *const tables[] = {&routes, NULL};
static const struct service service = {.name = "test", .prefix = "/t", .tables = tables};
const struct service *const http_services[] = {&service, NULL};

static void until_parked(size_t count)
{
    CHECK_SOON(http_server_parked(api.http) == count);
}

static void put_thing(int id)
{
    char path[32];
    snprintf(path, sizeof(path), "/t/things/%d", id);
    struct http_answer answer = http_ask("PUT", path, NULL, "", NULL);
    CHECK_INT(answer.status, 204);
    http_answer_done(&answer);
}

static int wait_for_things(int than, int64_t wait_ms)
{
    int fd = http_connect();
    http_send(fd, "GET /t/things?than=%d&wait_ms=%" PRId64 " HTTP/1.1\r\nHost: test\r\n\r\n", than, wait_ms);
    return fd;
}

static void expect_answer(int fd, const char *body)
{
    struct http_answer answer;
    http_receive(fd, &answer);
    CHECK_INT(answer.status, 200);
    CHECK_TEXT(answer.body, body);
    http_answer_done(&answer);
    close(fd);
}

TEST("a parked request is answered by the commit that it waits for")
{
    http_begin();
    int fd = wait_for_things(0, WAIT_US / 1000);
    until_parked(1);
    put_thing(1);
    expect_answer(fd, "{\"things\":1}");
    CHECK_INT(http_server_parked(api.http), 0);
    http_end();
}

TEST("a wake of something else costs nothing, a wake of everything runs all again")
{
    http_begin();
    runs = 0;
    int fd = wait_for_things(0, WAIT_US / 1000);
    until_parked(1);
    http_server_wake(api.http, "other");
    CHECK_INT(runs, 1);
    http_server_wake(api.http, "*");
    CHECK_SOON(runs == 2);
    until_parked(1);
    put_thing(1);
    expect_answer(fd, "{\"things\":1}");
    http_end();
}

TEST("a parked request is answered when its time is up")
{
    http_begin();
    int64_t began_us = clock_mono_us();
    expect_answer(wait_for_things(0, 60), "{\"things\":0}");
    CHECK(clock_mono_us() - began_us >= 60000);
    http_end();
}

TEST("what is there already is answered at once")
{
    http_begin();
    put_thing(1);
    runs = 0;
    expect_answer(wait_for_things(0, WAIT_US / 1000), "{\"things\":1}");
    CHECK_INT(runs, 1);
    http_end();
}

TEST("a wake between looking and waiting is not lost")
{
    http_begin();
    for (int i = 1; i <= 200; i++) {
        int fd = wait_for_things(i - 1, WAIT_US / 1000);
        put_thing(i); /* races with the handler */
        struct http_answer answer;
        http_receive(fd, &answer);
        CHECK_INT(answer.status, 200);
        http_answer_done(&answer);
        close(fd);
    }
    http_end();
}

#define CROWD 10000

/* Clients in a process of their own, which has its own limit of descriptors: asks CROWD times, then reads all answers.
 */
static int crowd_main(int port_pipe)
{
    static int fds[CROWD];
    uint16_t port = 0;
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct rlimit limit;
    char bytes[512];
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_max < CROWD + 100 ||
        read(port_pipe, &port, sizeof(port)) != sizeof(port))
        return 2;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < CROWD; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)&to, sizeof(to)))
            return 3;
        http_send(fds[i], "GET /t/things?than=0&wait_ms=%" PRId64 " HTTP/1.1\r\nHost: test\r\n\r\n", WAIT_US / 1000);
    }
    for (int i = 0; i < CROWD; i++) {
        size_t size = 0;
        for (ssize_t got = 1; got > 0 && !memmem(bytes, size, "{\"things\":1}", 12); size += got > 0 ? (size_t)got : 0)
            got = recv(fds[i], bytes + size, sizeof(bytes) - 1 - size, 0);
        bytes[size] = 0;
        if (!strstr(bytes, "200 OK") || !strstr(bytes, "{\"things\":1}"))
            return 4;
    }
    return 0;
}

TEST("ten thousand wait on one topic and all are answered")
{
    int ports[2], status = -1;
    CHECK(!pipe(ports));
    fflush(stdout);
    pid_t crowd = fork(); /* while this process has one thread */
    if (!crowd) {
        close(ports[1]);
        _exit(crowd_main(ports[0]));
    }
    http_options.connection_limit = CROWD + 1000;
    http_begin();
    uint16_t port = http_server_port(api.http);
    CHECK(write(ports[1], &port, sizeof(port)) == sizeof(port));
    while (http_server_parked(api.http) != CROWD) {
        CHECK(!waitpid(crowd, &status, WNOHANG)); /* it cannot be done yet */
        sched_yield();
    }
    put_thing(1);
    CHECK(waitpid(crowd, &status, 0) == crowd);
    CHECK_INT(status, 0);
    close(ports[0]);
    close(ports[1]);
    http_end();
}

TEST("a client that went away while parked is noticed at the next wake")
{
    http_begin();
    int gone = wait_for_things(0, WAIT_US / 1000), stays = wait_for_things(0, WAIT_US / 1000);
    until_parked(2);
    close(gone);
    put_thing(1);
    expect_answer(stays, "{\"things\":1}");
    CHECK_SOON(!http_server_connections(api.http));
    http_end();
}

TEST("a request waits for the writer without an HTTP thread, and its client may go away")
{
    http_options.threads = 2;
    http_begin();
    gate_set(true);
    enum { COUNT = 8 };
    int fds[COUNT];
    for (int i = 0; i < COUNT; i++) {
        fds[i] = http_connect();
        http_send(fds[i], "POST /t/gate HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    gate_wait();
    close(fds[0]);                                           /* while the writer has it */
    expect_answer(wait_for_things(-1, 0), "{\"things\":0}"); /* both threads are free */
    gate_set(false);
    for (int i = 1; i < COUNT; i++) {
        struct http_answer answer;
        http_receive(fds[i], &answer);
        CHECK_INT(answer.status, 204);
        http_answer_done(&answer);
        close(fds[i]);
    }
    http_end();
}

TEST("a full queue of the writer gives 503 with Retry-After, and then goes on")
{
    struct error e = {0};
    http_begin();
    /* A writer with a short queue takes the other's place. */
    writer_free(&api.writer);
    CHECK_OK(writer_new(api.db, 2, 1, &api.writer, &e), &e);
    gate_set(true);
    int first = http_connect();
    http_send(first, "POST /t/gate HTTP/1.1\r\nHost: test\r\n\r\n");
    gate_wait();
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = http_connect();
        http_send(fds[i], "PUT /t/things/%d HTTP/1.1\r\nHost: test\r\n\r\n", i + 1);
    }
    CHECK_SOON(http_server_active(api.http) >= 3);
    struct http_answer answer;
    struct writer_stats stats;
    CHECK_SOON((writer_read_stats(api.writer, &stats), stats.queue_depth >= 2));
    answer = http_ask("PUT", "/t/things/3", NULL, "", NULL);
    CHECK_INT(answer.status, 503);
    CHECK_TEXT(http_field(&answer, "Retry-After"), "1");
    http_answer_done(&answer);
    gate_set(false);
    http_receive(first, &answer);
    CHECK_INT(answer.status, 204);
    http_answer_done(&answer);
    for (int i = 0; i < 2; i++) {
        http_receive(fds[i], &answer);
        CHECK_INT(answer.status, 204);
        http_answer_done(&answer);
        close(fds[i]);
    }
    put_thing(3);
    CHECK_INT(fixture_things(api.db), 3);
    close(first);
    http_end();
}

static void *stop_server(void *arg)
{
    http_server_stop(&api.http, *(int64_t *)arg);
    return NULL;
}

TEST("a server that stops answers parked requests at once and finishes what runs")
{
    http_begin();
    int64_t deadline_ms = 60000;
    pthread_t stopper;
    int parked = wait_for_things(0, WAIT_US / 1000), running = http_connect(), idle = http_connect();
    until_parked(1);
    gate_set(true);
    http_send(running, "POST /t/gate HTTP/1.1\r\nHost: test\r\n\r\n");
    gate_wait();
    wake_close(&api.wake);
    pthread_create(&stopper, NULL, stop_server, &deadline_ms);
    expect_answer(parked, "{\"things\":0}");
    gate_set(false);
    struct http_answer answer;
    http_receive(running, &answer);
    CHECK_INT(answer.status, 204);
    CHECK_TEXT(http_field(&answer, "Connection"), "close");
    http_answer_done(&answer);
    close(running);
    CHECK(http_is_closed(idle));
    close(idle);
    pthread_join(stopper, NULL);
    http_end();
}

TEST("a server that stops does not wait for a body beyond its deadline")
{
    http_begin();
    int64_t deadline_ms = 100;
    int fd = http_connect();
    http_send(fd, "POST /t/gate HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nab");
    CHECK_SOON(http_server_active(api.http));
    wake_close(&api.wake);
    log_init("test", "/dev/null", LOG_LEVEL_ERROR);
    stop_server(&deadline_ms);
    CHECK(http_is_closed(fd));
    close(fd);
    http_end();
}

TEST("a server that stops refuses who connects")
{
    /* An address that nobody else listens on: the port may be another's at once. */
    char own[32];
    snprintf(own, sizeof(own), "127.%d.%d.%d:0", getpid() >> 16 & 0x7f, getpid() >> 8 & 0xff, getpid() & 0xff);
    http_options.listen = own;
    http_begin();
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(api.http))};
    *strchr(own, ':') = '\0';
    CHECK(inet_pton(AF_INET, own, &to.sin_addr) == 1);
    int64_t deadline_ms = 100;
    wake_close(&api.wake);
    stop_server(&deadline_ms);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0);
    close(fd);
    http_end();
}

TEST("a write goes on as a read that waits once it is on disk")
{
    http_begin();
    int fd = http_connect();
    http_send(fd, "POST /t/things/1?than=1&wait_ms=%" PRId64 " HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n",
              WAIT_US / 1000);
    until_parked(1);
    CHECK(fixture_has(api.db, 1));
    put_thing(2);
    expect_answer(fd, "{\"things\":2}");
    /* The second time the write fails, and that is the answer. */
    struct http_answer answer = http_ask("POST", "/t/things/1?than=0&wait_ms=0", NULL, "", NULL);
    CHECK_INT(answer.status, 409);
    http_answer_done(&answer);
    http_end();
}
