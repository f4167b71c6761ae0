/* Steps of migrations as a table, and the one function that says what follows. */
#include "common/model/migration.h"
#include <assert.h>
#include <stddef.h>
#include <string.h>

#define MINUTE_US ((int64_t)60 * 1000000)

static const char *const kind_names[MIGRATION_KIND_COUNT] = {"migration", "resize", "live-migration", "evacuation"};
static const char *const outcome_names[MIGRATION_OUTCOME_COUNT] = {"open", "completed", "reverted", "failed",
                                                                   "cancelled"};
static const char *const request_names[MIGRATION_REQUEST_COUNT] = {"none", "confirm", "revert", "abort", "force"};

static const struct step_row {
    const char *name, *status, *task;
    bool at_source;
    int64_t limit_us;
} steps[MIGRATION_STEP_COUNT] = {
    [MIGRATION_QUEUED] = {"queued", "queued", NULL, false, 5 * MINUTE_US},
    [MIGRATION_FITTING] = {"fitting", "pre-migrating", "fit", true, 10 * MINUTE_US},
    [MIGRATION_STOPPING] = {"stopping", "migrating", NULL, true, 10 * MINUTE_US},
    [MIGRATION_RELEASING] = {"releasing", "migrating", "release", true, 10 * MINUTE_US},
    [MIGRATION_RECEIVING] = {"receiving", "post-migrating", "receive", false, 24 * 60 * MINUTE_US},
    [MIGRATION_ADOPTING] = {"adopting", "pre-migrating", "adopt", false, 10 * MINUTE_US},
    [MIGRATION_READYING] = {"readying", "preparing", "ready", false, 60 * MINUTE_US},
    [MIGRATION_SENDING] = {"sending", "running", "send", true, 24 * 60 * MINUTE_US},
    [MIGRATION_ARRIVING] = {"arriving", "running", "arrive", false, 0},
    [MIGRATION_STARTING] = {"starting", "post-migrating", NULL, false, 30 * MINUTE_US},
    [MIGRATION_VERIFYING] = {"verifying", "finished", NULL, false, 0},
    [MIGRATION_CLEARING] = {"clearing", "confirming", "discard", true, MINUTE_US},
    [MIGRATION_BACK_STOPPING] = {"back-stopping", "reverting", NULL, false, 10 * MINUTE_US},
    [MIGRATION_BACK_RELEASING] = {"back-releasing", "reverting", "release", false, MINUTE_US},
    [MIGRATION_BACK_STARTING] = {"back-starting", "reverting", NULL, true, 30 * MINUTE_US},
    [MIGRATION_RECALLING] = {"recalling", "running", "discard", false, MINUTE_US},
    [MIGRATION_UNDOING] = {"undoing", "reverting", "discard", false, MINUTE_US},
    [MIGRATION_DONE] = {"done", "done", NULL, false, 0},
};

static int parse(const char *const *names, int count, const char *text)
{
    for (int i = 0; i < count; i++) {
        if (text != NULL && strcmp(names[i], text) == 0)
            return i;
    }
    return -1;
}

const char *migration_kind_name(enum migration_kind kind)
{
    assert(kind < MIGRATION_KIND_COUNT);
    return kind_names[kind];
}

int migration_kind_parse(const char *text)
{
    return parse(kind_names, MIGRATION_KIND_COUNT, text);
}

const char *migration_step_name(enum migration_step step)
{
    assert(step < MIGRATION_STEP_COUNT);
    return steps[step].name;
}

int migration_step_parse(const char *text)
{
    for (int i = 0; i < MIGRATION_STEP_COUNT; i++) {
        if (text != NULL && strcmp(steps[i].name, text) == 0)
            return i;
    }
    return -1;
}

const char *migration_outcome_name(enum migration_outcome outcome)
{
    assert(outcome < MIGRATION_OUTCOME_COUNT);
    return outcome_names[outcome];
}

int migration_outcome_parse(const char *text)
{
    return parse(outcome_names, MIGRATION_OUTCOME_COUNT, text);
}

const char *migration_request_name(enum migration_request request)
{
    assert(request < MIGRATION_REQUEST_COUNT);
    return request_names[request];
}

int migration_request_parse(const char *text)
{
    return parse(request_names, MIGRATION_REQUEST_COUNT, text);
}

static const char *ended_status(enum migration_kind kind, enum migration_outcome outcome)
{
    switch (outcome) {
    case MIGRATION_COMPLETED:
        return kind == MIGRATION_LIVE || kind == MIGRATION_EVACUATION ? "completed" : "confirmed";
    case MIGRATION_REVERTED:
        return "reverted";
    case MIGRATION_CANCELLED:
        return "cancelled";
    default:
        return kind == MIGRATION_EVACUATION ? "failed" : "error";
    }
}

