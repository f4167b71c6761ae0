/* Each turn looks at the servers that are still on the host. A server is tried live, then cold; when both failed it is
 * left for a while. One that is shelved leaves by itself, one that its hypervisor cannot move is not tried. The drain
 * is done when the host is empty, and stuck when nothing is on its way and what is left cannot go now; it goes on by
 * itself when it can. */
#include "scheduler/flows/drain.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"
#include "db/lease.h"
#include "db/store_host_leave.h"
#include "db/store_migration_begin.h"
#include "db/store_server_shelf.h"
#include <stdio.h>
#include <string.h>

#define DRAIN_LOOK 1000 /* servers of a host that one turn looks at */

struct drain {
    struct dispatch *dispatch;
    const struct drain_settings *settings;
    struct host_drain_row row;
    struct arena arena;
    int64_t now_us;
    bool evacuates; /* the host is off: rebuild, do not move */
    struct host_row host;
    struct server_row *servers;
    size_t count, room;
    int64_t leaving; /* shelved ones that need no migration */
};
struct shelved {
    struct drain *drain;
    const char *server_id;
};

static int collect(void *arg, const struct server_row *row, struct error *e)
{
    struct drain *d = arg;
    (void)e;
    d->servers = arena_more(&d->arena, d->servers, d->count, &d->room, sizeof(*d->servers));
    struct server_row *s = &d->servers[d->count++];
    *s = *row;
    s->id = arena_strdup(&d->arena, row->id);
    s->image_id = row->image_id ? arena_strdup(&d->arena, row->image_id) : NULL;
    s->metadata = arena_strdup(&d->arena, row->metadata);
    s->flavor_extra = arena_strdup(&d->arena, row->flavor_extra);
    return 0;
}

/* It leaves without a migration: what its host has of it is removed, its disk is an image. */
static int hasten(struct db_conn *c, void *arg, struct error *e)
{
    const struct shelved *s = arg;
    int rc = lease_check(c, "scheduler", s->drain->dispatch->holder, s->drain->dispatch->epoch, e);
    return rc ? rc : store_server_shelf_hasten(c, s->server_id, s->drain->now_us, e);
}

/* One on the shelf leaves now, one on its way there or back is waited for. A dead host is not waited for. */
static int leave_shelf(struct drain *d, const struct server_row *row, struct error *e)
{
    struct shelved s = {.drain = d, .server_id = row->id};
    bool due =
        row->operation == SERVER_OPERATION_SHELVED || (row->operation == SERVER_OPERATION_OFFLOADING && d->evacuates);
    d->leaving += d->evacuates || d->now_us - row->host_seen_us <= STORE_HOST_ALIVE_US;
    return due ? db_transact(d->dispatch->conn, hasten, &s, e) : 0;
}

/* How it may go now: false when it cannot. */
static int choose(struct drain *d, const struct server_row *row, struct migration_wish *ret, bool *ret_can,
                  struct error *e)
{
    int kind = -1;
    const char *message = NULL, *bar = NULL;
    int64_t tried_us = 0;
    bool live = (row->observed_state == SERVER_STATE_RUNNING || row->observed_state == SERVER_STATE_PAUSED) &&
                store_host_leave_lives(&d->host);
    *ret_can = false;
    if (!row->desired_exists || server_operation_moves(row->operation))
        return 0;
    if (server_operation_shelves(row->operation))
        return leave_shelf(d, row, e);
    int rc = store_host_leave_bar(d->dispatch->conn, row, &d->host, d->evacuates, &d->arena, &bar, e);
    if (rc || bar)
        return rc;
    rc = store_host_work_last_try(d->dispatch->conn, &d->row, row->id, &d->arena, &kind, &message, &tried_us, e);
    bool fresh = kind >= 0 && d->now_us - tried_us < d->settings->retry_us;
    if (d->evacuates) {
        *ret = (struct migration_wish){
            .kind = MIGRATION_EVACUATION, .action = SERVER_ACTION_EVACUATE, .operation = OPERATION_EVACUATE};
        *ret_can = !rc && !fresh;
        return rc;
    }
    if (fresh && kind == 1) /* live has just failed */
        live = false;
    else if (fresh)
        return rc;
    *ret = live ? (struct migration_wish){.kind = MIGRATION_LIVE,
                                          .action = SERVER_ACTION_LIVE_MIGRATION,
                                          .operation = OPERATION_LIVE_MIGRATION}
                : (struct migration_wish){
                      .kind = MIGRATION_COLD, .action = SERVER_ACTION_RESIZE, .operation = OPERATION_MIGRATE};
    *ret_can = !rc;
    return rc;
}

struct beginning {
    struct drain *drain;
    const char *server_id;
    struct migration_wish wish;
    bool begun;
};

