/* /ops/v1/rebalances: plans of moves, made, shown, applied and cancelled. */
#include "api/ops/ops.h"
#include "db/store_rebalance.h"
#include <stdlib.h>
#include <string.h>

static int write_moves(struct request *request, struct json_out *out, int64_t id)
{
    struct rebalance_move_row *moves = NULL;
    size_t count = 0;
    int rc = store_rebalance_moves(request->conn, id, &request->arena, &moves, &count, &request->error);
    json_out_array(out, "moves");
    for (size_t i = 0; i < count; i++) {
        const struct rebalance_move_row *m = &moves[i];
        json_out_object(out, NULL);
        json_out_text(out, "server", m->server_id);
        json_out_text(out, "server_name", m->server_name);
        json_out_text(out, "from", m->source_name ? m->source_name : m->source_host);
        json_out_text(out, "to", m->target_name ? m->target_name : m->target_host);
        json_out_int(out, "load_before_permille", m->before_permille);
        json_out_int(out, "load_after_permille", m->after_permille);
        json_out_int(out, "target_load_permille", m->target_permille);
        json_out_text(out, "state", m->state);
        json_out_text(out, "message", m->message);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    return rc;
}

static int answer_of(struct request *request, struct reply *reply, int64_t id)
{
    struct rebalance_row row;
    struct json_out *out = &reply->out;
    int rc = store_rebalance_get(request->conn, id, &request->arena, &row, &request->error);
    if (rc)
        return rc;
    json_out_object(out, NULL);
    json_out_object(out, "rebalance");
    json_out_int(out, "id", row.id);
    json_out_text(out, "goal", row.goal);
    json_out_text(out, "state", row.state);
    json_out_bool(out, "automatic", row.automatic);
    json_out_int(out, "hosts_emptied", row.emptied);
    json_out_text(out, "message", row.message);
    ops_write_time(out, "created_at", row.created_us);
    ops_write_time(out, "updated_at", row.updated_us);
    rc = write_moves(request, out, row.id);
    json_out_object_end(out);
    json_out_object_end(out);
    return rc;
}

/* A number, or "latest". */
static int read_id(struct request *request, int64_t *ret)
{
    const char *text = request_param(request, "id");
    char *end;
    *ret = strtoll(text, &end, 10);
    if (strcmp(text, "latest") == 0)
        return 0;
    return *end || *ret <= 0 ? error_set(&request->error, ERR_NOT_FOUND, "there is no plan %s", text) : 0;
}

static int rebalance_show(struct request *request, struct reply *reply)
{
    int64_t id;
    int rc = read_id(request, &id);
    return rc ? rc : answer_of(request, reply, id);
}

struct wish {
    const char *goal;
};
static const struct json_field fields[] = {
    {.name = "goal", .kind = JSON_TEXT, .offset = offsetof(struct wish, goal), .flags = JSON_REQUIRED, .max = 20},
};
static const struct json_table table = {.fields = fields, .count = JSON_COUNT(fields), .seen_offset = JSON_NO_SEEN};

static int rebalance_make(struct request *request, struct reply *reply)
{
    const struct wish *b = request->body;
    struct rebalance_row row = {.goal = b->goal,
                                .state = "asked",
                                .user_id = request->credential.user_id,
                                .project_id = request->credential.project_id,
                                .created_us = request->now_us};
    if (strcmp(b->goal, "relieve") != 0 && strcmp(b->goal, "consolidate") != 0)
        return error_set(&request->error, ERR_INVALID, "goal: relieve or consolidate");
    int rc = store_rebalance_insert(request->conn, &row, &request->error);
    reply->status = 202;
    return rc ? rc : answer_of(request, reply, row.id);
}

static int change(struct request *request, struct reply *reply, bool cancels)
{
    struct rebalance_row row;
    int64_t id;
    int rc = read_id(request, &id);
    rc = rc ? rc : store_rebalance_get(request->conn, id, &request->arena, &row, &request->error);
    if (rc)
        return rc;
    const char *from = row.state;
    bool open = strcmp(from, "done") != 0 && strcmp(from, "cancelled") != 0;
    if (cancels ? !open : strcmp(from, "planned") != 0)
        return error_set(&request->error, ERR_CONFLICT, "plan %lld is %s", (long long)row.id, from);
    row.state = cancels ? "cancelled" : "applying";
    row.updated_us = request->now_us;
    rc = store_rebalance_set(request->conn, &row, from, &request->error);
    if (!rc && cancels)
        rc = store_rebalance_abort(request->conn, row.id, &request->error);
    reply->status = 202;
    return rc ? rc : answer_of(request, reply, row.id);
}

static int rebalance_apply(struct request *request, struct reply *reply)
{
    return change(request, reply, false);
}

static int rebalance_cancel(struct request *request, struct reply *reply)
{
    return change(request, reply, true);
}

static const struct route rows[] = {
    {.method = "POST",
     .pattern = "/rebalances",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .body = &table,
     .body_size = sizeof(struct wish),
     .handler = rebalance_make},
    {.method = "GET", .pattern = "/rebalances/{id}", .permission = PERMISSION_ADMIN, .handler = rebalance_show},
    {.method = "POST",
     .pattern = "/rebalances/{id}/apply",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = rebalance_apply},
    {.method = "DELETE",
     .pattern = "/rebalances/{id}",
     .permission = PERMISSION_ADMIN,
     .kind = ROUTE_WRITE,
     .handler = rebalance_cancel},
};
const struct route_table ops_rebalance_routes = ROUTE_TABLE(rows);
