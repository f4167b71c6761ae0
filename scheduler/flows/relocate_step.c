/* Writing a step: the server's row, who owns it, what hosts are asked, and the migration's own row, in one transaction.
 */
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/model/resize.h"
#include "db/store_event.h"
#include "db/store_host.h"
#include "db/store_host_load.h"
#include "db/store_operation.h"
#include "db/store_quota.h"
#include "scheduler/flows/relocate_internal.h"
#include <string.h>

#define SETTLE_US ((int64_t)300 * 1000000) /* for a server that goes on after a failure */

/* ---- what the server shows ---- */

static enum server_operation operation_at(const struct migration_move *m, enum migration_kind kind)
{
    switch (m->step) {
    case MIGRATION_FITTING:
    case MIGRATION_STOPPING:
        return SERVER_OPERATION_RESIZE_PREP;
    case MIGRATION_RELEASING:
    case MIGRATION_RECEIVING:
        return SERVER_OPERATION_RESIZE_MIGRATING;
    case MIGRATION_READYING:
    case MIGRATION_SENDING:
    case MIGRATION_ARRIVING:
    case MIGRATION_RECALLING:
        return SERVER_OPERATION_MIGRATING;
    case MIGRATION_ADOPTING:
        return SERVER_OPERATION_REBUILDING;
    case MIGRATION_STARTING:
        return kind == MIGRATION_EVACUATION ? SERVER_OPERATION_REBUILDING : SERVER_OPERATION_RESIZE_FINISH;
    case MIGRATION_VERIFYING:
        return SERVER_OPERATION_RESIZED;
    case MIGRATION_BACK_STOPPING:
    case MIGRATION_BACK_RELEASING:
    case MIGRATION_BACK_STARTING:
        return SERVER_OPERATION_RESIZE_REVERTING;
    default:
        return SERVER_OPERATION_NONE;
    }
}

/* Its owner gets a new revision, and so says again what is there. */
static int desire(struct db_conn *c, struct relocate *m, enum server_power power, struct error *e)
{
    m->server.desired_power = power;
    return store_host_bump(c, m->server.host_id, &m->server.desired_revision, e);
}

/* ---- the switch ---- */

static int charge_quota(struct db_conn *c, const struct server_row *before, const struct server_row *after,
                        struct error *e)
{
    struct quota_set grown = {{0}};
    grown.amount[QUOTA_CORES] = after->vcpus - before->vcpus;
    grown.amount[QUOTA_RAM] = after->memory_mib - before->memory_mib;
    return store_quota_add(c, after->project_id, &grown, 1, e);
}

/* Server and migration exchange what they hold; in place, only what the server grew by changes hands. */
static int change_hands(struct db_conn *c, const struct migration_row *row, bool back, struct error *e)
{
    struct resources more;
    bool in_place =
        resize_is_in_place(row->options) && resize_way_of(row->old_flavor, row->new_flavor, &more) != RESIZE_ANEW;
    return in_place ? store_migration_shift(c, row, &more, back ? -1 : 1, e) : store_migration_exchange(c, row, e);
}

static int change_owner(struct db_conn *c, struct relocate *m, const struct migration_move *move, struct error *e)
{
    struct migration_row *row = &m->row;
    bool back = move->step == MIGRATION_BACK_STARTING;
    struct server_row before = m->server;
    int rc = change_hands(c, row, back, e);
    if (row->kind == MIGRATION_EVACUATION) { /* whatever was wrong with it before; without its disks it is built anew */
        m->server.observed_state = relocate_keeps_disks(row) ? SERVER_STATE_STOPPED : SERVER_STATE_NONE;
        m->server.fault_code = m->server.fault_us = 0;
        m->server.fault_message = m->server.fault_details = NULL;
        m->server.deadline_us = 0;
    }
    rc = rc ? rc
            : store_migration_rehome(c, &m->server, back ? row->source_host : row->target_host,
                                     back ? row->old_flavor : row->new_flavor, m->arena, e);
    rc = rc ? rc : store_host_load_move(c, m->server.id, before.host_id, m->server.host_id, m->now_us, e);
    rc = rc ? rc : charge_quota(c, &before, &m->server, e);
    rc = rc ? rc : desire(c, m, row->power, e);
    m->server.observed_revision = 0;
    /* The usage of the old flavor on the old host ends where that of the new one begins. */
    return rc ? rc : store_event_changed(c, &m->server, m->now_us, e);
}

