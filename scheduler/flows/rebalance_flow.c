/* Happy path: a plan is asked for, made and shown; when it is applied its moves begin in order, a few at a time, as
 * migrations to the planned hosts, which placement checks once more; when all have ended it is done.
 *
 * Failure modes: a server that is not where the plan found it, or is in the middle of something, is left; a migration
 * that fails is said with its reason, and the others go on. Whoever leads goes on from the rows. An automatic plan is
 * made only when none is open, moves no server twice within `rest_us`, and is not written when it has no moves. */
#include "scheduler/flows/rebalance_flow.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"
#include "db/lease.h"
#include "db/store_migration_begin.h"
#include "db/store_rebalance.h"
#include <string.h>

struct turn {
    struct rebalance_state *state;
    struct dispatch *d;
    const struct rebalance_settings *settings;
    struct arena arena;
    int64_t now_us;
};

struct planning {
    struct turn *t;
    struct rebalance_row row;
    struct rebalance_pool pool;
    struct rebalance_names names;
    struct rebalance_move *moves;
    size_t count, emptied;
};

/* ---- planning ---- */

static int write_plan(struct db_conn *c, void *arg, struct error *e)
{
    struct planning *x = arg;
    struct turn *t = x->t;
    int rc = lease_check(c, DISPATCH_LEASE, t->d->holder, t->d->epoch, e);
    if (!rc && x->row.id == 0)
        rc = store_rebalance_insert(c, &x->row, e);
    else if (!rc)
        rc = store_rebalance_set(c, &x->row, "asked", e);
    for (size_t i = 0; !rc && i < x->count; i++) {
        const struct rebalance_move *m = &x->moves[i];
        struct rebalance_move_row row = {.rebalance_id = x->row.id,
                                         .number = (int64_t)i + 1,
                                         .server_id = x->names.servers[m->server],
                                         .source_host = x->names.hosts[m->from],
                                         .target_host = x->names.hosts[m->to],
                                         .before_permille = m->before_permille,
                                         .after_permille = m->after_permille,
                                         .target_permille = m->target_permille,
                                         .state = "planned",
                                         .updated_us = t->now_us};
        rc = store_rebalance_add(c, &row, e);
    }
    return rc;
}

static int64_t count_hot(const struct planning *x)
{
    int64_t hot = 0;
    for (size_t i = 0; i < x->pool.host_count; i++)
        hot += rebalance_load(&x->pool.hosts[i]) > x->t->settings->limits.hot_permille;
    return hot;
}

static const char *describe(const struct planning *x)
{
    struct arena *a = &x->t->arena;
    int64_t hot = count_hot(x), in_use = 0;
    for (size_t i = 0; i < x->pool.host_count; i++)
        in_use += x->pool.hosts[i].servers > 0;
    const char *text =
        strcmp(x->row.goal, "relieve") == 0
            ? arena_printf(a, "%lld of %zu hosts are above %lld %%; %zu moves relieve them", (long long)hot,
                           x->pool.host_count, (long long)x->t->settings->limits.hot_permille / 10, x->count)
            : arena_printf(a, "%zu moves empty %zu of the %lld hosts in use", x->count, x->emptied, (long long)in_use);
    return x->names.barred == 0
               ? text
               : arena_printf(a, "%s; %lld cannot be moved: %s", text, (long long)x->names.barred, x->names.bar);
}

static int plan(struct planning *x, struct error *e)
{
    struct turn *t = x->t;
    bool consolidates = strcmp(x->row.goal, "consolidate") == 0;
    int rc = feed_refresh(&t->d->feed, t->d->conn, t->now_us, e);
    rc = rc ? rc
            : rebalance_read(t->d, t->settings, consolidates, x->row.automatic, t->now_us, &t->arena, &x->pool,
                             &x->names, e);
    if (rc)
        return rc;
    struct placement *p = t->d->feed.placement;
    x->moves = arena_array(&t->arena, t->settings->limits.moves + 1, sizeof(*x->moves));
    x->count = consolidates ? rebalance_consolidate(p, &x->pool, &t->settings->limits, x->moves, &x->emptied)
                            : rebalance_relieve(p, &x->pool, &t->settings->limits, x->moves);
    t->state->hot = count_hot(x);
    x->row.emptied = (int64_t)x->emptied;
    x->row.message = describe(x);
    x->row.updated_us = t->now_us;
    return 0;
}

