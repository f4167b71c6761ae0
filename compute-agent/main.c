/* virga-agent: reads its configuration, joins its cloud if it has not, and runs the loop until it is told to end.
 * Servers run on then. */
#include "common/daemon.h"
#include "common/file.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "compute-agent/agent.h"
#include "compute-agent/loop.h"
#include "compute-agent/settings.h"
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define MAIN_STATUS_MS 10000

struct program {
    struct settings settings;
    struct loop *loop;
    struct agent *agent;
    struct loop_watch *signals;
    struct loop_timer *status, *watchdog;
    int signal_fd, exit_code;
};

static void main_reload(struct program *p)
{
    const char *restart = "";
    struct error e = {0};
    enum log_level level;
    log_reopen();
    if (settings_reload(&p->settings, &restart, &e) || agent_reload(p->agent, &e)) {
        log_error("configuration not reloaded", "error=\"%s\"", error_text(&e));
        return;
    }
    if (log_level_parse(p->settings.log_level, &level))
        log_set_level(level);
    log_info("configuration reloaded", "wait_for_restart=\"%s\"", restart ? restart : "");
}

static void main_on_signal(void *arg, int fd, unsigned events)
{
    struct program *p = arg;
    struct signalfd_siginfo info;
    (void)events;
    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGHUP) {
        main_reload(p);
        return;
    }
    log_info("ending", "signal=%u", info.ssi_signo);
    daemon_stopping();
    loop_stop(p->loop);
}

static void main_on_watchdog(void *arg)
{
    (void)arg;
    daemon_watchdog();
}

static void main_on_status(void *arg)
{
    struct program *p = arg;
    struct host_figures f = agent_figures(p->agent);
    daemon_status("%zu servers, %zu working, %zu events to report%s", f.servers, f.working, f.unreported,
                  f.connected ? "" : ", hypervisor away");
}

static void main_on_started(void *arg, int code, const struct error *error)
{
    struct program *p = arg;
    if (code) {
        log_error("cannot start", "error=\"%s\"", error_text(error));
        fprintf(stderr, "virga-agent: %s\n", error_text(error));
        p->exit_code = 1;
        loop_stop(p->loop);
    } else if (p->settings.join_only) {
        loop_stop(p->loop);
    } else {
        log_info("started", "version=%s", VIRGA_VERSION);
        daemon_ready();
    }
}

static void main_raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    mallopt(M_ARENA_MAX, 2); /* worker threads would otherwise keep an arena each */
}

/* Two agents on one journal would be one too many. */
static int main_lock(struct program *p, struct error *e)
{
    struct strbuf path;
    strbuf_init(&path, 0);
    strbuf_appendf(&path, "%s/lock", p->settings.state_dir);
    int code = file_make_dirs(p->settings.state_dir, 0711, e);
    if (!code)
        code = daemon_pid_file(path.data, e);
    strbuf_done(&path);
    return code;
}

static int main_open(struct program *p, struct error *e)
{
    enum log_level level = LOG_LEVEL_INFO;
    log_level_parse(p->settings.log_level, &level);
    log_init("virga-agent", p->settings.log_file, level);
    main_raise_limits();
    p->signal_fd = daemon_signal_fd(); /* first: who reads the file may send one */
    if (p->signal_fd < 0)
        return error_set(e, ERR_IO, "No file descriptor for signals");
    int code = daemon_pid_file(p->settings.pid_file, e);
    if (!code)
        code = main_lock(p, e);
    if (code)
        return code;
    p->loop = loop_new();
    p->signals = loop_watch_new(p->loop, p->signal_fd, main_on_signal, p);
    loop_watch_set(p->signals, LOOP_READ);
    p->status = loop_timer_new(p->loop, main_on_status, p);
    p->watchdog = loop_timer_new(p->loop, main_on_watchdog, p);
    return p->settings.purge ? agent_purge(&p->settings, e) : agent_new(&p->settings, p->loop, &p->agent, e);
}

static void main_run(struct program *p)
{
    int64_t ping_us = daemon_watchdog_interval_us();
    loop_timer_start(p->status, MAIN_STATUS_MS, MAIN_STATUS_MS);
    if (ping_us > 0)
        loop_timer_start(p->watchdog, 0, ping_us / 1000);
    agent_start(p->agent, main_on_started, p);
    loop_run(p->loop);
}

int main(int argc, char **argv)
{
    struct program p = {.signal_fd = -1};
    struct error e = {0};
    enum config_outcome outcome;
    int code = settings_load(&p.settings, argc, argv, &outcome, &e);
    if (!code && outcome == CONFIG_EXIT)
        return 0;
    if (!code)
        code = main_open(&p, &e);
    if (!code && !p.settings.purge)
        main_run(&p);
    else if (code)
        fprintf(stderr, "virga-agent: %s\n", error_text(&e));
    agent_free(&p.agent);
    if (p.loop) {
        loop_watch_free(&p.signals);
        loop_timer_free(&p.status);
        loop_timer_free(&p.watchdog);
        loop_free(&p.loop);
    }
    settings_done(&p.settings);
    return code ? 1 : p.exit_code;
}
