/* Supervisor. One poll over a signalfd: SIGCHLD tells of deaths, a timeout of restarts that are due. Children get
 * SIGTERM when this process dies (PR_SET_PDEATHSIG), so that nothing runs on unseen; servers run on, as they belong to
 * libvirt. */
#include "cli/supervisor.h"
#include "common/clock.h"
#include "common/log.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKOFF_LEAST_US (100 * (int64_t)1000)
#define BACKOFF_MOST_US  (10 * CLOCK_SECOND_US)
#define SETTLED_US       (10 * CLOCK_SECOND_US)

struct supervisor {
    struct supervisor_child *children;
    int count;
    const char *log_dir;
    int signals;
    sigset_t inherited; /* the signal mask from before */
};

/* What daemons take as reads (daemon_signal_fd): stop and reload. */
static void add_daemon_signals(sigset_t *mask)
{
    sigaddset(mask, SIGTERM);
    sigaddset(mask, SIGINT);
    sigaddset(mask, SIGHUP);
}

/* A signal that comes before the daemon listens waits for it: neither a stop nor a reload kills one that begins. */
static void become_child(const struct supervisor *s, const struct supervisor_child *child)
{
    char *path = NULL;
    sigset_t mask = s->inherited;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    add_daemon_signals(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (s->log_dir && asprintf(&path, "%s/%s.log", s->log_dir, child->name) > 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fd >= 0) {
            dup2(fd, STDOUT_FILENO);
            dup2(fd, STDERR_FILENO);
        }
    }
    execv(child->argv[0], (char *const *)child->argv);
    fprintf(stderr, "%s: %s\n", child->argv[0], strerror(errno));
    _exit(127);
}

static void start(const struct supervisor *s, struct supervisor_child *child)
{
    pid_t pid = fork();
    if (pid == 0) {
        become_child(s, child);
    }
    child->started_us = clock_mono_us();
    if (pid < 0) {
        child->died_us = child->started_us;
        log_error("child not started", "name=%s error=\"%s\"", child->name, strerror(errno));
        return;
    }
    child->pid = pid;
    log_info("child started", "name=%s pid=%d", child->name, (int)pid);
}

static void bury(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (int i = 0; i < s->count; i++) {
            struct supervisor_child *child = &s->children[i];
            if (child->pid != pid) {
                continue;
            }
            child->pid = 0;
            child->died_us = clock_mono_us();
            bool settled = child->died_us - child->started_us > SETTLED_US;
            int64_t next = settled || !child->backoff_us ? BACKOFF_LEAST_US : child->backoff_us * 2;
            child->backoff_us = next > BACKOFF_MOST_US ? BACKOFF_MOST_US : next;
            log_warn("child ended", "name=%s pid=%d signal=%d status=%d", child->name, (int)pid,
                     WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
        }
    }
}

/* Starts what is due; returns milliseconds until the next is. */
static int start_due(struct supervisor *s)
{
    int64_t now = clock_mono_us(), wait_us = CLOCK_SECOND_US;
    for (int i = 0; i < s->count; i++) {
        struct supervisor_child *child = &s->children[i];
        if (child->pid || (child->wanted && access(child->wanted, F_OK) != 0)) {
            continue;
        }
        int64_t due = child->died_us + child->backoff_us;
        if (due <= now) {
            start(s, child);
        } else if (due - now < wait_us) {
            wait_us = due - now;
        }
    }
    return (int)(wait_us / 1000) + 1;
}

static void signal_all(const struct supervisor *s, int number)
{
    for (int i = 0; i < s->count; i++) {
        if (s->children[i].pid) {
            kill(s->children[i].pid, number);
        }
    }
}

/* True when the signal means: stop. */
static bool handle_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    bool stop = false;
    while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            signal_all(s, SIGHUP);
        } else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
            stop = true;
        }
    }
    bury(s);
    return stop;
}

static void end_child(struct supervisor *s, struct supervisor_child *child, int64_t grace_ms)
{
    struct pollfd wait = {.fd = s->signals, .events = POLLIN};
    int64_t deadline = clock_mono_us() + grace_ms * 1000;
    if (child->pid) {
        kill(child->pid, SIGTERM);
    }
    while (child->pid && clock_mono_us() < deadline) {
        poll(&wait, 1, 100);
        handle_signals(s);
    }
    if (child->pid) {
        log_warn("child killed", "name=%s pid=%d", child->name, child->pid);
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
        child->pid = 0;
    }
}

static int block_signals(struct supervisor *s)
{
    sigset_t mask;
    sigemptyset(&mask);
    add_daemon_signals(&mask);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, &s->inherited);
    s->signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    return s->signals;
}

int supervisor_run(struct supervisor_child *children, int count, const char *log_dir, int64_t grace_ms, struct error *e)
{
    struct supervisor s = {.children = children, .count = count, .log_dir = log_dir};
    if (block_signals(&s) < 0) {
        return error_set(e, ERR_IO, "signalfd: %s", strerror(errno));
    }
    struct pollfd wait = {.fd = s.signals, .events = POLLIN};
    bool stop = false;
    while (!stop) {
        int timeout_ms = start_due(&s);
        poll(&wait, 1, timeout_ms);
        stop = handle_signals(&s);
    }
    for (int i = count - 1; i >= 0; i--) {
        end_child(&s, &children[i], grace_ms);
    }
    close(s.signals);
    sigprocmask(SIG_SETMASK, &s.inherited, NULL);
    return 0;
}