static int plan_asked(struct turn *t, const struct rebalance_row *asked, struct error *e)
{
    struct planning x = {.t = t, .row = *asked};
    int rc = plan(&x, e);
    x.row.state = "planned";
    t->state->plans++;
    return rc ? rc : db_transact(t->d->conn, write_plan, &x, e);
}

static int plan_by_itself(struct turn *t, struct error *e)
{
    int64_t begun = 0;
    if (strcmp(t->settings->automatic, "off") == 0 || t->now_us - t->state->planned_us < t->settings->period_us)
        return 0;
    t->state->planned_us = t->now_us;
    struct planning x = {.t = t,
                         .row = {.goal = t->settings->automatic,
                                 .state = "applying",
                                 .automatic = true,
                                 .user_id = "",
                                 .project_id = "",
                                 .created_us = t->now_us}};
    int rc = store_rebalance_begun(t->d->conn, t->now_us - 3600 * CLOCK_SECOND_US, &begun, e);
    if (rc || begun >= t->settings->an_hour)
        return rc;
    rc = plan(&x, e);
    if (rc || x.count == 0)
        return rc;
    t->state->plans++;
    log_info("rebalancing by itself", "goal=%s plan=\"%s\"", x.row.goal, x.row.message);
    return db_transact(t->d->conn, write_plan, &x, e);
}

/* ---- applying ---- */

struct beginning {
    struct turn *t;
    const struct rebalance_row *plan;
    struct rebalance_move_row *move;
};

static int leave(struct db_conn *c, struct rebalance_move_row *m, const char *state, const char *why, struct error *e)
{
    m->state = state;
    m->message = why;
    return store_rebalance_set_move(c, m, e);
}

static int begin_migration(struct db_conn *c, struct beginning *b, struct server_row *server, struct error *e)
{
    struct rebalance_move_row *m = b->move;
    struct migration_row migration;
    struct error refused = {0};
    struct arena *a = &b->t->arena;
    bool live = server->observed_state == SERVER_STATE_RUNNING || server->observed_state == SERVER_STATE_PAUSED;
    struct migration_wish wish = {.kind = live ? MIGRATION_LIVE : MIGRATION_COLD,
                                  .action = live ? SERVER_ACTION_LIVE_MIGRATION : SERVER_ACTION_RESIZE,
                                  .operation = live ? OPERATION_LIVE_MIGRATION : OPERATION_MIGRATE,
                                  .wanted_host = m->target_host,
                                  .drain_host = m->source_host}; /* it confirms itself */
    char request[48] = "req-", id[UUID_SIZE];
    strncat(request, uuid_random(id), sizeof(request) - 5);
    struct migration_actor actor = {
        .request_id = request, .user_id = b->plan->user_id, .project_id = b->plan->project_id};
    int rc = store_migration_begin(c, server, &wish, &actor, b->t->now_us, a, &refused);
    if (rc == ERR_CONFLICT)
        return leave(c, m, "left", arena_strdup(a, error_text(&refused)), e);
    if (rc)
        return error_set(e, rc, "%s", error_text(&refused));
    rc = store_migration_of_server(c, server->id, a, &migration, e);
    if (rc)
        return rc;
    m->migration_id = migration.id;
    return leave(c, m, "moving", NULL, e);
}

static int begin(struct db_conn *c, void *arg, struct error *e)
{
    struct beginning *b = arg;
    struct rebalance_move_row *m = b->move;
    struct server_row server;
    struct error none = {0};
    m->updated_us = b->t->now_us;
    int rc = lease_check(c, DISPATCH_LEASE, b->t->d->holder, b->t->d->epoch, e);
    if (rc)
        return rc;
    rc = store_server_get(c, m->server_id, &b->t->arena, &server, &none);
    if (rc == ERR_NOT_FOUND)
        return leave(c, m, "left", "the server is gone", e);
    if (rc)
        return error_set(e, rc, "%s", error_text(&none));
    if (!server.host_id || strcmp(server.host_id, m->source_host) != 0)
        return leave(c, m, "left", "the server is on another host by now", e);
    return begin_migration(c, b, &server, e);
}

