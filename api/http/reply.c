/* The reply's headers live in the request's arena; its body buffer is kept from request to request. */
#include "api/http/exchange.h"
#include "api/http/header.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPLY_KEEP_BYTES ((size_t)64 << 10) /* a larger body buffer is given back */

void reply_start(struct reply *reply, struct arena *arena)
{
    reply->arena = arena;
    reply->fields = NULL;
    reply->field_count = reply->field_kept = reply->field_room = 0;
    reply->file = -1;
    reply_reset(reply);
}

void reply_reset(struct reply *reply)
{
    reply->status = 200;
    reply->content_type = "application/json";
    reply->field_count = reply->field_kept;
    if (reply->file >= 0)
        close(reply->file);
    reply->file = -1;
    strbuf_reset(&reply->body);
    json_out_init(&reply->out, &reply->body);
}

void reply_done(struct reply *reply)
{
    if (reply->file >= 0)
        close(reply->file);
    reply->file = -1;
    if (reply->body.capacity > REPLY_KEEP_BYTES)
        strbuf_done(&reply->body);
}

void reply_header_kept(struct reply *reply, const char *name, const char *value)
{
    if (reply->field_count == reply->field_room) {
        size_t room = reply->field_room ? reply->field_room * 2 : 8;
        struct reply_field *fields = arena_array(reply->arena, room, sizeof(*fields));
        if (reply->field_count)
            memcpy(fields, reply->fields, reply->field_count * sizeof(*fields));
        reply->fields = fields;
        reply->field_room = room;
    }
    reply->fields[reply->field_count++] = (struct reply_field){name, value};
}

void reply_header(struct reply *reply, const char *name, const char *value)
{
    reply_header_kept(reply, arena_strdup(reply->arena, name), arena_strdup(reply->arena, value));
}

void reply_header_set(struct reply *reply, const char *name, const char *value)
{
    for (size_t i = 0; i < reply->field_count; i++)
        if (!strcasecmp(reply->fields[i].name, name)) {
            reply->fields[i].value = arena_strdup(reply->arena, value);
            return;
        }
    reply_header(reply, name, value);
}

static int reply_file_open(struct reply *reply, const char *path, struct stat *ret, struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
    if (fstat(fd, ret) || !S_ISREG(ret->st_mode)) {
        close(fd);
        return error_set(e, ERR_IO, "%s is not a file", path);
    }
    if (reply->file >= 0)
        close(reply->file);
    reply->file = fd;
    return 0;
}

int reply_file(struct request *request, struct reply *reply, const char *path, const char *content_type)
{
    struct stat about;
    int rc = reply_file_open(reply, path, &about, &request->error);
    if (rc)
        return rc;
    int64_t size = (int64_t)about.st_size;
    reply->file_from = 0;
    reply->file_bytes = size;
    reply->content_type = arena_strdup(&request->arena, content_type);
    reply_header_set(reply, "Accept-Ranges", "bytes");
    switch (header_read_range(request_header(request, "Range"), size, &reply->file_from, &reply->file_bytes)) {
    case HEADER_RANGE_NONE:
        break;
    case HEADER_RANGE_GIVEN:
        reply->status = 206;
        reply_header_set(reply, "Content-Range",
                         arena_printf(&request->arena, "bytes %lld-%lld/%lld", (long long)reply->file_from,
                                      (long long)(reply->file_from + reply->file_bytes - 1), (long long)size));
        break;
    case HEADER_RANGE_BAD:
        reply_reset(reply);
        reply_header(reply, "Content-Range", arena_printf(&request->arena, "bytes */%lld", (long long)size));
        reply->field_kept = reply->field_count; /* the fault carries it */
        return error_set(&request->error, ERR_RANGE, "The range lies outside the %lld bytes", (long long)size);
    }
    return 0;
}
