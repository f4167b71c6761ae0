/* Routes are kept in an array of cells per shard; a thread's shard is fixed at its first request. Registration happens
 * at start, before threads look, except that tests may register later under the lock. */
#include "api/http/metrics.h"
#include "common/memory.h"
#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METRICS_SHARDS     8
#define METRICS_ROUTES_MAX 2048

static const int64_t metrics_bounds_us[] = {500,    1000,   2500,   5000,    10000,   25000,   50000,
                                            100000, 250000, 500000, 1000000, 2500000, 10000000};
#define METRICS_BOUNDS  (sizeof(metrics_bounds_us) / sizeof(metrics_bounds_us[0]))
#define METRICS_CLASSES 5 /* 1xx to 5xx */

struct metrics_cell {
    _Alignas(64) _Atomic uint64_t classes[METRICS_CLASSES];
    _Atomic uint64_t buckets[METRICS_BOUNDS + 1];
    _Atomic uint64_t sum_us;
};
struct metrics_route {
    char *service, *method, *route;
    struct metrics_cell *cells[METRICS_SHARDS]; /* made on the first request of a shard */
};
struct metrics_figure {
    char *name, *help, *labels;
    const char *type;
    metrics_fn fn;
    metrics_collect_fn collect;
    void *arg;
    struct metrics_figure *next;
};
struct metrics {
    pthread_mutex_t lock; /* registration */
    struct metrics_route *routes;
    _Atomic size_t route_count;
    struct metrics_figure *figures;
};
struct metrics_out {
    struct strbuf *to;
    const char *name;
};

static _Atomic unsigned metrics_threads;
static _Thread_local unsigned metrics_shard; /* 1 + shard; 0: none yet */

struct metrics *metrics_new(void)
{
    struct metrics *m = memory_new(sizeof(*m));
    pthread_mutex_init(&m->lock, NULL);
    m->routes = memory_array(METRICS_ROUTES_MAX, sizeof(*m->routes));
    return m;
}

void metrics_free(struct metrics **m)
{
    struct metrics *old = *m;
    if (!old)
        return;
    for (size_t i = 0; i < old->route_count; i++) {
        free(old->routes[i].service);
        free(old->routes[i].method);
        free(old->routes[i].route);
        for (size_t shard = 0; shard < METRICS_SHARDS; shard++)
            free(old->routes[i].cells[shard]);
    }
    while (old->figures) {
        struct metrics_figure *figure = old->figures;
        old->figures = figure->next;
        free(figure->name);
        free(figure->help);
        free(figure->labels);
        free(figure);
    }
    pthread_mutex_destroy(&old->lock);
    free(old->routes);
    free(old);
    *m = NULL;
}

static struct metrics_cell *metrics_cell_new(void)
{
    struct metrics_cell *cell = aligned_alloc(_Alignof(struct metrics_cell), sizeof(*cell));
    assert(cell);
    memset(cell, 0, sizeof(*cell));
    return cell;
}

size_t metrics_route(struct metrics *m, const char *service, const char *method, const char *route)
{
    pthread_mutex_lock(&m->lock);
    size_t count = m->route_count, at = 0;
    while (at < count && (strcmp(m->routes[at].service, service) != 0 || strcmp(m->routes[at].method, method) != 0 ||
                          strcmp(m->routes[at].route, route) != 0))
        at++;
    if (at == count) {
        assert(count < METRICS_ROUTES_MAX);
        m->routes[at].service = memory_strdup(service);
        m->routes[at].method = memory_strdup(method);
        m->routes[at].route = memory_strdup(route);
        m->route_count = count + 1;
    }
    pthread_mutex_unlock(&m->lock);
    return at;
}

static struct metrics_cell *metrics_cell(struct metrics *m, size_t route)
{
    if (!metrics_shard)
        metrics_shard = 1 + atomic_fetch_add(&metrics_threads, 1) % METRICS_SHARDS;
    _Atomic(struct metrics_cell *) *slot = (_Atomic(struct metrics_cell *) *)&m->routes[route].cells[metrics_shard - 1];
    struct metrics_cell *cell = atomic_load_explicit(slot, memory_order_acquire);
    if (cell)
        return cell;
    struct metrics_cell *made = metrics_cell_new();
    if (atomic_compare_exchange_strong(slot, &cell, made))
        return made;
    free(made);
    return cell;
}

