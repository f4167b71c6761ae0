/* virga-scheduler: one loop that wakes on "placement", on a timer, and to renew its lease.
 *
 * Happy path: configuration, database, lease, then dispatch_run at every wake-up. When the database fails it logs,
 * waits for the next tick and tries again: servers wait meanwhile. SIGTERM gives the lease back, so that a standby
 * takes over at once. */
#include "common/clock.h"
#include "common/daemon.h"
#include "common/file.h"
#include "common/log.h"
#include "common/uuid.h"
#include "db/db.h"
#include "db/lease.h"
#include "db/wake.h"
#include "scheduler/config.h"
#include "scheduler/dispatch.h"
#include "scheduler/metrics.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <uv.h>

struct scheduler {
    struct scheduler_config config;
    struct dispatch dispatch;
    struct wake *wake;
    uv_loop_t loop;
    uv_async_t woken;
    uv_timer_t poll, lease, watchdog;
    uv_poll_t signals;
    int signal_fd;
    int64_t alive_checked_us;
};

static void work(struct scheduler *s)
{
    struct error e = {0};
    int64_t now = clock_now_us();
    int rc = 0;
    if (now - s->alive_checked_us >= 2 * CLOCK_SECOND_US) {
        s->alive_checked_us = now;
        rc = feed_refresh_alive(&s->dispatch.feed, s->dispatch.conn, now, &e);
    }
    rc = rc ? rc : dispatch_run(&s->dispatch, &e);
    if (rc) {
        log_error("placing failed", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    }
}

static void on_wake_thread(void *arg, const char *topic)
{
    struct scheduler *s = arg;
    if (strcmp(topic, "placement") == 0 || strcmp(topic, "*") == 0) {
        uv_async_send(&s->woken);
    }
}

static void on_woken(uv_async_t *handle)
{
    work(handle->data);
}

static void on_poll(uv_timer_t *timer)
{
    struct scheduler *s = timer->data;
    work(s);
    metrics_write(s->config.metrics_file, &s->dispatch);
}

static void on_lease(uv_timer_t *timer)
{
    struct scheduler *s = timer->data;
    struct error e = {0};
    bool led = s->dispatch.leader;
    if (dispatch_lead(&s->dispatch, s->config.lease_ms * 1000, &e)) {
        log_error("lease not renewed", "error=\"%s\"", error_text(&e));
    } else if (!led && s->dispatch.leader) {
        work(s);
    }
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    daemon_watchdog();
}

static void reload(struct scheduler *s)
{
    struct error e = {0};
    const char *restart = NULL;
    enum log_level level;
    log_reopen();
    if (config_reload(&config_scheduler, &s->config, &restart, &e)) {
        log_error("configuration not reloaded", "error=\"%s\"", error_text(&e));
        return;
    }
    if (log_level_parse(s->config.log_level, &level)) {
        log_set_level(level);
    }
    s->dispatch.batch = s->config.batch;
    s->dispatch.feed.alive_limit_us = s->config.alive_ms * 1000;
    log_info("configuration reloaded", "restart_needed=%s", restart ? restart : "");
}

static void on_signal(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    struct scheduler *s = handle->data;
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            reload(s);
        } else {
            uv_stop(&s->loop);
        }
    }
}

static struct placement_weights weights(const struct scheduler_config *c)
{
    return (struct placement_weights){.memory = (int32_t)c->weight_memory,
                                      .vcpu = (int32_t)c->weight_vcpu,
                                      .disk = (int32_t)c->weight_disk,
                                      .servers = (int32_t)c->weight_servers,
                                      .soft_affinity = (int32_t)c->weight_soft_affinity,
                                      .soft_anti_affinity = (int32_t)c->weight_soft_anti_affinity};
}

static int start_dispatch(struct scheduler *s, struct error *e)
{
    struct dispatch *d = &s->dispatch;
    char *database =
        s->config.database ? strdup(s->config.database) : config_place(s->config.prefix, "/var/lib/virga/virga.db");
    int rc = db_open(database, 0, &d->db, e);
    free(database);
    if (rc) {
        return rc;
    }
    struct placement_weights w = weights(&s->config);
    d->feed.placement = placement_new(&w);
    d->feed.alive_limit_us = s->config.alive_ms * 1000;
    d->batch = s->config.batch;
    uuid_random(d->holder);
    rc = db_conn_open(d->db, &d->conn, e);
    return rc ? rc : wake_listen(d->db, on_wake_thread, s, &s->wake, e);
}

static void start_timer(struct scheduler *s, uv_timer_t *timer, uv_timer_cb fn, int64_t interval_ms)
{
    uv_timer_init(&s->loop, timer);
    timer->data = s;
    uv_timer_start(timer, fn, 0, (uint64_t)interval_ms);
}

static void run(struct scheduler *s)
{
    start_timer(s, &s->lease, on_lease, s->config.lease_ms / 3);
    start_timer(s, &s->poll, on_poll, s->config.poll_ms);
    int64_t watchdog_us = daemon_watchdog_interval_us();
    if (watchdog_us > 0) {
        start_timer(s, &s->watchdog, on_watchdog, watchdog_us / 1000);
    }
    uv_poll_init(&s->loop, &s->signals, s->signal_fd);
    s->signals.data = s;
    uv_poll_start(&s->signals, UV_READABLE, on_signal);
    daemon_ready();
    log_info("ready", "holder=%s", s->dispatch.holder);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    daemon_stopping();
}

static int release_step(struct db_conn *c, void *arg, struct error *e)
{
    const struct dispatch *d = arg;
    return lease_release(c, "scheduler", d->holder, e);
}

static void stop(struct scheduler *s)
{
    struct error e = {0};
    wake_close(&s->wake);
    if (s->dispatch.leader && db_transact(s->dispatch.conn, release_step, &s->dispatch, &e)) {
        log_warn("lease not released", "error=\"%s\"", error_text(&e));
    }
    placement_free(&s->dispatch.feed.placement);
    db_conn_close(&s->dispatch.conn);
    db_close(&s->dispatch.db);
    log_info("stopped", "placed=%llu failed=%llu", (unsigned long long)s->dispatch.placed,
             (unsigned long long)s->dispatch.failed);
}

int main(int argc, char **argv)
{
    static struct scheduler s;
    struct error e = {0};
    enum config_outcome outcome;
    enum log_level level = LOG_LEVEL_INFO;
    if (config_load(&config_scheduler, &s.config, "/etc/virga/virga-scheduler.conf", argc, argv, NULL, &outcome, &e)) {
        fprintf(stderr, "virga-scheduler: %s\n", error_text(&e));
        return 2;
    }
    if (outcome == CONFIG_EXIT) {
        return 0;
    }
    log_level_parse(s.config.log_level, &level);
    log_init("virga-scheduler", s.config.log_file, level);
    s.signal_fd = daemon_signal_fd();
    uv_loop_init(&s.loop);
    uv_async_init(&s.loop, &s.woken, on_woken);
    s.woken.data = &s;
    int rc = daemon_pid_file(s.config.pid_file, &e);
    rc = rc ? rc : start_dispatch(&s, &e);
    if (rc) {
        log_error("cannot start", "error=\"%s\"", error_text(&e));
        return 1;
    }
    run(&s);
    stop(&s);
    config_done(&config_scheduler, &s.config);
    return 0;
}
