/* Connecting a datagram socket sends nothing, but lets the kernel choose the source address. Names are not resolved:
 * that could block. */
#include "compute-agent/host_address.h"
#include "compute-agent/http/http_client.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void host_address_ask(const struct addrinfo *to, char ret[HOST_ADDRESS_SIZE])
{
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) == 0 &&
        getsockname(fd, (struct sockaddr *)&from, &size) == 0)
        getnameinfo((struct sockaddr *)&from, size, ret, HOST_ADDRESS_SIZE, NULL, 0, NI_NUMERICHOST);
    if (fd >= 0)
        close(fd);
}

char *host_address(const char *url, char ret[HOST_ADDRESS_SIZE])
{
    char *host = NULL, *port = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *list = NULL;
    snprintf(ret, HOST_ADDRESS_SIZE, "127.0.0.1");
    if (http_client_split_url(url, &host, &port, NULL) == 0 && getaddrinfo(host, port, &hints, &list) == 0) {
        host_address_ask(list, ret);
        freeaddrinfo(list);
    }
    free(host);
    free(port);
    return ret;
}
