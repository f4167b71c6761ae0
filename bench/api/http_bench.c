/* What our HTTP core costs: requests per second of a constant answer, of a point read with a token, and of a write,
 * each through wrk with 64 connections, against libmicrohttpd alone (hello_bench, with as many threads) in the same
 * run.
 *
 * Each figure is the median of five rounds.
 *
 *     http_bench [SECONDS per figure and round, default 2] [FOLDER for the database, default /tmp] */
#include "api/api.h"
#include "api/http/handler.h"
#include "api/http/http_server.h"
#include "api/http/metrics.h"
#include "api/identity/token.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/seal.h"
#include "common/uuid.h"
#include "db/store_idempotency.h"
#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS   10000
#define ROUNDS 5

static struct api api;
static char folder[200], token[TOKEN_SIZE], script[300];

static int constant(struct request *request, struct reply *reply)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "hello", "world");
    json_out_object_end(&reply->out);
    return 0;
}

static int point(struct request *request, struct reply *reply)
{
    const char *row = NULL, *answer = NULL;
    int rc = store_idempotency_get(request->conn, request_param(request, "id"), &request->arena, &row, &answer,
                                   &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "row", row);
    json_out_text(&reply->out, "answer", answer);
    json_out_object_end(&reply->out);
    return 0;
}

static int insert(struct request *request, struct reply *reply)
{
    char id[UUID_SIZE];
    bool taken = false;
    reply->status = 202;
    return store_idempotency_take(request->conn, uuid_ordered(id), "a row", request->now_us, 0, &taken,
                                  &request->error);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/constant", .permission = PERMISSION_PUBLIC, .handler = constant},
    {.method = "GET", .pattern = "/rows/{id}", .permission = PERMISSION_READER, .handler = point},
    {.method = "POST", .pattern = "/rows", .permission = PERMISSION_MEMBER, .kind = ROUTE_WRITE, .handler = insert},
};
static const struct route_table routes = ROUTE_TABLE(rows);
static const struct route_table *const tables[] = {&routes, NULL};
static const struct service service = {.name = "bench", .prefix = "/b", .tables = tables};
static const struct service *const services[] = {&service, NULL};

static int fill(struct db_conn *c, void *arg, struct error *e)
{
    (void)arg;
    int rc = 0;
    for (int i = 0; i < ROWS && !rc; i++) {
        char id[16];
        bool taken = false;
        snprintf(id, sizeof(id), "%d", i);
        rc = store_idempotency_take(c, id, "some text of a row, as long as a name", 1, 0, &taken, e);
        rc = rc ? rc : store_idempotency_answer(c, id, "more text of the same row", e);
    }
    return rc;
}

static void must(int rc, const struct error *e)
{
    if (!rc)
        return;
    fprintf(stderr, "http_bench: %s\n", error_text(e));
    exit(1);
}

static void start(void)
{
    struct error e = {0};
    char path[256];
    struct credential c = {.user_id = "0123456789abcdef0123456789abcdef",
                           .project_id = "ffffffffffffffffffffffffffffffff",
                           .roles = ROLE_READER | ROLE_MEMBER,
                           .issued_us = clock_now_us(),
                           .expires_us = clock_now_us() + 3600 * CLOCK_SECOND_US};
    log_init("http_bench", NULL, LOG_LEVEL_WARN);
    snprintf(path, sizeof(path), "%s/master.key", folder);
    must(seal_key_create(path, &e), &e);
    char database[256];
    snprintf(database, sizeof(database), "%s/bench.db", folder);
    must(db_open(database, 0, &api.db, &e), &e);
    must(writer_new(api.db, 0, 0, &api.writer, &e), &e);
    must(token_keys_new(api.db, path, &api.tokens, &e), &e);
    must(writer_run(api.writer, fill, NULL, &e), &e);
    token_audit_id(c.audit_id);
    must(token_issue(api.tokens, &c, token, &e), &e);
    api.metrics = metrics_new();
    struct http_options options = {.listen = "127.0.0.1:0", .services = services};
    must(http_server_start(&api, &options, &api.http, &e), &e);
}

static void stop(void)
{
    http_server_stop(&api.http, 1000);
    writer_free(&api.writer);
    token_keys_free(&api.tokens);
    metrics_free(&api.metrics);
    db_close(&api.db);
}