static int begin(struct db_conn *c, void *arg, struct error *e)
{
    struct beginning *b = arg;
    struct drain *d = b->drain;
    struct server_row row;
    struct error refused = {0};
    char request[48] = "req-", id[UUID_SIZE];
    strncat(request, uuid_random(id), sizeof(request) - 5);
    struct migration_actor actor = {.request_id = request, .user_id = d->row.user_id, .project_id = d->row.project_id};
    int rc = lease_check(c, "scheduler", d->dispatch->holder, d->dispatch->epoch, e);
    rc = rc ? rc : store_server_get(c, b->server_id, &d->arena, &row, e);
    if (rc || !row.host_id || strcmp(row.host_id, d->row.host_id) != 0)
        return rc;
    b->wish.drain_host = d->row.host_id;
    rc = store_migration_begin(c, &row, &b->wish, &actor, d->now_us, &d->arena, &refused);
    b->begun = rc == 0;
    return rc == ERR_CONFLICT ? 0 : rc ? error_set(e, rc, "%s", error_text(&refused)) : 0;
}

static int begin_some(struct drain *d, int64_t room, int64_t *ret_begun, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < d->count && *ret_begun < room; i++) {
        struct beginning b = {.drain = d, .server_id = d->servers[i].id};
        struct error failure = {0};
        bool can;
        rc = choose(d, &d->servers[i], &b.wish, &can, e);
        if (rc || !can)
            continue;
        int failed = db_transact(d->dispatch->conn, begin, &b, &failure);
        if (failed == ERR_CONFLICT || failed == ERR_UNAVAILABLE)
            rc = error_set(e, failed, "%s", error_text(&failure));
        else if (failed && failed != ERR_NOT_FOUND)
            log_warn("server cannot leave its host", "server=%s error=\"%s\"", b.server_id, error_text(&failure));
        *ret_begun += b.begun;
    }
    return rc;
}

struct ending {
    struct drain *drain;
    enum host_drain_state state;
};

static int end(struct db_conn *c, void *arg, struct error *e)
{
    const struct ending *x = arg;
    struct dispatch *d = x->drain->dispatch;
    int rc = lease_check(c, "scheduler", d->holder, d->epoch, e);
    return rc ? rc : store_host_work_set_drain(c, x->drain->row.host_id, x->state, x->drain->now_us, e);
}

static int turn(struct drain *d, struct error *e)
{
    struct host_drain_figures figures;
    struct server_query q = {.sort = SERVER_SORT_CREATED, .ascending = true, .host = d->row.host_id};
    int64_t begun = 0;
    q.limit = DRAIN_LOOK;
    int rc = store_host_work_is_off(d->dispatch->conn, d->row.host_id, d->now_us, &d->evacuates, NULL, &d->arena, e);
    rc = rc ? rc : store_host_get(d->dispatch->conn, d->row.host_id, &d->arena, &d->host, e);
    rc = rc ? rc : store_server_list(d->dispatch->conn, &q, collect, d, e);
    rc = rc ? rc : store_host_work_figures(d->dispatch->conn, &d->row, &figures, e);
    if (!rc && (d->evacuates || !d->row.while_off))
        rc = begin_some(d, d->row.parallel - figures.moving, &begun, e);
    if (rc)
        return rc;
    struct ending x = {.drain = d, .state = HOST_DRAIN_RUNNING};
    if (figures.moving == 0 && (figures.left == 0 || (d->row.while_off && !d->evacuates)))
        x.state = HOST_DRAIN_DONE;
    else if (figures.moving == 0 && begun == 0 && d->leaving == 0)
        x.state = HOST_DRAIN_STUCK;
    if (x.state == d->row.state)
        return 0;
    log_info("drain", "host=%s state=%s moved=%lld left=%lld", d->row.host_id, store_host_work_drain_name(x.state),
             (long long)figures.moved, (long long)figures.left);
    return db_transact(d->dispatch->conn, end, &x, e);
}

struct drains {
    struct arena arena;
    struct host_drain_row *rows;
    size_t count, room;
};

static int add(void *arg, const struct host_drain_row *row, struct error *e)
{
    struct drains *all = arg;
    (void)e;
    all->rows = arena_more(&all->arena, all->rows, all->count, &all->room, sizeof(*all->rows));
    struct host_drain_row *copy = &all->rows[all->count++];
    *copy = *row;
    copy->host_id = arena_strdup(&all->arena, row->host_id);
    copy->user_id = arena_strdup(&all->arena, row->user_id);
    copy->project_id = arena_strdup(&all->arena, row->project_id);
    return 0;
}

int drain_run(struct dispatch *dispatch, const struct drain_settings *settings, struct error *e)
{
    struct drains all = {.count = 0};
    if (!dispatch->leader)
        return 0;
    arena_init(&all.arena);
    int rc = store_host_work_drains(dispatch->conn, add, &all, e);
    for (size_t i = 0; !rc && i < all.count; i++) {
        struct drain d = {.dispatch = dispatch, .settings = settings, .row = all.rows[i], .now_us = clock_now_us()};
        arena_init(&d.arena);
        rc = turn(&d, e);
        arena_done(&d.arena);
    }
    arena_done(&all.arena);
    if (rc == ERR_CONFLICT)
        dispatch->leader = false;
    return rc;
}