static size_t metrics_bucket(int64_t took_us)
{
    size_t at = 0;
    while (at < METRICS_BOUNDS && took_us > metrics_bounds_us[at])
        at++;
    return at;
}

void metrics_request(struct metrics *m, size_t route, int status, int64_t took_us)
{
    assert(route < m->route_count);
    struct metrics_cell *cell = metrics_cell(m, route);
    int class = status / 100 - 1;
    if (class < 0 || class >= METRICS_CLASSES)
        class = METRICS_CLASSES - 1;
    metrics_add(&cell->classes[class], 1);
    metrics_add(&cell->buckets[metrics_bucket(took_us)], 1);
    metrics_add(&cell->sum_us, (uint64_t)(took_us < 0 ? 0 : took_us));
}

void metrics_add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static void metrics_register(struct metrics *m, const struct metrics_figure *figure)
{
    struct metrics_figure *copy = memory_new(sizeof(*copy));
    *copy = *figure;
    copy->name = memory_strdup(figure->name);
    copy->help = memory_strdup(figure->help);
    copy->labels = memory_strdup(figure->labels);
    pthread_mutex_lock(&m->lock);
    /* Figures of one name stay together, in the order of registration: the format wants it. */
    struct metrics_figure **at = &m->figures, **after = NULL;
    for (; *at; at = &(*at)->next)
        if (!strcmp((*at)->name, figure->name))
            after = &(*at)->next;
    if (after)
        at = after;
    copy->next = *at;
    *at = copy;
    pthread_mutex_unlock(&m->lock);
}

void metrics_gauge(struct metrics *m, const char *name, const char *help, const char *labels, metrics_fn fn, void *arg)
{
    metrics_register(m, &(struct metrics_figure){.name = (char *)name,
                                                 .help = (char *)help,
                                                 .labels = (char *)labels,
                                                 .type = "gauge",
                                                 .fn = fn,
                                                 .arg = arg});
}

void metrics_counter(struct metrics *m, const char *name, const char *help, const char *labels, metrics_fn fn,
                     void *arg)
{
    metrics_register(m, &(struct metrics_figure){.name = (char *)name,
                                                 .help = (char *)help,
                                                 .labels = (char *)labels,
                                                 .type = "counter",
                                                 .fn = fn,
                                                 .arg = arg});
}

void metrics_collect(struct metrics *m, const char *name, const char *help, const char *type, metrics_collect_fn fn,
                     void *arg)
{
    metrics_register(m, &(struct metrics_figure){.name = (char *)name,
                                                 .help = (char *)help,
                                                 .labels = "",
                                                 .type = strcmp(type, "counter") ? "gauge" : "counter",
                                                 .collect = fn,
                                                 .arg = arg});
}

void metrics_label(const char *name, const char *value, char *ret, size_t size)
{
    assert(size > strlen(name) + 4);
    char *at = stpcpy(stpcpy(ret, name), "=\""), *end = ret + size - 3;
    for (; *value && at < end; value++) {
        if (*value == '"' || *value == '\\' || *value == '\n')
            *at++ = '\\';
        *at++ = *value == '\n' ? 'n' : *value;
    }
    while (*value && at > ret && ((unsigned char)at[-1] & 0xc0) == 0x80) /* a character that was cut */
        at--;
    if (*value && at > ret && (unsigned char)at[-1] >= 0xc0)
        at--;
    stpcpy(at, "\"");
}

static void metrics_value(struct strbuf *to, double value)
{
    if (isnan(value))
        strbuf_append_text(to, " NaN\n");
    else if (value == floor(value) && fabs(value) < 1e15)
        strbuf_appendf(to, " %.0f\n", value);
    else
        strbuf_appendf(to, " %.9g\n", value);
}

void metrics_sample(struct metrics_out *out, const char *labels, double value)
{
    strbuf_append_text(out->to, out->name);
    if (*labels)
        strbuf_appendf(out->to, "{%s}", labels);
    metrics_value(out->to, value);
}

/* One route's cells summed up. */
struct metrics_sum {
    uint64_t classes[METRICS_CLASSES], buckets[METRICS_BOUNDS + 1], sum_us, count;
};

