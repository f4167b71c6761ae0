/* Sends a large file, or a few bytes, to the API. Blocking: for worker threads. */
#pragma once
#include "compute-agent/http/http_client.h"
#include <stdatomic.h>
#include <stdint.h>

struct http_upload {
    const char *url;  /* the API's, as for http_client_new */
    const char *path; /* "/agent/v1/images/..." */
    struct http_client_identity identity;
    const char *file, *data; /* what is sent; data: text, when file is NULL */
    const char *format;      /* the disk format that it says to have */
    const char *template;    /* what the bytes only stand for: a path on the hypervisor's storage; NULL: they are all */
    int64_t stall_ms;        /* without progress for so long it is broken off */
    const atomic_bool *stop; /* becomes true: give up soon */
};
/* 0 when the API has it all, with its checksum. ERR_UNAVAILABLE (nobody answers, 5xx, broken off: send it again),
 * ERR_CONFLICT (the API does not want it, with the status), ERR_IO, ERR_NOT_FOUND. */
int http_upload(const struct http_upload *u, struct error *e);
