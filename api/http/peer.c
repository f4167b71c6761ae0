/* libmicrohttpd's own timeout starts anew with each byte, so a client that trickles holds a connection for ever; here
 * is the limit on the whole. (Its own costs each request something; exchange.c sets it where much has to pass.) The
 * list is locked only when connections come and go and once per sweep. The socket is closed after libmicrohttpd
 * reported the end of the connection, so a socket on the list is open. */
#include "api/http/peer.h"
#include "api/http/exchange.h"
#include "common/clock.h"
#include "common/memory.h"
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PEER_IDLE_US CLOCK_SECOND_US /* after which an idle connection's client may be looked for */

enum peer_identity { PEER_UNKNOWN, PEER_NOBODY, PEER_KNOWN };

struct peer {
    struct http_server *server;
    struct peer *next, **link;
    _Atomic int64_t deadline_us;
    _Atomic int64_t idle_us; /* since when we wait for the client to send; 0: we do not */
    int fd;
    gnutls_session_t session;
    enum peer_identity identity;
    int64_t expires_us; /* of the certificate */
    char address[INET6_ADDRSTRLEN];
    char name[64];
    char fingerprint[65];
};

static void peer_read_address(struct peer *p, const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, p->address,
                  sizeof(p->address));
    else if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, p->address,
                  sizeof(p->address));
}

struct peer *peer_new(struct http_server *s, struct MHD_Connection *connection)
{
    struct peer *p = memory_new(sizeof(*p));
    p->server = s;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    p->fd = info ? info->connect_fd : -1;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info && info->client_addr)
        peer_read_address(p, info->client_addr);
    if (s->tls) {
        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        p->session = info ? info->tls_session : NULL;
    }
    peer_set_deadline(p, clock_mono_us() + s->options.header_timeout_ms * 1000);
    pthread_mutex_lock(&s->peers_lock);
    p->next = s->peers;
    p->link = &s->peers;
    if (p->next)
        p->next->link = &p->next;
    s->peers = p;
    s->peer_count++;
    pthread_mutex_unlock(&s->peers_lock);
    return p;
}

void peer_free(struct peer **p)
{
    struct peer *old = *p;
    if (!old)
        return;
    pthread_mutex_lock(&old->server->peers_lock);
    *old->link = old->next;
    if (old->next)
        old->next->link = old->link;
    old->server->peer_count--;
    pthread_mutex_unlock(&old->server->peers_lock);
    free(old);
    *p = NULL;
}

void peer_set_deadline(struct peer *p, int64_t mono_us)
{
    atomic_store_explicit(&p->idle_us, 0, memory_order_relaxed);
    atomic_store_explicit(&p->deadline_us, mono_us, memory_order_relaxed);
}

void peer_set_idle(struct peer *p, int64_t mono_us, int64_t deadline_mono_us)
{
    atomic_store_explicit(&p->deadline_us, deadline_mono_us, memory_order_relaxed);
    atomic_store_explicit(&p->idle_us, mono_us, memory_order_relaxed);
}

void peer_touch(struct peer *p, int64_t mono_us)
{
    atomic_store_explicit(&p->idle_us, mono_us, memory_order_relaxed);
}

/* libmicrohttpd (edge-triggered) misses the end of a connection that came together with a request; here it is found. */
static void peer_sweep_gone(struct pollfd *fds, size_t count)
{
    char byte;
    if (!count || poll(fds, count, 0) <= 0)
        return;
    for (size_t i = 0; i < count; i++)
        if (fds[i].revents & POLLRDHUP && !recv(fds[i].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT))
            shutdown(fds[i].fd, SHUT_RDWR);
}

void peer_sweep(struct http_server *s, int64_t mono_us)
{
    size_t idle = 0;
    pthread_mutex_lock(&s->peers_lock);
    struct pollfd *fds = memory_array(s->peer_count + 1, sizeof(*fds));
    for (struct peer *p = s->peers; p; p = p->next) {
        int64_t idle_us = atomic_load_explicit(&p->idle_us, memory_order_relaxed);
        if (p->fd < 0)
            continue;
        if (atomic_load_explicit(&p->deadline_us, memory_order_relaxed) < mono_us)
            shutdown(p->fd, SHUT_RDWR);
        else if (idle_us && idle_us < mono_us - PEER_IDLE_US)
            fds[idle++] = (struct pollfd){.fd = p->fd, .events = POLLRDHUP};
    }
    peer_sweep_gone(fds, idle);
    pthread_mutex_unlock(&s->peers_lock);
    free(fds);
}

const char *peer_address(const struct peer *p)
{
    return p ? p->address : "";
}

static bool peer_read_certificate(struct peer *p, const gnutls_datum_t *der)
{
    gnutls_x509_crt_t certificate;
    if (gnutls_x509_crt_init(&certificate))
        return false;
    unsigned char digest[32];
    size_t name_size = sizeof(p->name), digest_size = sizeof(digest);
    bool good = !gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) &&
                !gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, p->name, &name_size) &&
                !gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, digest, &digest_size);
    if (good) {
        p->expires_us = (int64_t)gnutls_x509_crt_get_expiration_time(certificate) * CLOCK_SECOND_US;
        for (size_t i = 0; i < sizeof(digest); i++)
            snprintf(p->fingerprint + 2 * i, 3, "%02x", digest[i]);
    }
    gnutls_x509_crt_deinit(certificate);
    return good;
}

bool peer_identify(struct peer *p, int64_t now_us)
{
    if (p->identity == PEER_UNKNOWN) {
        unsigned status = 0, count = 0;
        p->identity = PEER_NOBODY;
        if (p->session && p->server->options.trust && !gnutls_certificate_verify_peers2(p->session, &status) &&
            !status) {
            const gnutls_datum_t *chain = gnutls_certificate_get_peers(p->session, &count);
            if (chain && count && peer_read_certificate(p, &chain[0]))
                p->identity = PEER_KNOWN;
        }
    }
    return p->identity == PEER_KNOWN && now_us < p->expires_us;
}

const char *peer_name(const struct peer *p)
{
    return p->identity == PEER_KNOWN ? p->name : "";
}

const char *peer_fingerprint(const struct peer *p)
{
    return p->identity == PEER_KNOWN ? p->fingerprint : NULL;
}
