/* fork and execve, in a process group of its own that is killed as a whole when the script has ended or is overdue. The
 * kernel kills the script when this daemon dies: whoever leads next begins it anew. */
#include "scheduler/flows/script.h"
#include "common/clock.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_PROGRAM 127

/* Between fork and exec: only async-signal-safe calls. */
static void become(const char *const *argv, const char *const *environment, int out)
{
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(out, 1);
    dup2(out, 2);
    if (chdir("/") == 0)
        execve(argv[0], (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)environment);
    _exit(NO_PROGRAM);
}

/* Whoever can change the script can do what this daemon can. */
static int check(const char *path, struct error *e)
{
    struct stat about;
    if (stat(path, &about) || !S_ISREG(about.st_mode) || access(path, X_OK))
        return error_set(e, ERR_NOT_FOUND, "%s is no program", path);
    if ((about.st_uid != 0 && about.st_uid != geteuid()) || (about.st_mode & (S_IWOTH | S_IWGRP)) != 0)
        return error_set(e, ERR_FORBIDDEN, "%s may be changed by others: it is not run", path);
    return 0;
}

int script_start(struct script *s, const char *const *argv, const char *const *environment, int64_t limit_us,
                 struct error *e)
{
    int ends[2];
    int rc = check(argv[0], e);
    if (rc)
        return rc;
    if (pipe2(ends, O_CLOEXEC))
        return error_set(e, ERR_IO, "no pipe for %s: %s", argv[0], strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        become(argv, environment, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return error_set(e, ERR_IO, "cannot start %s: %s", argv[0], strerror(errno));
    }
    setpgid(pid, pid);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *s = (struct script){.pid = pid, .fd = ends[0], .deadline_mono_us = clock_mono_us() + limit_us};
    return 0;
}

/* Keeps what fits and drops the rest, so that nothing blocks the script. */
static void read_output(struct script *s)
{
    char buffer[512];
    ssize_t got;
    while ((got = read(s->fd, buffer, sizeof(buffer))) > 0) {
        for (ssize_t i = 0; i < got && s->size < sizeof(s->output) - 1; i++) {
            char c = buffer[i];
            s->output[s->size++] = isprint((unsigned char)c) || c == '\n' ? c : ' ';
        }
    }
    s->output[s->size] = '\0';
}

static void end(struct script *s)
{
    read_output(s);
    close(s->fd);
    s->pid = 0;
}

enum script_end script_step(struct script *s, int *ret_status)
{
    int status = 0;
    bool overdue = clock_mono_us() >= s->deadline_mono_us;
    read_output(s);
    pid_t ended = waitpid(s->pid, &status, WNOHANG);
    if (ended == 0 && !overdue)
        return SCRIPT_RUNS;
    kill(-s->pid, SIGKILL);
    while (ended == 0 || (ended < 0 && errno == EINTR))
        ended = waitpid(s->pid, &status, 0);
    end(s);
    if (overdue && WIFSIGNALED(status))
        return SCRIPT_OVERDUE;
    if (!WIFEXITED(status))
        return SCRIPT_KILLED;
    *ret_status = WEXITSTATUS(status);
    return SCRIPT_ENDED;
}

void script_stop(struct script *s)
{
    int status = 0;
    if (s->pid == 0)
        return;
    kill(-s->pid, SIGKILL);
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    end(s);
}
