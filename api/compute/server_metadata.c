/* Metadata of a server: all of it, or one item. It lies in the row as one JSON object, which is read, changed and
 * written back. */
#include "api/compute/servers_body.h"
#include <stddef.h>
#include <string.h>

struct pairs {
    struct arena *arena;
    struct json_pair *items;
    size_t count, room;
};

static struct json_pair *find(const struct pairs *p, const char *key)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->items[i].key, key) == 0)
            return &p->items[i];
    return NULL;
}

static void put(struct pairs *p, const char *key, const char *value)
{
    struct json_pair *old = find(p, key);
    if (old != NULL) {
        old->value = value;
        return;
    }
    if (p->count == p->room) {
        struct json_pair *larger = arena_array(p->arena, 2 * p->room + 8, sizeof(*larger));
        if (p->count > 0)
            memcpy(larger, p->items, p->count * sizeof(*larger));
        p->items = larger;
        p->room = 2 * p->room + 8;
    }
    p->items[p->count++] = (struct json_pair){key, value};
}

static int put_member(void *arg, const char *name, json_value *value)
{
    struct pairs *p = arg;
    const char *text = json_in_text(value);
    put(p, arena_strdup(p->arena, name), arena_strdup(p->arena, text != NULL ? text : ""));
    return 0;
}

static int load(struct request *request, const struct server_row *row, struct pairs *ret)
{
    struct json_doc doc;
    int rc = json_in_parse(row->metadata, strlen(row->metadata), &doc, &request->error);
    *ret = (struct pairs){.arena = &request->arena};
    if (rc)
        return rc;
    json_in_each(doc.root, put_member, ret);
    json_in_done(&doc);
    return 0;
}

static void write_pairs(struct json_out *out, const char *key, const struct pairs *p)
{
    json_out_object(out, key);
    for (size_t i = 0; i < p->count; i++)
        json_out_text(out, p->items[i].key, p->items[i].value);
    json_out_object_end(out);
}

static int store(struct request *request, struct server_row *row, const struct pairs *p)
{
    struct strbuf text;
    struct json_out out;
    if (p->count > SERVERS_METADATA_MAX)
        return error_set(&request->error, ERR_QUOTA, "Maximum number of metadata items exceeds %d",
                         SERVERS_METADATA_MAX);
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    write_pairs(&out, NULL, p);
    row->metadata = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    row->updated_us = request->now_us;
    return store_server_edit(request->conn, row, &request->error);
}

/* nova/compute/api.py: only of servers that were built. */
static int load_to_change(struct request *request, const char *action, struct server_row *row, struct pairs *p)
{
    int rc = compute_server_unlocked(request, row);
    if (!rc)
        rc = compute_server_built(request, row, action);
    return rc ? rc : load(request, row, p);
}

static int reply_all(struct reply *reply, const struct pairs *p)
{
    json_out_object(&reply->out, NULL);
    write_pairs(&reply->out, "metadata", p);
    json_out_object_end(&reply->out);
    return 0;
}

static int reply_item(struct reply *reply, const char *key, const char *value)
{
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "meta");
    json_out_text(&reply->out, key, value);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static int no_item(struct request *request)
{
    return error_set(&request->error, ERR_NOT_FOUND, "Metadata item was not found");
}

static int server_metadata_list(struct request *request, struct reply *reply)
{
    struct server_row row;
    struct pairs p;
    int rc = compute_server(request, &row);
    if (!rc)
        rc = load(request, &row, &p);
    return rc ? rc : reply_all(reply, &p);
}

static int server_metadata_show(struct request *request, struct reply *reply)
{
    const char *key = request_param(request, "key");
    struct server_row row;
    struct pairs p;
    int rc = compute_server(request, &row);
    if (!rc)
        rc = load(request, &row, &p);
    if (rc)
        return rc;
    return find(&p, key) != NULL ? reply_item(reply, key, find(&p, key)->value) : no_item(request);
}

