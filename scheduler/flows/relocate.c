/* One look at every open migration. A step that changes nothing costs reads only; one that does is decided again inside
 * the transaction that writes it. */
#include "common/clock.h"
#include "common/log.h"
#include "common/model/resize.h"
#include "db/lease.h"
#include "db/store_host_work.h"
#include "scheduler/flows/relocate_internal.h"
#include <string.h>

struct look {
    struct relocate *m;
    struct migration_move move;
    const char *refusal; /* no host can take it */
};

static int load(struct db_conn *c, struct relocate *m, int64_t id, struct error *e)
{
    struct error none = {0};
    int rc = store_migration_get(c, id, m->arena, &m->row, e);
    if (rc)
        return rc;
    rc = store_server_get(c, m->row.server_id, m->arena, &m->server, &none);
    m->gone = rc == ERR_NOT_FOUND;
    return rc && !m->gone ? error_set(e, rc, "%s", error_text(&none)) : 0;
}

static int read_task(struct db_conn *c, const struct relocate *m, struct migration_view *v,
                     struct host_task_row *ret_task, struct error *e)
{
    bool at_source, found = false;
    const char *kind = migration_task(v->step, &at_source);
    int rc = kind ? store_host_task_of(c, m->row.id, kind, m->arena, ret_task, &found, e) : 0;
    if (rc || !found)
        return rc;
    v->task = ret_task->state == HOST_TASK_DONE     ? MIGRATION_TASK_DONE
              : ret_task->state == HOST_TASK_FAILED ? MIGRATION_TASK_FAILED
                                                    : MIGRATION_TASK_OPEN;
    return 0;
}

static int view(struct db_conn *c, struct look *l, struct migration_view *v, struct host_task_row *task,
                struct error *e)
{
    const struct relocate *m = l->m;
    const struct migration_row *row = &m->row;
    enum server_power rest;
    struct resources more;
    *v =
        (struct migration_view){.kind = row->kind, .step = row->step, .outcome = row->outcome, .request = row->request};
    v->placed = row->target_host != NULL;
    v->same_host = v->placed && strcmp(row->target_host, row->source_host) == 0;
    v->in_place = v->same_host && row->kind == MIGRATION_RESIZE && resize_is_in_place(row->options);
    v->plugs = v->in_place && row->step == MIGRATION_QUEUED &&
               resize_way_of(row->old_flavor, row->new_flavor, &more) == RESIZE_PLUG;
    v->shares = relocate_shares(row);
    v->refused = l->refusal != NULL;
    v->server_gone = m->gone;
    v->server_wanted = !m->gone && m->server.desired_exists;
    v->server_rests = !m->gone && m->server.observed_revision >= m->server.desired_revision &&
                      server_power_of(m->server.observed_state, &rest) && rest == m->server.desired_power;
    v->troubled = row->message != NULL;
    v->server_failed = row->message != NULL || (!m->gone && m->server.fault_code != 0);
    if (row->step == MIGRATION_SENDING || row->kind == MIGRATION_EVACUATION) {
        int rc = store_host_work_is_off(c, row->source_host, m->now_us, &v->source_off, NULL, m->arena, e);
        if (rc)
            return rc;
    }
    v->overdue = row->deadline_us != 0 && row->deadline_us <= m->now_us;
    return read_task(c, m, v, task, e);
}

static int decide(struct db_conn *c, struct look *l, struct host_task_row *task, struct error *e)
{
    struct migration_view v;
    int rc = view(c, l, &v, task, e);
    if (!rc)
        migration_next(&v, &l->move);
    if (!rc && v.task == MIGRATION_TASK_DONE && task->result)
        l->m->row.hint = task->result;
    if (!rc && v.task == MIGRATION_TASK_FAILED && l->m->row.message == NULL)
        l->m->row.message = task->message;
    if (!rc && v.kind == MIGRATION_EVACUATION && !v.source_off && l->m->row.message == NULL && l->move.resumes_source)
        l->m->row.message = "Its host is heard again: it is not off";
    if (!rc && v.overdue && l->m->row.message == NULL && l->move.outcome == MIGRATION_FAILED)
        l->m->row.message = arena_printf(l->m->arena, "It was not done with '%s' in time", migration_step_name(v.step));
    return rc;
}

