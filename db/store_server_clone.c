/* A clone is a new server whose disk is not made of its image: the row in server_clone says of which server's instead,
 * until it has run. It waits for the scheduler like any other, for the one host that has that disk. */
#include "db/store_server_clone.h"
#include "common/json_in.h"
#include "common/model/quota.h"
#include "common/uuid.h"
#include "db/rows.h"
#include "db/store_budget.h"
#include "db/store_host.h"
#include "db/store_host_task.h"
#include "db/store_operation.h"
#include "db/store_port.h"
#include "db/store_quota.h"
#include <stdlib.h>
#include <string.h>

#define PROGRESS_EVERY_US (20 * (int64_t)1000000)

static int check(struct db_conn *c, const struct server_row *row, enum server_action action, const char *trait,
                 struct arena *a, struct error *e)
{
    struct server_situation s = store_server_situation(row);
    const char *value = "", *what = server_refusal(&s, action, &value);
    struct host_row host;
    if (what != NULL)
        return error_set(e, ERR_CONFLICT, "Cannot '%s' instance %s while it is in %s %s", server_action_name(action),
                         row->id, what, value);
    if (row->image_id == NULL) /* a machine that was there before us: its disks are not where ours are */
        return error_set(e, ERR_NOT_IMPLEMENTED,
                         "The server was imported; its machine is kept as it was and cannot do %s.",
                         server_action_name(action));
    int rc = store_host_get(c, row->host_id, a, &host, e);
    if (!rc && !store_host_has_trait(&host, trait))
        rc = error_set(e, ERR_NOT_IMPLEMENTED, "The hypervisor %s of the server's host cannot do %s.", host.hypervisor,
                       server_action_name(action));
    return rc;
}

/* ---- what it costs ---- */

static int check_quota(struct db_conn *c, const char *project, const struct quota_set *more, struct arena *a,
                       struct error *e)
{
    struct quota_set limits, used;
    const char *text = "";
    int rc = store_quota_limits(c, project, &limits, e);
    rc = rc ? rc : store_quota_used(c, project, &used, e);
    return rc || quota_allows(&limits, &used, more, a, &text) ? rc : error_set(e, ERR_QUOTA, "%s", text);
}

static int take_quota(struct db_conn *c, const struct server_row *source, bool unlimited, int64_t now_us,
                      struct arena *a, struct error *e)
{
    struct quota_set more = {{0}};
    more.amount[QUOTA_INSTANCES] = 1;
    more.amount[QUOTA_CORES] = source->vcpus;
    more.amount[QUOTA_RAM] = source->memory_mib;
    int rc = unlimited ? 0 : store_budget_check(c, source->project_id, now_us, a, e);
    rc = rc || unlimited ? rc : check_quota(c, source->project_id, &more, a, e);
    return rc ? rc : store_quota_add(c, source->project_id, &more, 1, e);
}

/* ---- ports ---- */

static int by_nic(const void *a, const void *b)
{
    const struct port_row *x = a, *y = b;
    return x->nic < y->nic ? -1 : x->nic > y->nic;
}

static int list_ports(struct db_conn *c, const char *server_id, struct arena *a, struct port_row **ret,
                      size_t *ret_count, struct error *e)
{
    struct port_filter filter = {.device_id = server_id};
    int rc = store_port_list(c, &filter, NULL, INT64_MAX, a, ret, ret_count, e);
    if (!rc && *ret_count > 1)
        qsort(*ret, *ret_count, sizeof(**ret), by_nic);
    return rc;
}

static int copy_groups(struct db_conn *c, const struct port_row *from, const struct port_row *to, struct arena *a,
                       struct error *e)
{
    struct json_doc doc;
    int rc = json_in_parse(from->security_groups, strlen(from->security_groups), &doc, e);
    if (rc)
        return rc;
    size_t count = json_in_count(doc.root);
    const char **groups = arena_array(a, count + 1, sizeof(*groups));
    for (size_t i = 0; i < count; i++)
        groups[i] = arena_strdup(a, json_in_text(json_in_item(doc.root, i)));
    json_in_done(&doc);
    return store_port_set_groups(c, to->id, groups, count, a, e);
}