static void metrics_sum_route(const struct metrics_route *route, struct metrics_sum *ret)
{
    *ret = (struct metrics_sum){0};
    for (size_t shard = 0; shard < METRICS_SHARDS; shard++) {
        struct metrics_cell *cell =
            atomic_load_explicit((_Atomic(struct metrics_cell *) *)&route->cells[shard], memory_order_acquire);
        if (!cell)
            continue;
        for (size_t i = 0; i < METRICS_CLASSES; i++)
            ret->classes[i] += atomic_load_explicit(&cell->classes[i], memory_order_relaxed);
        for (size_t i = 0; i <= METRICS_BOUNDS; i++)
            ret->buckets[i] += atomic_load_explicit(&cell->buckets[i], memory_order_relaxed);
        ret->sum_us += atomic_load_explicit(&cell->sum_us, memory_order_relaxed);
    }
    for (size_t i = 0; i <= METRICS_BOUNDS; i++)
        ret->count += ret->buckets[i];
}

static void metrics_text_requests(const struct metrics *m, struct strbuf *to)
{
    strbuf_append_text(to, "# HELP virga_http_requests_total Requests answered, by route and class of status.\n"
                           "# TYPE virga_http_requests_total counter\n");
    for (size_t i = 0; i < m->route_count; i++) {
        const struct metrics_route *route = &m->routes[i];
        struct metrics_sum sum;
        metrics_sum_route(route, &sum);
        for (size_t class = 0; class < METRICS_CLASSES; class ++)
            if (sum.classes[class])
                strbuf_appendf(
                    to, "virga_http_requests_total{service=\"%s\",method=\"%s\",route=\"%s\",status=\"%zuxx\"} %llu\n",
                    route->service, route->method, route->route, class + 1, (unsigned long long)sum.classes[class]);
    }
}

static void metrics_text_route(const struct metrics_route *route, const struct metrics_sum *sum, struct strbuf *to)
{
    uint64_t below = 0;
    static const char form[] = "virga_http_request_seconds_%s{service=\"%s\",method=\"%s\",route=\"%s\"";
#define METRICS_HEAD(kind) strbuf_appendf(to, form, kind, route->service, route->method, route->route)
    for (size_t i = 0; i < METRICS_BOUNDS; i++) {
        below += sum->buckets[i];
        METRICS_HEAD("bucket");
        strbuf_appendf(to, ",le=\"%g\"} %llu\n", (double)metrics_bounds_us[i] / 1e6, (unsigned long long)below);
    }
    METRICS_HEAD("bucket");
    strbuf_appendf(to, ",le=\"+Inf\"} %llu\n", (unsigned long long)sum->count);
    METRICS_HEAD("sum");
    strbuf_appendf(to, "} %.6f\n", (double)sum->sum_us / 1e6);
    METRICS_HEAD("count");
    strbuf_appendf(to, "} %llu\n", (unsigned long long)sum->count);
#undef METRICS_HEAD
}

static void metrics_text_latency(const struct metrics *m, struct strbuf *to)
{
    strbuf_append_text(to,
                       "# HELP virga_http_request_seconds Time from the request line to the answer, without parking.\n"
                       "# TYPE virga_http_request_seconds histogram\n");
    for (size_t i = 0; i < m->route_count; i++) {
        struct metrics_sum sum;
        metrics_sum_route(&m->routes[i], &sum);
        if (sum.count)
            metrics_text_route(&m->routes[i], &sum, to);
    }
}

void metrics_text(struct metrics *m, struct strbuf *to)
{
    metrics_text_requests(m, to);
    metrics_text_latency(m, to);
    pthread_mutex_lock(&m->lock);
    struct metrics_figure *figure = m->figures;
    pthread_mutex_unlock(&m->lock);
    const char *last = "";
    for (; figure; figure = figure->next) { /* figures are never taken away while threads look */
        struct metrics_out out = {.to = to, .name = figure->name};
        if (strcmp(last, figure->name) != 0)
            strbuf_appendf(to, "# HELP %s %s\n# TYPE %s %s\n", figure->name, figure->help, figure->name, figure->type);
        last = figure->name;
        if (figure->collect)
            figure->collect(&out, figure->arg);
        else
            metrics_sample(&out, figure->labels, figure->fn(figure->arg));
    }
}
