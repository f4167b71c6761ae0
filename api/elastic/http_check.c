/* A check is stored as it goes to agents, with all of its numbers. */
#include "api/elastic/http_check.h"
#include "common/json_out.h"
#include "db/store_elastic_check.h"
#include "db/store_port.h"
#include <stddef.h>
#include <string.h>

struct body {
    int64_t port, interval_s, timeout_s, failures, status_from, status_to;
    const char *path;
};
#define NUMBER(member, low, high)                                                                                      \
    {                                                                                                                  \
        .name = #member, .kind = JSON_INT, .offset = offsetof(struct body, member), .min = (low), .max = (high)        \
    }
static const struct json_field fields[] = {
    NUMBER(port, 1, 65535),
    NUMBER(interval_s, 2, 3600),
    NUMBER(timeout_s, 1, 10),
    NUMBER(failures, 1, 100),
    NUMBER(status_from, 100, 599),
    NUMBER(status_to, 100, 599),
    {.name = "path", .kind = JSON_TEXT, .offset = offsetof(struct body, path), .min = 1, .max = 255},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

static bool is_path(const char *path)
{
    if (path[0] != '/')
        return false;
    for (const char *c = path; *c; c++) {
        if (*c <= ' ' || *c > '~')
            return false;
    }
    return true;
}

static const char *print(struct request *request, const struct body *b)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_int(&out, "port", b->port);
    json_out_text(&out, "path", b->path);
    json_out_int(&out, "interval_s", b->interval_s);
    json_out_int(&out, "timeout_s", b->timeout_s);
    json_out_int(&out, "failures", b->failures);
    json_out_int(&out, "status_from", b->status_from);
    json_out_int(&out, "status_to", b->status_to);
    json_out_object_end(&out);
    const char *copy = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    return copy;
}

int http_check_read(struct request *request, json_value *value, const char **ret)
{
    struct body b = {
        .port = 80, .interval_s = 10, .timeout_s = 5, .failures = 3, .status_from = 200, .status_to = 399, .path = "/"};
    *ret = NULL;
    if (json_in_is_null(value))
        return 0;
    int rc = json_in_read(value, &table, &b, &request->arena, &request->error);
    if (rc)
        return error_prefix(&request->error, "http_check");
    if (!is_path(b.path))
        return error_set(&request->error, ERR_INVALID,
                         "http_check.path: it begins with / and has no spaces or letters beyond ASCII");
    if (b.status_from > b.status_to)
        return error_set(&request->error, ERR_INVALID, "http_check.status_from: it is above status_to");
    *ret = print(request, &b);
    return 0;
}

int http_check_changed(struct request *request, const char *group_id)
{
    struct elastic_member_row *members = NULL;
    size_t count = 0;
    int rc = store_elastic_check_forget(request->conn, group_id, &request->error);
    rc = rc ? rc : store_elastic_members(request->conn, group_id, &request->arena, &members, &count, &request->error);
    for (size_t i = 0; !rc && i < count; i++) {
        if (members[i].is_there)
            rc = store_port_refresh_server(request->conn, members[i].server_id, request->now_us, &request->arena,
                                           &request->error);
    }
    return rc;
}
