/* virga-api: starts what the requests need, from the bottom up, serves until it is told to stop, and takes it down in
 * the opposite order.
 *
 * Whatever is missing at start ends the process with one line that says what; what fails later is answered as 5xx and
 * shows in /healthz, and the watchdog is not fed any more when nothing moves. */
#include "api/api.h"
#include "api/config.h"
#include "api/http/http_server.h"
#include "api/http/metrics.h"
#include "api/http/upload.h"
#include "api/identity/login_limit.h"
#include "api/identity/token.h"
#include "api/ports.h"
#include "api/root/root.h"
#include "api/services.h"
#include "common/daemon.h"
#include "common/log.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define REST_MS 200

static void rest(struct api *api, void *arg)
{
    (void)arg;
    db_rest_readers(api->db);
}

static int start_core(struct api *api, struct api_config *c, struct error *e)
{
    int rc = daemon_pid_file(c->pid_file, e);
    if (!rc)
        rc = db_open(c->database, 0, &api->db, e);
    if (!rc)
        db_keep_snapshots(api->db);
    if (!rc)
        db_set_region(api->db, c->region);
    if (!rc)
        rc = writer_new(api->db, (size_t)c->writer_queue, (unsigned)c->writer_threads, &api->writer, e);
    if (!rc)
        rc = token_keys_new(api->db, c->master_key, &api->tokens, e);
    if (!rc)
        rc = upload_sweep(c->upload_dir, e);
    return rc ? rc : services_start(api, e);
}

static int start(struct api *api, struct api_config *c, struct error *e)
{
    api->config = c;
    api->metrics = metrics_new();
    api->logins = login_limit_new();
    int rc = start_core(api, c, e);
    if (!rc)
        rc = ports_start(api, c, e);
    if (!rc)
        rc = wake_listen(api->db, api_wake, api, &api->wake, e); /* it looks at both servers */
    if (!rc) {
        api_timer(api, REST_MS, rest, NULL);
        api_timers_start(api);
    }
    return rc;
}

static void stop(struct api *api, const struct api_config *c)
{
    api_timers_stop(api);
    services_stop();
    wake_close(&api->wake);
    ports_stop(api, c);
    if (api->writer)
        writer_free(&api->writer);
    token_keys_free(&api->tokens);
    metrics_free(&api->metrics);
    login_limit_free(&api->logins);
    if (api->db)
        db_close(&api->db);
}

static void reload(struct api_config *c)
{
    struct error e = {0};
    const char *restart = "";
    enum log_level level;
    log_reopen();
    ports_renew(true);
    if (config_reload(&config_api, c, &restart, &e)) {
        log_error("configuration not reloaded", "error=%s", error_text(&e));
        return;
    }
    if (log_level_parse(c->log_level, &level))
        log_set_level(level);
    log_info("configuration reloaded", "restart_needed=%s", restart);
}

/* Until SIGTERM or SIGINT. */
static void serve(struct api *api, struct api_config *c, int signals)
{
    int64_t interval_us = daemon_watchdog_interval_us();
    int wait_ms = interval_us ? (int)(interval_us / 1000) : -1;
    for (;;) {
        struct pollfd fd = {.fd = signals, .events = POLLIN};
        struct signalfd_siginfo info;
        if (interval_us && root_is_alive(api))
            daemon_watchdog();
        if (poll(&fd, 1, wait_ms) <= 0 || read(signals, &info, sizeof(info)) != sizeof(info))
            continue;
        if (info.ssi_signo != SIGHUP)
            return;
        reload(c);
    }
}

static int run(struct api_config *c)
{
    static struct api api;
    struct error e = {0};
    enum log_level level = LOG_LEVEL_INFO;
    log_level_parse(c->log_level, &level);
    log_init("virga-api", c->log_file, level);
    int signals = daemon_signal_fd();
    int rc = signals < 0 ? error_set(&e, ERR_INTERNAL, "signals: %s", strerror(errno)) : start(&api, c, &e);
    if (rc) {
        log_error("cannot start", "error=%s", error_text(&e));
    } else {
        log_info("ready", "version=%s port=%u agents_port=%u", VIRGA_VERSION, http_server_port(api.http),
                 api.agents ? http_server_port(api.agents) : 0);
        daemon_ready();
        serve(&api, c, signals);
        daemon_stopping();
        log_info("stopping", "");
    }
    stop(&api, c);
    if (signals >= 0)
        close(signals);
    return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
    static struct api_config config;
    struct error e = {0};
    enum config_outcome outcome;
    if (config_load(&config_api, &config, "/etc/virga/virga-api.conf", argc, argv, NULL, &outcome, &e)) {
        fprintf(stderr, "virga-api: %s\n", error_text(&e));
        return 2;
    }
    if (outcome == CONFIG_EXIT)
        return 0;
    config_api_places(&config);
    int status = run(&config);
    config_done(&config_api, &config);
    return status;
}
