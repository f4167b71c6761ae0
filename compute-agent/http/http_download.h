/* Fetches a large file from the API into a local one, going on where an earlier try ended. Blocking: for worker
 * threads, so that a slow disk or a slow API delays nothing else. */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"
#include "compute-agent/http/http_client.h"
#include <stdatomic.h>
#include <stdint.h>

struct http_download {
    const char *url;  /* the API's, as for http_client_new */
    const char *path; /* "/agent/v1/images/..." */
    struct http_client_identity identity;
    const char *file;        /* appended to; what it has is kept when a try breaks off */
    int64_t size_bytes;      /* of the whole: more is refused */
    int64_t stall_ms;        /* without progress for so long it is broken off */
    const atomic_bool *stop; /* becomes true: give up soon; NULL: never */
    const char *what;        /* for sentences; NULL: "image" */
};
/* 0 when the file has all its bytes. ERR_UNAVAILABLE (nobody answers, 5xx, broken off: try again), ERR_NOT_FOUND,
 * ERR_FORBIDDEN, ERR_PEER, ERR_NO_SPACE, ERR_IO. */
int http_download(const struct http_download *d, struct error *e);
/* A small answer as text; `stall_ms` is for the whole. `file` and `size_bytes` are not looked at. Errors as above. */
int http_download_text(const struct http_download *d, struct strbuf *ret, struct error *e);
