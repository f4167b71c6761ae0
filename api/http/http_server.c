/* Start and stop of libmicrohttpd daemons, one for each HTTP thread, and their callbacks. Connections are handed to the
 * one that has the fewest.
 *
 * Stopping: the listening socket is taken away, parked requests run a last time, running ones finish; libmicrohttpd may
 * be stopped only when no connection is suspended, and every suspended one is with a worker or the writer, who always
 * bring it back. */
#include "api/http/http_server.h"
#include "api/http/exchange.h"
#include "api/http/http_thread.h"
#include "api/http/listener.h"
#include "api/http/metrics.h"
#include "api/http/peer.h"
#include "api/http/tls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define HTTP_SERVER_MEMORY     ((size_t)16 << 10) /* of a connection: bounds its headers; cleared after each request */
#define HTTP_SERVER_SLOW_QUEUE 4096
#define HTTP_SERVER_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static void *http_server_on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    return exchange_new(arg, connection, target);
}

static enum MHD_Result http_server_on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                              const char *method, const char *version, const char *data, size_t *size,
                                              void **context)
{
    (void)arg;
    (void)connection;
    return exchange_handle(*context, url, method, version, data, size);
}

static void http_server_on_end(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_RequestTerminationCode code)
{
    (void)arg;
    (void)connection;
    (void)code;
    struct exchange *x = *context;
    *context = NULL;
    if (x)
        exchange_free(x);
}

static void http_server_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                                      enum MHD_ConnectionNotificationCode code)
{
    struct http_loop *loop = arg;
    struct peer *peer = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        tls_serve(loop->server->tls);
        *context = peer_new(loop->server, connection);
        return;
    }
    atomic_fetch_sub_explicit(&loop->connections, 1, memory_order_relaxed);
    if (peer)
        peer_free(&peer);
}

/* Targets are decoded by uri.c, segment by segment. */
static size_t http_server_keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen(text);
}

static void __attribute__((format(printf, 2, 0))) http_server_on_log(void *arg, const char *format, va_list args)
{
    (void)arg;
    char text[256];
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = 0;
    log_debug("http", "text=%s", text);
}

static void http_server_resume(struct park_ticket *ticket)
{
    exchange_resume((struct exchange *)((char *)ticket - offsetof(struct exchange, ticket)));
}

static void *http_server_sweep(void *arg)
{
    struct http_server *s = arg;
    pthread_mutex_lock(&s->peers_lock);
    while (s->sweeping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 500000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&s->sweep, &s->peers_lock, &until);
        pthread_mutex_unlock(&s->peers_lock);
        peer_sweep(s, clock_mono_us());
        pthread_mutex_lock(&s->peers_lock);
    }
    pthread_mutex_unlock(&s->peers_lock);
    return NULL;
}

static void http_server_fill(struct http_options *to, const struct http_options *from)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *to = *from;
    to->threads = from->threads ? from->threads : (unsigned)(cores < 2 ? 2 : cores);
    to->workers = from->workers ? from->workers : 2;
    to->hashers = from->hashers ? from->hashers : (unsigned)(cores < 4 ? 1 : cores / 2);
    to->hash_queue = from->hash_queue ? from->hash_queue : 512;
    to->connection_limit = from->connection_limit ? from->connection_limit : 16384;
    to->header_timeout_ms = from->header_timeout_ms ? from->header_timeout_ms : 10000;
    to->body_timeout_ms = from->body_timeout_ms ? from->body_timeout_ms : 60000;
    to->upload_timeout_ms = from->upload_timeout_ms ? from->upload_timeout_ms : (int64_t)6 * 3600 * 1000;
    to->idle_timeout_ms = from->idle_timeout_ms ? from->idle_timeout_ms : 60000;
    to->body_limit = from->body_limit ? from->body_limit : (int64_t)1 << 20;
    to->upload_limit = from->upload_limit ? from->upload_limit : (int64_t)64 << 30;
    to->listen = memory_strdup(from->listen);
    to->upload_dir = memory_strdup(from->upload_dir);
    to->endpoint = memory_strdup(from->endpoint);
    to->proxies = memory_strdup(from->proxies);
    to->certificate = to->key = NULL; /* see tls.h */
    to->trust = memory_strdup(from->trust);
}