struct writing {
    struct turn *t;
    struct rebalance_move_row *move;
    struct rebalance_row *plan;
};

static int write(struct db_conn *c, void *arg, struct error *e)
{
    const struct writing *w = arg;
    int rc = lease_check(c, DISPATCH_LEASE, w->t->d->holder, w->t->d->epoch, e);
    if (!rc && w->move)
        rc = store_rebalance_set_move(c, w->move, e);
    return rc || !w->plan ? rc : store_rebalance_set(c, w->plan, "applying", e);
}

/* The migration decided who owns the server. */
static int follow(struct turn *t, struct rebalance_move_row *m, struct error *e)
{
    struct migration_row row;
    struct writing w = {.t = t, .move = m};
    int rc = store_migration_get(t->d->conn, m->migration_id, &t->arena, &row, e);
    if (rc || (row.step != MIGRATION_CLEARING && row.step != MIGRATION_UNDOING && row.step != MIGRATION_DONE))
        return rc;
    bool good = row.outcome == MIGRATION_COMPLETED;
    m->state = good ? "moved" : "failed";
    m->message = good ? NULL : row.message ? row.message : "the migration did not come about";
    m->updated_us = t->now_us;
    t->state->moves += good;
    return db_transact(t->d->conn, write, &w, e);
}

static bool is_in(const struct rebalance_move_row *m, const char *state)
{
    return strcmp(m->state, state) == 0;
}

static int apply(struct turn *t, struct rebalance_row *row, struct error *e)
{
    struct rebalance_move_row *moves = NULL;
    size_t count = 0;
    int64_t moving = 0, waiting = 0, begun = 0;
    int rc = store_rebalance_moves(t->d->conn, row->id, &t->arena, &moves, &count, e);
    if (!rc && row->automatic)
        rc = store_rebalance_begun(t->d->conn, t->now_us - 3600 * CLOCK_SECOND_US, &begun, e);
    for (size_t i = 0; !rc && i < count; i++) {
        if (is_in(&moves[i], "moving"))
            rc = follow(t, &moves[i], e);
        moving += is_in(&moves[i], "moving");
    }
    for (size_t i = 0; !rc && i < count; i++) {
        struct beginning b = {.t = t, .plan = row, .move = &moves[i]};
        bool may = moving < t->settings->parallel && (!row->automatic || begun < t->settings->an_hour);
        if (is_in(&moves[i], "planned") && may) {
            rc = db_transact(t->d->conn, begin, &b, e);
            moving += is_in(&moves[i], "moving");
            begun += is_in(&moves[i], "moving");
        }
        waiting += is_in(&moves[i], "planned");
    }
    if (rc || moving > 0 || (waiting > 0 && !row->automatic))
        return rc;
    if (waiting > 0 && t->now_us - row->created_us < 600 * CLOCK_SECOND_US) /* the hour's limit */
        return 0;
    struct writing w = {.t = t, .plan = row};
    row->state = "done";
    row->updated_us = t->now_us;
    return db_transact(t->d->conn, write, &w, e);
}

int rebalance_flow_run(struct rebalance_state *state, struct dispatch *d, const struct rebalance_settings *settings,
                       struct error *e)
{
    struct turn t = {.state = state, .d = d, .settings = settings, .now_us = clock_now_us()};
    struct rebalance_row row;
    bool found = false;
    if (!d->leader)
        return 0;
    arena_init(&t.arena);
    int rc = store_rebalance_open(d->conn, &t.arena, &row, &found, e);
    if (!rc && found)
        rc = strcmp(row.state, "asked") == 0 ? plan_asked(&t, &row, e) : apply(&t, &row, e);
    else if (!rc)
        rc = plan_by_itself(&t, e);
    arena_done(&t.arena);
    if (rc == ERR_CONFLICT)
        d->leader = false;
    return rc == ERR_PRECONDITION ? 0 : rc; /* cancelled meanwhile */
}
