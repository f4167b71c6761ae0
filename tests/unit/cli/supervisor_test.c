/* The supervisor's children: how they begin, and how they are ended. */
#include "cli/supervisor.h"
#include "common/log.h"
#include "tests/unit/check.h"
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A supervisor of `/bin/sh -c script`, which ends with this process; its notes go to `notes`. */
static pid_t supervise(const char *script, int notes)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct supervisor_child child = {.name = "child", .argv = {"/bin/sh", "-c", script, NULL}};
        struct error e = {0};
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(notes, STDERR_FILENO);
        log_init("test", NULL, LOG_LEVEL_INFO);
        _exit(supervisor_run(&child, 1, NULL, 10000, &e) ? 1 : 0);
    }
    return pid;
}

/* What the supervisor notes from now on, up to the line with this text in it. */
static const char *notes_until(FILE *notes, const char *text)
{
    static char line[512];
    while (fgets(line, sizeof(line), notes) && !strstr(line, text))
        ;
    return line;
}

static void end(pid_t pid, int fds[2])
{
    int status;
    kill(pid, SIGTERM);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
    close(fds[1]);
}

TEST("a stop or a reload that comes before a daemon listens does not kill it")
{
    int fds[2];
    CHECK_INT(pipe(fds), 0);
    pid_t pid = supervise("kill -HUP $$; kill -INT $$; kill -TERM $$; exit 3", fds[1]);
    FILE *notes = fdopen(fds[0], "r");
    CHECK_CONTAINS(notes_until(notes, "child ended"), "signal=0 status=3");
    end(pid, fds);
    fclose(notes);
}

TEST("a child that dies is started again")
{
    int fds[2];
    CHECK_INT(pipe(fds), 0);
    pid_t pid = supervise("kill -KILL $$", fds[1]);
    FILE *notes = fdopen(fds[0], "r");
    CHECK_CONTAINS(notes_until(notes, "child ended"), "signal=9 status=0");
    CHECK_CONTAINS(notes_until(notes, "child ended"), "signal=9 status=0");
    end(pid, fds);
    fclose(notes);
}
