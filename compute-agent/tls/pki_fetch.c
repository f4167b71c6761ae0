/* A handshake that trusts nobody and sends nothing, to see which certificates a server has. */
#include "common/clock.h"
#include "compute-agent/tls/pki_internal.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool pki_connect_one(int fd, const struct addrinfo *to, int64_t deadline_mono_us)
{
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
        return true;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int64_t left_us = deadline_mono_us - clock_mono_us();
    if (errno != EINPROGRESS || left_us <= 0 || poll(&p, 1, (int)(left_us / 1000 + 1)) <= 0)
        return false;
    int why = 0;
    socklen_t size = sizeof(why);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) || why) {
        errno = why;
        return false;
    }
    return true;
}

static int pki_connect(const char *host, const char *port, int64_t deadline_mono_us, int *ret_fd, struct error *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV}, *list = NULL;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc)
        return error_set(e, ERR_UNAVAILABLE, "%s cannot be resolved: %s", host, gai_strerror(rc));
    int fd = -1;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && !pki_connect_one(fd, a, deadline_mono_us)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        return error_set(e, ERR_UNAVAILABLE, "The API at %s port %s does not answer: %s", host, port, strerror(errno));
    *ret_fd = fd;
    return 0;
}

static int pki_shake_hands(gnutls_session_t session, int fd, int64_t deadline_mono_us, struct error *e)
{
    gnutls_transport_set_int(session, fd);
    for (;;) {
        int rc = gnutls_handshake(session);
        if (rc == GNUTLS_E_SUCCESS)
            return 0;
        if (gnutls_error_is_fatal(rc))
            return error_set(e, ERR_UNAVAILABLE, "The API's TLS handshake fails: %s", gnutls_strerror(rc));
        int64_t left_us = deadline_mono_us - clock_mono_us();
        struct pollfd p = {.fd = fd, .events = (short)(gnutls_record_get_direction(session) ? POLLOUT : POLLIN)};
        if (left_us <= 0 || poll(&p, 1, (int)(left_us / 1000 + 1)) < 0)
            return error_set(e, ERR_UNAVAILABLE, "The API's TLS handshake takes too long");
    }
}

static int pki_look(int fd, const char *fingerprint, int64_t deadline_mono_us, struct strbuf *ret, struct error *e)
{
    gnutls_session_t session = NULL;
    gnutls_certificate_credentials_t nobody = NULL;
    int code = ERR_INTERNAL;
    if (gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK) < 0 ||
        gnutls_certificate_allocate_credentials(&nobody) < 0 || gnutls_set_default_priority(session) < 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, nobody) < 0)
        error_set(e, ERR_INTERNAL, "No memory for a TLS session");
    else
        code = pki_shake_hands(session, fd, deadline_mono_us, e);
    if (!code)
        code = pki_pick_ca(session, fingerprint, ret, e);
    if (!code)
        gnutls_bye(session, GNUTLS_SHUT_WR);
    if (session)
        gnutls_deinit(session);
    if (nobody)
        gnutls_certificate_free_credentials(nobody);
    return code;
}

int pki_fetch_ca(const char *host, const char *port, const char *fingerprint, int64_t deadline_ms, struct strbuf *ret,
                 struct error *e)
{
    int64_t deadline = clock_mono_us() + deadline_ms * 1000;
    int fd = -1;
    int code = pki_connect(host, port, deadline, &fd, e);
    if (code)
        return code;
    code = pki_look(fd, fingerprint, deadline, ret, e);
    close(fd);
    return code;
}
