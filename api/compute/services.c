/* os-services: one "nova-compute" per host. Enabling, disabling with a reason; by host and binary before 2.53, by id
 * from then on. */
#include "api/compute/compute_routes.h"
#include "api/compute/host_ids.h"
#include "api/http/handler.h"
#include "common/clock.h"
#include "db/store_host_admin.h"
#include "db/store_host_work.h"
#include <string.h>

#define BINARY "nova-compute"

static bool alive(const struct request *request, const struct host_row *host)
{
    return request->now_us - host->seen_us <= STORE_HOST_ALIVE_US;
}

static bool is_off(struct request *request, const struct host_row *host)
{
    struct error none = {0};
    bool off = false;
    return store_host_work_is_off(request->conn, host->id, request->now_us, &off, NULL, &request->arena, &none) == 0 &&
           off;
}

static void write_service(struct request *request, struct json_out *out, const char *key, const struct host_row *host)
{
    char text[CLOCK_TEXT_SIZE];
    json_out_object(out, key);
    if (request->microversion >= 53) {
        json_out_text(out, "id", host->id);
    } else {
        json_out_int(out, "id", host_ids_number(host->id));
    }
    json_out_text(out, "binary", BINARY);
    json_out_text(out, "host", host->name);
    json_out_text(out, "zone", host->zone);
    json_out_text(out, "status", host->enabled ? "enabled" : "disabled");
    json_out_text(out, "state", alive(request, host) ? "up" : "down");
    json_out_text(out, "updated_at", host->seen_us ? clock_text(host->seen_us, CLOCK_ISO_MICRO, text) : NULL);
    json_out_text(out, "disabled_reason", host->disabled_reason);
    if (request->microversion >= 11) {
        json_out_bool(out, "forced_down", is_off(request, host));
    }
    json_out_object_end(out);
}

struct listing {
    struct request *request;
    struct json_out *out;
    const char *host, *binary;
};

static int list_one(void *arg, const struct host_row *row, struct error *e)
{
    (void)e;
    struct listing *l = arg;
    if ((!l->host || strcmp(l->host, row->name) == 0) && (!l->binary || strcmp(l->binary, BINARY) == 0)) {
        write_service(l->request, l->out, NULL, row);
    }
    return 0;
}

static int services_list(struct request *request, struct reply *reply)
{
    struct listing l = {.request = request,
                        .out = &reply->out,
                        .host = request_query(request, "host"),
                        .binary = request_query(request, "binary")};
    json_out_object(l.out, NULL);
    json_out_array(l.out, "services");
    int rc = store_host_list(request->conn, list_one, &l, &request->error);
    json_out_array_end(l.out);
    json_out_object_end(l.out);
    return rc;
}

struct by_name {
    const char *host, *binary, *disabled_reason;
};
static const struct json_field by_name_fields[] = {
    {.name = "host",
     .kind = JSON_TEXT,
     .offset = offsetof(struct by_name, host),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 255},
    {.name = "binary",
     .kind = JSON_TEXT,
     .offset = offsetof(struct by_name, binary),
     .flags = JSON_REQUIRED,
     .min = 1,
     .max = 255},
    {.name = "disabled_reason",
     .kind = JSON_TEXT,
     .offset = offsetof(struct by_name, disabled_reason),
     .min = 1,
     .max = 255},
};
static const struct json_table by_name_table = {
    .fields = by_name_fields, .count = JSON_COUNT(by_name_fields), .seen_offset = JSON_NO_SEEN};

static int set_by_name(struct request *request, struct reply *reply, bool enabled)
{
    const struct by_name *body = request->body;
    struct json_out *out = &reply->out;
    const char *id = NULL;
    if (strcmp(body->binary, BINARY) != 0) {
        return error_set(&request->error, ERR_NOT_FOUND, "Could not find binary %s on host %s.", body->binary,
                         body->host);
    }
    int rc = store_host_admin_find(request->conn, body->host, &request->arena, &id, &request->error);
    rc = rc ? rc : store_host_admin_enable(request->conn, id, enabled, body->disabled_reason, &request->error);
    if (rc) {
        return rc;
    }
    json_out_object(out, NULL);
    json_out_object(out, "service");
    json_out_text(out, "host", body->host);
    json_out_text(out, "binary", body->binary);
    json_out_text(out, "status", enabled ? "enabled" : "disabled");
    if (body->disabled_reason && !enabled) {
        json_out_text(out, "disabled_reason", body->disabled_reason);
    }
    json_out_object_end(out);
    json_out_object_end(out);
    return 0;
}

