/* virga-scheduler: one loop that wakes on "placement", on a timer, and to renew its lease.
 *
 * Happy path: configuration, database, lease, then dispatch_run at every wake-up. When the database fails it logs,
 * waits for the next tick and tries again: servers wait meanwhile. SIGTERM gives the lease back, so that a standby
 * takes over at once. */
#include "common/clock.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/loop/loop.h"
#include "common/uuid.h"
#include "db/db.h"
#include "db/lease.h"
#include "db/wake.h"
#include "scheduler/config.h"
#include "scheduler/dispatch.h"
#include "scheduler/flows/drain.h"
#include "scheduler/flows/pool.h"
#include "scheduler/flows/power.h"
#include "scheduler/flows/rebalance_flow.h"
#include "scheduler/flows/relocate.h"
#include "scheduler/foresight.h"
#include "scheduler/metrics.h"
#include "scheduler/questions.h"
#include "scheduler/reservations.h"
#include "scheduler/room.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scheduler {
    struct scheduler_config config;
    struct dispatch dispatch;
    struct room room;
    struct foresight *foresight; /* NULL: not asked for */
    struct power power;
    struct pool pool;
    struct rebalance_state rebalance;
    struct wake *wake;
    struct loop *loop;
    int64_t alive_checked_us;
};

static struct power_settings power_settings(const struct scheduler_config *c)
{
    return (struct power_settings){.scripts = c->power_scripts,
                                   .master_key = c->master_key,
                                   .fence = c->fence,
                                   .fence_after_us = c->fence_after_ms * 1000,
                                   .fence_share_percent = c->fence_share,
                                   .limit_us = c->power_limit_ms * 1000,
                                   .settle_us = c->power_settle_ms * 1000,
                                   .retry_us = c->power_retry_ms * 1000,
                                   .evacuate_parallel = c->evacuate_parallel,
                                   .poll_us = c->poll_ms * 1000};
}

static struct rebalance_settings rebalance_settings(const struct scheduler_config *c)
{
    int64_t settle = c->rebalance_settle < c->rebalance_hot ? c->rebalance_settle : c->rebalance_hot;
    return (struct rebalance_settings){.automatic = c->rebalance,
                                       .limits = {.hot_permille = c->rebalance_hot * 10,
                                                  .settle_permille = settle * 10,
                                                  .gain_permille = c->rebalance_gain * 10,
                                                  .moves = (size_t)c->rebalance_moves},
                                       .parallel = c->rebalance_parallel,
                                       .an_hour = c->rebalance_an_hour,
                                       .period_us = c->rebalance_period_ms * 1000,
                                       .rest_us = c->rebalance_rest_ms * 1000};
}

static void write_metrics(const struct scheduler *s)
{
    struct metrics_sources sources = {&s->dispatch, &s->power, &s->pool, &s->rebalance};
    metrics_write(s->config.metrics_file, &sources);
}

