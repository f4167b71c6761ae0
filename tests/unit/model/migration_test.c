/* Migrations' steps: the usual ways, and a walk over everything that may happen, in which no server is ever without an
 * owner and every migration comes to its end. */
#include "common/model/migration.h"
#include "tests/unit/check.h"

TEST("words are read as they are written")
{
    for (int i = 0; i < MIGRATION_KIND_COUNT; i++)
        CHECK_INT(migration_kind_parse(migration_kind_name((enum migration_kind)i)), i);
    for (int i = 0; i < MIGRATION_STEP_COUNT; i++)
        CHECK_INT(migration_step_parse(migration_step_name((enum migration_step)i)), i);
    for (int i = 0; i < MIGRATION_OUTCOME_COUNT; i++)
        CHECK_INT(migration_outcome_parse(migration_outcome_name((enum migration_outcome)i)), i);
    for (int i = 0; i < MIGRATION_REQUEST_COUNT; i++)
        CHECK_INT(migration_request_parse(migration_request_name((enum migration_request)i)), i);
    CHECK_INT(migration_step_parse("juggle"), -1);
    CHECK_INT(migration_kind_parse(NULL), -1);
}

/* A migration with its two hosts and its server, whose luck is drawn. */
struct world {
    struct migration_view v;
    bool on_target;
    unsigned switches;
    unsigned seed;
};

static unsigned draw(struct world *w, unsigned below)
{
    w->seed = w->seed * 1103515245u + 12345u;
    return (w->seed >> 16) % below;
}

static void enter(struct world *w, const struct migration_move *m)
{
    bool at_source;
    w->v.step = m->step;
    w->v.outcome = m->outcome;
    w->v.task = migration_task(m->step, &at_source) ? MIGRATION_TASK_OPEN : MIGRATION_TASK_NONE;
    w->v.server_rests = w->v.server_failed = w->v.overdue = false;
    if (m->switches) {
        w->on_target = !w->on_target;
        w->switches++;
    }
}

static void happen(struct world *w, bool calm)
{
    struct migration_view *v = &w->v;
    if (v->task == MIGRATION_TASK_OPEN && draw(w, 2))
        v->task = calm || draw(w, 4) ? MIGRATION_TASK_DONE : MIGRATION_TASK_FAILED;
    if (v->step == MIGRATION_QUEUED && draw(w, 2)) {
        v->placed = calm || draw(w, 4);
        v->refused = !v->placed;
        v->same_host = v->placed && v->kind == MIGRATION_RESIZE && draw(w, 4) == 0;
        v->in_place = v->same_host && draw(w, 2);
        v->plugs = v->in_place && draw(w, 2);
        v->shares = v->placed && draw(w, 2);
    }
    if (!calm && v->kind == MIGRATION_EVACUATION && draw(w, 40) == 0)
        v->source_off = false; /* its host is back */
    if (draw(w, 2))
        v->server_rests = true;
    if (calm)
        return;
    v->server_failed = v->server_failed || draw(w, 12) == 0;
    v->overdue = v->overdue || (migration_limit_us(v->step) && draw(w, 12) == 0);
    if (draw(w, 10) == 0)
        v->request = (enum migration_request)draw(w, MIGRATION_REQUEST_COUNT);
    if (draw(w, 30) == 0)
        v->server_wanted = false;
    if (!v->server_wanted && draw(w, 4) == 0)
        v->server_gone = true;
}

/* The end of it. */
static struct world run(enum migration_kind kind, unsigned seed, bool calm, enum migration_request at_verify)
{
    struct world w = {.v = {.kind = kind, .server_wanted = true, .source_off = kind == MIGRATION_EVACUATION},
                      .seed = seed};
    for (int i = 0; i < 10000 && w.v.step != MIGRATION_DONE; i++) {
        struct migration_move m;
        happen(&w, calm);
        if (w.v.step == MIGRATION_VERIFYING && w.v.request == MIGRATION_NO_REQUEST)
            w.v.request = at_verify;
        if (!w.v.server_wanted && w.v.step == MIGRATION_VERIFYING)
            w.v.server_gone = true; /* its owner removes it */
        migration_next(&w.v, &m);
        CHECK(!m.switches || m.changed);
        CHECK(!m.resumes_source || !w.on_target);
        CHECK(!m.switches || kind != MIGRATION_EVACUATION || w.v.source_off);
        CHECK(migration_status(kind, m.step, m.outcome) != NULL);
        if (m.changed)
            enter(&w, &m);
    }
    return w;
}

TEST("in good weather a migration moves its server once and is completed")
{
    for (int kind = 0; kind < MIGRATION_KIND_COUNT; kind++) {
        struct world w = run((enum migration_kind)kind, 7, true, MIGRATION_CONFIRM);
        CHECK_INT(w.v.step, MIGRATION_DONE);
        CHECK_INT(w.v.outcome, MIGRATION_COMPLETED);
        CHECK_INT(w.switches, 1);
    }
}

TEST("a server is evacuated with its disks where these can be reached, and not at all once its host is heard again")
{
    struct migration_view v = {
        .kind = MIGRATION_EVACUATION, .placed = true, .shares = true, .server_wanted = true, .source_off = true};
    struct migration_move m;
    bool at_source = true;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_ADOPTING && !m.switches);
    CHECK_TEXT(migration_task(m.step, &at_source), "adopt");
    CHECK(!at_source);
    v.step = m.step;
    v.task = MIGRATION_TASK_DONE;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_STARTING && m.switches);
    v.source_off = false;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_UNDOING && m.outcome == MIGRATION_FAILED && m.resumes_source && !m.switches);
    v.step = MIGRATION_QUEUED;
    v.task = MIGRATION_TASK_NONE;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_UNDOING && m.outcome == MIGRATION_FAILED && m.resumes_source && !m.switches);
    v.placed = false;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_DONE && m.outcome == MIGRATION_FAILED && m.resumes_source);
}

