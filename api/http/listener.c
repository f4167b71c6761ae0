/* One thread in poll: the listening socket, and an eventfd that ends it. Without room or descriptors it looks again
 * after a moment, and clients wait in the kernel's queue. */
#include "api/http/listener.h"
#include "common/log.h"
#include "common/memory.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LISTENER_BACKLOG  1024
#define LISTENER_PAUSE_MS 20

struct listener {
    struct listener_calls calls;
    pthread_t thread;
    int fd, stop;
};

int listener_open(const char *text, int *ret_fd, struct error *e)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !colon[1])
        return error_set(e, ERR_INVALID, "'%s' is not an address of the form HOST:PORT", text);
    bool bracket = *text == '[' && colon > text && colon[-1] == ']';
    char *host = strndup(text + bracket, (size_t)(colon - text) - 2 * bracket);
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int failed = getaddrinfo(host && *host ? host : NULL, colon + 1, &hints, &found);
    free(host);
    if (failed)
        return error_set(e, ERR_INVALID, "'%s': %s", text, gai_strerror(failed));
    int on = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool good = fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
                !bind(fd, found->ai_addr, found->ai_addrlen) && !listen(fd, LISTENER_BACKLOG);
    int error = errno;
    freeaddrinfo(found);
    if (good) {
        *ret_fd = fd;
        return 0;
    }
    if (fd >= 0)
        close(fd);
    return error_set(e, ERR_IO, "Listening on %s: %s", text, strerror(error));
}

uint16_t listener_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &size))
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* Takes what waits. False when nothing can be taken for a moment. */
static bool listener_accept(struct listener *l)
{
    while (l->calls.has_room(l->calls.arg)) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof(address);
        int on = 1, fd = accept4(l->fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
            continue;
        if (fd < 0) {
            if (errno != EAGAIN)
                log_warn("no connection can be taken", "error=%s", strerror(errno));
            return errno == EAGAIN;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        l->calls.take(l->calls.arg, fd, (const struct sockaddr *)&address, size);
    }
    return false;
}

static void *listener_main(void *arg)
{
    struct listener *l = arg;
    struct pollfd fds[] = {{.fd = l->stop, .events = POLLIN}, {.fd = l->fd, .events = POLLIN}};
    bool able = true;
    for (;;) {
        int count = poll(fds, able ? 2 : 1, able ? -1 : LISTENER_PAUSE_MS);
        if (count < 0 && errno != EINTR)
            log_error("listening failed", "error=%s", strerror(errno));
        if (count > 0 && fds[0].revents)
            return NULL;
        able = listener_accept(l);
    }
}

struct listener *listener_new(int fd, const struct listener_calls *calls)
{
    struct listener *l = memory_new(sizeof(*l));
    l->calls = *calls;
    l->fd = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    l->stop = eventfd(0, EFD_CLOEXEC);
    assert(l->stop >= 0);
    int failed = pthread_create(&l->thread, NULL, listener_main, l);
    assert(!failed);
    return l;
}

void listener_free(struct listener **l)
{
    struct listener *old = *l;
    if (!old)
        return;
    eventfd_write(old->stop, 1);
    pthread_join(old->thread, NULL);
    close(old->stop);
    close(old->fd);
    free(old);
    *l = NULL;
}
