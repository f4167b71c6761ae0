/* load: keep-alive HTTP/1.1 clients in few threads, each sending its next request when the last is answered; exact
 * percentiles, and little processor time of its own, because it shares a small machine with what it measures.
 *
 *     load [options] HOST:PORT
 *       --paths FILE      one path a line, taken in turn (else --path)
 *       --path PATH       default /
 *       --method NAME     default GET
 *       --header LINE     may be given several times
 *       --body TEXT       sent as application/json
 *       --expect STATUS   what counts as success, default 200
 *       --connections N   default 64
 *       --threads N       default 1
 *       --seconds S       how long new requests are sent, default 5
 *       --requests N      at most so many
 *
 * Prints one line of JSON. Answers with another status are counted, and the first of them is shown on standard error;
 * a connection that the server closes is opened again. Ends with 1 when there was no good answer at all. */
#include "common/clock.h"
#include "common/memory.h"
#include "common/strbuf.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES    16384
#define SAMPLES_MAX   ((size_t)1 << 24)
#define PATIENCE_MS   30000 /* without any event the server is taken for dead */
#define HEADERS_BYTES 8192

struct client {
    int fd;
    int status;
    bool in_body;
    int64_t left; /* bytes of body to come */
    int64_t sent_us;
    size_t size; /* of head */
    char head[HEAD_BYTES + 1];
};

struct load {
    struct sockaddr_in address;
    const char *host, *method, *path, *body;
    struct strbuf headers, *requests;
    size_t request_count;
    int expect, connections, threads;
    int64_t limit, until_us;
};

/* What a thread has. */
struct share {
    const struct load *load;
    pthread_t thread;
    int connections, epoll;
    size_t next;
    int64_t limit, until_us, sent, bytes, bad, reconnects;
    uint32_t *samples;
    size_t sample_count;
    bool shown;
};

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void request_make(const struct load *l, const char *path, struct strbuf *ret)
{
    strbuf_init(ret, 0);
    strbuf_appendf(ret, "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n%s", l->method, path, l->host,
                   l->headers.size ? l->headers.data : "");
    if (l->body)
        strbuf_appendf(ret, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(l->body),
                       l->body);
    else
        strbuf_appendf(ret, "\r\n");
}

static void requests_read(struct load *l, const char *file)
{
    FILE *in = fopen(file, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    if (!in)
        fail(file);
    while ((size = getline(&line, &room, in)) > 1) {
        line[size - 1] = 0;
        l->requests = memory_resize(l->requests, (l->request_count + 1) * sizeof *l->requests);
        request_make(l, line, &l->requests[l->request_count++]);
    }
    free(line);
    fclose(in);
}

static void client_open(struct share *h, struct client *c)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&h->load->address, sizeof h->load->address))
        fail(h->load->host);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, c->fd, &event))
        fail("epoll");
}

/* False when there is nothing more to send. A request fits into the socket's buffer, which is empty: send may block. */
static bool client_send(struct share *h, struct client *c)
{
    c->size = 0;
    c->in_body = false;
    if (h->sent == h->limit || clock_mono_us() >= h->until_us) {
        close(c->fd);
        c->fd = -1;
        return false;
    }
    const struct strbuf *request = &h->load->requests[h->next];
    h->next = h->next + 1 == h->load->request_count ? 0 : h->next + 1;
    h->sent++;
    c->sent_us = clock_mono_us();
    if (send(c->fd, request->data, request->size, MSG_NOSIGNAL) != (ssize_t)request->size && errno != EPIPE &&
        errno != ECONNRESET)
        fail("send");
    return true;
}

static bool client_answered(struct share *h, struct client *c)
{
    int64_t took_us = clock_mono_us() - c->sent_us;
    if (c->status != h->load->expect) {
        h->bad++;
        if (!h->shown)
            fprintf(stderr, "load: unexpected answer:\n%.2000s\n", c->head);
        h->shown = true;
    } else if (h->sample_count < SAMPLES_MAX) {
        h->samples[h->sample_count++] = took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us;
    }
    return client_send(h, c);
}

