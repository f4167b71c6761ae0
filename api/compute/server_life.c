/* What happens to a server. Each function loads nothing that its caller has, decides with the pure model, and writes:
 * first the operation, then the server (compare and set), then what hangs on it.
 *
 * Failure modes: the row was changed at the same time (ERR_SERIALIZATION, the transaction is run again); a host that
 * never answers (deadlines); a host that is dead while its server is deleted (the server goes, its domain is removed
 * when the host returns and asks for a verdict). */
#include "api/compute/server_life.h"
#include "api/compute/server_shelf.h"
#include "common/log.h"
#include "common/uuid.h"
#include "db/store_event.h"
#include "db/store_host.h"
#include "db/store_migration.h"
#include "db/store_operation.h"
#include "db/store_port.h"
#include "db/store_quota.h"
#include "db/store_server_clone.h"
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define DELETE_AGAIN_US (60 * (int64_t)1000000)

static int insert_operation(struct db_conn *c, const struct server_row *row, enum operation_kind kind, bool ended,
                            const struct server_life_actor *actor, int64_t now_us, char id[UUID_SIZE], struct error *e)
{
    struct operation_row operation = {
        .id = uuid_ordered(id),
        .server_id = row->id,
        .project_id = actor->project_id,
        .user_id = actor->user_id,
        .request_id = actor->request_id,
        .action = operation_name(kind),
        .started_us = now_us,
    };
    return store_operation_insert(c, &operation, ended, e);
}

int server_life_record(struct db_conn *c, const struct server_row *row, enum operation_kind kind,
                       const struct server_life_actor *actor, int64_t now_us, struct error *e)
{
    char id[UUID_SIZE];
    return insert_operation(c, row, kind, true, actor, now_us, id, e);
}

static enum server_operation operation_of(enum server_action action)
{
    if (action == SERVER_ACTION_REBOOT_SOFT)
        return SERVER_OPERATION_REBOOT_SOFT;
    if (action == SERVER_ACTION_SHELVE)
        return SERVER_OPERATION_SHELVING;
    if (action == SERVER_ACTION_UNSHELVE)
        return SERVER_OPERATION_UNSHELVING;
    return action == SERVER_ACTION_REBOOT_HARD ? SERVER_OPERATION_REBOOT_HARD : SERVER_OPERATION_NONE;
}

static int refuse(const struct server_row *row, const struct server_situation *s, enum server_action action,
                  struct error *e)
{
    const char *value = "", *what = server_refusal(s, action, &value);
    return error_set(e, ERR_CONFLICT, "Cannot '%s' instance %s while it is in %s %s", server_action_name(action),
                     row->id, what, value);
}

int server_life_act(struct db_conn *c, struct server_row *row, enum server_action action,
                    const struct server_life_actor *actor, int64_t now_us, struct error *e)
{
    struct server_situation s = store_server_situation(row);
    enum operation_kind kind = operation_of_action(action);
    enum server_power power;
    char id[UUID_SIZE];
    int rc;
    assert(action != SERVER_ACTION_DELETE);
    if (!server_allows(&s, action, &power))
        return refuse(row, &s, action, e);
    rc = store_operation_end(c, row->operation_id, OPERATION_FAIL, "Another action took its place", now_us, e);
    if (!rc)
        rc = insert_operation(c, row, kind, false, actor, now_us, id, e);
    if (!rc)
        rc = store_host_bump(c, row->host_id, &row->desired_revision, e);
    if (rc)
        return rc;
    row->desired_power = power;
    row->operation = operation_of(action);
    row->operation_id = id;
    row->deadline_us = now_us + operation_deadline_us(kind);
    row->updated_us = now_us;
    rc = store_server_move(c, row, e);
    row->operation_id = NULL; /* the text was ours */
    return rc;
}

/* Everything that the server holds is given back, and its row becomes history. */
static int remove_row(struct db_conn *c, const struct server_row *row, int64_t deleted_us, int64_t now_us,
                      struct error *e)
{
    struct quota_set held = {{0}};
    struct arena shelf;
    int rc;
    arena_init(&shelf);
    rc = server_shelf_drop(c, row->id, &shelf, e);
    arena_done(&shelf);
    if (rc)
        return rc;
    held.amount[QUOTA_INSTANCES] = 1;
    held.amount[QUOTA_CORES] = row->vcpus;
    held.amount[QUOTA_RAM] = row->memory_mib;
    rc = store_port_detach_all(c, row->id, now_us, e);
    if (!rc)
        rc = store_host_release(c, row->id, e);
    if (!rc)
        rc = store_quota_add(c, row->project_id, &held, -1, e);
    if (!rc)
        rc = store_operation_end_all(c, row->id, OPERATION_FINISH, NULL, now_us, e);
    return rc ? rc : store_server_archive(c, row, deleted_us, e);
}

