/* Intervals. Happy path: read events above the cursor; a state that costs something opens an interval at the event's
 * time and closes the one before at the same instant, so that intervals of a server neither overlap nor leave a gap;
 * "gone" closes for good. The cursor moves in the same transaction.
 *
 * Failure modes: a repeated state with the same size is no change. An event whose time lies before the open interval's
 * begin (a clock stepped back) ends that interval at its begin: time is never billed twice, and the number of such
 * events is kept. A second meter finds the cursor moved and starts over. */
#include "metering/intervals.h"
#include "common/clock.h"
#include "common/log.h"
#include "db/store_usage.h"
#include <string.h>

#define CURSOR "intervals"

struct step {
    struct intervals *m;
    const struct usage_event *events;
    size_t count;
    uint64_t opened, closed, clamped;
};

/* A server is used from its first start until it is gone; being built is not use. */
static bool counts(enum server_state s)
{
    return s != SERVER_STATE_NONE && s != SERVER_STATE_GONE && s != SERVER_STATE_BUILDING;
}

static bool same(const struct usage_row *open, const struct usage_event *x)
{
    const struct usage_interval *i = &open->interval;
    return i->state == x->state && i->vcpus == x->vcpus && i->memory_mib == x->memory_mib &&
           i->disk_gib == x->disk_gib && strcmp(open->flavor, x->flavor) == 0 &&
           strcmp(open->project_id, x->project_id) == 0 && strcmp(open->host_id, x->host_id) == 0;
}

static int take(struct db_conn *c, struct step *s, const struct usage_event *x, struct error *e)
{
    struct usage_row open;
    bool found;
    int rc = store_usage_open(c, x->server_id, &open, &found, e);
    if (rc || (found && same(&open, x))) {
        return rc;
    }
    int64_t at_us = x->at_us;
    if (found && at_us < open.interval.begin_us) {
        log_warn("event before the interval it ends", "server=%s event=%lld back_us=%lld", x->server_id,
                 (long long)x->id, (long long)(open.interval.begin_us - at_us));
        at_us = open.interval.begin_us;
        s->clamped++;
    }
    if (found) {
        rc = store_usage_close(c, &open, at_us, x->id, e);
        s->closed++;
    }
    if (!rc && counts(x->state)) {
        rc = store_usage_insert(c, x, at_us, e);
        s->opened++;
    }
    return rc;
}

static int take_batch(struct db_conn *c, void *arg, struct error *e)
{
    struct step *s = arg;
    int rc = 0;
    s->opened = s->closed = s->clamped = 0;
    for (size_t i = 0; !rc && i < s->count; i++) {
        rc = take(c, s, &s->events[i], e);
    }
    return rc ? rc
              : store_usage_advance(c, CURSOR, s->m->position, s->events[s->count - 1].id, (int64_t)s->clamped,
                                    clock_now_us(), e);
}

static int run_batch(struct intervals *m, struct arena *a, bool *ret_more, struct error *e)
{
    struct step s = {.m = m};
    struct usage_event *events = NULL;
    int rc = store_usage_cursor(m->conn, CURSOR, &m->position, e);
    rc = rc ? rc : store_usage_events(m->conn, m->position, m->batch, a, &events, &s.count, e);
    if (rc || s.count == 0) {
        *ret_more = false;
        m->newest = m->position;
        return rc;
    }
    s.events = events;
    rc = db_transact(m->conn, take_batch, &s, e);
    if (rc) {
        return rc;
    }
    m->position = events[s.count - 1].id;
    m->events += s.count;
    m->opened += s.opened;
    m->closed += s.closed;
    m->clamped += s.clamped;
    *ret_more = true;
    return 0;
}

int intervals_position(struct intervals *m, struct error *e)
{
    return store_usage_cursor(m->conn, CURSOR, &m->position, e);
}

int intervals_run(struct intervals *m, struct error *e)
{
    struct arena a;
    bool more = true;
    int rc = 0;
    arena_init(&a);
    while (!rc && more) {
        arena_reset(&a);
        rc = run_batch(m, &a, &more, e);
    }
    arena_done(&a);
    return rc;
}