/* Of the head up to `end`; 0 when it does not say. */
static int64_t content_length(const char *head, const char *end)
{
    static const char name[] = "\nContent-Length:";
    for (const char *at = head; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        if ((at[1] | 0x20) == 'c' && strncasecmp(at, name, sizeof name - 1) == 0)
            return strtoll(at + sizeof name - 1, NULL, 10);
    return 0;
}

/* Reads status and length when the whole head is there. */
static bool client_head(struct client *c)
{
    c->head[c->size] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) {
        if (c->size == HEAD_BYTES) {
            fprintf(stderr, "load: the answer's head is too large\n");
            exit(2);
        }
        return false;
    }
    c->status = c->size > 12 ? (int)strtol(c->head + 9, NULL, 10) : 0;
    c->left = content_length(c->head, end);
    c->left -= (int64_t)c->size - (end + 4 - c->head);
    c->in_body = true;
    return true;
}

/* One readable socket. False when this client has ended. */
static bool client_read(struct share *h, struct client *c)
{
    static _Thread_local char sink[1 << 18];
    char *to = c->in_body ? sink : c->head + c->size;
    ssize_t got = recv(c->fd, to, c->in_body ? sizeof sink : HEAD_BYTES - c->size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0) { /* closed by the server: this request has no answer */
        close(c->fd);
        h->reconnects++;
        client_open(h, c);
        return client_send(h, c);
    }
    h->bytes += got;
    if (c->in_body) {
        c->left -= got;
    } else {
        c->size += (size_t)got;
        if (!client_head(c))
            return true;
    }
    return c->left > 0 || client_answered(h, c);
}

static int compare_samples(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t percentile(const struct share *all, double p)
{
    size_t at = (size_t)((double)all->sample_count * p);
    return all->sample_count ? all->samples[at < all->sample_count ? at : all->sample_count - 1] : 0;
}

static void report(struct share *all, double seconds)
{
    struct rusage used;
    uint64_t sum = 0;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    for (size_t i = 0; i < all->sample_count; i++)
        sum += all->samples[i];
    qsort(all->samples, all->sample_count, sizeof *all->samples, compare_samples);
    printf("{\"good\": %zu, \"bad\": %" PRId64 ", \"reconnects\": %" PRId64
           ", \"seconds\": %.6f, \"per_second\": %.1f, "
           "\"bytes\": %" PRId64 ", \"client_cpu_s\": %.3f, \"mean_us\": %.1f, \"p50_us\": %u, \"p90_us\": %u, "
           "\"p99_us\": %u, \"p999_us\": %u, \"max_us\": %u}\n",
           all->sample_count, all->bad, all->reconnects, seconds, (double)all->sample_count / seconds, all->bytes, cpu,
           all->sample_count ? (double)sum / (double)all->sample_count : 0.0, percentile(all, 0.5),
           percentile(all, 0.9), percentile(all, 0.99), percentile(all, 0.999), percentile(all, 1));
}

static void *share_run(void *arg)
{
    struct share *h = arg;
    struct client *clients = memory_array((size_t)h->connections, sizeof *clients);
    struct epoll_event events[256];
    int open = 0;
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < h->connections; i++)
        client_open(h, &clients[i]);
    for (int i = 0; i < h->connections; i++)
        open += client_send(h, &clients[i]);
    while (open) {
        int n = epoll_wait(h->epoll, events, 256, PATIENCE_MS);
        if (n == 0) {
            fprintf(stderr, "load: no answer for %d s\n", PATIENCE_MS / 1000);
            exit(2);
        }
        for (int i = 0; i < n; i++)
            open -= !client_read(h, events[i].data.ptr);
    }
    free(clients);
    return NULL;
}

/* The i-th of n parts of a whole. */
static int64_t part(int64_t whole, int i, int n)
{
    return whole / n + (i < whole % n);
}

