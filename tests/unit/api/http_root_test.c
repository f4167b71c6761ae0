/* What load balancers and Prometheus ask, and periodic work. */
#include "api/config.h"
#include "api/root/root.h"
#include "tests/unit/api/http_fixture.h"

const struct service *const http_services[] = {&root_service, NULL};

static void begin(void)
{
    struct error e = {0};
    http_begin();
    CHECK_OK(root_start(&api, &e), &e);
    api_timers_start(&api);
}

static void end(void)
{
    api_timers_stop(&api);
    http_end();
}

#define EXPECT(answer, wanted_status, part)                                                                            \
    do {                                                                                                               \
        struct http_answer expect_answer = (answer);                                                                   \
        CHECK_INT(expect_answer.status, wanted_status);                                                                \
        CHECK_CONTAINS(expect_answer.body, part);                                                                      \
        http_answer_done(&expect_answer);                                                                              \
    } while (0)

TEST("healthz is 200 while the database answers and the writer moves, 503 when it stands still")
{
    http_begin();
    struct error e = {0};
    clock_fake(clock_now_us());
    CHECK_OK(root_start(&api, &e), &e); /* its timers do not run: nobody asks the writer */
    EXPECT(http_ask("GET", "/healthz", NULL, "", NULL), 200, "{\"status\":\"ok\"}");
    EXPECT(http_ask("GET", "/healthcheck", NULL, "", NULL), 200, "{\"status\":\"ok\"}");
    CHECK(root_is_alive(&api));
    clock_advance(14 * CLOCK_SECOND_US);
    EXPECT(http_ask("GET", "/healthz", NULL, "", NULL), 200, "ok");
    clock_advance(2 * CLOCK_SECOND_US);
    EXPECT(http_ask("GET", "/healthz", NULL, "", NULL), 503, "the writer does not move");
    CHECK(!root_is_alive(&api));
    clock_real();
    end();
}

TEST("the writer is probed all the time, so an idle process stays healthy")
{
    begin();
    int64_t before_us = atomic_load(&api.writer_moved_us);
    CHECK_SOON(atomic_load(&api.writer_moved_us) != before_us);
    EXPECT(http_ask("GET", "/healthz", NULL, "", NULL), 200, "ok");
    end();
}

TEST("figures of the process are served as text")
{
    begin();
    struct http_answer answer = http_ask("GET", "/metrics", NULL, "Accept: text/plain;version=0.0.4\r\n", NULL);
    CHECK_INT(answer.status, 200);
    CHECK_TEXT(http_field(&answer, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    CHECK_CONTAINS(answer.body, "# TYPE virga_writer_commits_total counter\n");
    CHECK_CONTAINS(answer.body, "virga_http_parked{port=\"tenants\"} 0\nvirga_http_parked{port=\"agents\"} 0\n");
    CHECK_CONTAINS(answer.body, "virga_http_active{port=\"tenants\"} 1\n");
    http_answer_done(&answer);
    end();
}

TEST("figures that are not public are still shown to the machine itself")
{
    begin();
    struct api_config config = {.metrics_public = false};
    api.config = &config;
    EXPECT(http_ask("GET", "/metrics", NULL, "", NULL), 200, "virga_writer_queue");
    api.config = NULL;
    end();
}

static _Atomic int ticks;

static void tick(struct api *a, void *arg)
{
    CHECK(a == &api && arg == &ticks);
    ticks++;
}

TEST("timers run again and again until they are stopped")
{
    api_timer(&api, 1, tick, &ticks);
    api_timers_start(&api);
    CHECK_SOON(ticks >= 5);
    api_timers_stop(&api);
    int after = ticks;
    CHECK(after >= 5 && !api.timers);
}