static int services_enable(struct request *request, struct reply *reply)
{
    return set_by_name(request, reply, true);
}

static int services_disable(struct request *request, struct reply *reply)
{
    return set_by_name(request, reply, false);
}

struct by_id {
    struct json_seen seen;
    const char *status, *disabled_reason;
    bool forced_down;
};
#define SEEN_FORCED_DOWN 4
static const char *const statuses[] = {"enabled", "disabled", NULL};
static const struct json_field by_id_fields[] = {
    {.name = "status", .kind = JSON_TEXT, .offset = offsetof(struct by_id, status), .choices = statuses},
    {.name = "disabled_reason",
     .kind = JSON_TEXT,
     .offset = offsetof(struct by_id, disabled_reason),
     .min = 1,
     .max = 255},
    {.name = "forced_down", .kind = JSON_BOOL, .offset = offsetof(struct by_id, forced_down), .flags = JSON_LENIENT},
};
static const struct json_table by_id_table = {
    .fields = by_id_fields, .count = JSON_COUNT(by_id_fields), .seen_offset = offsetof(struct by_id, seen)};

static int services_update(struct request *request, struct reply *reply)
{
    const struct by_id *body = request->body;
    const char *id = request_param(request, "id");
    struct host_row host;
    bool found;
    int rc = host_ids_find(request->conn, id, request->microversion, &request->arena, &host, &found, &request->error);
    if (!rc && !found) {
        rc = error_set(&request->error, ERR_NOT_FOUND, "Service %s not found.", id);
    }
    if (!rc && body->disabled_reason && (!body->status || strcmp(body->status, "disabled") != 0)) {
        rc =
            error_set(&request->error, ERR_INVALID, "Specifying disabled_reason requires that status is \"disabled\".");
    }
    bool forces = (body->seen.present & SEEN_FORCED_DOWN) != 0;
    if (!rc && !body->status && !forces) {
        rc = error_set(&request->error, ERR_INVALID,
                       "No updates were requested. Fields 'status' or 'forced_down' should be specified.");
    }
    if (rc) {
        return rc;
    }
    if (forces && body->forced_down) /* an administrator says so: it is proof for us */
        rc = store_host_work_fence(request->conn, host.id, "forced_down", request->now_us, &request->error);
    bool enabled = body->status && strcmp(body->status, "enabled") == 0;
    if (!rc && body->status)
        rc = store_host_admin_enable(request->conn, host.id, enabled, body->disabled_reason, &request->error);
    rc = rc ? rc : store_host_get(request->conn, host.id, &request->arena, &host, &request->error);
    if (!rc) {
        json_out_object(&reply->out, NULL);
        write_service(request, &reply->out, "service", &host);
        json_out_object_end(&reply->out);
    }
    return rc;
}

#define BY_NAME(path, function)                                                                                        \
    {                                                                                                                  \
        .method = "PUT", .pattern = path, .permission = PERMISSION_ADMIN, .kind = ROUTE_WRITE, .body = &by_name_table, \
        .body_size = sizeof(struct by_name), .until = 52, .handler = function                                          \
    }

static const struct route rows[] = {
    {.method = "GET", .pattern = "/os-services", .permission = PERMISSION_ADMIN, .handler = services_list},
    BY_NAME("/os-services/enable", services_enable),
    BY_NAME("/os-services/disable", services_disable),
    BY_NAME("/os-services/disable-log-reason", services_disable),
    {.method = "PUT",
     .pattern = "/os-services/{id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &by_id_table,
     .body_size = sizeof(struct by_id),
     .since = 53,
     .handler = services_update},
};
const struct route_table services_routes = ROUTE_TABLE(rows);
