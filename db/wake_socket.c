/* Wake-ups beside an SQLite file: each listener has a Unix datagram socket in "<database file>.wake/"; a sender keeps a
 * connected socket to each of them and learns of new ones through inotify. A socket file that nobody listens on any
 * more is removed by the sender that finds it so. When a listener's queue is full, the sender remembers that it lost
 * something and says so ("*") as soon as it can. */
#include "common/file.h"
#include "common/memory.h"
#include "db/engine.h"
#include "db/wake_internal.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME_SIZE 24 /* of a socket file: 16 hex digits */

struct target {
    struct target *next;
    int fd;
    bool lost;
    char name[NAME_SIZE];
};

struct sender {
    char *path;
    int dir_fd, inotify_fd; /* -1 until the folder could be opened */
    struct target *targets;
};

struct listener {
    int dir_fd, fd;
    char name[NAME_SIZE];
};

static char *folder_path(const struct db *db)
{
    char *path;
    int size = asprintf(&path, "%s.wake", db->target);
    assert(size > 0);
    return path;
}

static int folder_open(const char *path, struct error *e)
{
    if (mkdir(path, 0700) == -1 && errno != EEXIST)
        return error_set(e, ERR_DATABASE, "cannot make %s: %s", path, strerror(errno)), -1;
    int fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        error_set(e, ERR_DATABASE, "cannot open %s: %s", path, strerror(errno));
    return fd;
}

/* The folder's path may be longer than a socket's address takes; the way through /proc never is. */
static struct sockaddr_un socket_address(int dir_fd, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir_fd, name);
    return address;
}

static int socket_open(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void *sender_new(struct db *db)
{
    struct sender *s = memory_new(sizeof *s);
    s->path = folder_path(db);
    s->dir_fd = s->inotify_fd = -1;
    return s;
}

static void target_drop(struct target **link)
{
    struct target *t = *link;
    *link = t->next;
    close(t->fd);
    free(t);
}

static void sender_reset(struct sender *s)
{
    while (s->targets)
        target_drop(&s->targets);
    if (s->dir_fd != -1)
        close(s->dir_fd);
    if (s->inotify_fd != -1)
        close(s->inotify_fd);
    s->dir_fd = s->inotify_fd = -1;
}

static void sender_free(void *sender)
{
    struct sender *s = sender;
    sender_reset(s);
    free(s->path);
    free(s);
}

static bool target_known(const struct sender *s, const char *name)
{
    const struct target *t = s->targets;
    while (t && strcmp(t->name, name) != 0)
        t = t->next;
    return t;
}

static void target_add(struct sender *s, const char *name)
{
    int fd = socket_open();
    if (fd == -1)
        return;
    struct sockaddr_un address = socket_address(s->dir_fd, name);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == -1) {
        if (errno == ECONNREFUSED)
            unlinkat(s->dir_fd, name, 0);
        close(fd);
        return;
    }
    struct target *t = memory_new(sizeof *t);
    t->fd = fd;
    snprintf(t->name, sizeof(t->name), "%s", name);
    t->next = s->targets;
    s->targets = t;
}

static void folder_scan(struct sender *s)
{
    DIR *dir = opendir(s->path);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && strlen(entry->d_name) < NAME_SIZE && !target_known(s, entry->d_name))
            target_add(s, entry->d_name);
    closedir(dir);
}

/* Opens the folder on first use; later only looks at it again when something appeared in it. */
static void folder_follow(struct sender *s)
{
    if (s->dir_fd == -1) {
        s->dir_fd = folder_open(s->path, NULL);
        if (s->dir_fd == -1)
            return;
        s->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (s->inotify_fd != -1)
            inotify_add_watch(s->inotify_fd, s->path, IN_CREATE | IN_MOVED_TO);
        folder_scan(s);
        return;
    }
    char events[4096] __attribute__((aligned(8)));
    bool changed = s->inotify_fd == -1;
    while (s->inotify_fd != -1 && read(s->inotify_fd, events, sizeof events) > 0)
        changed = true;
    if (changed)
        folder_scan(s);
}

/* False when nobody listens there any more. */
static bool target_send(struct target *t, const char *message, size_t size)
{
    if (t->lost && send(t->fd, "*\n", 2, MSG_NOSIGNAL) == 2)
        t->lost = false;
    if (send(t->fd, message, size, MSG_NOSIGNAL) == (ssize_t)size)
        return true;
    if (errno == ECONNREFUSED || errno == ECONNRESET || errno == ENOTCONN)
        return false;
    t->lost = true;
    return true;
}

static void sender_send(void *sender, const char *message, size_t size)
{
    struct sender *s = sender;
    folder_follow(s);
    for (struct target **link = &s->targets; *link;) {
        if (target_send(*link, message, size)) {
            link = &(*link)->next;
        } else {
            unlinkat(s->dir_fd, (*link)->name, 0);
            target_drop(link);
        }
    }
}

static int listener_bind(struct listener *l, struct error *e)
{
    unsigned char bytes[8];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return error_set(e, ERR_DATABASE, "no random number for a socket's name: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(l->name + 2 * i, 3, "%02x", bytes[i]);
    struct sockaddr_un address = socket_address(l->dir_fd, l->name);
    l->fd = socket_open();
    if (l->fd == -1 || bind(l->fd, (struct sockaddr *)&address, sizeof address) == -1)
        return error_set(e, ERR_DATABASE, "cannot make a wake-up socket: %s", strerror(errno));
    return 0;
}

static void listener_free(void *listener)
{
    struct listener *l = listener;
    if (l->fd != -1) {
        unlinkat(l->dir_fd, l->name, 0);
        close(l->fd);
    }
    if (l->dir_fd != -1)
        close(l->dir_fd);
    free(l);
}

static int listener_open(struct db *db, void **ret_listener, struct error *e)
{
    struct listener *l = memory_new(sizeof *l);
    char *path = folder_path(db);
    l->fd = -1;
    l->dir_fd = folder_open(path, e);
    free(path);
    int rc = l->dir_fd == -1 ? ERR_DATABASE : listener_bind(l, e);
    if (rc)
        listener_free(l);
    else
        *ret_listener = l;
    return rc;
}

static void listener_run(void *listener, int stop_fd, struct wake *w)
{
    struct listener *l = listener;
    struct pollfd fds[] = {{.fd = l->fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
    char message[WAKE_MESSAGE_MAX];
    for (;;) {
        if (poll(fds, 2, -1) == -1 && errno != EINTR)
            return;
        if (fds[1].revents)
            return;
        for (ssize_t size; (size = recv(l->fd, message, sizeof message, 0)) >= 0;)
            wake_deliver(w, message, (size_t)size);
    }
}

const struct wake_transport wake_transport_socket = {
    .sender_new = sender_new,
    .sender_free = sender_free,
    .send = sender_send,
    .listen = listener_open,
    .run = listener_run,
    .unlisten = listener_free,
};