/* Starts a program with its output (and, when `ret_in` is given, its input) as pipes. Its process id, or -1. */
static pid_t start_child(char *const *argv, FILE **ret_out, int *ret_in)
{
    int in[2] = {-1, -1}, out[2];
    if (pipe(out) || (ret_in && pipe(in)))
        return -1;
    pid_t child = fork();
    if (!child) {
        dup2(out[1], 1);
        close(out[0]), close(out[1]);
        if (ret_in) {
            dup2(in[0], 0);
            close(in[0]), close(in[1]);
        }
        execvp(argv[0], argv);
        _exit(127);
    }
    close(out[1]);
    *ret_out = fdopen(out[0], "r");
    if (ret_in) {
        close(in[0]);
        *ret_in = in[1];
    }
    return child;
}

/* Requests per second as wrk counts them; 0 when it fails. */
static double wrk(unsigned port, const char *path, const char *method, int seconds)
{
    char duration[16], url[200], line[256];
    FILE *lua = fopen(script, "w"), *out = NULL;
    assert(lua);
    fprintf(lua, "wrk.method = \"%s\"\nwrk.headers[\"X-Auth-Token\"] = \"%s\"\n", method, token);
    fclose(lua);
    snprintf(duration, sizeof(duration), "-d%ds", seconds);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
    char *const argv[] = {"wrk", "-t1", "-c64", duration, "-s", script, url, NULL};
    pid_t child = start_child(argv, &out, NULL);
    double rate = 0;
    while (out && fgets(line, sizeof(line), out)) {
        if (!strncmp(line, "Requests/sec:", 13))
            rate = strtod(line + 13, NULL);
        if (strstr(line, "Non-2xx") || strstr(line, "Socket errors"))
            printf("  %s", line);
    }
    if (out)
        fclose(out);
    waitpid(child, NULL, 0);
    return rate;
}

/* The yardstick beside this program: its port; it ends when `ret_hold` is closed. */
static unsigned hello(const char *self, int *ret_hold)
{
    char path[512], threads[24];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned port = 0;
    FILE *out = NULL;
    const char *slash = strrchr(self, '/');
    snprintf(threads, sizeof(threads), "%ld", cores < 2 ? 2 : cores);
    snprintf(path, sizeof(path), "%.*s../load/hello", (int)(slash ? slash - self + 1 : 0), self);
    char *const argv[] = {path, threads, NULL};
    if (start_child(argv, &out, ret_hold) < 0 || !out || fscanf(out, "%u", &port) != 1)
        port = 0;
    if (out)
        fclose(out);
    return port;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

struct figure {
    const char *name, *path, *method;
    double rates[ROUNDS];
};

static int by_rate(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

/* All figures in turn, so that a noisy neighbour meets them all; the median of each is shown. */
static void measure(unsigned bare, int seconds)
{
    static struct figure figures[] = {
        {"libmicrohttpd alone", "/", "GET", {0}},
        {"constant answer", "/b/constant", "GET", {0}},
        {"point read with token", "/b/rows/7", "GET", {0}},
        {"write, on disk", "/b/rows", "POST", {0}},
    };
    const size_t count = sizeof(figures) / sizeof(figures[0]);
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < count; i++)
            figures[i].rates[round] =
                wrk(i ? http_server_port(api.http) : bare, figures[i].path, figures[i].method, seconds);
    for (size_t i = 0; i < count; i++) {
        qsort(figures[i].rates, ROUNDS, sizeof(double), by_rate);
        printf("%-24s %10.0f /s %6.1f %%\n", figures[i].name, figures[i].rates[ROUNDS / 2],
               100 * figures[i].rates[ROUNDS / 2] / figures[0].rates[ROUNDS / 2]);
    }
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 2, hold = -1;
    snprintf(folder, sizeof(folder), "%s/http_bench.XXXXXX", argc > 2 ? argv[2] : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    snprintf(script, sizeof(script), "%s/wrk.lua", folder);
    unsigned bare = hello(argv[0], &hold);
    if (!bare) {
        fprintf(stderr, "http_bench: hello did not start\n");
        return 1;
    }
    start();
    measure(bare, seconds);
    close(hold);
    stop();
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) ? 1 : 0;
}