static void http_server_free(struct http_server *s)
{
    park_free(&s->park);
    workers_free(&s->workers);
    workers_free(&s->hashers);
    router_free(&s->router);
    pthread_mutex_destroy(&s->peers_lock);
    pthread_mutex_destroy(&s->threads_lock);
    pthread_cond_destroy(&s->sweep);
    free(s->route_metrics);
    free(s->loops);
    free((char *)s->options.listen);
    free((char *)s->options.upload_dir);
    free((char *)s->options.endpoint);
    free((char *)s->options.proxies);
    free((char *)s->options.trust);
    tls_free(&s->tls);
    free(s);
}

static void http_server_prepare(struct http_server *s)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->peers_lock, NULL);
    pthread_mutex_init(&s->threads_lock, NULL);
    pthread_cond_init(&s->sweep, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void http_server_register_metrics(struct http_server *s)
{
    size_t rows = router_count(s->router);
    s->route_metrics = memory_array(rows + 1, sizeof(size_t));
    if (!s->api->metrics)
        return;
    for (size_t i = 0; i < rows; i++) {
        const struct router_row *row = router_at(s->router, i);
        s->route_metrics[i] = metrics_route(s->api->metrics, row->service->name, row->route->method, row->label);
    }
    s->route_metrics[rows] = metrics_route(s->api->metrics, "none", "any", "none");
}

/* Every connection is a descriptor, and files and databases want some as well. */
static void http_server_raise_descriptors(unsigned connections)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + 512;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
        return;
    struct rlimit more = {.rlim_cur = wanted, .rlim_max = limit.rlim_max < wanted ? wanted : limit.rlim_max};
    if (!setrlimit(RLIMIT_NOFILE, &more)) /* above the hard limit only with the right to do so */
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    log_warn("fewer connections than configured are possible", "descriptors=%llu wanted=%llu",
             (unsigned long long)limit.rlim_max, (unsigned long long)wanted);
}

static void http_server_take(void *arg, int fd, const struct sockaddr *address, socklen_t size)
{
    struct http_server *s = arg;
    struct http_loop *to = &s->loops[0];
    for (unsigned i = 1; i < s->loop_count; i++)
        if (atomic_load(&s->loops[i].connections) < atomic_load(&to->connections))
            to = &s->loops[i];
    atomic_fetch_add(&to->connections, 1);
    if (MHD_add_connection(to->daemon, fd, address, size) == MHD_YES) /* it closes the socket else */
        return;
    atomic_fetch_sub(&to->connections, 1);
    log_warn("a connection was not taken", "error=%s", strerror(errno));
}

static bool http_server_has_room(void *arg)
{
    struct http_server *s = arg;
    size_t count = 0;
    for (unsigned i = 0; i < s->loop_count; i++)
        count += atomic_load(&s->loops[i].connections);
    return count < s->options.connection_limit;
}

static int http_server_open(struct http_server *s, struct http_loop *loop, struct error *e)
{
    const struct http_options *o = &s->options;
    unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)tls_retrieve},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, HTTP_SERVER_PRIORITIES},
        {o->trust ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, (char *)o->trust},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    loop->server = s;
    loop->daemon = MHD_start_daemon(flags | (s->tls ? MHD_USE_TLS : 0u), 0, NULL, NULL, http_server_on_request, s,
                                    MHD_OPTION_EXTERNAL_LOGGER, http_server_on_log, s, MHD_OPTION_CONNECTION_LIMIT,
                                    o->connection_limit, MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_SERVER_MEMORY,
                                    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, http_server_on_target,
                                    s, MHD_OPTION_NOTIFY_COMPLETED, http_server_on_end, s, MHD_OPTION_NOTIFY_CONNECTION,
                                    http_server_on_connection, loop, MHD_OPTION_UNESCAPE_CALLBACK,
                                    http_server_keep_escapes, s, MHD_OPTION_ARRAY, s->tls ? tls : none, MHD_OPTION_END);
    if (!loop->daemon)
        return error_set(e, s->tls ? ERR_INVALID : ERR_IO, "The HTTP server for %s did not start%s",
                         o->listen ? o->listen : "a socket", s->tls ? ": are certificate and key good?" : "");
    return 0;
}