const char *migration_status(enum migration_kind kind, enum migration_step step, enum migration_outcome outcome)
{
    if (step == MIGRATION_DONE)
        return ended_status(kind, outcome);
    if (outcome == MIGRATION_FAILED)
        return ended_status(kind, outcome);
    if (step == MIGRATION_CLEARING && kind == MIGRATION_LIVE)
        return "completed";
    if (step == MIGRATION_CLEARING && kind == MIGRATION_EVACUATION)
        return "done"; /* until the dead host is back and has removed its copy */
    return steps[step].status;
}

const char *migration_task(enum migration_step step, bool *ret_at_source)
{
    *ret_at_source = steps[step].at_source;
    return steps[step].task;
}

int64_t migration_limit_us(enum migration_step step)
{
    return steps[step].limit_us;
}

static void go(struct migration_move *m, enum migration_step step)
{
    m->step = step;
    m->changed = true;
}

static void finish(struct migration_move *m, enum migration_step step, enum migration_outcome outcome)
{
    m->outcome = outcome;
    go(m, step);
}

/* After the switch. What is where it was gets its old size from the very agent that gave it the new one. */
static void go_back(const struct migration_view *v, struct migration_move *m, enum migration_outcome outcome)
{
    m->switches = v->in_place;
    finish(m, v->in_place ? MIGRATION_BACK_STARTING : MIGRATION_BACK_STOPPING, outcome);
}

/* Before the switch: the target forgets it, the source goes on. */
static void give_up(const struct migration_view *v, struct migration_move *m)
{
    bool asked = v->request == MIGRATION_ABORT || v->server_gone || !v->server_wanted;
    m->resumes_source = true;
    finish(m, v->placed && !v->same_host ? MIGRATION_UNDOING : MIGRATION_DONE,
           asked ? MIGRATION_CANCELLED : MIGRATION_FAILED);
}

/* The server was deleted: its owner removes its copy, the other one's is left to remove. */
static bool next_without_server(const struct migration_view *v, struct migration_move *m)
{
    bool owned_by_target = v->step == MIGRATION_STARTING || v->step == MIGRATION_VERIFYING ||
                           v->step == MIGRATION_BACK_STOPPING || v->step == MIGRATION_BACK_RELEASING;
    if (!v->server_gone || v->step == MIGRATION_CLEARING || v->step == MIGRATION_UNDOING ||
        v->step == MIGRATION_RECALLING || v->step == MIGRATION_DONE)
        return false;
    if (owned_by_target) {
        m->outcome = MIGRATION_CANCELLED;
        go(m, v->same_host ? MIGRATION_DONE : MIGRATION_CLEARING);
    } else {
        give_up(v, m);
        m->resumes_source = false;
    }
    return true;
}

static enum migration_step first_step(const struct migration_view *v)
{
    if (v->kind == MIGRATION_LIVE)
        return MIGRATION_READYING;
    if (v->kind == MIGRATION_EVACUATION && v->shares)
        return MIGRATION_ADOPTING;
    if (v->in_place && v->plugs)
        return MIGRATION_FITTING;
    return v->kind == MIGRATION_EVACUATION || v->in_place ? MIGRATION_STARTING : MIGRATION_STOPPING;
}

/* A server that runs twice is worse than one that is down. */
static bool lacks_proof(const struct migration_view *v)
{
    return v->kind == MIGRATION_EVACUATION && !v->source_off;
}

static void next_queued(const struct migration_view *v, struct migration_move *m)
{
    if (v->request == MIGRATION_ABORT || !v->server_wanted || v->refused || v->overdue || lacks_proof(v)) {
        give_up(v, m);
    } else if (v->placed) {
        go(m, first_step(v));
        m->switches = m->step == MIGRATION_STARTING;
    }
}

/* Steps before the switch that wait for one of the hosts' tasks. */
static void next_task(const struct migration_view *v, struct migration_move *m, enum migration_step then)
{
    bool stop = v->request == MIGRATION_ABORT || !v->server_wanted || v->overdue;
    if (lacks_proof(v)) {
        give_up(v, m);
    } else if (v->task == MIGRATION_TASK_DONE) { /* also when somebody wanted it to stop: it was too late */
        go(m, then);
        m->switches = then == MIGRATION_STARTING || then == MIGRATION_CLEARING;
    } else if (v->task == MIGRATION_TASK_FAILED) {
        give_up(v, m);
    } else if (stop && v->step != MIGRATION_RELEASING && v->step != MIGRATION_SENDING &&
               v->step != MIGRATION_ARRIVING) {
        give_up(v, m); /* the target need not be asked: it owns nothing yet */
    } else {
        m->cancels_task = stop && v->step == MIGRATION_SENDING;
    }
}

