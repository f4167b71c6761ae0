/* Giving a server away: see store_server_give.h. The usage ledger follows by the event that is written last. */
#include "db/store_server_give.h"
#include "db/store_event.h"
#include "db/store_port.h"
#include "db/store_project.h"
#include "db/store_quota.h"
#include "db/store_secgroup.h"
#include "db/store_server.h"
#include <string.h>

struct giving {
    struct db_conn *c;
    const struct server_row *server;
    const char *project_id;
    int64_t now_us;
    struct arena *a;
};

static int check(const struct giving *g, const struct port_row *ports, size_t count, struct error *e)
{
    const struct server_row *s = g->server;
    if (!s->desired_exists || s->operation_id || s->deadline_us != 0) {
        return error_set(e, ERR_CONFLICT, "server %s is under way: try again when it is at rest", s->id);
    }
    if (s->group_id) {
        return error_set(e, ERR_CONFLICT, "server %s is in server group %s", s->id, s->group_id);
    }
    for (size_t i = 0; i < count; i++) {
        if (!ports[i].made_for_server) {
            return error_set(e, ERR_CONFLICT, "port %s of server %s is its tenant's own: detach it first", ports[i].id,
                             s->id);
        }
    }
    return 0;
}

static int move_quota(const struct giving *g, struct error *e)
{
    struct quota_set limits, used, held = {{0}};
    const char *text = "";
    held.amount[QUOTA_INSTANCES] = 1;
    held.amount[QUOTA_CORES] = g->server->vcpus;
    held.amount[QUOTA_RAM] = g->server->memory_mib;
    int rc = store_quota_limits(g->c, g->project_id, &limits, e);
    rc = rc ? rc : store_quota_used(g->c, g->project_id, &used, e);
    if (!rc && !quota_allows(&limits, &used, &held, g->a, &text)) {
        rc = error_set(e, ERR_QUOTA, "%s", text);
    }
    rc = rc ? rc : store_quota_add(g->c, g->server->project_id, &held, -1, e);
    return rc ? rc : store_quota_add(g->c, g->project_id, &held, 1, e);
}

DB_STATEMENT(server_give_port,
             "UPDATE port SET project_id = $2, updated_us = $3, revision = revision + 1 WHERE id = $1");
static int move_ports(const struct giving *g, const struct port_row *ports, size_t count, struct error *e)
{
    const char *group = NULL;
    int rc = count > 0 ? store_secgroup_default(g->c, g->project_id, g->now_us, g->a, &group, e) : 0;
    for (size_t i = 0; !rc && i < count; i++) {
        bool secured = strcmp(ports[i].security_groups, "[]") != 0;
        rc = db_exec(g->c, &server_give_port, NULL, e,
                     DB_ARGS(db_text(ports[i].id), db_text(g->project_id), db_int(g->now_us)));
        rc = rc ? rc : store_port_set_groups(g->c, ports[i].id, &group, secured ? 1 : 0, g->a, e);
    }
    return rc;
}

DB_STATEMENT(server_give, "UPDATE server SET project_id = $2, updated_us = $3, revision = revision + 1 WHERE id = $1");
int store_server_give(struct db_conn *c, const char *server_id, const char *project_id, int64_t now_us, struct arena *a,
                      struct error *e)
{
    struct server_row row;
    struct project_row project;
    struct port_row *ports = NULL;
    size_t count = 0;
    struct giving g = {c, &row, project_id, now_us, a};
    int rc = store_server_get(c, server_id, a, &row, e);
    rc = rc ? rc : store_project_get(c, project_id, a, &project, e);
    if (rc || strcmp(row.project_id, project_id) == 0) {
        return rc;
    }
    rc = store_port_list(c, &(struct port_filter){.device_id = server_id}, NULL, INT64_MAX, a, &ports, &count, e);
    rc = rc ? rc : check(&g, ports, count, e);
    rc = rc ? rc : move_quota(&g, e);
    rc = rc ? rc : move_ports(&g, ports, count, e);
    rc = rc ? rc : db_exec(c, &server_give, NULL, e, DB_ARGS(db_text(server_id), db_text(project_id), db_int(now_us)));
    rc = rc || count == 0 ? rc : store_port_refresh_server(c, server_id, now_us, a, e);
    rc = rc ? rc : store_server_get(c, server_id, a, &row, e);
    return rc ? rc : store_event_changed(c, &row, now_us, e);
}
