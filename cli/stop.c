/* virga stop: ends what `virga run` runs, and waits for its end. */
#include "cli/commands.h"
#include "common/clock.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STOP_SECONDS 90

/* The supervisor's pid when the pid file's lock is held, 0 when nothing runs. */
static int read_pid(const char *path, pid_t *ret, struct error *e)
{
    struct strbuf text;
    struct error none = {0};
    *ret = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    }
    strbuf_init(&text, 64);
    int rc = file_read(path, &text, &none);
    bool held = flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (!rc && held) {
        *ret = (pid_t)strtol(text.data, NULL, 10);
    }
    close(fd);
    strbuf_done(&text);
    return rc ? error_set(e, rc, "%s", error_text(&none)) : 0;
}

static int run(struct cli *cli, struct error *e)
{
    pid_t pid;
    int rc = read_pid(command_place(cli, "/run/virga/virga.pid"), &pid, e);
    if (rc || pid <= 0) {
        return rc;
    }
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0) {
        return errno == ESRCH ? 0 : error_set(e, ERR_IO, "process %d: %s", (int)pid, strerror(errno));
    }
    struct pollfd wait = {.fd = process, .events = POLLIN};
    kill(pid, SIGTERM);
    int ended = poll(&wait, 1, STOP_SECONDS * 1000);
    close(process);
    return ended == 1 ? 0 : error_set(e, ERR_TIMEOUT, "process %d did not end within %d s", (int)pid, STOP_SECONDS);
}

const struct command stop_command = {
    .name = "stop",
    .arguments = "",
    .summary = "End the daemons that `virga run` runs, and wait for their end",
    .help = NULL,
    .options = NULL,
    .option_count = 0,
    .run = run,
};
