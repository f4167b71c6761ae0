/* Clones of servers and images, which share what they were made of and take no longer for a large disk than for a small
 * one; and POST /servers/{id}/flatten, after which a server's disk shares nothing. */
#include "api/compute/compute.h"
#include "api/elastic/elastic.h"
#include "api/image/image_service.h"
#include "common/json_in.h"
#include "db/store_server_clone.h"
#include <stddef.h>

struct clone_body {
    const char *name;
};
static const struct json_field fields[] = {
    {.name = "name",
     .kind = JSON_TEXT,
     .offset = offsetof(struct clone_body, name),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 255},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

static void write_made(struct json_out *out, const char *what, const char *id, const char *name)
{
    json_out_object(out, NULL);
    json_out_object(out, what);
    json_out_text(out, "id", id);
    json_out_text(out, "name", name);
    json_out_object_end(out);
    json_out_object_end(out);
}

static struct server_clone_wish who_asks(const struct request *request)
{
    return (struct server_clone_wish){.request_id = request->id,
                                      .user_id = request->credential.user_id,
                                      .project_id = request->credential.project_id};
}

static int clones_server(struct request *request, struct reply *reply)
{
    const struct clone_body *b = request->body;
    struct server_clone_wish wish = who_asks(request);
    struct server_row row;
    const char *id = NULL;
    int rc = compute_server(request, &row);
    rc = rc ? rc : compute_check_name(request, "name", b->name);
    wish.name = b->name;
    if (!rc)
        rc = store_server_clone_begin(request->conn, &row, &wish, request->now_us, &request->arena, &id,
                                      &request->error);
    if (rc)
        return rc;
    reply->status = 202;
    write_made(&reply->out, "server", id, b->name);
    return 0;
}

static int clones_image(struct request *request, struct reply *reply)
{
    const struct clone_body *b = request->body;
    const char *project = NULL;
    struct image_row source, made;
    int rc = elastic_own_project(request, &project);
    rc = rc ? rc : image_service_find(request, &source);
    rc = rc ? rc : image_data_clone(request, &source, b->name, &made);
    if (rc)
        return rc;
    reply->status = 201;
    write_made(&reply->out, "image", made.id, b->name);
    return 0;
}

static int clones_flatten(struct request *request, struct reply *reply)
{
    struct server_clone_wish who = who_asks(request);
    struct server_row row;
    int rc = compute_server_unlocked(request, &row);
    reply->status = 202;
    return rc ? rc
              : store_server_clone_flatten_begin(request->conn, &row, &who, request->now_us, &request->arena,
                                                 &request->error);
}

/* How far it is; amounts are there as soon as the host has said them. */
static int clones_progress(struct request *request, struct reply *reply)
{
    struct server_row row;
    const char *said = NULL;
    int rc = compute_server(request, &row);
    bool at_work = !rc && row.operation == SERVER_OPERATION_FLATTENING;
    if (at_work)
        rc = store_server_clone_flatten_said(request->conn, row.operation_id, &request->arena, &said, &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "flatten");
    json_out_bool(&reply->out, "running", at_work);
    json_out_raw(&reply->out, "progress", said);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/servers/{id}/clone",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct clone_body),
     .member = "clone",
     .handler = clones_server},
    {.method = "POST",
     .pattern = "/servers/{id}/flatten",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .handler = clones_flatten},
    {.method = "GET", .pattern = "/servers/{id}/flatten", .permission = PERMISSION_READER, .handler = clones_progress},
    {.method = "POST",
     .pattern = "/images/{id}/clone",
     .permission = PERMISSION_MEMBER,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct clone_body),
     .member = "clone",
     .handler = clones_image},
};
const struct route_table elastic_clones_routes = ROUTE_TABLE(rows);