/* First: a server that only a host that is asleep can take must not be refused. */
static void look_at_pool(struct scheduler *s)
{
    struct error e = {0};
    struct pool_settings pool = {.sleep = s->config.sleep,
                                 .sleep_after_us = s->config.sleep_after_ms * 1000,
                                 .reserve_percent = s->config.sleep_reserve};
    int rc = pool_run(&s->pool, &s->dispatch, &pool, &e);
    if (rc) {
        log_error("the pool is not looked at", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    }
}

static void work(void *arg)
{
    struct scheduler *s = arg;
    struct error e = {0};
    int64_t now = clock_now_us();
    int rc = 0;
    if (now - s->alive_checked_us >= 2 * CLOCK_SECOND_US) {
        s->alive_checked_us = now;
        rc = feed_refresh_alive(&s->dispatch.feed, s->dispatch.conn, now, &e);
    }
    look_at_pool(s);
    rc = rc ? rc : room_look(&s->room, &s->dispatch, &e);
    rc = rc ? rc : dispatch_run(&s->dispatch, &e);
    rc = rc ? rc : reservations_hold(&s->dispatch, &e);
    rc = rc ? rc : questions_answer(&s->dispatch, &e);
    if (!rc && s->foresight) {
        rc = foresight_look(s->foresight, &s->dispatch, &e);
    }
    if (rc) {
        log_error("placing failed", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    }
    if (rc) {
        write_metrics(s);
        return;
    }
    struct relocate_settings moves = {.confirm_us = s->config.resize_confirm_ms * 1000,
                                      .same_host = s->config.resize_same_host,
                                      .bandwidth_mibps = s->config.migrate_bandwidth,
                                      .auto_converge = s->config.migrate_auto_converge,
                                      .post_copy = s->config.migrate_post_copy,
                                      .parallel = s->config.migrate_parallel,
                                      .compress = s->config.migrate_compress};
    struct drain_settings drains = {.retry_us = s->config.drain_retry_ms * 1000};
    rc = drain_run(&s->dispatch, &drains, &e);
    rc = rc ? rc : relocate_run(&s->dispatch, &moves, &e);
    if (rc) {
        log_error("migrations stand still", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    }
    error_clear(&e);
    struct power_settings power = power_settings(&s->config);
    rc = power_run(&s->power, &s->dispatch, &power, &e);
    if (rc) {
        log_error("hosts' power is left alone", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    }
    error_clear(&e);
    struct rebalance_settings rebalance = rebalance_settings(&s->config);
    rc = rebalance_flow_run(&s->rebalance, &s->dispatch, &rebalance, &e);
    if (rc) {
        log_error("nothing is rebalanced", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    }
    write_metrics(s);
}

static void lead(void *arg)
{
    struct scheduler *s = arg;
    struct error e = {0};
    bool led = s->dispatch.leader;
    if (dispatch_lead(&s->dispatch, s->config.lease_ms * 1000, &e)) {
        log_error("lease not renewed", "error=\"%s\"", error_text(&e));
    } else if (!led && s->dispatch.leader) {
        work(s);
    }
}

static void reload(void *arg)
{
    struct scheduler *s = arg;
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
    s->dispatch.spot_notice_us = s->config.spot_notice_ms * 1000;
    s->dispatch.feed.alive_limit_us = s->config.alive_ms * 1000;
    log_info("configuration reloaded", "restart_needed=%s", restart ? restart : "");
}

static void on_wake(void *arg, const char *topic)
{
    struct scheduler *s = arg;
    if (strcmp(topic, "placement") == 0 || strcmp(topic, "*") == 0) {
        loop_wake(s->loop);
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

static int start(struct scheduler *s, struct error *e)
{
    struct dispatch *d = &s->dispatch;
    struct loop_plan plan = {.arg = s,
                             .work = work,
                             .lead = lead,
                             .reload = reload,
                             .poll_ms = s->config.poll_ms,
                             .lead_ms = s->config.lease_ms / 3};
    s->loop = loop_new(&plan, daemon_signal_fd());
    int rc = daemon_pid_file(s->config.pid_file, e);
    char *database =
        s->config.database ? strdup(s->config.database) : config_place(s->config.prefix, "/var/lib/virga/virga.db");
    rc = rc ? rc : db_open(database, 0, &d->db, e);
    free(database);
    struct placement_weights w = weights(&s->config);
    enum placement_goal goal = placement_goal_parse(s->config.policy);
    d->feed.placement = placement_new(&w);
    placement_set_goal(d->feed.placement, goal);
    s->foresight = s->config.foresee || goal == PLACEMENT_GOAL_LIFETIME ? foresight_new() : NULL;
    d->foresight = s->foresight;
    d->feed.alive_limit_us = s->config.alive_ms * 1000;
    d->batch = s->config.batch;
    d->spot_notice_us = s->config.spot_notice_ms * 1000;
    uuid_random(d->holder);
    rc = rc ? rc : db_conn_open(d->db, &d->conn, e);
    return rc ? rc : wake_listen(d->db, on_wake, s, &s->wake, e);
}

static int release(struct db_conn *c, void *arg, struct error *e)
{
    const struct dispatch *d = arg;
    return lease_release(c, "scheduler", d->holder, e);
}

static void stop(struct scheduler *s)
{
    struct error e = {0};
    wake_close(&s->wake);
    power_stop(&s->power);
    pool_done(&s->pool);
    free(s->dispatch.asleep);
    if (s->dispatch.leader && db_transact(s->dispatch.conn, release, &s->dispatch, &e)) {
        log_warn("lease not released", "error=\"%s\"", error_text(&e));
    }
    placement_free(&s->dispatch.feed.placement);
    foresight_free(&s->foresight);
    db_conn_close(&s->dispatch.conn);
    db_close(&s->dispatch.db);
    loop_free(&s->loop);
    log_info("stopped", "placed=%llu refused=%llu", (unsigned long long)s->dispatch.placed,
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
    if (!s.config.metrics_file) {
        s.config.metrics_file = config_place(s.config.prefix, "/run/virga/virga-scheduler.prom");
    }
    if (!s.config.master_key) {
        s.config.master_key = config_place(s.config.prefix, "/etc/virga/master.key");
    }
    if (!s.config.power_scripts) {
        s.config.power_scripts = config_place(s.config.prefix, "/usr/lib/virga/power");
    }
    log_level_parse(s.config.log_level, &level);
    log_init("virga-scheduler", s.config.log_file, level);
    if (start(&s, &e)) {
        log_error("cannot start", "error=\"%s\"", error_text(&e));
        return 1;
    }
    loop_run(s.loop);
    stop(&s);
    config_done(&config_scheduler, &s.config);
    return 0;
}