static void share_start(const struct load *l, int i, int64_t start_us, struct share *h)
{
    *h = (struct share){.load = l,
                        .connections = (int)part(l->connections, i, l->threads),
                        .limit = part(l->limit, i, l->threads),
                        .until_us = start_us + l->until_us,
                        .next = l->request_count * (size_t)i / (size_t)l->threads};
    h->samples = malloc(SAMPLES_MAX * sizeof *h->samples); /* touched only as far as used */
    assert(h->samples);
    int failed = pthread_create(&h->thread, NULL, share_run, h);
    assert(!failed);
}

static void share_add(struct share *all, struct share *h)
{
    all->samples = memory_resize(all->samples, (all->sample_count + h->sample_count + 1) * sizeof *all->samples);
    memcpy(all->samples + all->sample_count, h->samples, h->sample_count * sizeof *all->samples);
    all->sample_count += h->sample_count;
    all->bad += h->bad;
    all->bytes += h->bytes;
    all->reconnects += h->reconnects;
    free(h->samples);
}

/* True when there was a good answer. */
static bool run(const struct load *l)
{
    struct share *shares = memory_array((size_t)l->threads, sizeof *shares), all = {0};
    int64_t start = clock_mono_us();
    for (int i = 0; i < l->threads; i++)
        share_start(l, i, start, &shares[i]);
    for (int i = 0; i < l->threads; i++)
        pthread_join(shares[i].thread, NULL);
    double seconds = (double)(clock_mono_us() - start) / 1e6;
    for (int i = 0; i < l->threads; i++)
        share_add(&all, &shares[i]);
    report(&all, seconds);
    free(shares);
    free(all.samples);
    return all.sample_count;
}

static void address_read(struct load *l, char *host)
{
    l->host = memory_strdup(host);
    char *colon = strrchr(host, ':');
    if (!colon || colon == host) {
        fprintf(stderr, "load: HOST:PORT expected\n");
        exit(2);
    }
    *colon = 0;
    l->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10))};
    if (inet_pton(AF_INET, host, &l->address.sin_addr) != 1) {
        fprintf(stderr, "load: '%s' is no IPv4 address\n", host);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"paths", 1, NULL, 'f'},       {"path", 1, NULL, 'p'},    {"method", 1, NULL, 'm'},  {"header", 1, NULL, 'h'},
        {"body", 1, NULL, 'b'},        {"expect", 1, NULL, 'e'},  {"seconds", 1, NULL, 's'}, {"requests", 1, NULL, 'n'},
        {"connections", 1, NULL, 'c'}, {"threads", 1, NULL, 't'}, {NULL, 0, NULL, 0},
    };
    struct load l = {.method = "GET",
                     .path = "/",
                     .expect = 200,
                     .threads = 1,
                     .connections = 64,
                     .limit = INT64_MAX,
                     .until_us = 5000000};
    const char *paths = NULL;
    strbuf_init(&l.headers, HEADERS_BYTES);
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 'f':
            paths = optarg;
            break;
        case 'p':
            l.path = optarg;
            break;
        case 'm':
            l.method = optarg;
            break;
        case 'h':
            strbuf_appendf(&l.headers, "%s\r\n", optarg);
            break;
        case 'b':
            l.body = optarg;
            break;
        case 'e':
            l.expect = (int)strtol(optarg, NULL, 10);
            break;
        case 's':
            l.until_us = (int64_t)(strtod(optarg, NULL) * 1e6);
            break;
        case 'n':
            l.limit = strtoll(optarg, NULL, 10);
            break;
        case 't':
            l.threads = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            l.connections = (int)strtol(optarg, NULL, 10);
            break;
        default:
            return 2;
        }
    }
    if (optind + 1 != argc || l.threads < 1 || l.connections < l.threads) {
        fprintf(stderr, "usage: load [options] HOST:PORT (see the head of bench/load/load.c)\n");
        return 2;
    }
    address_read(&l, argv[optind]);
    if (paths) {
        requests_read(&l, paths);
    } else {
        l.requests = memory_new(sizeof *l.requests);
        request_make(&l, l.path, l.requests);
        l.request_count = 1;
    }
    if (!l.request_count) {
        fprintf(stderr, "load: %s names no path\n", paths);
        return 2;
    }
    return run(&l) ? 0 : 1;
}