/* The daemons of all threads; what was started when one fails is stopped by http_server_close. */
static int http_server_open_all(struct http_server *s, struct error *e)
{
    int rc = 0;
    s->loops = memory_array(s->options.threads, sizeof(*s->loops));
    for (unsigned i = 0; i < s->options.threads && !rc; i++) {
        rc = http_server_open(s, &s->loops[i], e);
        s->loop_count += !rc;
    }
    return rc;
}

static void http_server_close(struct http_server *s)
{
    for (unsigned i = 0; i < s->loop_count; i++)
        MHD_stop_daemon(s->loops[i].daemon);
    s->loop_count = 0;
}

int http_server_renew(struct http_server *s, const char *certificate, const char *key, struct error *e)
{
    return tls_replace(s->tls, certificate, key, e);
}

int http_server_start(struct api *api, const struct http_options *options, struct http_server *_Atomic *ret,
                      struct error *e)
{
    struct http_server *s = memory_new(sizeof(*s));
    s->api = api;
    http_server_prepare(s);
    http_server_fill(&s->options, options);
    int fd = options->listen_fd;
    int rc = router_new(options->services, options->port, &s->router, e);
    if (!rc && !fd)
        rc = listener_open(options->listen, &fd, e);
    if (rc) {
        http_server_free(s);
        return rc;
    }
    s->port = listener_port(fd);
    http_server_raise_descriptors(s->options.connection_limit);
    http_server_register_metrics(s);
    s->park = park_new(http_server_resume);
    s->workers = workers_new(s->options.workers, HTTP_SERVER_SLOW_QUEUE);
    s->hashers = workers_new(s->options.hashers, s->options.hash_queue);
    rc = options->certificate ? tls_new(options->certificate, options->key, &s->tls, e) : 0;
    if (!rc)
        rc = http_server_open_all(s, e);
    if (rc) {
        close(fd);
        http_server_close(s);
        http_server_free(s);
        return rc;
    }
    *ret = s; /* before the first request, which may ask for it */
    s->sweeping = true;
    pthread_create(&s->sweeper, NULL, http_server_sweep, s);
    s->listener = listener_new(
        fd, &(struct listener_calls){.take = http_server_take, .has_room = http_server_has_room, .arg = s});
    return 0;
}

/* Until nothing is suspended, and until `deadline_us` nothing is active. Looks again and again: who brings a request
 * back must not touch the server after saying so. */
static void http_server_drain(struct http_server *s, int64_t deadline_us)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (atomic_load(&s->suspended) || (atomic_load(&s->active) && clock_mono_us() < deadline_us))
        nanosleep(&pause, NULL);
    if (atomic_load(&s->active))
        log_warn("requests are cut off", "count=%zu", atomic_load(&s->active));
}

void http_server_stop(struct http_server *_Atomic *s, int64_t deadline_ms)
{
    struct http_server *old = *s;
    if (!old)
        return;
    listener_free(&old->listener);
    atomic_store(&old->stopping, true);
    park_stop(old->park);
    http_server_drain(old, clock_mono_us() + deadline_ms * 1000);
    pthread_mutex_lock(&old->peers_lock);
    old->sweeping = false;
    pthread_cond_signal(&old->sweep);
    pthread_mutex_unlock(&old->peers_lock);
    pthread_join(old->sweeper, NULL);
    http_server_close(old);
    http_server_free(old);
    *s = NULL;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

const struct router *http_server_router(const struct http_server *s)
{
    return s->router;
}

void http_server_wake(struct http_server *s, const char *topic)
{
    park_wake(s->park, topic);
}

bool http_server_moves(struct http_server *s, int64_t limit_ms)
{
    int64_t oldest_us = http_thread_oldest(s);
    return !oldest_us || clock_mono_us() - oldest_us < limit_ms * 1000;
}

size_t http_server_hashing(struct http_server *s)
{
    return workers_count(s->hashers);
}

size_t http_server_parked(struct http_server *s)
{
    return park_count(s->park);
}

size_t http_server_active(struct http_server *s)
{
    return atomic_load(&s->active);
}

size_t http_server_connections(struct http_server *s)
{
    pthread_mutex_lock(&s->peers_lock);
    size_t count = s->peer_count;
    pthread_mutex_unlock(&s->peers_lock);
    return count;
}
