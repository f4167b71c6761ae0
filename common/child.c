/* fork, confinement, limits, execvp; two pipes are read until both end or the deadline passes, then the child's own
 * process group is killed and reaped. */
#include "common/child.h"
#include "common/child_confine.h"
#include "common/clock.h"
#include "common/confine.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_ERROR_TEXT 2048
#define CHILD_NO_PROGRAM 127
#define CHILD_NO_CAGE    125
#define CHILD_LOOK_MS    200 /* whether it is to stop */

static void child_limit(__rlimit_resource_t which, int64_t most)
{
    struct rlimit limit = {(rlim_t)most, (rlim_t)most};
    if (most)
        setrlimit(which, &limit);
}

static int child_give_up(int code)
{
    const char *why = strerrordesc_np(errno);
    if (write(2, "it cannot be confined: ", 23) < 0 || write(2, why, strlen(why)) < 0)
        return code;
    return code;
}

/* Between fork and exec: only async-signal-safe calls. */
static void child_exec(const struct child *c, const struct child_confine *confine, int in, int out, int err)
{
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    child_limit(RLIMIT_AS, c->memory_bytes);
    child_limit(RLIMIT_CPU, c->cpu_seconds);
    child_limit(RLIMIT_FSIZE, c->file_bytes);
    if (c->directory && chdir(c->directory))
        _exit(child_give_up(CHILD_NO_PROGRAM - 1));
    if (c->confined_as && child_confine_enter(confine, c->directory))
        _exit(child_give_up(CHILD_NO_PROGRAM - 1));
    if (c->cage && (errno = confine_enter(c->cage)) != 0)
        _exit(child_give_up(CHILD_NO_CAGE));
    execvp(c->argv[0], (char *const *)(uintptr_t)c->argv);
    _exit(errno == ENOENT ? CHILD_NO_PROGRAM : CHILD_NO_PROGRAM - 1);
}

struct child_pipe {
    int fd;
    struct strbuf *to;
};

/* Reads what is there; closes at the end. */
static void child_drain(struct child_pipe *p)
{
    char buffer[8192];
    ssize_t got = read(p->fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0) {
        close(p->fd);
        p->fd = -1;
    } else if (p->to) {
        strbuf_append(p->to, buffer, (size_t)got);
    }
}

/* Until both pipes end: true. At the deadline, or stopped: false. */
static bool child_read(struct child_pipe pipes[2], int64_t deadline_mono_us, const atomic_bool *stop)
{
    while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
        struct pollfd fds[2] = {{.fd = pipes[0].fd, .events = POLLIN}, {.fd = pipes[1].fd, .events = POLLIN}};
        int64_t left_us = deadline_mono_us - clock_mono_us();
        if (left_us <= 0 || (stop && atomic_load(stop)))
            return false;
        int64_t wait_ms = left_us / 1000 + 1;
        int ready = poll(fds, 2, stop && wait_ms > CHILD_LOOK_MS ? CHILD_LOOK_MS : (int)wait_ms);
        if (ready < 0 && errno != EINTR)
            return false;
        for (int i = 0; ready > 0 && i < 2; i++) {
            if (fds[i].revents)
                child_drain(&pipes[i]);
        }
    }
    return true;
}

/* Of what it complained; one that only refers to those above ("... due to previous errors") goes. */
static const char *child_last_line(struct strbuf *complaint)
{
    char *line = complaint->size ? strrchr(complaint->data, '\n') : NULL;
    if (line && strstr(line, "previous errors")) {
        *line = '\0';
        line = strrchr(complaint->data, '\n');
    }
    return line ? line + 1 : complaint->data;
}

static int child_verdict(const struct child *c, int status, struct strbuf *complaint, struct error *e)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_NO_PROGRAM)
        return error_set(e, ERR_NOT_FOUND, "There is no program %s on this host", c->argv[0]);
    if (c->cage && WIFEXITED(status) && WEXITSTATUS(status) == CHILD_NO_CAGE)
        return error_set(e, ERR_UNAVAILABLE, "%s cannot be confined on this machine", c->argv[0]);
    while (complaint->size && strchr("\n\r ", complaint->data[complaint->size - 1]))
        complaint->data[--complaint->size] = '\0';
    const char *line = child_last_line(complaint);
    if (WIFSIGNALED(status))
        return error_set(e, ERR_IO, "%s was killed by signal %d: %s", c->argv[0], WTERMSIG(status), line);
    return error_set(e, ERR_IO, "%s failed with status %d: %s", c->argv[0], WEXITSTATUS(status), line);
}

static int child_reap(const struct child *c, pid_t pid, struct child_pipe pipes[2], struct error *e)
{
    bool ended = child_read(pipes, clock_mono_us() + c->deadline_ms * 1000, c->stop);
    if (!ended) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
    }
    for (int i = 0; i < 2; i++) {
        if (pipes[i].fd >= 0)
            close(pipes[i].fd);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!ended && c->stop && atomic_load(c->stop))
        return error_set(e, ERR_TIMEOUT, "%s was stopped", c->argv[0]);
    if (!ended)
        return error_set(e, ERR_TIMEOUT, "%s did not end within %lld ms", c->argv[0], (long long)c->deadline_ms);
    return child_verdict(c, status, pipes[1].to, e);
}

static void child_close(int fds[2])
{
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

/* Collects what it says; the pipes' inner ends are closed here. */
static int child_watch(const struct child *c, pid_t pid, int out[2], int err[2], struct strbuf *output, struct error *e)
{
    close(out[1]);
    close(err[1]);
    struct strbuf complaint;
    strbuf_init(&complaint, CHILD_ERROR_TEXT);
    struct child_pipe pipes[2] = {{out[0], output}, {err[0], &complaint}};
    int code = child_reap(c, pid, pipes, e);
    if (c->errors)
        strbuf_append(c->errors, complaint.data, complaint.size);
    strbuf_done(&complaint);
    return code;
}

static int child_open(const char *path, int flags, int *ret, struct error *e)
{
    *ret = open(path, flags | O_CLOEXEC, 0600);
    return *ret < 0 ? error_set(e, ERR_IO, "%s: %s", path, strerror(errno)) : 0;
}

int child_run(const struct child *c, struct strbuf *output, struct error *e)
{
    int out[2] = {-1, -1}, err[2] = {-1, -1}, in = -1, file = -1;
    struct child_confine confine = {{-1, -1}, {-1, -1}};
    int code = child_open(c->input ? c->input : "/dev/null", O_RDONLY, &in, e);
    if (!code && c->output && (code = child_open(c->output, O_WRONLY | O_CREAT | O_TRUNC, &file, e)) != 0)
        close(in);
    if (code)
        return code;
    bool ready = pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 &&
                 (!c->confined_as || child_confine_open(&confine) == 0);
    pid_t pid = ready ? fork() : -1;
    if (pid == 0)
        child_exec(c, &confine, in, file < 0 ? out[1] : file, err[1]);
    int why = errno;
    close(in);
    if (file >= 0)
        close(file);
    if (pid > 0 && c->confined_as)
        child_confine_admit(&confine, pid, c->confined_as);
    child_confine_close(&confine);
    if (pid > 0)
        return child_watch(c, pid, out, err, output, e);
    child_close(out);
    child_close(err);
    return error_set(e, ERR_IO, "Cannot start %s: %s", c->argv[0], strerror(why));
}
