/* virga-metering: one loop that wakes on "events", on a timer, and to renew its lease.
 *
 * Happy path: the holder of the lease takes over lifecycle events as they are committed. It may be killed anywhere: the
 * cursor and the intervals are one transaction. Without the lease it stands by. A price file that does not read is an
 * error in the log; the books that were loaded stay. */
#include "common/clock.h"
#include "common/daemon.h"
#include "common/file.h"
#include "common/log.h"
#include "common/loop/loop.h"
#include "common/uuid.h"
#include "db/db.h"
#include "db/lease.h"
#include "db/store_usage.h"
#include "db/wake.h"
#include "metering/bill/close.h"
#include "metering/bill/zone.h"
#include "metering/budgets.h"
#include "metering/closes.h"
#include "metering/config.h"
#include "metering/counters.h"
#include "metering/intervals.h"
#include "metering/price_file.h"
#include "metering/retention.h"
#include "metering/webhook.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MS        100 /* events gather: every batch is a commit that others wait for */
#define LEASE_NAME      "metering"
#define CLOSE_PERIOD_US (300 * CLOCK_SECOND_US)

struct metering {
    struct metering_config config;
    struct intervals intervals;
    struct counters counters;
    struct budgets budgets;
    struct retention retention;
    struct db *db;
    struct wake *wake;
    struct loop *loop;
    char *smtp_password;
    char holder[UUID_SIZE];
    bool leader;
    int64_t epoch, metrics_us, folded_us, closed_us; /* by the monotonic clock */
};

static void write_metrics(struct metering *m)
{
    int64_t now = clock_mono_us();
    if (!m->config.metrics_file || now - m->metrics_us < 5 * CLOCK_SECOND_US) {
        return;
    }
    struct strbuf out;
    struct error e = {0};
    m->metrics_us = now;
    if (store_usage_newest_event(m->intervals.conn, &m->intervals.newest, &e) ||
        intervals_position(&m->intervals, &e)) {
        log_warn("lag not measured", "error=%s", error_text(&e));
        error_clear(&e);
    }
    strbuf_init(&out, 0);
    strbuf_appendf(&out, "# TYPE virga_metering_leading gauge\nvirga_metering_leading %d\n", m->leader);
    strbuf_appendf(&out, "# TYPE virga_metering_events_total counter\nvirga_metering_events_total %llu\n",
                   (unsigned long long)m->intervals.events);
    strbuf_appendf(&out, "# TYPE virga_metering_lag_events gauge\nvirga_metering_lag_events %lld\n",
                   (long long)(m->intervals.newest - m->intervals.position));
    strbuf_appendf(&out, "# TYPE virga_metering_clamped_total counter\nvirga_metering_clamped_total %llu\n",
                   (unsigned long long)m->intervals.clamped);
    strbuf_appendf(&out,
                   "# TYPE virga_metering_usage_rows_rolled_total counter\n"
                   "virga_metering_usage_rows_rolled_total %llu\n"
                   "# TYPE virga_metering_usage_rows_forgotten_total counter\n"
                   "virga_metering_usage_rows_forgotten_total %llu\n",
                   (unsigned long long)m->retention.rolled, (unsigned long long)m->retention.forgotten);
    strbuf_appendf(&out, "# TYPE virga_metering_samples_total counter\nvirga_metering_samples_total %llu\n",
                   (unsigned long long)m->counters.samples);
    strbuf_appendf(&out,
                   "# TYPE virga_metering_samples_repeated_total counter\n"
                   "virga_metering_samples_repeated_total %llu\n",
                   (unsigned long long)m->counters.repeated);
    strbuf_appendf(&out,
                   "# TYPE virga_metering_counter_resets_total counter\nvirga_metering_counter_resets_total %llu\n",
                   (unsigned long long)m->counters.resets);
    if (file_replace(m->config.metrics_file, out.data, out.size, 0644, &e)) {
        log_warn("metrics not written", "error=\"%s\"", error_text(&e));
    }
    strbuf_done(&out);
}

