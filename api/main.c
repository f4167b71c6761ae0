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
#include "api/identity/token.h"
#include "api/root/root.h"
#include "api/services.h"
#include "common/daemon.h"
#include "common/file.h"
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
        rc = writer_new(api->db, (size_t)c->writer_queue, (unsigned)c->writer_threads, &api->writer, e);
    if (!rc)
        rc = token_keys_new(api->db, c->master_key, &api->tokens, e);
    if (!rc)
        rc = upload_sweep(c->upload_dir, e);
    return rc ? rc : services_start(api, e);
}

/* The file's text, for the caller to free; NULL for no path. */
static int read_pem(const char *path, char **ret, struct error *e)
{
    struct strbuf text;
    if (!path)
        return 0;
    strbuf_init(&text, (size_t)1 << 20);
    int rc = file_read(path, &text, e);
    if (!rc)
        *ret = strbuf_take(&text);
    strbuf_done(&text);
    return rc;
}

static void fill_options(const struct api_config *c, struct http_options *o)
{
    *o = (struct http_options){
        .services = services_all,
        .threads = (unsigned)c->http_threads,
        .workers = (unsigned)c->http_workers,
        .hashers = (unsigned)c->password_threads,
        .hash_queue = (unsigned)c->password_queue,
        .connection_limit = (unsigned)c->http_connections,
        .header_timeout_ms = c->header_timeout_ms,
        .body_timeout_ms = c->body_timeout_ms,
        .upload_timeout_ms = c->upload_timeout_ms,
        .idle_timeout_ms = c->idle_timeout_ms,
        .body_limit = c->body_limit,
        .upload_limit = c->image_limit,
        .upload_dir = c->upload_dir,
        .endpoint = c->endpoint,
    };
}

/* Appends the CA to the port's own certificate: who joins looks for it in the handshake (docs/agent-protocol.md). */
static void add_chain(char **certificate, const char *trust)
{
    struct strbuf chain;
    strbuf_init(&chain, 0);
    strbuf_append_text(&chain, *certificate);
    strbuf_append_text(&chain, trust);
    free(*certificate);
    *certificate = strbuf_take(&chain);
    strbuf_done(&chain);
}

/* Starts one port with the certificate files given; `trust` makes it the agents'. */
static int start_port(struct api *api, const struct http_options *options, const char *certificate, const char *key,
                      const char *trust, struct http_server **ret, struct error *e)
{
    struct http_options o = *options;
    char *texts[3] = {0};
    int rc = read_pem(certificate, &texts[0], e);
    if (!rc)
        rc = read_pem(key, &texts[1], e);
    if (!rc)
        rc = read_pem(trust, &texts[2], e);
    if (!rc && texts[0] && texts[2])
        add_chain(&texts[0], texts[2]);
    o.certificate = texts[0];
    o.key = texts[1];
    o.trust = texts[2];
    if (!rc)
        rc = http_server_start(api, &o, ret, e);
    if (texts[1])
        explicit_bzero(texts[1], strlen(texts[1]));
    for (size_t i = 0; i < 3; i++)
        free(texts[i]);
    return rc;
}

static int start_agents(struct api *api, const struct api_config *c, const struct http_options *options,
                        struct error *e)
{
    struct http_options o = *options;
    int fd = daemon_listen_fd("agents");
    o.port = ROUTER_AGENTS;
    o.listen = c->agent_listen;
    o.listen_fd = fd < 0 ? 0 : fd;
    o.endpoint = NULL;
    if (!c->agent_listen || !*c->agent_listen)
        return 0;
    char *ca = config_place(c->pki_dir, "/ca.pem"), *certificate = config_place(c->pki_dir, "/agents.pem"),
         *key = config_place(c->pki_dir, "/agents.key");
    int rc = 0;
    if (access(ca, F_OK) && errno == ENOENT)
        log_warn("no hosts can connect: the cloud has no certificates yet", "folder=%s", c->pki_dir);
    else
        rc = start_port(api, &o, certificate, key, ca, &api->agents, e);
    free(ca);
    free(certificate);
    free(key);
    return rc;
}

static int start_tenants(struct api *api, const struct api_config *c, const struct http_options *options,
                         struct error *e)
{
    struct http_options o = *options;
    int fd = daemon_listen_fd("tenants");
    if (!c->tls_certificate != !c->tls_key)
        return error_set(e, ERR_INVALID, "tls_certificate and tls_key go together");
    o.listen = c->listen;
    o.listen_fd = fd < 0 ? 0 : fd;
    return start_port(api, &o, c->tls_certificate, c->tls_key, NULL, &api->http, e);
}

static int start(struct api *api, struct api_config *c, struct error *e)
{
    struct http_options options;
    api->config = c;
    api->metrics = metrics_new();
    int rc = start_core(api, c, e);
    fill_options(c, &options);
    if (!rc)
        rc = start_agents(api, c, &options, e);
    if (!rc)
        rc = start_tenants(api, c, &options, e);
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
    wake_close(&api->wake);
    http_server_stop(&api->agents, c->shutdown_timeout_ms);
    http_server_stop(&api->http, c->shutdown_timeout_ms);
    if (api->writer)
        writer_free(&api->writer);
    token_keys_free(&api->tokens);
    metrics_free(&api->metrics);
    if (api->db)
        db_close(&api->db);
}

static void reload(struct api_config *c)
{
    struct error e = {0};
    const char *restart = "";
    enum log_level level;
    log_reopen();
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
