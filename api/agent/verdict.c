/* GET /agent/v1/servers/{id}: a verdict about a domain that the list of its host does not name. Whoever asks removes
 * what it is told to, so every doubt is a no: a server under way is being moved, perhaps by way of this very domain,
 * and a present host that has not said anything yet may never get the server up. */
#include "api/agent/verdict.h"
#include "api/agent/agent.h"
#include "db/store_event.h"
#include "db/store_migration.h"
#include "db/store_placement_view.h"
#include <string.h>

const char *verdict_name(enum verdict_kind kind)
{
    static const char *const names[] = {"unknown", "here", "elsewhere", "moving", "deleted"};
    return names[kind];
}

/* Its present host has it, and said so after everybody else. */
static int is_settled(struct db_conn *c, const struct server_row *server, struct arena *a, bool *ret, struct error *e)
{
    struct store_event_newest newest;
    enum server_power rest;
    int rc = store_event_newest(c, server->id, a, &newest, e);
    if (!rc)
        *ret = newest.host_id && strcmp(newest.host_id, server->host_id) == 0 && server_power_of(newest.state, &rest) &&
               newest.state != SERVER_STATE_CRASHED;
    return rc;
}

static int holds_nothing(struct db_conn *c, const char *server_id, const char *host_id, struct arena *a, bool *ret,
                         struct error *e)
{
    struct placement_allocation_row *rows;
    size_t count;
    int rc = store_placement_view_allocations(c, server_id, NULL, a, &rows, &count, e);
    bool nothing = true;
    for (size_t i = 0; !rc && i < count; i++)
        nothing = nothing && strcmp(rows[i].host_id, host_id) != 0;
    if (!rc)
        *ret = nothing;
    return rc;
}

static int judge_elsewhere(struct db_conn *c, const char *host_id, const struct server_row *server, struct arena *a,
                           bool *ret, struct error *e)
{
    bool settled = false, nothing = false;
    struct server_situation s = store_server_situation(server);
    *ret = false;
    if (server->host_id == NULL || server->deadline_us != 0 || server->operation_id != NULL || !server_settled(&s))
        return 0;
    int rc = is_settled(c, server, a, &settled, e);
    if (!rc)
        rc = holds_nothing(c, server->id, host_id, a, &nothing, e);
    if (!rc)
        *ret = settled && nothing;
    return rc;
}

int verdict_of(struct db_conn *c, const char *host_id, const char *server_id, struct arena *a, struct verdict *ret,
               struct error *e)
{
    struct server_row server;
    struct error unknown = {0};
    struct verdict v = {.kind = VERDICT_UNKNOWN};
    bool deleted = false;
    int rc = store_server_get(c, server_id, a, &server, &unknown);
    if (!rc && server.host_id != NULL && strcmp(server.host_id, host_id) == 0) {
        v.kind = VERDICT_HERE;
    } else if (!rc) {
        bool moving = false;
        rc = store_migration_involves(c, server_id, host_id, &moving, e);
        v.kind = moving ? VERDICT_MOVING : VERDICT_ELSEWHERE;
        if (!rc && !moving)
            rc = judge_elsewhere(c, host_id, &server, a, &v.removable, e);
    } else if (rc == ERR_NOT_FOUND) {
        rc = store_server_was_deleted(c, server_id, &deleted, e);
        v.kind = deleted ? VERDICT_DELETED : VERDICT_UNKNOWN;
        v.removable = deleted;
    } else {
        return error_set(e, rc, "%s", error_text(&unknown));
    }
    if (!rc)
        *ret = v;
    return rc;
}

static int verdict_show(struct request *request, struct reply *reply)
{
    const char *id = request_param(request, "id");
    struct verdict verdict;
    struct host_row host;
    int rc = agent_host(request, &host);
    if (!rc)
        rc = verdict_of(request->conn, host.id, id, &request->arena, &verdict, &request->error);
    if (rc)
        return rc;
    json_out_object(&reply->out, NULL);
    json_out_text(&reply->out, "id", id);
    json_out_text(&reply->out, "verdict", verdict_name(verdict.kind));
    json_out_bool(&reply->out, "removable", verdict.removable);
    json_out_object_end(&reply->out);
    return 0;
}

static const struct route rows[] = {
    {.method = "GET", .pattern = "/servers/{id}", .permission = PERMISSION_AGENT, .handler = verdict_show},
};
const struct route_table verdict_routes = ROUTE_TABLE(rows);
