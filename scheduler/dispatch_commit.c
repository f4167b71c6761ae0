/* One transaction per batch. Happy path: the sums are added to the hosts by compare-and-set, then each server is bound
 * and leaves the queue, those without a host are refused or parked.
 *
 * Failure modes: a host whose allocations changed meanwhile is left out, its servers stay in the queue. A server that
 * was deleted meanwhile gives its share back. When that leaves a lot with fewer than its least, all of the lot gives
 * back what it took and stays in the queue; a lot that shrank since it was read is not written at all. */
#include "common/clock.h"
#include "db/lease.h"
#include "db/store_queue.h"
#include "scheduler/dispatch_internal.h"
#include <stdlib.h>
#include <string.h>

static int check_lots(struct db_conn *c, struct batch *b, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < b->lot_count; i++) {
        struct lot *lot = &b->lots[i];
        int64_t count = 0;
        rc = store_placement_batch_size(c, lot->id, &count, e);
        lot->changed = (size_t)count != lot->count;
        lot->placed = 0;
    }
    return rc;
}

static bool is_written(const struct decision *x)
{
    return x->fate == FATE_PLACED;
}

/* Takes the room of the decisions first..last-1, which share a host. */
static int take_host(struct db_conn *c, struct batch *b, size_t first, size_t last, int64_t *ret_revision,
                     struct error *e)
{
    const struct placement *p = b->d->feed.placement;
    int32_t slot = b->decisions[first].slot;
    struct resources sum = {0};
    int64_t count = 0;
    for (size_t i = first; i < last; i++) {
        if (is_written(&b->decisions[i])) {
            resources_add(&sum, &b->decisions[i].holding.need);
            count++;
        }
    }
    if (count == 0) {
        return 0;
    }
    struct error conflict = {0};
    int rc = store_placement_take(c, placement_host_id(p, slot), placement_host_revision(p, slot), &sum, count,
                                  b->feed_number, ret_revision, &conflict);
    for (size_t i = first; rc == ERR_CONFLICT && i < last; i++) {
        if (is_written(&b->decisions[i])) {
            b->decisions[i].fate = FATE_CHANGED;
        }
    }
    return rc && rc != ERR_CONFLICT ? error_set(e, rc, "%s", error_text(&conflict)) : 0;
}

/* Binds what was taken of a host. */
static int bind_host(struct db_conn *c, struct batch *b, size_t first, size_t last, int64_t revision, struct error *e)
{
    const char *host_id = placement_host_id(b->d->feed.placement, b->decisions[first].slot);
    bool any = false;
    int rc = 0;
    for (size_t i = first; !rc && i < last; i++) {
        struct decision *x = &b->decisions[i];
        if (is_written(x) && x->lot && x->lot->placed < x->lot->least) {
            x->fate = FATE_BACK;
            rc = store_placement_untake(c, host_id, &x->holding.need, e);
        }
        if (rc || !is_written(x)) {
            continue;
        }
        any = true;
        rc = store_placement_bind(c, x->server, &x->holding, host_id, revision++, b->now_us, e);
        if (rc == ERR_NOT_FOUND) {
            x->fate = FATE_GONE;
            rc = store_placement_untake(c, host_id, &x->holding.need, e);
        }
    }
    if (!rc && any) {
        char topic[64] = "host:";
        strncat(topic, host_id, sizeof(topic) - sizeof("host:"));
        db_wake(c, topic);
    }
    return rc;
}

#define WAKE_US (900 * CLOCK_SECOND_US) /* a server waits so long for a host that is woken */

bool dispatch_waits(const struct batch *b, const struct decision *x)
{
    return x->plan || (x->lot && x->lot->preempts) || x->sleeper || x->server->until_us > b->now_us;
}

static int refuse(struct db_conn *c, const struct batch *b, const struct decision *x, struct error *e)
{
    if (x->plan || (x->lot && x->lot->preempts)) {
        return dispatch_write_preemption(c, b, x, e);
    }
    return dispatch_waits(b, x)
               ? store_queue_park(c, x->server->id, x->refusal, b->now_us, x->sleeper ? b->now_us + WAKE_US : 0, e)
               : store_placement_fail(c, x->server->id, x->refusal, b->now_us, e);
}

static size_t end_of_host(const struct batch *b, size_t first)
{
    size_t last = first + 1;
    while (last < b->count && b->decisions[last].slot == b->decisions[first].slot) {
        last++;
    }
    return last;
}

/* The decisions without a slot are the first; `*ret_placed` is behind them. Those of a lot that must be looked at again
 * are left as they are. */
static int refuse_all(struct db_conn *c, struct batch *b, size_t *ret_placed, struct error *e)
{
    size_t i = 0;
    int rc = 0;
    for (; !rc && i < b->count && b->decisions[i].slot == PLACEMENT_NO_SLOT; i++) {
        const struct decision *x = &b->decisions[i];
        bool again = x->lot && x->lot->chosen > 0 && x->lot->placed < x->lot->least;
        b->decisions[i].fate = again ? FATE_LATER : FATE_PLACED;
        rc = again ? 0 : refuse(c, b, x, e);
    }
    *ret_placed = i;
    return rc;
}

static int commit_step(struct db_conn *c, void *arg, struct error *e)
{
    struct batch *b = arg;
    int64_t *revisions = calloc(b->count, sizeof(*revisions));
    int rc = lease_check(c, DISPATCH_LEASE, b->d->holder, b->d->epoch, e);
    rc = rc ? rc : db_counter_next(c, "host_feed", 1, &b->feed_number, e);
    rc = rc ? rc : check_lots(c, b, e);
    size_t first = 0, last;
    for (size_t i = 0; i < b->count; i++) {
        struct decision *x = &b->decisions[i];
        x->fate = x->lot && x->lot->changed ? FATE_LATER : FATE_PLACED;
        first += x->slot == PLACEMENT_NO_SLOT;
    }
    for (size_t i = first; !rc && i < b->count; i = last) {
        last = end_of_host(b, i);
        rc = take_host(c, b, i, last, &revisions[i], e);
    }
    for (size_t i = first; i < b->count; i++) {
        if (b->decisions[i].lot) {
            b->decisions[i].lot->placed += is_written(&b->decisions[i]);
        }
    }
    for (size_t i = first; !rc && i < b->count; i = last) {
        last = end_of_host(b, i);
        rc = bind_host(c, b, i, last, revisions[i], e);
    }
    rc = rc ? rc : refuse_all(c, b, &first, e);
    for (size_t i = 0; !rc && i < b->lot_count; i++) {
        if (b->lots[i].placed > 0 && b->lots[i].placed >= b->lots[i].least) {
            rc = store_placement_batch_end(c, b->lots[i].id, e);
        }
    }
    free(revisions);
    return rc;
}

int dispatch_commit(struct batch *b, struct error *e)
{
    return db_transact(b->d->conn, commit_step, b, e);
}