static void next_starting(const struct migration_view *v, struct migration_move *m)
{
    bool cold = v->kind == MIGRATION_COLD || v->kind == MIGRATION_RESIZE;
    if (v->server_rests && !(v->in_place && v->troubled))
        go(m, cold ? MIGRATION_VERIFYING : MIGRATION_CLEARING);
    else if (v->server_wanted && cold && (v->server_failed || v->overdue))
        go_back(v, m, MIGRATION_FAILED);
    else if (v->server_wanted && (v->server_failed || v->overdue)) /* there is nothing to go back to */
        finish(m, MIGRATION_CLEARING, MIGRATION_FAILED);
    if (m->step == MIGRATION_CLEARING && m->outcome == MIGRATION_OPEN)
        m->outcome = MIGRATION_COMPLETED;
}

static void next_verifying(const struct migration_view *v, struct migration_move *m)
{
    if (!v->server_wanted) /* its delete ends it */
        return;
    if (v->request == MIGRATION_REVERT)
        go_back(v, m, MIGRATION_REVERTED);
    else if (v->request == MIGRATION_CONFIRM || v->overdue)
        finish(m, v->same_host ? MIGRATION_DONE : MIGRATION_CLEARING, MIGRATION_COMPLETED);
}

/* What there is no way around is asked for until it is done, not more than once a minute. */
static bool asks_again(const struct migration_view *v)
{
    return v->task == MIGRATION_TASK_FAILED && v->overdue;
}

static void next_back(const struct migration_view *v, struct migration_move *m)
{
    bool ended = v->server_rests || v->server_failed || v->overdue;
    if (v->step == MIGRATION_BACK_STOPPING && v->server_wanted && ended) {
        go(m, MIGRATION_BACK_RELEASING); /* whatever is left of it is switched off by the release */
    } else if (v->step == MIGRATION_BACK_RELEASING && asks_again(v)) {
        go(m, v->step);
    } else if (v->step == MIGRATION_BACK_RELEASING && v->task == MIGRATION_TASK_DONE) {
        go(m, MIGRATION_BACK_STARTING);
        m->switches = true;
    } else if (v->step == MIGRATION_BACK_STARTING && ended) {
        go(m, v->same_host ? MIGRATION_DONE : MIGRATION_UNDOING);
    }
}

void migration_next(const struct migration_view *v, struct migration_move *ret)
{
    *ret = (struct migration_move){.step = v->step, .outcome = v->outcome};
    if (next_without_server(v, ret))
        return;
    switch (v->step) {
    case MIGRATION_QUEUED:
        next_queued(v, ret);
        break;
    case MIGRATION_FITTING:
        next_task(v, ret, MIGRATION_STARTING);
        break;
    case MIGRATION_STOPPING:
        if (!v->server_wanted || v->request == MIGRATION_ABORT || v->server_failed || v->overdue)
            give_up(v, ret);
        else if (v->server_rests)
            go(ret, MIGRATION_RELEASING);
        break;
    case MIGRATION_RELEASING:
        next_task(v, ret, MIGRATION_RECEIVING);
        break;
    case MIGRATION_RECEIVING:
        next_task(v, ret, MIGRATION_STARTING);
        break;
    case MIGRATION_ADOPTING:
        next_task(v, ret, MIGRATION_STARTING);
        break;
    case MIGRATION_READYING:
        next_task(v, ret, MIGRATION_SENDING);
        break;
    case MIGRATION_SENDING:
        if (v->source_off) /* it will not say any more: the target knows */
            go(ret, MIGRATION_ARRIVING);
        else
            next_task(v, ret, MIGRATION_ARRIVING);
        break;
    case MIGRATION_ARRIVING:
        if (v->task == MIGRATION_TASK_FAILED) {
            finish(ret, MIGRATION_RECALLING, MIGRATION_FAILED);
            break;
        }
        if (v->task == MIGRATION_TASK_DONE)
            ret->outcome = MIGRATION_COMPLETED;
        next_task(v, ret, MIGRATION_CLEARING);
        break;
    case MIGRATION_RECALLING:
        if (v->task == MIGRATION_TASK_DONE)
            go(ret, MIGRATION_DONE);
        else if (asks_again(v))
            go(ret, v->step);
        ret->resumes_source = ret->step == MIGRATION_DONE;
        break;
    case MIGRATION_STARTING:
        next_starting(v, ret);
        break;
    case MIGRATION_VERIFYING:
        next_verifying(v, ret);
        break;
    case MIGRATION_CLEARING:
    case MIGRATION_UNDOING:
        if (v->task == MIGRATION_TASK_DONE)
            go(ret, MIGRATION_DONE);
        else if (asks_again(v))
            go(ret, v->step);
        break;
    default:
        next_back(v, ret);
        break;
    }
}
