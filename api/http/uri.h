/* The request target taken apart: path segments and query arguments, percent-decoded and checked. Pure. */
#pragma once
#include "common/arena.h"
#include "common/error.h"
#include <stddef.h>

#define URI_SEGMENTS_MAX 24

struct uri_argument {
    const char *name, *value;
};
struct uri {
    const char *path; /* decoded segments joined by "/", without a trailing slash; "/" for the root */
    const char *segments[URI_SEGMENTS_MAX]; /* decoded; one may hold a "/" that was sent as %2F */
    size_t offsets[URI_SEGMENTS_MAX];       /* where each begins in `path` */
    size_t count;
    const char *query; /* as sent, without the "?"; "" when there is none */
    struct uri_argument *arguments;
    size_t argument_count;
};

/* Takes "/path?query" apart, or the absolute form "http://host/path?query" (RFC 9112, section 3.2.2). A trailing slash
 * is ignored. A plus in the query is a space. All memory is the arena's. 0, or ERR_INVALID for: no leading slash, an
 * empty segment in the middle, "." or "..", a bad percent-encoding, a NUL or another control character in the path,
 * what is not UTF-8, more than URI_SEGMENTS_MAX segments. */
int uri_parse(const char *raw, struct arena *a, struct uri *ret, struct error *e);
