/* Tags of a server, from 2.26. They lie in the row as one sorted JSON array. */
#include "api/compute/servers_body.h"
#include "db/store_event.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct tags {
    const char **items;
    size_t count;
};

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has(const struct tags *t, const char *tag)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->items[i], tag) == 0)
            return true;
    return false;
}

/* With room for one more. */
static int load(struct request *request, const struct server_row *row, struct tags *ret)
{
    struct json_doc doc;
    int rc = json_in_parse(row->tags, strlen(row->tags), &doc, &request->error);
    if (rc)
        return rc;
    ret->count = json_in_count(doc.root);
    ret->items = arena_array(&request->arena, ret->count + 1, sizeof(*ret->items));
    for (size_t i = 0; i < ret->count; i++)
        ret->items[i] = arena_strdup(&request->arena, json_in_text(json_in_item(doc.root, i)));
    json_in_done(&doc);
    return 0;
}

static void write_tags(struct json_out *out, const char *key, const struct tags *t)
{
    json_out_array(out, key);
    for (size_t i = 0; i < t->count; i++)
        if (i == 0 || strcmp(t->items[i - 1], t->items[i]) != 0)
            json_out_text(out, NULL, t->items[i]);
    json_out_array_end(out);
}

static int store(struct request *request, struct server_row *row, struct tags *t)
{
    struct strbuf text;
    struct json_out out;
    if (t->count > 0)
        qsort(t->items, t->count, sizeof(*t->items), compare);
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    write_tags(&out, NULL, t);
    row->tags = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    row->updated_us = request->now_us;
    int rc = store_server_edit(request->conn, row, &request->error);
    return rc ? rc : store_event_changed(request->conn, row, request->now_us, &request->error);
}

static int load_to_change(struct request *request, const char *action, struct server_row *row, struct tags *t)
{
    int rc = compute_server(request, row);
    if (!rc)
        rc = compute_server_built(request, row, action);
    return rc ? rc : load(request, row, t);
}

static int no_tag(struct request *request, const char *tag)
{
    return error_set(&request->error, ERR_NOT_FOUND, "Server %s has no tag '%s'", request_param(request, "id"), tag);
}

static int reply_all(struct reply *reply, const struct tags *t)
{
    json_out_object(&reply->out, NULL);
    write_tags(&reply->out, "tags", t);
    json_out_object_end(&reply->out);
    return 0;
}

static int server_tags_list(struct request *request, struct reply *reply)
{
    struct server_row row;
    struct tags t;
    int rc = compute_server(request, &row);
    if (!rc)
        rc = load(request, &row, &t);
    return rc ? rc : reply_all(reply, &t);
}

static int server_tags_show(struct request *request, struct reply *reply)
{
    const char *tag = request_param(request, "tag");
    struct server_row row;
    struct tags t;
    int rc = compute_server(request, &row);
    if (!rc)
        rc = load(request, &row, &t);
    if (!rc && !has(&t, tag))
        rc = no_tag(request, tag);
    reply->status = 204;
    return rc;
}

struct body {
    struct json_list tags;
};
static const struct json_field fields[] = {
    {.name = "tags", .kind = JSON_TEXTS, .offset = offsetof(struct body, tags), .flags = JSON_REQUIRED},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

static int server_tags_replace(struct request *request, struct reply *reply)
{
    const struct body *b = request->body;
    struct server_row row;
    struct tags t;
    int rc = 0;
    if (b->tags.count > SERVERS_TAGS_MAX)
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute tags. At most %d are allowed",
                         SERVERS_TAGS_MAX);
    for (size_t i = 0; !rc && i < b->tags.count; i++)
        rc = servers_body_check_tag(request, ((const char **)b->tags.items)[i]);
    if (!rc)
        rc = load_to_change(request, "update tags", &row, &t);
    if (rc)
        return rc;
    t = (struct tags){.items = b->tags.items, .count = b->tags.count};
    rc = store(request, &row, &t);
    return rc ? rc : reply_all(reply, &t);
}

static int server_tags_add(struct request *request, struct reply *reply)
{
    const char *tag = request_param(request, "tag");
    struct server_row row;
    struct tags t;
    int rc = load_to_change(request, "update tag", &row, &t);
    if (!rc && servers_body_check_tag(request, tag) != 0) {
        error_clear(&request->error);
        rc = error_set(&request->error, ERR_INVALID,
                       "Tag '%s' is invalid. It must be a non empty string without characters '/' and ','.", tag);
    }
    if (!rc && t.count >= SERVERS_TAGS_MAX)
        rc = error_set(&request->error, ERR_INVALID, "The number of tags exceeded the per-server limit %d",
                       SERVERS_TAGS_MAX);
    if (rc)
        return rc;
    if (has(&t, tag)) {
        reply->status = 204;
        return 0;
    }
    t.items[t.count++] = tag;
    reply->status = 201;
    reply_header(reply, "Location",
                 arena_printf(&request->arena, "%s/tags/%s", compute_link_self(request, "servers", row.id), tag));
    return store(request, &row, &t);
}

static int server_tags_remove(struct request *request, struct reply *reply)
{
    const char *tag = request_param(request, "tag");
    struct server_row row;
    struct tags t;
    int rc = load_to_change(request, "delete tag", &row, &t);
    if (!rc && !has(&t, tag))
        rc = no_tag(request, tag);
    if (rc)
        return rc;
    for (size_t i = 0; i < t.count; i++)
        if (strcmp(t.items[i], tag) == 0)
            t.items[i] = t.items[--t.count];
    reply->status = 204;
    return store(request, &row, &t);
}

static int server_tags_clear(struct request *request, struct reply *reply)
{
    struct server_row row;
    struct tags t;
    int rc = load_to_change(request, "delete tags", &row, &t);
    if (rc)
        return rc;
    t.count = 0;
    reply->status = 204;
    return store(request, &row, &t);
}

#define TAGS .since = 26, .pattern
static const struct route rows[] = {
    {.method = "GET", TAGS = "/servers/{id}/tags", .permission = PERMISSION_READER, .handler = server_tags_list},
    {.method = "GET", TAGS = "/servers/{id}/tags/{tag}", .permission = PERMISSION_READER, .handler = server_tags_show},
    {.method = "PUT",
     TAGS = "/servers/{id}/tags",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct body),
     .handler = server_tags_replace},
    {.method = "PUT",
     TAGS = "/servers/{id}/tags/{tag}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = server_tags_add},
    {.method = "DELETE",
     TAGS = "/servers/{id}/tags/{tag}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = server_tags_remove},
    {.method = "DELETE",
     TAGS = "/servers/{id}/tags",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = server_tags_clear},
};
const struct route_table server_tags_routes = ROUTE_TABLE(rows);