TEST("a resize in place goes on under the running guest, and so it goes back")
{
    struct migration_view v = {
        .kind = MIGRATION_RESIZE, .placed = true, .same_host = true, .in_place = true, .server_wanted = true};
    struct migration_move m;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_STARTING && m.switches);
    v.step = m.step;
    v.server_rests = true;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_VERIFYING && !m.switches);
    v.step = m.step;
    v.request = MIGRATION_CONFIRM;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_DONE && m.outcome == MIGRATION_COMPLETED);
    v.request = MIGRATION_REVERT;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_BACK_STARTING && m.outcome == MIGRATION_REVERTED && m.switches);
    v.step = MIGRATION_STARTING;
    v.request = MIGRATION_NO_REQUEST;
    v.server_failed = v.troubled = true; /* its host could not, and what runs is as it was */
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_BACK_STARTING && m.outcome == MIGRATION_FAILED && m.switches);
    v.in_place = false;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_VERIFYING);
}

TEST("a guest that gets a disk in place is left alone until that is made, and for good when it cannot be")
{
    struct migration_view v = {.kind = MIGRATION_RESIZE,
                               .placed = true,
                               .same_host = true,
                               .in_place = true,
                               .plugs = true,
                               .server_wanted = true};
    struct migration_move m;
    bool at_source = false;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_FITTING && !m.switches);
    CHECK_TEXT(migration_task(m.step, &at_source), "fit");
    v.step = m.step;
    v.task = MIGRATION_TASK_OPEN;
    migration_next(&v, &m);
    CHECK(!m.changed);
    v.task = MIGRATION_TASK_DONE;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_STARTING && m.switches);
    v.task = MIGRATION_TASK_FAILED;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_DONE && m.outcome == MIGRATION_FAILED && m.resumes_source && !m.switches);
}

TEST("a reverted one moves its server there and back")
{
    struct world w = run(MIGRATION_RESIZE, 7, true, MIGRATION_REVERT);
    CHECK_INT(w.v.outcome, MIGRATION_REVERTED);
    CHECK_INT(w.switches, 2);
    CHECK_TEXT(migration_status(MIGRATION_RESIZE, w.v.step, w.v.outcome), "reverted");
}

TEST("whatever happens it ends, and its server has the owner that the outcome says")
{
    for (unsigned seed = 1; seed <= 20000; seed++) {
        struct world w = run((enum migration_kind)(seed % MIGRATION_KIND_COUNT), seed * 2654435761u, false,
                             seed % 2 ? MIGRATION_CONFIRM : MIGRATION_REVERT);
        CHECK_INT(w.v.step, MIGRATION_DONE);
        CHECK(w.v.outcome != MIGRATION_OPEN);
        CHECK(w.switches <= 2);
        if (w.v.outcome == MIGRATION_COMPLETED)
            CHECK(w.on_target);
        if (w.v.outcome == MIGRATION_REVERTED)
            CHECK(!w.on_target || w.v.server_gone);
        if (w.v.outcome == MIGRATION_FAILED && w.v.kind != MIGRATION_EVACUATION)
            CHECK(!w.on_target || w.v.server_gone);
    }
}

TEST("a guest that left and did not arrive is started again only when nothing of it is left there")
{
    struct migration_view v = {.kind = MIGRATION_LIVE,
                               .step = MIGRATION_ARRIVING,
                               .placed = true,
                               .server_wanted = true,
                               .task = MIGRATION_TASK_FAILED};
    struct migration_move m;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_RECALLING && !m.resumes_source && !m.switches);
    v.step = m.step;
    v.outcome = m.outcome;
    v.task = MIGRATION_TASK_OPEN;
    migration_next(&v, &m);
    CHECK(!m.changed);
    v.task = MIGRATION_TASK_DONE;
    migration_next(&v, &m);
    CHECK(m.step == MIGRATION_DONE && m.resumes_source && m.outcome == MIGRATION_FAILED);
}

TEST("a source that is proved off is not waited for")
{
    struct migration_view v = {.kind = MIGRATION_LIVE,
                               .step = MIGRATION_SENDING,
                               .placed = true,
                               .server_wanted = true,
                               .source_off = true,
                               .task = MIGRATION_TASK_OPEN};
    struct migration_move m;
    migration_next(&v, &m);
    CHECK(m.changed && m.step == MIGRATION_ARRIVING && !m.cancels_task);
}

TEST("a guest that has left its source is not called back")
{
    struct migration_view v = {.kind = MIGRATION_LIVE,
                               .step = MIGRATION_ARRIVING,
                               .placed = true,
                               .server_wanted = true,
                               .request = MIGRATION_ABORT,
                               .task = MIGRATION_TASK_OPEN};
    struct migration_move m;
    migration_next(&v, &m);
    CHECK(!m.changed && !m.cancels_task);
    v.step = MIGRATION_SENDING;
    migration_next(&v, &m);
    CHECK(!m.changed && m.cancels_task);
    v.step = MIGRATION_READYING;
    migration_next(&v, &m);
    CHECK(m.changed && m.step == MIGRATION_UNDOING && m.outcome == MIGRATION_CANCELLED && m.resumes_source);
}
