/* hello: the least that libmicrohttpd can do, with the same polling and as many threads as the API: the reference
 * against which requests per second are judged. Connections are dealt to the threads in turn, which is better for it
 * than libmicrohttpd's own pool, where one thread may get them all.
 *
 *     hello THREADS [BYTES of body, default 6]
 *
 * Prints its port, then answers any GET with 200 until its standard input ends. */
#include <arpa/inet.h>
#include <assert.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct MHD_Response *response;

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state)
{
    static int seen;
    (void)arg, (void)url, (void)method, (void)version, (void)data, (void)size;
    if (!*state) { /* the head only: libmicrohttpd calls again when the request is complete */
        *state = &seen;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

int main(int argc, char **argv)
{
    long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 0, bytes = argc > 2 ? strtol(argv[2], NULL, 10) : 6;
    if (threads < 1 || bytes < 1) {
        fprintf(stderr, "usage: hello THREADS [BYTES]\n");
        return 2;
    }
    char *body = malloc((size_t)bytes);
    assert(body);
    memset(body, 'h', (size_t)bytes);
    response = MHD_create_response_from_buffer((size_t)bytes, body, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) || listen(fd, 1024) ||
        getsockname(fd, (struct sockaddr *)&address, &length)) {
        perror("hello");
        return 1;
    }
    struct MHD_Daemon **daemons = calloc((size_t)threads, sizeof *daemons);
    for (long i = 0; daemons && i < threads; i++) {
        daemons[i] = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, answer,
                                      NULL, MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_END);
        assert(daemons[i]);
    }
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    for (long turn = 0; poll(fds, 2, -1) >= 0 && !fds[0].revents; turn++) {
        length = sizeof address;
        int taken = accept4(fd, (struct sockaddr *)&address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (taken >= 0)
            MHD_add_connection(daemons[turn % threads], taken, (struct sockaddr *)&address, length);
    }
    for (long i = 0; i < threads; i++)
        MHD_stop_daemon(daemons[i]);
    free(daemons);
    MHD_destroy_response(response);
    return 0;
}
