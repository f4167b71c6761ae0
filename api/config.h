/* virga-api's options; the table is in config.c, see common/config.h. */
#pragma once
#include "common/config.h"

struct api_config {
    char *prefix, *database, *log_file, *log_level, *pid_file;
    char *listen, *agent_listen, *endpoint, *proxies, *region;
    char *tls_certificate, *tls_key, *pki_dir, *master_key, *metrics_dir;
    char *image_dir, *upload_dir;
    int64_t http_threads, http_workers, http_connections, writer_queue, writer_threads;
    int64_t body_limit, image_limit, image_virtual_limit, image_convert_timeout_ms;
    int64_t header_timeout_ms, body_timeout_ms, upload_timeout_ms, idle_timeout_ms, shutdown_timeout_ms;
    int64_t shelved_offload_s;
    int64_t token_life_ms, password_passes, password_memory, password_threads, password_queue;
    bool metrics_public;
};
extern const struct config_spec config_api;

/* Fills the places that were not given with those below the prefix. After config_load. */
void config_api_places(struct api_config *c);