/* Batches gather: what a server used is written once for several of its samples. */
static void fold_counters(struct metering *m)
{
    struct error e = {0};
    int64_t now = clock_mono_us();
    if (now - m->folded_us < m->config.fold_ms * 1000) {
        return;
    }
    m->folded_us = now;
    int rc = counters_run(&m->counters, &e);
    if (rc) {
        log_error("counters not taken over", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    }
}

static void watch_budgets(struct metering *m)
{
    struct error e = {0};
    int rc = budgets_run(&m->budgets, &e);
    if (rc) {
        log_error("budgets not compared", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    }
}

/* Looked at every few minutes: who has its invoice is passed over, who has none (its month is over later in its zone,
 * the run before was cut off) gets it. */
static void close_last_month(struct metering *m)
{
    struct error e = {0};
    struct close_result result = {0};
    struct close_plan plan = {.now_us = clock_now_us()};
    int64_t now = clock_mono_us();
    if (m->config.close_after_ms == 0 || now - m->closed_us < CLOSE_PERIOD_US) {
        return;
    }
    m->closed_us = now;
    int rc = zone_month_of("UTC", plan.now_us - m->config.close_after_ms * 1000, &plan.year, &plan.month, &e);
    plan.year -= plan.month == 1;
    plan.month = plan.month == 1 ? 12 : plan.month - 1;
    rc = rc ? rc : close_month(m->budgets.reader, m->intervals.conn, &plan, &result, &e);
    if (rc) {
        log_error("month not closed", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    } else if (result.invoices > 0) {
        log_info("month closed", "month=%04d-%02d invoices=%zu lines=%zu", plan.year, plan.month, result.invoices,
                 result.lines);
    }
}

static void retain(struct metering *m)
{
    struct error e = {0};
    int rc = retention_run(&m->retention, &e);
    if (rc) {
        log_error("old usage not rolled up", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    }
}

static void work(void *arg)
{
    struct metering *m = arg;
    struct error e = {0};
    int rc = m->leader ? intervals_run(&m->intervals, &e) : 0;
    if (rc) {
        log_error("events not taken over", "code=%s error=\"%s\"", error_name(rc), error_text(&e));
    }
    if (!rc && m->leader) {
        fold_counters(m);
        watch_budgets(m);
        close_last_month(m);
        closes_run(m->budgets.reader, m->intervals.conn);
        retain(m);
    }
    write_metrics(m);
}

static int acquire(struct db_conn *c, void *arg, struct error *e)
{
    struct metering *m = arg;
    int64_t until;
    return lease_acquire(c, LEASE_NAME, m->holder, clock_now_us(), m->config.lease_ms * 1000, &m->leader, &m->epoch,
                         &until, e);
}

static void lead(void *arg)
{
    struct metering *m = arg;
    struct error e = {0};
    bool led = m->leader;
    if (db_transact(m->intervals.conn, acquire, m, &e)) {
        log_error("lease not renewed", "error=\"%s\"", error_text(&e));
        return;
    }
    if (led != m->leader) {
        intervals_forget(&m->intervals); /* another may have led meanwhile */
        counters_forget(&m->counters);
        log_info(m->leader ? "leading" : "standing by", "holder=%s epoch=%lld", m->holder, (long long)m->epoch);
        work(m);
    }
}

static void load_prices(struct metering *m)
{
    struct error e = {0};
    char *path = m->config.prices ? strdup(m->config.prices) : config_place(m->config.prefix, "/etc/virga/prices.yaml");
    int rc = price_file_load(m->intervals.conn, path, &e);
    if (rc && (rc != ERR_NOT_FOUND || m->config.prices)) {
        log_error("price book not loaded", "error=\"%s\"", error_text(&e));
    } else {
        log_info("price book", "path=%s found=%d", path, rc == 0);
    }
    free(path);
}

static void reload(void *arg)
{
    struct metering *m = arg;
    struct error e = {0};
    const char *restart = NULL;
    enum log_level level;
    log_reopen();
    if (config_reload(&config_metering, &m->config, &restart, &e)) {
        log_error("configuration not reloaded", "error=\"%s\"", error_text(&e));
        return;
    }
    if (log_level_parse(m->config.log_level, &level)) {
        log_set_level(level);
    }
    m->intervals.batch = m->config.batch;
    load_prices(m);
    log_info("configuration reloaded", "restart_needed=%s", restart ? restart : "");
}

static void on_wake(void *arg, const char *topic)
{
    struct metering *m = arg;
    if (strcmp(topic, "events") == 0 || strcmp(topic, "closes") == 0 || strcmp(topic, "*") == 0) {
        loop_wake(m->loop);
    }
}

/* A file's first line, on the heap; NULL for no file. */
static int read_line(const char *path, char **ret, struct error *e)
{
    struct strbuf text;
    int rc = 0;
    strbuf_init(&text, 4096);
    if (path) {
        rc = file_read(path, &text, e);
    }
    if (!rc && text.size > 0) {
        text.data[strcspn(text.data, "\r\n")] = '\0';
        *ret = strdup(text.data);
    }
    strbuf_done(&text);
    return rc;
}

static void forget_line(char **line)
{
    if (*line) {
        explicit_bzero(*line, strlen(*line));
    }
    free(*line);
    *line = NULL;
}

/* What webhooks are signed with, and who takes mails. */
static int read_secrets(struct metering *m, struct error *e)
{
    char *secret = NULL;
    int rc = read_line(m->config.webhook_secret, &secret, e);
    m->budgets.webhook = webhook_new(secret);
    forget_line(&secret);
    rc = rc ? rc : read_line(m->config.smtp_password, &m->smtp_password, e);
    m->budgets.mail = (struct budgets_mail){.server = m->config.smtp_url,
                                            .from = m->config.smtp_from,
                                            .user = m->config.smtp_user,
                                            .password = m->smtp_password,
                                            .ca = m->config.smtp_ca};
    return rc;
}

static int start(struct metering *m, struct error *e)
{
    struct loop_plan plan = {.arg = m,
                             .work = work,
                             .lead = lead,
                             .reload = reload,
                             .poll_ms = m->config.poll_ms,
                             .pause_ms = PAUSE_MS,
                             .lead_ms = m->config.lease_ms / 3};
    m->loop = loop_new(&plan, daemon_signal_fd());
    int rc = daemon_pid_file(m->config.pid_file, e);
    char *database =
        m->config.database ? strdup(m->config.database) : config_place(m->config.prefix, "/var/lib/virga/virga.db");
    rc = rc ? rc : db_open(database, 0, &m->db, e);
    free(database);
    m->intervals.batch = m->config.batch;
    m->intervals.region = m->config.region;
    if (!rc) {
        db_set_region(m->db, m->config.region);
    }
    uuid_random(m->holder);
    rc = rc ? rc : db_conn_open(m->db, &m->intervals.conn, e);
    m->counters.conn = m->intervals.conn;
    m->counters.batch = m->config.fold_batch;
    if (!rc) {
        m->budgets.conn = m->intervals.conn;
        m->budgets.reader = db_reader(m->db);
        m->budgets.period_us = m->config.budget_ms * 1000;
        m->retention = (struct retention){.reader = m->budgets.reader,
                                          .conn = m->intervals.conn,
                                          .days_after_us = m->config.usage_days_ms * 1000,
                                          .months_after_us = m->config.usage_months_ms * 1000,
                                          .forget_after_us = m->config.usage_forget_ms * 1000};
        rc = read_secrets(m, e);
    }
    if (!rc) {
        load_prices(m);
    }
    return rc ? rc : wake_listen(m->db, on_wake, m, &m->wake, e);
}

static int release(struct db_conn *c, void *arg, struct error *e)
{
    const struct metering *m = arg;
    return lease_release(c, LEASE_NAME, m->holder, e);
}

static void stop(struct metering *m)
{
    struct error e = {0};
    wake_close(&m->wake);
    if (m->leader && db_transact(m->intervals.conn, release, m, &e)) {
        log_warn("lease not released", "error=\"%s\"", error_text(&e));
    }
    intervals_forget(&m->intervals);
    counters_forget(&m->counters);
    budgets_done(&m->budgets);
    webhook_free(&m->budgets.webhook);
    forget_line(&m->smtp_password);
    db_conn_close(&m->intervals.conn);
    db_close(&m->db);
    loop_free(&m->loop);
    log_info("stopped", "events=%llu", (unsigned long long)m->intervals.events);
}

int main(int argc, char **argv)
{
    static struct metering m;
    struct error e = {0};
    enum config_outcome outcome;
    enum log_level level = LOG_LEVEL_INFO;
    if (config_load(&config_metering, &m.config, "/etc/virga/virga-metering.conf", argc, argv, NULL, &outcome, &e)) {
        fprintf(stderr, "virga-metering: %s\n", error_text(&e));
        return 2;
    }
    if (outcome == CONFIG_EXIT) {
        return 0;
    }
    if (!m.config.metrics_file) {
        m.config.metrics_file = config_place(m.config.prefix, "/run/virga/virga-metering.prom");
    }
    log_level_parse(m.config.log_level, &level);
    log_init("virga-metering", m.config.log_file, level);
    if (start(&m, &e)) {
        log_error("cannot start", "error=\"%s\"", error_text(&e));
        return 1;
    }
    loop_run(m.loop);
    stop(&m);
    config_done(&config_metering, &m.config);
    return 0;
}
