/* The listening socket, and the thread that hands its connections out. libmicrohttpd's own pool lets the thread that
 * wakes first take all that wait, so that one thread may serve every client while the others idle. */
#pragma once
#include "common/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct listener;

/* "host:port" or "[v6]:port" to a listening, non-blocking socket. ERR_INVALID for a bad address, ERR_IO when it cannot
 * listen. */
int listener_open(const char *text, int *ret_fd, struct error *e);
/* The port that a socket is bound to, 0 when it is none of IP. */
uint16_t listener_port(int fd);

struct listener_calls {
    /* Takes a new connection, whose socket is the taker's from now on. */
    void (*take)(void *arg, int fd, const struct sockaddr *address, socklen_t size);
    /* Whether one more may come; the others wait in the kernel's queue. */
    bool (*has_room)(void *arg);
    void *arg;
};
/* Starts the thread, which owns `fd` and makes the calls. */
struct listener *listener_new(int fd, const struct listener_calls *calls);
/* No call is made after this; the socket is closed, so that new clients are refused. NULL is fine. */
void listener_free(struct listener **l);