static bool forces(const struct look *l, const struct host_task_row *task)
{
    return l->m->row.request == MIGRATION_FORCE && l->m->row.step == MIGRATION_SENDING &&
           task->state == HOST_TASK_OPEN && task->id;
}

/* The source reads its task again, and finds that it is to end soon. */
static int force(struct db_conn *c, const struct relocate *m, const struct host_task_row *task, struct error *e)
{
    int rc = store_migration_ask(c, m->row.id, MIGRATION_NO_REQUEST, e);
    rc = rc ? rc : store_migration_set_options(c, m->row.id, relocate_force(m->row.options, m->arena), e);
    return rc ? rc : store_host_task_change(c, task->id, task->host_id, task->args, e);
}

static int write(struct db_conn *c, void *arg, struct error *e)
{
    struct look *l = arg;
    struct dispatch *d = l->m->dispatch;
    struct host_task_row task = {.state = HOST_TASK_DONE};
    int rc = lease_check(c, "scheduler", d->holder, d->epoch, e);
    rc = rc ? rc : load(c, l->m, l->m->row.id, e);
    if (!rc && l->refusal)
        l->m->row.message = l->refusal;
    rc = rc ? rc : decide(c, l, &task, e);
    if (!rc && l->move.cancels_task && task.state == HOST_TASK_OPEN)
        rc = store_host_task_cancel(c, task.id, task.host_id, e);
    if (!rc && forces(l, &task))
        rc = force(c, l->m, &task, e);
    return rc || !l->move.changed ? rc : relocate_step(c, l->m, &l->move, e);
}

/* Takes one step if there is one. */
static int turn(struct relocate *m, bool *ret_moved, struct error *e)
{
    struct db_conn *c = m->dispatch->conn;
    struct look l = {.m = m};
    struct host_task_row task = {0};
    bool placed = false;
    int rc = load(c, m, m->row.id, e);
    rc = rc ? rc : decide(c, &l, &task, e);
    if (!rc && !l.move.changed && m->row.step == MIGRATION_QUEUED && !m->row.target_host) {
        rc = relocate_place(m, &placed, &l.refusal, e);
        l.move.changed = placed || l.refusal;
    }
    if (rc || (!l.move.changed && !forces(&l, &task) && !(l.move.cancels_task && task.state == HOST_TASK_OPEN)))
        return rc;
    rc = db_transact(c, write, &l, e);
    *ret_moved = !rc && l.move.changed;
    if (*ret_moved)
        log_info("migration moves", "migration=%lld server=%s step=%s outcome=%s", (long long)m->row.id,
                 m->row.server_id, migration_step_name(l.move.step), migration_outcome_name(l.move.outcome));
    return rc;
}

static int run_one(struct dispatch *d, const struct relocate_settings *settings, int64_t id, struct error *e)
{
    struct arena a;
    bool moved = true;
    int rc = 0;
    arena_init(&a);
    while (!rc && moved) {
        struct relocate m = {
            .dispatch = d, .settings = settings, .arena = &a, .now_us = clock_now_us(), .row = {.id = id}};
        moved = false;
        arena_reset(&a);
        rc = turn(&m, &moved, e);
    }
    arena_done(&a);
    return rc;
}

int relocate_run(struct dispatch *d, const struct relocate_settings *settings, struct error *e)
{
    struct arena a;
    int64_t *ids = NULL;
    size_t count = 0;
    if (!d->leader)
        return 0;
    arena_init(&a);
    int rc = store_migration_open(d->conn, &a, &ids, &count, e);
    for (size_t i = 0; !rc && i < count; i++) {
        struct error failure = {0};
        int failed = run_one(d, settings, ids[i], &failure);
        if (failed == ERR_CONFLICT || failed == ERR_UNAVAILABLE)
            rc = error_set(e, failed, "%s", error_text(&failure));
        else if (failed)
            log_error("migration cannot be moved", "migration=%lld error=\"%s\"", (long long)ids[i],
                      error_text(&failure));
    }
    arena_done(&a);
    if (rc == ERR_CONFLICT)
        d->leader = false;
    return rc;
}
