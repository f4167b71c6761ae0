/* libvirt adds, changes and removes handles and time-outs from any thread, also while it holds locks of its own; so
 * those calls only note the wish under a mutex and post to the loop, which carries it out. A descriptor is watched
 * through a duplicate: libvirt may close its own, and somebody else may get the same number, before the loop has heard
 * of it. Freeing functions are called on the loop without the mutex. */
#include "compute-agent/libvirt/libvirt_events.h"
#include "common/memory.h"
#include "compute-agent/loop.h"
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct libvirt_source {
    struct libvirt_source *next;
    int id;
    bool removed, changed; /* changed: what the loop has does not fit the wish yet */
    /* A handle: */
    int fd, watched_fd; /* watched_fd: the duplicate, -1 for a time-out */
    unsigned wanted;    /* set of loop_event */
    virEventHandleCallback on_ready;
    struct loop_watch *watch;
    /* A time-out: */
    int timeout_ms; /* below 0: off */
    virEventTimeoutCallback on_due;
    struct loop_timer *timer;
    void *opaque;
    virFreeCallback free_opaque;
};

static struct {
    struct loop *loop;
    pthread_mutex_t mutex; /* guards all below and every source's wish */
    struct libvirt_source *sources;
    int last_id;
    bool posted;
} libvirt_events = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void libvirt_events_apply(void *arg);

/* With the mutex held. */
static void libvirt_events_changed(void)
{
    if (libvirt_events.posted || !libvirt_events.loop)
        return;
    libvirt_events.posted = true;
    loop_post(libvirt_events.loop, libvirt_events_apply, NULL);
}

/* With the mutex held; NULL when it is not there any more. */
static struct libvirt_source *libvirt_events_find(int id)
{
    struct libvirt_source *s = libvirt_events.sources;
    while (s && (s->id != id || s->removed))
        s = s->next;
    return s;
}

static void libvirt_events_on_ready(void *arg, int fd, unsigned events)
{
    struct libvirt_source *s = arg;
    (void)fd;
    pthread_mutex_lock(&libvirt_events.mutex);
    unsigned seen = s->removed || !s->wanted ? 0 : events & (s->wanted | LOOP_ERROR | LOOP_HANGUP);
    pthread_mutex_unlock(&libvirt_events.mutex);
    int flags = (seen & LOOP_READ ? VIR_EVENT_HANDLE_READABLE : 0) |
                (seen & LOOP_WRITE ? VIR_EVENT_HANDLE_WRITABLE : 0) | (seen & LOOP_ERROR ? VIR_EVENT_HANDLE_ERROR : 0) |
                (seen & LOOP_HANGUP ? VIR_EVENT_HANDLE_HANGUP : 0);
    if (flags)
        s->on_ready(s->id, s->fd, flags, s->opaque);
}

static void libvirt_events_on_due(void *arg)
{
    struct libvirt_source *s = arg;
    pthread_mutex_lock(&libvirt_events.mutex);
    bool due = !s->removed && s->timeout_ms >= 0;
    pthread_mutex_unlock(&libvirt_events.mutex);
    if (due)
        s->on_due(s->id, s->opaque);
}

/* On the loop, with the mutex held: makes watch and timer be as wished. */
static void libvirt_events_fulfil(struct libvirt_source *s)
{
    s->changed = false;
    if (s->watched_fd >= 0) {
        if (!s->watch)
            s->watch = loop_watch_new(libvirt_events.loop, s->watched_fd, libvirt_events_on_ready, s);
        if (s->watch)
            loop_watch_set(s->watch, s->wanted);
    } else {
        if (!s->timer)
            s->timer = loop_timer_new(libvirt_events.loop, libvirt_events_on_due, s);
        if (s->timeout_ms < 0)
            loop_timer_stop(s->timer);
        else /* a repeat of 0 means once for us, and each round for libvirt */
            loop_timer_start(s->timer, s->timeout_ms, s->timeout_ms ? s->timeout_ms : 1);
    }
}

static void libvirt_events_release(struct libvirt_source *s)
{
    loop_watch_free(&s->watch);
    loop_timer_free(&s->timer);
    if (s->watched_fd >= 0)
        close(s->watched_fd);
    if (s->free_opaque)
        s->free_opaque(s->opaque);
    free(s);
}

