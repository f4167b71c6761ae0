/* The answer that a handler fills. It starts empty at each run of the handler. */
#pragma once
#include "common/arena.h"
#include "common/json_out.h"
#include "common/strbuf.h"
#include <stddef.h>
#include <stdint.h>

struct request;

struct reply_field {
    const char *name, *value;
};

struct reply {
    int status;          /* 200 unless set */
    struct json_out out; /* the body; nothing written: an empty body */
    struct strbuf body;
    const char *content_type; /* "application/json" unless set */

    /* The server's; see the functions below. */
    struct arena *arena;
    struct reply_field *fields;
    size_t field_count, field_kept, field_room;
    int file; /* open descriptor of reply_file, or -1 */
    int64_t file_from, file_bytes;
};

/* Adds a header; both are copied. reply_header_set replaces one of the same name; reply_header_kept copies nothing: the
 * texts live as long as the request. */
void reply_header_kept(struct reply *reply, const char *name, const char *value);
void reply_header(struct reply *reply, const char *name, const char *value);
void reply_header_set(struct reply *reply, const char *name, const char *value);
/* Answers with bytes of a file instead of a body; Range is honoured (206, 416). The file is opened here. 0 or an error.
 */
int reply_file(struct request *request, struct reply *reply, const char *path, const char *content_type);
