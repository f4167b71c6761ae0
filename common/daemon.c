/* What every daemon does the same way. The pid file is never removed: its lock, not its existence, says that somebody
 * runs. */
#include "common/daemon.h"
#include "common/strbuf.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define ORPHAN_TRIES   500
#define ORPHAN_WAIT_US 10000

/* Who holds the lock: the pid's text, "" when it is not there. */
static void daemon_holder(int fd, char *text, size_t size)
{
    ssize_t got = pread(fd, text, size - 1, 0);
    text[got > 0 ? got : 0] = 0;
    text[strcspn(text, "\n")] = 0;
}

/* Between fork and exec a child has the lock, too. When its daemon was killed just then, that lasts a moment longer. */
static bool daemon_is_orphan(int fd)
{
    char text[32] = "";
    daemon_holder(fd, text, sizeof(text));
    long pid = strtol(text, NULL, 10);
    return pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH;
}

/* As flock(2), of a file that nobody waits for long. */
static int daemon_lock(int fd)
{
    int rc = flock(fd, LOCK_EX | LOCK_NB);
    for (int tries = 0; rc && errno == EWOULDBLOCK && tries < ORPHAN_TRIES; tries++) {
        if (!daemon_is_orphan(fd)) {
            errno = EWOULDBLOCK;
            return rc;
        }
        usleep(ORPHAN_WAIT_US);
        rc = flock(fd, LOCK_EX | LOCK_NB);
    }
    return rc;
}

static int daemon_refuse(int fd, const char *path, struct error *e)
{
    char text[32] = "";
    daemon_holder(fd, text, sizeof(text));
    return error_set(e, ERR_CONFLICT, "%s is held by a running instance, process %s", path, text[0] ? text : "unknown");
}

/* Whether the locked file is still the one that the path names: another instance may have replaced it in between. */
static bool daemon_is_current(int fd, const char *path)
{
    struct stat held, named;
    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

int daemon_pid_file(const char *path, struct error *e)
{
    if (!path)
        return 0;
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return error_set(e, ERR_IO, "cannot open %s: %s", path, strerror(errno));
        if (daemon_lock(fd)) {
            int rc = errno == EWOULDBLOCK ? daemon_refuse(fd, path, e)
                                          : error_set(e, ERR_IO, "cannot lock %s: %s", path, strerror(errno));
            close(fd);
            return rc;
        }
        if (!daemon_is_current(fd, path)) {
            close(fd);
            continue;
        }
        if (ftruncate(fd, 0) || dprintf(fd, "%d\n", (int)getpid()) < 0) {
            close(fd);
            return error_set(e, ERR_IO, "cannot write %s: %s", path, strerror(errno));
        }
        return 0; /* the descriptor stays open: it is the lock */
    }
}

void daemon_ready(void)
{
    sd_notify(0, "READY=1");
}

void daemon_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void daemon_status(const char *format, ...)
{
    struct strbuf s;
    va_list args;
    strbuf_init(&s, 4096);
    strbuf_append_text(&s, "STATUS=");
    va_start(args, format);
    strbuf_appendv(&s, format, args);
    va_end(args);
    if (!s.error)
        sd_notify(0, s.data);
    strbuf_done(&s);
}

int64_t daemon_watchdog_interval_us(void)
{
    uint64_t limit_us = 0;
    return sd_watchdog_enabled(0, &limit_us) > 0 ? (int64_t)(limit_us / 2) : 0;
}

void daemon_watchdog(void)
{
    sd_notify(0, "WATCHDOG=1");
}

int daemon_signal_fd(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (sigaction(SIGPIPE, &ignore, NULL))
        return -1;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    int rc = pthread_sigmask(SIG_BLOCK, &mask, NULL);
    if (rc) {
        errno = rc;
        return -1;
    }
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

int daemon_listen_fd(const char *name)
{
    char **names = NULL;
    int found = -1, count = sd_listen_fds_with_names(0, &names);
    for (int i = 0; i < count; i++) {
        if (found < 0 && !strcmp(names[i], name))
            found = SD_LISTEN_FDS_START + i;
        free(names[i]);
    }
    free(names);
    return found;
}