/* ---- tasks ---- */

static bool is_for_target(const char *kind)
{
    return strcmp(kind, "receive") == 0 || strcmp(kind, "ready") == 0 || strcmp(kind, "adopt") == 0 ||
           strcmp(kind, "fit") == 0;
}

static char *print_args(const struct relocate *m, const char *kind)
{
    const struct migration_row *row = &m->row;
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_text(&out, "migration", row->uuid);
    json_out_text(&out, "kind", migration_kind_name(row->kind));
    json_out_text(&out, "source", row->source_host);
    json_out_text(&out, "target", row->target_host);
    json_out_text(&out, "flavor", is_for_target(kind) ? "new" : "old");
    json_out_object_end(&out);
    char *copy = arena_strdup(m->arena, text.data);
    strbuf_done(&text);
    return copy;
}

static int give(struct db_conn *c, const struct relocate *m, const char *kind, bool at_source, struct error *e)
{
    const char *host = at_source ? m->row.source_host : m->row.target_host;
    struct host_row known;
    struct error none = {0};
    int rc = store_host_get(c, host, m->arena, &known, &none);
    if (rc == ERR_NOT_FOUND && strcmp(kind, "discard") == 0) { /* the host was removed, and everything on it */
        return 0;
    }
    return rc ? error_set(e, rc, "%s", error_text(&none))
              : store_host_task_insert(c, m->row.id, host, m->row.server_id, kind, print_args(m, kind), e);
}

static int give_tasks(struct db_conn *c, const struct relocate *m, enum migration_step step, struct error *e)
{
    bool at_source;
    const char *kind = migration_task(step, &at_source);
    int rc = store_host_task_close(c, m->row.id, e);
    if (!rc && kind)
        rc = give(c, m, kind, at_source, e);
    bool fetches = step == MIGRATION_RECEIVING || step == MIGRATION_READYING;
    if (!rc && fetches && strcmp(m->row.source_host, m->row.target_host) != 0)
        rc = give(c, m, "serve", true, e); /* it must let the target read */
    return rc;
}

static int copy_option(void *arg, const char *name, json_value *value)
{
    struct json_out *out = arg;
    struct arena a;
    arena_init(&a);
    if (strcmp(name, "force") != 0)
        json_out_raw(out, name, json_in_print(value, &a));
    arena_done(&a);
    return 0;
}

char *relocate_force(const char *options, struct arena *a)
{
    struct json_doc doc;
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    if (json_in_parse(options, strlen(options), &doc, NULL) == 0) {
        json_in_each(doc.root, copy_option, &out);
        json_in_done(&doc);
    }
    json_out_bool(&out, "force", true);
    json_out_object_end(&out);
    char *copy = arena_strdup(a, text.data);
    strbuf_done(&text);
    return copy;
}

/* What the operator allows live migrations, unless whoever asked said something else. */
static int set_options(struct db_conn *c, struct relocate *m, struct error *e)
{
    const struct relocate_settings *s = m->settings;
    struct strbuf text;
    struct json_out out;
    if (strcmp(m->row.options, "{}") != 0)
        return 0;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    json_out_int(&out, "bandwidth_mibps", s->bandwidth_mibps);
    json_out_bool(&out, "auto_converge", s->auto_converge);
    json_out_bool(&out, "post_copy", s->post_copy);
    json_out_int(&out, "parallel", s->parallel);
    if (s->compress && strcmp(s->compress, "none") != 0)
        json_out_text(&out, "compress", s->compress);
    json_out_object_end(&out);
    int rc = store_migration_set_options(c, m->row.id, text.data, e);
    strbuf_done(&text);
    return rc;
}

/* ---- ends ---- */

/* The server is at rest again: whatever the tenant asked for has its result. */
static int settle(struct db_conn *c, struct relocate *m, const struct migration_move *move, struct error *e)
{
    bool good = move->outcome == MIGRATION_COMPLETED || move->outcome == MIGRATION_REVERTED;
    const char *why = m->row.message                      ? m->row.message
                      : good                              ? NULL
                      : m->row.request == MIGRATION_ABORT ? "It was cancelled"
                                                          : "It could not be carried out";
    m->server.operation = SERVER_OPERATION_NONE;
    m->server.operation_id = NULL;
    return store_operation_end(c, m->row.operation_id, good ? OPERATION_FINISH : OPERATION_FAIL, good ? NULL : why,
                               m->now_us, e);
}

