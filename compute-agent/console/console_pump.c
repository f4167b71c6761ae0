/* One epoll, one thread, as long as the process: calls that were given up may still hand in terminals. */
#include "compute-agent/console/console_pump.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONSOLE_PUMP_CHUNK  4096
#define CONSOLE_PUMP_EVENTS 64

struct console_pump {
    struct console_pump *next;
    int tty;
    char *path;
};
static pthread_mutex_t console_pump_lock = PTHREAD_MUTEX_INITIALIZER; /* of the rest */
static struct console_pump *console_pumps;
static int console_pump_epoll = -1;

static void console_pump_rotate(const char *path)
{
    struct stat st;
    struct strbuf old;
    if (stat(path, &st) || st.st_size < CONSOLE_PUMP_MOST)
        return;
    strbuf_init(&old, 0);
    strbuf_appendf(&old, "%s.0", path);
    if (rename(path, old.data))
        log_warn("console log not rotated", "file=%s error=\"%s\"", path, strerror(errno));
    strbuf_done(&old);
}

/* A file that cannot be written loses text, never the guest's time. */
static void console_pump_append(const struct console_pump *p, const char *data, size_t size)
{
    console_pump_rotate(p->path);
    int fd = open(p->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        log_warn("console log not written", "file=%s error=\"%s\"", p->path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* False: the other end is closed. */
static bool console_pump_read(const struct console_pump *p)
{
    char data[CONSOLE_PUMP_CHUNK];
    ssize_t got = read(p->tty, data, sizeof(data));
    if (got > 0)
        console_pump_append(p, data, (size_t)got);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void console_pump_drop(struct console_pump *p)
{
    struct console_pump **at = &console_pumps;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    close(p->tty);
    free(p->path);
    free(p);
}

static bool console_pump_is_there(const struct console_pump *p)
{
    const struct console_pump *at = console_pumps;
    while (at && at != p)
        at = at->next;
    return at != NULL;
}

static void *console_pump_run(void *arg)
{
    struct epoll_event events[CONSOLE_PUMP_EVENTS];
    (void)arg;
    for (;;) {
        int count = epoll_wait(console_pump_epoll, events, CONSOLE_PUMP_EVENTS, -1);
        pthread_mutex_lock(&console_pump_lock);
        for (int i = 0; i < count; i++) {
            struct console_pump *p = events[i].data.ptr;
            if (console_pump_is_there(p) && !console_pump_read(p))
                console_pump_drop(p);
        }
        pthread_mutex_unlock(&console_pump_lock);
    }
    return NULL;
}

static int console_pump_start(struct error *e)
{
    pthread_t thread;
    if (console_pump_epoll >= 0)
        return 0;
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return error_set(e, ERR_IO, "No epoll for consoles: %s", strerror(errno));
    console_pump_epoll = fd;
    if (pthread_create(&thread, NULL, console_pump_run, NULL)) {
        close(fd);
        console_pump_epoll = -1;
        return error_set(e, ERR_IO, "No thread for consoles");
    }
    pthread_detach(thread);
    return 0;
}

static bool console_pump_ended(const struct console_pump *p)
{
    struct pollfd fd = {.fd = p->tty, .events = POLLIN};
    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR));
}

/* Whether `path` is written already; one whose terminal is closed is read to its end first. */
static bool console_pump_has(const char *path)
{
    for (struct console_pump *p = console_pumps, *next; p; p = next) {
        next = p->next;
        if (strcmp(p->path, path) != 0)
            continue;
        if (!console_pump_ended(p))
            return true;
        while (console_pump_read(p) && !console_pump_ended(p))
            continue;
        console_pump_drop(p);
    }
    return false;
}

static int console_pump_add(const char *tty, const char *path, struct error *e)
{
    int fd = open(tty, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, ERR_IO, "%s: %s", tty, strerror(errno));
    struct console_pump *p = memory_new(sizeof(*p));
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = p}};
    p->tty = fd;
    p->path = memory_strdup(path);
    p->next = console_pumps;
    console_pumps = p;
    if (epoll_ctl(console_pump_epoll, EPOLL_CTL_ADD, fd, &event)) {
        int why = errno;
        console_pump_drop(p);
        return error_set(e, ERR_IO, "%s: %s", tty, strerror(why));
    }
    return 0;
}

int console_pump_follow(const char *tty, const char *path, struct error *e)
{
    pthread_mutex_lock(&console_pump_lock);
    int code = console_pump_start(e);
    if (!code && !console_pump_has(path))
        code = console_pump_add(tty, path, e);
    pthread_mutex_unlock(&console_pump_lock);
    return code;
}
