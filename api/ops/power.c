/* /ops/v1/power and /ops/v1/hosts/{host}/power: by which script hosts are switched off and on, and what became of it.
 * Passwords come in and never go out. */
#include "api/api.h"
#include "api/config.h"
#include "api/ops/ops.h"
#include "common/seal.h"
#include "db/store_host_power.h"
#include <string.h>

static void write_job(struct json_out *out, const struct host_power_job *job)
{
    json_out_object(out, "last");
    json_out_text(out, "wish", job->wish);
    json_out_text(out, "reason", job->reason);
    json_out_text(out, "state", store_host_power_state_name(job->state));
    json_out_int(out, "tries", job->attempts);
    json_out_text(out, "message", job->message);
    ops_write_time(out, "asked_at", job->asked_us);
    ops_write_time(out, "updated_at", job->updated_us);
    json_out_object_end(out);
}

int ops_power_write(struct request *request, struct json_out *out, const char *key, const char *host_id)
{
    struct host_power_row row;
    struct host_power_job job;
    bool found = false, has_job = false;
    int rc = store_host_power_get(request->conn, host_id, &request->arena, &row, &found, &request->error);
    if (!rc && *host_id)
        rc = store_host_power_job(request->conn, host_id, &request->arena, &job, &has_job, &request->error);
    json_out_object(out, key);
    json_out_text(out, "script", !rc && found ? row.script : NULL);
    if (!rc && found) {
        json_out_text(out, "address", row.address);
        json_out_text(out, "user", row.username);
        json_out_bool(out, "has_password", row.secret != NULL);
        json_out_bool(out, "own", *row.host_id != '\0');
    }
    if (!rc && has_job)
        write_job(out, &job);
    json_out_object_end(out);
    return rc;
}

/* The id of the host that the path names; "" for /power. */
static int name_host(struct request *request, const char **ret)
{
    struct host_row host;
    *ret = "";
    if (strstr(request->path, "/hosts/") == NULL)
        return 0;
    int rc = ops_host_find(request, &host);
    *ret = rc ? "" : host.id;
    return rc;
}

static int answer(struct request *request, struct reply *reply)
{
    const char *id;
    int rc = name_host(request, &id);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    rc = ops_power_write(request, &reply->out, "power", id);
    json_out_object_end(&reply->out);
    return rc;
}

struct wish {
    const char *script, *address, *user, *password;
};
static const struct json_field fields[] = {
    {.name = "script",
     .kind = JSON_TEXT,
     .offset = offsetof(struct wish, script),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 255},
    {.name = "address", .kind = JSON_TEXT, .offset = offsetof(struct wish, address), .max = 255},
    {.name = "user", .kind = JSON_TEXT, .offset = offsetof(struct wish, user), .max = 255},
    {.name = "password", .kind = JSON_TEXT, .offset = offsetof(struct wish, password), .max = 255},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

static int seal(struct request *request, const char *password, const char **ret)
{
    struct seal_key key;
    *ret = NULL;
    if (password == NULL || *password == '\0')
        return 0;
    int rc = seal_key_read(request->api->config->master_key, &key, &request->error);
    if (rc)
        return rc;
    *ret = seal_close(&key, password, strlen(password), &request->arena);
    seal_key_wipe(&key);
    return 0;
}

static int power_set(struct request *request, struct reply *reply)
{
    const struct wish *b = request->body;
    struct host_power_row row = {.script = b->script,
                                 .address = b->address ? b->address : "",
                                 .username = b->user ? b->user : "",
                                 .updated_us = request->now_us};
    int rc = name_host(request, &row.host_id);
    rc = rc ? rc : seal(request, b->password, &row.secret);
    rc = rc ? rc : store_host_power_set(request->conn, &row, &request->error);
    if (!rc && *row.host_id)
        rc = store_host_power_trust(request->conn, row.host_id, &request->error);
    return rc ? rc : answer(request, reply);
}

static int power_clear(struct request *request, struct reply *reply)
{
    const char *id;
    int rc = name_host(request, &id);
    reply->status = 204;
    return rc ? rc : store_host_power_clear(request->conn, id, &request->error);
}

#define ROWS(path)                                                                                                     \
    {.method = "GET", .pattern = path, .permission = PERMISSION_ADMIN, .handler = answer},                             \
        {.method = "PUT",                                                                                              \
         .pattern = path,                                                                                              \
         .permission = PERMISSION_ADMIN,                                                                               \
         .kind = ROUTE_WRITE,                                                                                          \
         .body = &table,                                                                                               \
         .body_size = sizeof(struct wish),                                                                             \
         .handler = power_set},                                                                                        \
    {                                                                                                                  \
        .method = "DELETE", .pattern = path, .permission = PERMISSION_ADMIN, .kind = ROUTE_WRITE,                      \
        .handler = power_clear                                                                                         \
    }
static const struct route rows[] = {ROWS("/power"), ROWS("/hosts/{host}/power")};
const struct route_table ops_power_routes = ROUTE_TABLE(rows);