static void libvirt_events_apply(void *arg)
{
    struct libvirt_source *over = NULL;
    (void)arg;
    pthread_mutex_lock(&libvirt_events.mutex);
    libvirt_events.posted = false;
    for (struct libvirt_source **at = &libvirt_events.sources; *at;) {
        struct libvirt_source *s = *at;
        if (s->removed) {
            *at = s->next;
            s->next = over;
            over = s;
            continue;
        }
        if (libvirt_events.loop && s->changed)
            libvirt_events_fulfil(s);
        at = &s->next;
    }
    pthread_mutex_unlock(&libvirt_events.mutex);
    while (over) {
        struct libvirt_source *next = over->next;
        libvirt_events_release(over);
        over = next;
    }
}

static unsigned libvirt_events_wish(int events)
{
    return (events & VIR_EVENT_HANDLE_READABLE ? (unsigned)LOOP_READ : 0) |
           (events & VIR_EVENT_HANDLE_WRITABLE ? (unsigned)LOOP_WRITE : 0);
}

static int libvirt_events_add(struct libvirt_source *s)
{
    pthread_mutex_lock(&libvirt_events.mutex);
    int id = s->id = ++libvirt_events.last_id;
    s->changed = true;
    s->next = libvirt_events.sources;
    libvirt_events.sources = s;
    libvirt_events_changed();
    pthread_mutex_unlock(&libvirt_events.mutex);
    return id;
}

static int libvirt_events_add_handle(int fd, int event, virEventHandleCallback cb, void *opaque, virFreeCallback ff)
{
    int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (duplicate < 0)
        return -1;
    struct libvirt_source *s = memory_new(sizeof(*s));
    s->fd = fd;
    s->watched_fd = duplicate;
    s->wanted = libvirt_events_wish(event);
    s->on_ready = cb;
    s->opaque = opaque;
    s->free_opaque = ff;
    return libvirt_events_add(s);
}

static void libvirt_events_update_handle(int id, int event)
{
    pthread_mutex_lock(&libvirt_events.mutex);
    struct libvirt_source *s = libvirt_events_find(id);
    if (s && s->wanted != libvirt_events_wish(event)) {
        s->wanted = libvirt_events_wish(event);
        s->changed = true;
        libvirt_events_changed();
    }
    pthread_mutex_unlock(&libvirt_events.mutex);
}

static int libvirt_events_remove(int id)
{
    pthread_mutex_lock(&libvirt_events.mutex);
    struct libvirt_source *s = libvirt_events_find(id);
    if (s)
        s->removed = true;
    libvirt_events_changed();
    pthread_mutex_unlock(&libvirt_events.mutex);
    return s ? 0 : -1;
}

static int libvirt_events_add_timeout(int timeout, virEventTimeoutCallback cb, void *opaque, virFreeCallback ff)
{
    struct libvirt_source *s = memory_new(sizeof(*s));
    s->watched_fd = -1;
    s->timeout_ms = timeout;
    s->on_due = cb;
    s->opaque = opaque;
    s->free_opaque = ff;
    return libvirt_events_add(s);
}

static void libvirt_events_update_timeout(int id, int timeout)
{
    pthread_mutex_lock(&libvirt_events.mutex);
    struct libvirt_source *s = libvirt_events_find(id);
    if (s) {
        s->timeout_ms = timeout;
        s->changed = true;
        libvirt_events_changed();
    }
    pthread_mutex_unlock(&libvirt_events.mutex);
}

void libvirt_events_register(struct loop *loop)
{
    libvirt_events.loop = loop;
    virEventRegisterImpl(libvirt_events_add_handle, libvirt_events_update_handle, libvirt_events_remove,
                         libvirt_events_add_timeout, libvirt_events_update_timeout, libvirt_events_remove);
}

void libvirt_events_stop(void)
{
    pthread_mutex_lock(&libvirt_events.mutex);
    for (struct libvirt_source *s = libvirt_events.sources; s; s = s->next) {
        loop_watch_free(&s->watch);
        loop_timer_free(&s->timer);
    }
    libvirt_events.loop = NULL;
    pthread_mutex_unlock(&libvirt_events.mutex);
}
