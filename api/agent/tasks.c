/* Tasks of hosts: written into the answer of GET /agent/v1/desired, and POST /agent/v1/tasks/{id}: how one ended, or
 * how far it is. */
#include "api/agent/tasks.h"
#include "api/agent/agent.h"
#include "api/agent/desired_view.h"
#include "api/compute/server_image.h"
#include "api/compute/server_life.h"
#include "api/compute/server_shelf.h"
#include "common/model/resize.h"
#include "db/store_host_task.h"
#include "db/store_migration.h"
#include <string.h>

struct writing {
    struct request *request;
    const struct host_row *host;
    struct json_out *out;
    struct db_conn *conn;
    int64_t count;
};

static int write_peer(struct writing *w, const struct migration_row *m, struct json_out *out)
{
    struct host_row source, target;
    struct request *request = w->request;
    int rc = store_host_get(w->conn, m->source_host, &request->arena, &source, &request->error);
    rc = rc ? rc : store_host_get(w->conn, m->target_host, &request->arena, &target, &request->error);
    if (rc)
        return rc;
    json_out_text(out, "source", source.id);
    json_out_text(out, "source_address", source.address);
    json_out_raw(out, "source_cpu", source.cpu);
    json_out_text(out, "target", target.id);
    json_out_text(out, "target_address", target.address);
    json_out_text(out, "power", server_power_name(m->power));
    json_out_raw(out, "options", m->options);
    json_out_raw(out, "hint", m->hint);
    return 0;
}

/* What may not be taken back waits for the confirmation. */
static void keep_disks(const struct migration_row *m, struct server_row *server)
{
    struct resize_disks disks = {server->root_gib, server->ephemeral_gib, server->swap_mib};
    if (store_migration_is_local(m))
        resize_keep_disks(m->old_flavor, &disks);
    server->root_gib = disks.root_gib;
    server->ephemeral_gib = disks.ephemeral_gib;
    server->swap_mib = disks.swap_mib;
}

/* What the target needs to know of the server: as it will be there. */
static int write_server(struct writing *w, const struct host_task_row *task, const struct migration_row *m)
{
    struct request *request = w->request;
    struct server_row server;
    int rc = store_server_get(w->conn, task->server_id, &request->arena, &server, &request->error);
    if (rc == ERR_NOT_FOUND) { /* deleted meanwhile: the task ends with the migration's next step */
        error_clear(&request->error);
        json_out_null(w->out, "server");
        return 0;
    }
    rc = rc ? rc : store_migration_wear(&server, m->new_flavor, &request->arena, &request->error);
    if (rc)
        return rc;
    server.desired_exists = true;
    server.desired_power = m->power;
    server.desired_revision = task->revision;
    server.operation = SERVER_OPERATION_NONE;
    keep_disks(m, &server);
    return desired_view_write(w->conn, "server", &server, m->uuid, w->host->zone, w->out, &request->arena,
                              &request->error);
}

static int write_task(void *arg, const struct host_task_row *task, struct error *e)
{
    struct writing *w = arg;
    struct json_out *out = w->out;
    struct migration_row m;
    struct arena *a = &w->request->arena;
    bool alone = task->migration_id == 0;
    int rc = alone ? 0 : store_migration_get(w->conn, task->migration_id, a, &m, e);
    if (rc)
        return rc;
    bool receives = strcmp(task->kind, "receive") == 0 || strcmp(task->kind, "ready") == 0 ||
                    strcmp(task->kind, "adopt") == 0 || strcmp(task->kind, "fit") == 0;
    json_out_object(out, NULL);
    json_out_text(out, "id", task->id);
    json_out_text(out, "server_id", task->server_id);
    json_out_text(out, "kind", task->kind);
    json_out_bool(out, "cancelled", task->state == HOST_TASK_CANCELLED);
    json_out_raw(out, "args", task->args);
    if (!alone)
        json_out_text(out, "migration_type", migration_kind_name(m.kind));
    rc = alone || strcmp(task->kind, "discard") == 0 ? 0 : write_peer(w, &m, out);
    if (!rc && receives)
        rc = write_server(w, task, &m);
    json_out_object_end(out);
    w->count++;
    return rc;
}

int tasks_write(struct db_conn *c, struct request *request, const struct host_row *host, int64_t since,
                struct json_out *out, int64_t *ret_count)
{
    struct writing w = {.request = request, .host = host, .out = out, .conn = c};
    json_out_array(out, "tasks");
    int rc = store_host_task_desired(c, host->id, since, write_task, &w, &request->error);
    if (!rc)
        json_out_array_end(out);
    *ret_count = w.count;
    return rc;
}

/* ---- what hosts say ---- */

struct report {
    const char *state, *error;
    json_value *result;
};
static const char *const states[] = {"running", "done", "failed", NULL};
static const struct json_field fields[] = {
    {.name = "state",
     .kind = JSON_TEXT,
     .offset = offsetof(struct report, state),
     .flags = JSON_REQUIRED,
     .choices = states},
    {.name = "error", .kind = JSON_TEXT, .offset = offsetof(struct report, error), .flags = JSON_NULLABLE},
    {.name = "result", .kind = JSON_ANY, .offset = offsetof(struct report, result), .flags = JSON_NULLABLE},
};
static const struct json_table table = {
    .fields = fields, .count = JSON_COUNT(fields), .open = true, .seen_offset = JSON_NO_SEEN};

/* A task that makes an image has the image's id, one that removes a shelved server is known to the shelf; of all others
 * nothing happens here. */
static int take_alone(struct request *request, const struct host_row *host, const struct report *r)
{
    const char *id = request_param(request, "id"), *step = json_in_text(json_in_member(r->result, "step"));
    bool uploads = step != NULL && strcmp(step, "uploading") == 0;
    if (strcmp(r->state, "running") == 0)
        return server_image_progress(request->conn, id, host->id,
                                     uploads ? SERVER_IMAGE_UPLOADING : SERVER_IMAGE_COPYING, request->now_us,
                                     &request->arena, &request->error);
    int rc = server_image_fail(request->conn, id, host->id, r->error ? r->error : "The host failed", request->now_us,
                               &request->arena, &request->error);
    return rc ? rc
              : server_shelf_task_ended(request->conn, id, host->id, strcmp(r->state, "done") == 0, request->now_us,
                                        &request->arena, &request->error);
}

static int tasks_take(struct request *request, struct reply *reply)
{
    const struct report *r = request->body;
    enum host_task_state state = strcmp(r->state, "done") == 0     ? HOST_TASK_DONE
                                 : strcmp(r->state, "failed") == 0 ? HOST_TASK_FAILED
                                                                   : HOST_TASK_OPEN;
    struct host_row host;
    int rc = agent_host(request, &host);
    rc = rc ? rc : take_alone(request, &host, r);
    const char *result = json_in_is_object(r->result) ? json_in_print(r->result, &request->arena) : NULL;
    if (!rc)
        rc = server_life_flatten(request->conn, request_param(request, "id"), host.id, state, result,
                                 r->error ? r->error : "The host failed", request->now_us, &request->arena,
                                 &request->error);
    if (!rc)
        rc = store_host_task_report(request->conn, request_param(request, "id"), host.id, state, result,
                                    state == HOST_TASK_FAILED ? (r->error ? r->error : "The host failed") : NULL,
                                    &request->error);
    reply->status = 204;
    return rc;
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/tasks/{id}",
     .permission = PERMISSION_AGENT,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct report),
     .handler = tasks_take},
};
const struct route_table tasks_routes = ROUTE_TABLE(rows);
