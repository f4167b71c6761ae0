/* What the API process shares between its threads: configuration, database, writer, signing keys, metrics. Filled by main before the first request. */
#pragma once
#include "db/db.h"
#include "db/writer.h"

struct token_keys; /* api/identity/token.h */
struct metrics;    /* api/http/metrics.h */
struct http_server;
struct api_config;

struct api {
    const struct api_config *config; /* api/config.h: one table, see common/config.h */
    struct db *db;
    struct writer *writer;
    struct token_keys *tokens;
    struct metrics *metrics;
    struct http_server *http, *agents; /* tenants' and agents' ports */
};