/* On the same networks, in the same order and groups. */
static int make_ports(struct db_conn *c, const struct server_row *source, struct server_row *clone, int64_t now_us,
                      struct arena *a, struct error *e)
{
    struct port_row *had = NULL, *made = NULL;
    size_t count = 0, made_count = 0;
    char *addresses = "{}";
    int rc = list_ports(c, source->id, a, &had, &count, e);
    struct port_request *requests = arena_array(a, count + 1, sizeof(*requests));
    for (size_t i = 0; i < count && !rc; i++)
        requests[i] = (struct port_request){.network_id = had[i].network_id};
    if (!rc && count > 0)
        rc = store_port_attach(c, clone->id, clone->project_id, requests, count, now_us, a, &addresses, e);
    rc = rc ? rc : list_ports(c, clone->id, a, &made, &made_count, e);
    for (size_t i = 0; i < made_count && i < count && !rc; i++)
        rc = made[i].port_security ? copy_groups(c, &had[i], &made[i], a, e) : 0;
    clone->addresses = addresses;
    return rc || count == 0 ? rc : store_port_group_names(c, clone->id, a, &clone->security_groups, e);
}

/* ---- the server ---- */

static int insert_server(struct db_conn *c, struct server_row *clone, const struct server_clone_wish *wish,
                         int64_t now_us, struct error *e)
{
    struct operation_row operation = {.id = clone->operation_id,
                                      .server_id = clone->id,
                                      .project_id = clone->project_id,
                                      .user_id = clone->user_id,
                                      .request_id = wish->request_id,
                                      .action = operation_name(OPERATION_CREATE),
                                      .started_us = now_us};
    int rc = store_server_insert(c, clone, e);
    rc = rc ? rc : store_operation_insert(c, &operation, false, e);
    rc = rc ? rc
            : store_server_enqueue_as(c, clone->id,
                                      &(struct server_waiting){.now_us = now_us, .host_id = clone->host_id}, e);
    db_wake(c, "placement");
    return rc;
}

static struct server_row describe(const struct server_row *source, const struct server_clone_wish *wish, int64_t now_us,
                                  struct arena *a)
{
    struct server_row clone = *source;
    clone.id = uuid_ordered(arena_alloc(a, UUID_SIZE));
    clone.operation_id = uuid_ordered(arena_alloc(a, UUID_SIZE));
    clone.user_id = wish->user_id;
    clone.name = wish->name;
    clone.hostname = store_server_hostname(wish->name, a);
    clone.group_id = NULL;
    clone.hints = "{}";
    clone.access_ipv4 = clone.access_ipv6 = "";
    clone.reservation_id = arena_printf(a, "r-%.8s", clone.id + 24);
    clone.launch_index = 0;
    clone.desired_power = SERVER_POWER_RUNNING;
    clone.deadline_us = now_us + operation_deadline_us(OPERATION_CREATE);
    clone.locked = 0;
    clone.locked_reason = NULL;
    clone.created_us = clone.updated_us = now_us;
    return clone;
}

/* Of the server that is cloned: it ends at once. */
static int record(struct db_conn *c, const struct server_row *source, const struct server_clone_wish *wish,
                  int64_t now_us, struct error *e)
{
    char id[UUID_SIZE];
    struct operation_row operation = {.id = uuid_ordered(id),
                                      .server_id = source->id,
                                      .project_id = wish->project_id,
                                      .user_id = wish->user_id,
                                      .request_id = wish->request_id,
                                      .action = operation_name(OPERATION_CLONE),
                                      .started_us = now_us};
    return store_operation_insert(c, &operation, true, e);
}

DB_STATEMENT(server_clone_insert, "INSERT INTO server_clone (server_id, source_id) VALUES ($1, $2)");
DB_STATEMENT(server_clone_spot, "INSERT INTO spot_server (server_id) SELECT $1 FROM spot_server WHERE server_id = $2");
int store_server_clone_begin(struct db_conn *c, const struct server_row *source, const struct server_clone_wish *wish,
                             int64_t now_us, struct arena *a, const char **ret_id, struct error *e)
{
    int rc = check(c, source, SERVER_ACTION_CLONE, "CUSTOM_CLONE", a, e);
    if (rc)
        return rc;
    struct server_row clone = describe(source, wish, now_us, a);
    rc = store_server_image_properties(c, source->id, a, &clone.image_properties, e);
    rc = rc ? rc : take_quota(c, source, wish->unlimited, now_us, a, e);
    rc = rc ? rc : make_ports(c, source, &clone, now_us, a, e);
    rc = rc ? rc : insert_server(c, &clone, wish, now_us, e);
    rc = rc ? rc : db_exec(c, &server_clone_insert, NULL, e, DB_ARGS(db_text(clone.id), db_text(source->id)));
    rc = rc ? rc : db_exec(c, &server_clone_spot, NULL, e, DB_ARGS(db_text(clone.id), db_text(source->id)));
    *ret_id = clone.id;
    return rc ? rc : record(c, source, wish, now_us, e);
}