/* Nobody but the controller can say that it is gone; if it has ever run, its usage ends here. */
static int remove_unplaced(struct db_conn *c, const struct server_row *row, int64_t now_us, struct error *e)
{
    int64_t id = 0;
    int rc = 0;
    if (row->launched_us != 0) {
        rc = db_counter_next(c, "lifecycle_event", 1, &id, e);
        if (!rc)
            rc = store_event_insert(c, id, "", id, row, SERVER_STATE_GONE, now_us, now_us, e);
    }
    return rc ? rc : remove_row(c, row, now_us, now_us, e);
}

int server_life_delete(struct db_conn *c, struct server_row *row, const struct server_life_actor *actor, int64_t now_us,
                       struct error *e)
{
    char id[UUID_SIZE];
    int rc;
    if (!row->desired_exists)
        return 0;
    rc = store_operation_end_all(c, row->id, OPERATION_FAIL, "The server was deleted", now_us, e);
    if (!rc)
        rc = insert_operation(c, row, OPERATION_DELETE, false, actor, now_us, id, e);
    if (rc)
        return rc;
    if (row->host_id == NULL)
        return remove_unplaced(c, row, now_us, e);
    rc = store_host_bump(c, row->host_id, &row->desired_revision, e);
    if (rc)
        return rc;
    row->desired_exists = false;
    row->operation = SERVER_OPERATION_NONE;
    row->operation_id = id;
    row->deadline_us = now_us + operation_deadline_us(OPERATION_DELETE);
    row->updated_us = now_us;
    rc = store_server_move(c, row, e);
    row->operation_id = NULL;
    return rc;
}

static void set_fault(struct server_row *row, const char *message, const char *details, int64_t now_us)
{
    row->fault_code = 500;
    row->fault_message = message;
    row->fault_details = details;
    row->fault_us = now_us;
}

static void clear_fault(struct server_row *row)
{
    row->fault_code = 0;
    row->fault_message = row->fault_details = NULL;
    row->fault_us = 0;
}

/* Brings the row to what the model decided, but for the revision that a changed wish needs. */
static void take_change(struct server_row *row, const struct server_change *change, const char *message,
                        const char *details, int64_t now_us)
{
    row->desired_power = change->after.power;
    row->observed_state = change->after.state;
    row->placement = change->after.placement;
    row->operation = change->after.operation;
    if (change->after.fault && row->fault_code == 0)
        set_fault(row, message, details, now_us);
    if (!change->after.fault)
        clear_fault(row);
    if (change->rest)
        row->deadline_us = 0;
    if (change->outcome != SERVER_OUTCOME_OPEN)
        row->operation_id = NULL;
}

static int end_operation(struct db_conn *c, const char *id, const struct server_change *change, const char *message,
                         int64_t now_us, struct error *e)
{
    if (change->outcome == SERVER_OUTCOME_OPEN)
        return 0;
    if (change->outcome == SERVER_OUTCOME_DONE)
        return store_operation_end(c, id, OPERATION_FINISH, NULL, now_us, e);
    return store_operation_end(c, id, OPERATION_FAIL, message, now_us, e);
}

static bool same(const struct server_situation *a, const struct server_situation *b)
{
    return a->exists == b->exists && a->power == b->power && a->state == b->state && a->placement == b->placement &&
           a->operation == b->operation && a->fault == b->fault;
}

static int write_change(struct db_conn *c, struct server_row *row, const struct server_change *change,
                        const char *message, const char *details, int64_t now_us, struct error *e)
{
    struct server_situation before = store_server_situation(row);
    bool changed = !same(&before, &change->after) || change->outcome != SERVER_OUTCOME_OPEN ||
                   (change->rest && row->deadline_us != 0);
    int rc = end_operation(c, row->operation_id, change, message, now_us, e);
    if (!rc && change->redesire && row->host_id != NULL)
        rc = store_host_bump(c, row->host_id, &row->desired_revision, e);
    if (rc)
        return rc;
    take_change(row, change, message, details, now_us);
    if (changed)
        row->updated_us = now_us;
    return store_server_move(c, row, e);
}

