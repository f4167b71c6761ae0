/* os-aggregates: create, list, show, update, delete, and the actions add_host, remove_host, set_metadata. */
#include "api/compute/compute_routes.h"
#include "api/http/handler.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "db/store_aggregate.h"
#include "db/store_host_admin.h"
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ZONE "nova"
#define ZONE_KEY     "availability_zone"

struct aggregate_body {
    const char *name, *zone;
    struct json_seen seen;
};
enum { FIELD_NAME, FIELD_ZONE };
static const struct json_field fields[] = {
    [FIELD_NAME] =
        {.name = "name", .kind = JSON_TEXT, .offset = offsetof(struct aggregate_body, name), .min = 1, .max = 255},
    [FIELD_ZONE] = {.name = ZONE_KEY,
                    .kind = JSON_TEXT,
                    .offset = offsetof(struct aggregate_body, zone),
                    .flags = JSON_NULLABLE,
                    .min = 1,
                    .max = 255},
};
static const struct json_table table = {
    .fields = fields, .count = JSON_COUNT(fields), .seen_offset = offsetof(struct aggregate_body, seen)};

static int write_host(void *arg, const char *host_id, const char *host_name, struct error *e)
{
    (void)host_id, (void)e;
    json_out_text(arg, NULL, host_name);
    return 0;
}

/* `brief`: as Nova answers a create, without hosts and metadata. */
static int write_aggregate(struct request *request, struct json_out *out, const char *key,
                           const struct aggregate_row *row, bool brief)
{
    char text[CLOCK_TEXT_SIZE];
    int rc = 0;
    json_out_object(out, key);
    json_out_int(out, "id", row->id);
    if (request->microversion >= 41) {
        json_out_text(out, "uuid", row->uuid);
    }
    json_out_text(out, "name", row->name);
    json_out_text(out, ZONE_KEY, row->zone);
    if (!brief) {
        json_out_array(out, "hosts");
        rc = store_aggregate_hosts(request->conn, row->id, write_host, out, &request->error);
        json_out_array_end(out);
        json_out_raw(out, "metadata", row->metadata);
    }
    json_out_text(out, "created_at", clock_text(row->created_us, CLOCK_ISO_MICRO, text));
    json_out_text(out, "updated_at", row->updated_us ? clock_text(row->updated_us, CLOCK_ISO_MICRO, text) : NULL);
    json_out_bool(out, "deleted", false);
    json_out_null(out, "deleted_at");
    json_out_object_end(out);
    return rc;
}

static int answer(struct request *request, struct reply *reply, const struct aggregate_row *row)
{
    json_out_object(&reply->out, NULL);
    int rc = write_aggregate(request, &reply->out, "aggregate", row, false);
    json_out_object_end(&reply->out);
    return rc;
}

static int find(struct request *request, struct aggregate_row *ret)
{
    const char *text = request_param(request, "id");
    char *end = NULL;
    long long id = strtoll(text, &end, 10);
    if (*text && !*end && (id < 0 || id > INT32_MAX)) {
        return error_set(&request->error, ERR_NOT_FOUND, "Aggregate %s could not be found.", text);
    }
    if (!*text || *end) {
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute aggregate_id. Value: %s.",
                         text);
    }
    return store_aggregate_get(request->conn, id, &request->arena, ret, &request->error);
}

/* The metadata with `changes` (an object of text or null) applied: null takes a key away. */
struct merge {
    struct request *request;
    struct json_out out;
    json_value *changes;
};

static int keep_old(void *arg, const char *name, json_value *value)
{
    struct merge *m = arg;
    if (!json_in_has(m->changes, name)) {
        json_out_text(&m->out, name, json_in_text(value));
    }
    return 0;
}

static int take_new(void *arg, const char *name, json_value *value)
{
    struct merge *m = arg;
    if (json_in_is_null(value)) {
        return 0;
    }
    if (!json_in_is_text(value) || !*name || strlen(name) > 255 || strlen(json_in_text(value)) > 255) {
        return error_set(&m->request->error, ERR_INVALID, "Invalid input for field/attribute %s.", name);
    }
    json_out_text(&m->out, name, json_in_text(value));
    return 0;
}

static int merge_metadata(struct request *request, const char *old, json_value *changes, const char **ret)
{
    struct merge m = {.request = request, .changes = changes};
    struct strbuf text;
    struct json_doc doc;
    int rc = json_in_parse(old, strlen(old), &doc, &request->error);
    if (rc) {
        return rc;
    }
    strbuf_init(&text, 1 << 16);
    json_out_init(&m.out, &text);
    json_out_object(&m.out, NULL);
    json_in_each(doc.root, keep_old, &m);
    rc = json_in_each(changes, take_new, &m);
    json_out_object_end(&m.out);
    json_in_done(&doc);
    if (!rc && json_out_error(&m.out)) {
        rc = error_set(&request->error, ERR_INVALID, "the metadata is too large");
    }
    *ret = arena_strdup(&request->arena, text.data);
    strbuf_done(&text);
    return rc;
}

/* The zone is shown among the metadata too. */
static int set_zone(struct request *request, struct aggregate_row *row, const char *zone)
{
    struct json_doc doc;
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 4096);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_text(&out, ZONE_KEY, zone);
    json_out_object_end(&out);
    int rc = json_in_parse(text.data, text.size, &doc, &request->error);
    rc = rc ? rc : merge_metadata(request, row->metadata, doc.root, &row->metadata);
    json_in_done(&doc);
    strbuf_done(&text);
    row->zone = zone;
    return rc;
}

