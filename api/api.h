/* What the API process shares between its threads: configuration, database, writer, signing keys, metrics. Filled by
 * main before the first request. */
#pragma once
#include "db/db.h"
#include "db/wake.h"
#include "db/writer.h"
#include <stdatomic.h>

struct token_keys; /* api/identity/token.h */
struct metrics;    /* api/http/metrics.h */
struct login_limit;
struct http_server;
struct api_config;
struct api_timers;

struct api {
    const struct api_config *config; /* api/config.h: one table, see common/config.h */
    struct db *db;
    struct writer *writer;
    struct token_keys *tokens;
    struct login_limit *logins; /* api/identity/login_limit.h; NULL: none */
    struct metrics *metrics;
    struct http_server *_Atomic http, *_Atomic agents; /* tenants' and agents' ports */
    struct wake *wake; /* topics of this and other processes, on their way to parked requests */
    struct api_timers *timers;
    _Atomic int64_t writer_moved_us; /* clock_mono_us when the writer last finished a job of the probe; see api/root */
};

/* Calls `fn` every `interval_ms` from now on, one after the other on one thread of its own, until api_timers_stop. It
 * may block (writer_run), but then delays the other timers. Call at start (services_start). */
void api_timer(struct api *api, int64_t interval_ms, void (*fn)(struct api *api, void *arg), void *arg);
/* The thread of the timers: runs until stopped; stopping waits for a running `fn`. */
void api_timers_start(struct api *api);
void api_timers_stop(struct api *api);

/* wake_listen's callback: hands a topic to the parked requests of both ports. `arg` is the struct api. */
void api_wake(void *arg, const char *topic);