int server_life_end_image(struct db_conn *c, struct server_row *row, bool made, const char *why, int64_t now_us,
                          struct error *e)
{
    struct server_situation before = store_server_situation(row);
    struct server_change change;
    server_end_image(&before, made, &change);
    return write_change(c, row, &change, why, NULL, now_us, e);
}

int server_life_flatten(struct db_conn *c, const char *task_id, const char *host_id, enum host_task_state state,
                        const char *result, const char *why, int64_t now_us, struct arena *a, struct error *e)
{
    struct server_row row;
    bool found = false;
    int rc = store_server_clone_flatten_of(c, task_id, host_id, a, &row, &found, e);
    if (rc || !found)
        return rc;
    if (state == HOST_TASK_OPEN)
        return store_server_clone_flatten_progress(c, &row, result, now_us, e);
    return server_life_end_image(c, &row, state == HOST_TASK_DONE, why, now_us, e);
}

static int observe_gone(struct db_conn *c, struct server_row *row, const struct server_life_event *event,
                        int64_t now_us, struct error *e)
{
    log_info("server gone", "server=%s host=%s project=%s", row->id, event->host_id, row->project_id);
    return remove_row(c, row, event->at_us, now_us, e);
}

/* A server on its way: only what its present owner has of it is noted, and what went wrong with its migration. */
static bool tells_nothing(const struct server_row *row, const struct server_life_event *event)
{
    struct server_situation s = store_server_situation(row);
    struct server_report report = {.state = event->state, .failed = event->failed};
    struct server_change change;
    if (!row->desired_exists)
        return false;
    if (row->operation == SERVER_OPERATION_OFFLOADING)
        return true;
    if (row->operation == SERVER_OPERATION_UNSHELVING) /* it is on the shelf until it runs */
        return event->failed || event->state == SERVER_STATE_BUILDING;
    if (!server_operation_moves(row->operation))
        return false;
    server_observe(&s, &report, &change);
    return event->failed || (change.after.state == row->observed_state && event->state != row->observed_state);
}

static int note_trouble(struct db_conn *c, struct server_row *row, const struct server_life_event *event,
                        struct error *e)
{
    if (!event->failed || event->revision < row->desired_revision)
        return 0;
    return store_migration_trouble(c, row->id, event->message != NULL ? event->message : "The host failed", e);
}

static int apply(struct db_conn *c, struct server_row *row, const struct server_life_event *event, int64_t now_us,
                 struct arena *a, struct error *e)
{
    struct server_situation before = store_server_situation(row);
    struct server_change change;
    struct server_report report = {
        .state = event->state,
        .current = event->revision >= row->desired_revision,
        .failed = event->failed,
        .operation = event->operation_id != NULL && row->operation_id != NULL &&
                     row->operation != SERVER_OPERATION_NONE && strcmp(event->operation_id, row->operation_id) == 0,
        .idle = row->deadline_us == 0,
        .resuming = event->resuming,
    };
    server_observe(&before, &report, &change);
    if (change.gone)
        return observe_gone(c, row, event, now_us, e);
    if (event->revision > row->observed_revision)
        row->observed_revision = event->revision;
    bool launches = event->state == SERVER_STATE_RUNNING && row->launched_us == 0;
    if (launches)
        row->launched_us = event->at_us;
    if (change.resuming)
        row->deadline_us = now_us + operation_deadline_us(OPERATION_START);
    int rc = launches ? store_server_clone_forget(c, row->id, e) : 0;
    rc = rc ? rc
            : write_change(c, row, &change, event->message != NULL ? event->message : "The host lost the server",
                           event->details, now_us, e);
    return rc || !server_operation_shelves(before.operation) ? rc : server_shelf_follow(c, row, now_us, a, e);
}

