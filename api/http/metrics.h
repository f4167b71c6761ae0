/* Figures in Prometheus' text form 0.0.4 (github.com/prometheus/docs, exposition_formats): requests by route, and
 * whatever other modules register. Counting takes no lock: each thread counts into one of a few sets of atomic
 * counters, which are summed up when somebody looks. */
#pragma once
#include "common/strbuf.h"
#include <stddef.h>
#include <stdint.h>

struct metrics;

struct metrics *metrics_new(void);
void metrics_free(struct metrics **m);

/* Registers a route; the number is for metrics_request. The same texts give the same number. At start only. */
size_t metrics_route(struct metrics *m, const char *service, const char *method, const char *route);
/* A request was answered. Any thread. */
void metrics_request(struct metrics *m, size_t route, int status, int64_t took_us);

/* Registers a figure that is asked for at each look, on the thread that looks. `labels`: `kind="x"` or "". Texts are
 * copied. One name has one help and type. */
typedef double (*metrics_fn)(void *arg);
void metrics_gauge(struct metrics *m, const char *name, const char *help, const char *labels, metrics_fn fn, void *arg);
/* As above for a figure that only grows; the name ends with _total. */
void metrics_counter(struct metrics *m, const char *name, const char *help, const char *labels, metrics_fn fn,
                     void *arg);

/* For figures whose labels are known only when somebody looks (servers by state): `fn` calls metrics_sample for each.
 * `type`: "gauge" or "counter". */
struct metrics_out;
typedef void (*metrics_collect_fn)(struct metrics_out *out, void *arg);
void metrics_collect(struct metrics *m, const char *name, const char *help, const char *type, metrics_collect_fn fn,
                     void *arg);
/* One sample. `labels` as above; values inside them escaped by metrics_label. */
void metrics_sample(struct metrics_out *out, const char *labels, double value);
/* Writes name="value" with what must be escaped, into `ret`; truncates at whole characters. */
void metrics_label(const char *name, const char *value, char *ret, size_t size);
/* An amount that any thread may change, for figures that nobody else keeps. */
void metrics_add(_Atomic uint64_t *counter, uint64_t amount);

/* Everything as text. Any thread. */
void metrics_text(struct metrics *m, struct strbuf *to);