static int aggregates_create(struct request *request, struct reply *reply)
{
    const struct aggregate_body *body = request->body;
    char uuid[UUID_SIZE];
    struct aggregate_row row = {
        .uuid = uuid_random(uuid), .name = body->name, .metadata = "{}", .created_us = request->now_us};
    if (!body->name) {
        return error_set(&request->error, ERR_INVALID,
                         "Invalid input for field/attribute aggregate. 'name' is a required property");
    }
    int rc = body->zone ? set_zone(request, &row, body->zone) : 0;
    rc = rc ? rc : store_aggregate_insert(request->conn, &row, &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(&reply->out, NULL);
    rc = write_aggregate(request, &reply->out, "aggregate", &row, true);
    json_out_object_end(&reply->out);
    return rc;
}

struct listing {
    struct request *request;
    struct json_out *out;
};

static int list_one(void *arg, const struct aggregate_row *row, struct error *e)
{
    (void)e;
    struct listing *l = arg;
    return write_aggregate(l->request, l->out, NULL, row, false);
}

static int aggregates_list(struct request *request, struct reply *reply)
{
    struct listing l = {.request = request, .out = &reply->out};
    json_out_object(l.out, NULL);
    json_out_array(l.out, "aggregates");
    int rc = store_aggregate_list(request->conn, list_one, &l, &request->error);
    json_out_array_end(l.out);
    json_out_object_end(l.out);
    return rc;
}

static int aggregates_show(struct request *request, struct reply *reply)
{
    struct aggregate_row row;
    int rc = find(request, &row);
    return rc ? rc : answer(request, reply, &row);
}

static int aggregates_update(struct request *request, struct reply *reply)
{
    const struct aggregate_body *body = request->body;
    bool zone = body->seen.present & (1u << FIELD_ZONE) || body->seen.null & (1u << FIELD_ZONE);
    struct aggregate_row row;
    int rc = find(request, &row);
    if (!rc && !body->name && !zone) {
        rc = error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute aggregate. Value: {}.");
    }
    if (rc) {
        return rc;
    }
    row.name = body->name ? body->name : row.name;
    row.updated_us = request->now_us;
    rc = zone ? set_zone(request, &row, body->zone) : 0;
    rc = rc ? rc : store_aggregate_update(request->conn, &row, &request->error);
    return rc ? rc : answer(request, reply, &row);
}

static int aggregates_delete(struct request *request, struct reply *reply)
{
    struct aggregate_row row;
    (void)reply;
    int rc = find(request, &row);
    return rc ? rc : store_aggregate_delete(request->conn, row.id, &request->error);
}

static int change_host(struct request *request, struct aggregate_row *row, json_value *body, bool add)
{
    const char *name = json_in_text(json_in_member(body, "host")), *id = NULL;
    if (!name || !*name) {
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute host.");
    }
    int rc = store_host_admin_find(request->conn, name, &request->arena, &id, &request->error);
    if (rc) {
        return rc;
    }
    return add ? store_aggregate_add_host(request->conn, row, id, &request->error)
               : store_aggregate_remove_host(request->conn, row, id, DEFAULT_ZONE, &request->error);
}

static int change_metadata(struct request *request, struct aggregate_row *row, json_value *body)
{
    json_value *changes = json_in_member(body, "metadata");
    if (!json_in_is_object(changes)) {
        return error_set(&request->error, ERR_INVALID, "Invalid input for field/attribute metadata.");
    }
    int rc = merge_metadata(request, row->metadata, changes, &row->metadata);
    if (json_in_has(changes, ZONE_KEY)) {
        row->zone = json_in_text(json_in_member(changes, ZONE_KEY));
    }
    row->updated_us = request->now_us;
    return rc ? rc : store_aggregate_update(request->conn, row, &request->error);
}

static int aggregates_action(struct request *request, struct reply *reply)
{
    json_value *add = json_in_member(request->json, "add_host");
    json_value *remove = json_in_member(request->json, "remove_host");
    json_value *metadata = json_in_member(request->json, "set_metadata");
    struct aggregate_row row;
    int rc = find(request, &row);
    if (rc) {
        return rc;
    }
    if (json_in_count(request->json) != 1 || (!add && !remove && !metadata)) {
        return error_set(&request->error, ERR_INVALID,
                         "There is no such action: add_host, remove_host or set_metadata");
    }
    rc = metadata ? change_metadata(request, &row, metadata)
                  : change_host(request, &row, add ? add : remove, add != NULL);
    return rc ? rc : answer(request, reply, &row);
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/os-aggregates", .permission = PERMISSION_ADMIN, .handler = aggregates_list},
    {.method = "POST",
     .pattern = "/os-aggregates",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct aggregate_body),
     .member = "aggregate",
     .handler = aggregates_create},
    {.method = "GET", .pattern = "/os-aggregates/{id}", .permission = PERMISSION_ADMIN, .handler = aggregates_show},
    {.method = "PUT",
     .pattern = "/os-aggregates/{id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct aggregate_body),
     .member = "aggregate",
     .handler = aggregates_update},
    {.method = "DELETE",
     .pattern = "/os-aggregates/{id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = aggregates_delete},
    {.method = "POST",
     .pattern = "/os-aggregates/{id}/action",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = aggregates_action},
};
const struct route_table aggregates_routes = ROUTE_TABLE(rows);