int server_life_observe(struct db_conn *c, const struct server_life_event *told, int64_t event_id, int64_t now_us,
                        struct arena *a, bool *ret_used, struct error *e)
{
    struct server_life_event copy = *told, *event = &copy;
    struct server_row row;
    struct error unknown = {0};
    int rc = store_server_get(c, event->server_id, a, &row, &unknown);
    bool ours = !rc && row.host_id != NULL && strcmp(row.host_id, event->host_id) == 0;
    if (rc && rc != ERR_NOT_FOUND)
        return error_set(e, rc, "%s", error_text(&unknown));
    if (!ours) {
        log_warn("event about a server that is not here dropped", "server=%s host=%s seq=%" PRId64 " state=%s",
                 event->server_id, event->host_id, event->seq, server_state_name(event->state));
        *ret_used = false;
        return 0;
    }
    if (event->at_us < row.created_us) { /* a clock that is behind */
        log_warn("event from before its server set to its creation",
                 "server=%s host=%s seq=%" PRId64 " early_us=%" PRId64, row.id, event->host_id, event->seq,
                 row.created_us - event->at_us);
        event->at_us = row.created_us;
    }
    if (tells_nothing(&row, event))
        rc = note_trouble(c, &row, event, e);
    else
        rc = store_event_insert(c, event_id, event->host_id, event->seq, &row, event->state, event->at_us, now_us, e);
    if (!rc)
        rc = apply(c, &row, event, now_us, a, e);
    if (!rc && server_operation_moves(row.operation))
        db_wake(c, "placement");
    if (!rc)
        *ret_used = true;
    return rc;
}

int server_life_reset(struct db_conn *c, struct server_row *row, bool fault, int64_t now_us, struct error *e)
{
    enum server_power rest;
    bool goes_on = server_operation_moves(row->operation) || server_operation_shelves(row->operation);
    int rc = goes_on ? 0
                     : store_operation_end(c, row->operation_id, OPERATION_FAIL, "An administrator reset the state",
                                           now_us, e);
    if (rc)
        return rc;
    if (row->desired_exists && row->host_id != NULL && !goes_on && server_power_of(row->observed_state, &rest) &&
        rest != row->desired_power) {
        rc = store_host_bump(c, row->host_id, &row->desired_revision, e);
        row->desired_power = rest;
    }
    if (rc)
        return rc;
    if (!goes_on) { /* a migration goes on until it has an end, so does the way to the shelf or back */
        row->operation = SERVER_OPERATION_NONE;
        row->operation_id = NULL;
    }
    row->deadline_us = row->desired_exists && !server_operation_shelves(row->operation) ? 0 : row->deadline_us;
    clear_fault(row);
    if (fault)
        set_fault(row, "An administrator set the state to error", NULL, now_us);
    row->updated_us = now_us;
    return store_server_move(c, row, e);
}

/* A delete that its host did not confirm. A living host is given more time; one that is dead does not hold the tenant
 * up: its domain goes when it comes back and asks. */
static int expire_delete(struct db_conn *c, struct server_row *row, int64_t now_us, struct error *e)
{
    if (now_us - row->host_seen_us <= STORE_HOST_ALIVE_US) {
        row->deadline_us = now_us + DELETE_AGAIN_US;
        return store_server_move(c, row, e);
    }
    log_warn("server deleted without its dead host", "server=%s host=%s project=%s", row->id, row->host_id,
             row->project_id);
    return remove_unplaced(c, row, now_us, e);
}

int server_life_expire(struct db_conn *c, const char *server_id, int64_t now_us, struct arena *a, struct error *e)
{
    struct server_row row;
    struct server_situation before;
    struct server_change change;
    struct server_words words;
    int rc = store_server_get(c, server_id, a, &row, e);
    if (rc == ERR_NOT_FOUND) {
        error_clear(e);
        return 0;
    }
    if (rc || row.deadline_us == 0 || row.deadline_us > now_us)
        return rc;
    if (!row.desired_exists)
        return expire_delete(c, &row, now_us, e);
    before = store_server_situation(&row);
    words = server_words(&before);
    server_expire(&before, &change);
    log_warn("deadline passed", "server=%s host=%s task=%s", row.id, row.host_id != NULL ? row.host_id : "",
             words.task_state != NULL ? words.task_state : "none");
    if (before.placement == SERVER_PLACEMENT_WAITING)
        rc = store_server_dequeue(c, row.id, e);
    if (before.operation == SERVER_OPERATION_FLATTENING)
        rc = store_host_task_cancel(c, row.operation_id, row.host_id, e);
    if (rc)
        return rc;
    rc = write_change(c, &row, &change,
                      arena_printf(a, "The server was not done with '%s' in time",
                                   words.task_state != NULL ? words.task_state : "its action"),
                      NULL, now_us, e);
    return rc || !server_operation_shelves(before.operation) ? rc : server_shelf_follow(c, &row, now_us, a, e);
}