struct body {
    struct json_map items;
};
static const struct json_field all_fields[] = {
    {.name = "metadata", .kind = JSON_MAP, .offset = offsetof(struct body, items), .flags = JSON_REQUIRED},
};
static const struct json_table all_table = {
    .fields = all_fields, .count = JSON_COUNT(all_fields), .seen_offset = JSON_NO_SEEN};
static const struct json_field one_fields[] = {
    {.name = "meta",
     .kind = JSON_MAP,
     .offset = offsetof(struct body, items),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 1},
};
static const struct json_table one_table = {
    .fields = one_fields, .count = JSON_COUNT(one_fields), .seen_offset = JSON_NO_SEEN};

static int check(struct request *request, const struct body *b)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < b->items.count; i++)
        rc = servers_body_check_metadata(request, b->items.pairs[i].key, b->items.pairs[i].value);
    return rc;
}

static int change_all(struct request *request, struct reply *reply, bool replace)
{
    const struct body *b = request->body;
    struct server_row row;
    struct pairs p;
    int rc = check(request, b);
    if (!rc)
        rc = load_to_change(request, "update metadata", &row, &p);
    if (rc)
        return rc;
    if (replace)
        p.count = 0;
    for (size_t i = 0; i < b->items.count; i++)
        put(&p, b->items.pairs[i].key, b->items.pairs[i].value);
    rc = store(request, &row, &p);
    return rc ? rc : reply_all(reply, &p);
}

static int server_metadata_merge(struct request *request, struct reply *reply)
{
    return change_all(request, reply, false);
}

static int server_metadata_replace(struct request *request, struct reply *reply)
{
    return change_all(request, reply, true);
}

static int server_metadata_set(struct request *request, struct reply *reply)
{
    const struct body *b = request->body;
    const char *key = request_param(request, "key");
    struct server_row row;
    struct pairs p;
    int rc = check(request, b);
    if (!rc && strcmp(b->items.pairs[0].key, key) != 0)
        rc = error_set(&request->error, ERR_INVALID, "Request body and URI mismatch");
    if (!rc)
        rc = load_to_change(request, "update metadata", &row, &p);
    if (rc)
        return rc;
    put(&p, key, b->items.pairs[0].value);
    rc = store(request, &row, &p);
    return rc ? rc : reply_item(reply, key, b->items.pairs[0].value);
}

static int server_metadata_delete(struct request *request, struct reply *reply)
{
    const char *key = request_param(request, "key");
    struct server_row row;
    struct pairs p;
    struct json_pair *item = NULL;
    int rc = compute_server(request, &row);
    if (!rc)
        rc = load(request, &row, &p);
    if (!rc && find(&p, key) == NULL)
        rc = no_item(request);
    if (!rc)
        rc = load_to_change(request, "delete metadata", &row, &p);
    if (rc)
        return rc;
    item = find(&p, key);
    *item = p.items[--p.count];
    reply->status = 204;
    return store(request, &row, &p);
}

#define BODY(which) .kind = ROUTE_WRITE, .body = &(which), .body_size = sizeof(struct body)
static const struct route rows[] = {
    {.method = "GET",
     .pattern = "/servers/{id}/metadata",
     .permission = PERMISSION_READER,
     .handler = server_metadata_list},
    {.method = "GET",
     .pattern = "/servers/{id}/metadata/{key}",
     .permission = PERMISSION_READER,
     .handler = server_metadata_show},
    {.method = "POST",
     .pattern = "/servers/{id}/metadata",
     .permission = PERMISSION_MEMBER,
     BODY(all_table),
     .handler = server_metadata_merge},
    {.method = "PUT",
     .pattern = "/servers/{id}/metadata",
     .permission = PERMISSION_MEMBER,
     BODY(all_table),
     .handler = server_metadata_replace},
    {.method = "PUT",
     .pattern = "/servers/{id}/metadata/{key}",
     .permission = PERMISSION_MEMBER,
     BODY(one_table),
     .handler = server_metadata_set},
    {.method = "DELETE",
     .pattern = "/servers/{id}/metadata/{key}",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = server_metadata_delete},
};
const struct route_table server_metadata_routes = ROUTE_TABLE(rows);