/* A guest that stopped by itself meanwhile is left so. */
static int accept_power(struct db_conn *c, struct relocate *m, struct error *e)
{
    enum server_power rest;
    if (!m->server.desired_exists || !server_power_of(m->server.observed_state, &rest) ||
        rest == m->server.desired_power)
        return 0;
    return desire(c, m, rest, e);
}

/* What waits for the confirmation of a resize on the same host. */
static int confirm_disks(struct db_conn *c, struct relocate *m, struct error *e)
{
    const struct migration_row *row = &m->row;
    enum server_power rest;
    if (!m->server.desired_exists || !store_migration_is_local(row) || !resize_waits(row->old_flavor, row->new_flavor))
        return 0;
    return desire(c, m, server_power_of(m->server.observed_state, &rest) ? rest : m->server.desired_power, e);
}

static int resume_source(struct db_conn *c, struct relocate *m, struct error *e)
{
    if (!m->server.desired_exists)
        return 0;
    int rc = desire(c, m, m->row.power, e);
    m->server.deadline_us = m->now_us + SETTLE_US;
    return rc;
}

static void set_fault(struct relocate *m)
{
    m->server.fault_code = 500;
    m->server.fault_message = m->row.message ? m->row.message : "The migration failed";
    m->server.fault_us = m->now_us;
}

static int change_server(struct db_conn *c, struct relocate *m, const struct migration_move *move, struct error *e)
{
    struct server_row *s = &m->server;
    int rc = 0;
    if (m->gone || m->row.step == MIGRATION_CLEARING || m->row.step == MIGRATION_UNDOING)
        return 0; /* it may have begun another one */
    enum server_operation was = s->operation;
    s->operation = s->desired_exists ? operation_at(move, m->row.kind) : SERVER_OPERATION_NONE;
    if (move->switches)
        rc = change_owner(c, m, move, e);
    else if (move->resumes_source)
        rc = resume_source(c, m, e);
    else if ((move->step == MIGRATION_STOPPING || move->step == MIGRATION_BACK_STOPPING) && s->desired_exists)
        rc = desire(c, m, SERVER_POWER_STOPPED, e);
    if (!rc && move->step == MIGRATION_CLEARING && m->row.step == MIGRATION_VERIFYING)
        rc = accept_power(c, m, e);
    if (!rc && move->step == MIGRATION_DONE && move->outcome == MIGRATION_COMPLETED)
        rc = confirm_disks(c, m, e);
    if (!rc && s->operation == SERVER_OPERATION_NONE && server_operation_moves(was))
        rc = settle(c, m, move, e);
    if (!rc && move->step == MIGRATION_VERIFYING)
        rc = store_operation_end(c, m->row.operation_id, OPERATION_FINISH, NULL, m->now_us, e);
    if (move->step == MIGRATION_CLEARING && move->outcome == MIGRATION_FAILED)
        set_fault(m);
    s->updated_us = m->now_us;
    rc = rc ? rc : store_server_move(c, s, e);
    return rc || m->row.kind != MIGRATION_EVACUATION || !move->switches ? rc : relocate_mark_lost(c, m, e);
}

static int64_t deadline(const struct relocate *m, const struct migration_move *move)
{
    int64_t limit = migration_limit_us(move->step);
    if (move->step == MIGRATION_VERIFYING)
        limit = m->row.drain_host ? 1 : m->settings->confirm_us;
    return limit ? m->now_us + limit : 0;
}

int relocate_step(struct db_conn *c, struct relocate *m, const struct migration_move *move, struct error *e)
{
    enum migration_step from = m->row.step;
    bool confirmed = from == MIGRATION_VERIFYING;
    int rc = give_tasks(c, m, move->step, e);
    rc = rc ? rc : change_server(c, m, move, e);
    if (!rc && move->step == MIGRATION_SENDING)
        rc = set_options(c, m, e);
    if (!rc && move->step == MIGRATION_DONE)
        rc = store_host_release(c, m->row.uuid, e);
    m->row.step = move->step;
    m->row.outcome = move->outcome;
    if (confirmed) /* answered */
        m->row.request = MIGRATION_NO_REQUEST;
    m->row.deadline_us = deadline(m, move);
    m->row.updated_us = m->now_us;
    return rc ? rc : store_migration_move(c, &m->row, from, e);
}