static int read_text(struct db_rows *rows, struct arena *a, const char **ret, struct error *e)
{
    *ret = NULL;
    while (db_next(rows))
        *ret = db_dup_text(rows, 0, a);
    return db_rows_done(rows, e);
}

DB_STATEMENT(server_clone_source, "SELECT source_id FROM server_clone WHERE server_id = $1");
int store_server_clone_source(struct db_conn *c, const char *server_id, struct arena *a, const char **ret,
                              struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &server_clone_source, &rows, e, DB_ARGS(db_text(server_id)));
    return rc ? rc : read_text(&rows, a, ret, e);
}

DB_STATEMENT(server_clone_forget, "DELETE FROM server_clone WHERE server_id = $1");
int store_server_clone_forget(struct db_conn *c, const char *server_id, struct error *e)
{
    return db_exec(c, &server_clone_forget, NULL, e, DB_ARGS(db_text(server_id)));
}

/* ---- flattening ---- */

int store_server_clone_flatten_begin(struct db_conn *c, struct server_row *row, const struct server_clone_wish *who,
                                     int64_t now_us, struct arena *a, struct error *e)
{
    struct operation_row operation = {.id = uuid_ordered(arena_alloc(a, UUID_SIZE)),
                                      .server_id = row->id,
                                      .project_id = who->project_id,
                                      .user_id = who->user_id,
                                      .request_id = who->request_id,
                                      .action = operation_name(OPERATION_FLATTEN),
                                      .started_us = now_us};
    int rc = check(c, row, SERVER_ACTION_FLATTEN, "CUSTOM_FLATTEN", a, e);
    rc = rc ? rc : store_operation_insert(c, &operation, false, e);
    rc = rc ? rc : store_host_task_insert_alone(c, operation.id, row->host_id, row->id, "flatten", "{}", e);
    if (rc)
        return rc;
    row->operation = SERVER_OPERATION_FLATTENING;
    row->operation_id = operation.id;
    row->deadline_us = now_us + operation_deadline_us(OPERATION_FLATTEN);
    row->updated_us = now_us;
    return store_server_move(c, row, e);
}

DB_STATEMENT(server_flatten_of, "SELECT server_id FROM host_task WHERE id = $1 AND host_id = $2 AND kind = 'flatten'");
int store_server_clone_flatten_of(struct db_conn *c, const char *task_id, const char *host_id, struct arena *a,
                                  struct server_row *ret, bool *ret_found, struct error *e)
{
    struct db_rows rows;
    struct error none = {0};
    const char *server_id = NULL;
    int rc = db_query(c, &server_flatten_of, &rows, e, DB_ARGS(db_text(task_id), db_text(host_id)));
    rc = rc ? rc : read_text(&rows, a, &server_id, e);
    *ret_found = false;
    if (rc || !server_id)
        return rc;
    rc = store_server_get(c, server_id, a, ret, &none);
    *ret_found = !rc && ret->desired_exists && ret->operation == SERVER_OPERATION_FLATTENING &&
                 ret->operation_id != NULL && strcmp(ret->operation_id, task_id) == 0;
    return rc && rc != ERR_NOT_FOUND ? error_set(e, rc, "%s", error_text(&none)) : 0;
}

DB_STATEMENT(server_flatten_progress, "UPDATE host_task SET result = $2 WHERE id = $1 AND kind = 'flatten'");
int store_server_clone_flatten_progress(struct db_conn *c, struct server_row *row, const char *result, int64_t now_us,
                                        struct error *e)
{
    int64_t until_us = now_us + operation_deadline_us(OPERATION_FLATTEN);
    int rc = result
                 ? db_exec(c, &server_flatten_progress, NULL, e, DB_ARGS(db_text(row->operation_id), db_text(result)))
                 : 0;
    if (rc || until_us - row->deadline_us < PROGRESS_EVERY_US)
        return rc;
    row->deadline_us = until_us;
    return store_server_move(c, row, e);
}

DB_STATEMENT(server_flatten_said, "SELECT result FROM host_task WHERE id = $1 AND kind = 'flatten'");
int store_server_clone_flatten_said(struct db_conn *c, const char *task_id, struct arena *a, const char **ret,
                                    struct error *e)
{
    struct db_rows rows;
    int rc = db_query(c, &server_flatten_said, &rows, e, DB_ARGS(db_text(task_id)));
    return rc ? rc : read_text(&rows, a, ret, e);
}
