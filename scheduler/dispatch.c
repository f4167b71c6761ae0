/* Dispatch. Happy path: refresh hosts, claim a batch, choose for each (taking the room in memory at once), then one
 * transaction that adds the sums to the hosts by compare-and-set, binds the servers and empties the queue.
 *
 * Failure modes: a host whose allocations changed meanwhile (another scheduler, an operator) is skipped in the commit,
 * its room is given back, its row is read again and its servers are tried at once in the next round. A server deleted
 * meanwhile gives its room back in the same transaction. A transaction that fails as a whole gives everything back. A
 * lost lease ends the round. */
#include "scheduler/dispatch.h"
#include "common/clock.h"
#include "common/log.h"
#include "db/lease.h"
#include "db/store_placement.h"
#include "db/store_queue.h"
#include "scheduler/requirements.h"
#include <stdlib.h>
#include <string.h>

/* Rounds of conflicts alone after which every host is read anew, should a change have come without its feed. */
#define BARREN_LIMIT 3

struct decision {
    const struct placement_waiting_row *server;
    int32_t slot;    /* PLACEMENT_NO_SLOT: refused */
    bool conflicted; /* its host changed under us */
    bool vanished;   /* it waited no more */
    char *refusal;   /* sentence */
    struct placement_extra extra;
};

struct batch {
    struct dispatch *d;
    struct decision *decisions; /* sorted by slot before the commit */
    size_t count;
    int64_t now_us, feed_number;
};

struct lead {
    struct dispatch *d;
    int64_t ttl_us;
    bool held;
    int64_t epoch;
};

static int lead_step(struct db_conn *c, void *arg, struct error *e)
{
    struct lead *l = arg;
    int64_t until;
    return lease_acquire(c, DISPATCH_LEASE, l->d->holder, clock_now_us(), l->ttl_us, &l->held, &l->epoch, &until, e);
}

static int start_afresh(struct dispatch *d, struct error *e)
{
    struct error none = {0};
    d->feed.position = 0;
    int rc = feed_refresh(&d->feed, d->conn, clock_now_us(), &none);
    return rc ? error_set(e, rc, "reading the hosts: %s", error_text(&none)) : 0;
}

int dispatch_lead(struct dispatch *d, int64_t ttl_us, struct error *e)
{
    struct lead l = {.d = d, .ttl_us = ttl_us};
    int rc = db_transact(d->conn, lead_step, &l, e);
    if (rc) {
        return rc;
    }
    bool gained = l.held && (!d->leader || l.epoch != d->epoch);
    if (d->leader != l.held) {
        log_info(l.held ? "leading" : "standing by", "holder=%s epoch=%lld", d->holder, (long long)l.epoch);
    }
    d->leader = l.held;
    d->epoch = l.epoch;
    return gained ? start_afresh(d, e) : 0;
}

/* Group members placed in this batch are not in the rows yet: add them to what the rows say. */
static void add_own_members(const struct batch *b, size_t index, struct arena *a, struct placement_request *r)
{
    const char *group = b->decisions[index].server->group_id;
    if (!group) {
        return;
    }
    struct placement_group_host *members = arena_array(a, r->member_count + index, sizeof(*members));
    size_t count = r->member_count;
    if (count > 0) {
        memcpy(members, r->members, count * sizeof(*members));
    }
    for (size_t i = 0; i < index; i++) {
        const struct decision *other = &b->decisions[i];
        if (other->slot == PLACEMENT_NO_SLOT || !other->server->group_id ||
            strcmp(other->server->group_id, group) != 0) {
            continue;
        }
        size_t k = 0;
        while (k < count && members[k].slot != other->slot) {
            k++;
        }
        if (k == count) {
            members[count++] = (struct placement_group_host){.slot = other->slot, .count = 0};
        }
        members[k].count++;
    }
    r->members = members;
    r->member_count = count;
}

static char *explain(struct dispatch *d, const struct placement_request *r, struct arena *a)
{
    struct placement_explanation x;
    placement_explain(d->feed.placement, r, &x);
    char *text = arena_alloc(a, 480);
    return placement_sentence(&x, text, 480);
}

static int decide(struct batch *b, size_t index, struct arena *a, struct error *e)
{
    struct dispatch *d = b->d;
    struct decision *x = &b->decisions[index];
    struct placement_request r;
    struct error reason = {0};
    x->slot = PLACEMENT_NO_SLOT;
    int rc = requirements_read(d->conn, d->feed.placement, x->server, a, &r, &reason);
    if (rc == ERR_NO_VALID_HOST || rc == ERR_INVALID) {
        x->refusal = arena_printf(a, "No valid host: %s", error_text(&reason));
        return 0;
    }
    if (rc) {
        return error_set(e, rc, "%s", error_text(&reason));
    }
    add_own_members(b, index, a, &r);
    int64_t start = clock_mono_us();
    x->extra = r.extra;
    x->slot = placement_choose(d->feed.placement, &r);
    if (x->slot == PLACEMENT_NO_SLOT) {
        x->refusal = explain(d, &r, a);
    } else {
        placement_take(d->feed.placement, x->slot, &x->server->need, &x->extra);
    }
    d->placing_us += clock_mono_us() - start;
    return 0;
}

static int by_slot(const void *a, const void *b)
{
    const struct decision *x = a, *y = b;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

/* Commits the decisions first..last-1, which share a host. */
static int commit_host(struct db_conn *c, struct batch *b, size_t first, size_t last, struct error *e)
{
    const struct placement *p = b->d->feed.placement;
    int32_t slot = b->decisions[first].slot;
    const char *host_id = placement_host_id(p, slot);
    struct resources sum = {0};
    for (size_t i = first; i < last; i++) {
        resources_add(&sum, &b->decisions[i].server->need);
    }
    int64_t revision = 0;
    struct error conflict = {0};
    int rc = store_placement_take(c, host_id, placement_host_revision(p, slot), &sum, (int64_t)(last - first),
                                  b->feed_number, &revision, &conflict);
    if (rc == ERR_CONFLICT) {
        for (size_t i = first; i < last; i++) {
            b->decisions[i].conflicted = true;
        }
        return 0;
    }
    if (rc) {
        return error_set(e, rc, "%s", error_text(&conflict));
    }
    for (size_t i = first; i < last; i++, revision++) {
        const struct placement_waiting_row *server = b->decisions[i].server;
        rc = store_placement_bind(c, server, host_id, revision, b->now_us, e);
        if (rc == ERR_NOT_FOUND) {
            b->decisions[i].vanished = true;
            rc = store_placement_untake(c, host_id, &server->need, e);
        }
        if (rc) {
            return rc;
        }
    }
    char topic[64] = "host:";
    strncat(topic, host_id, sizeof(topic) - sizeof("host:"));
    db_wake(c, topic);
    return 0;
}

/* Whether a refused server waits for room. */
static bool waits(const struct batch *b, const struct decision *x)
{
    return x->server->until_us > b->now_us;
}

static int refuse(struct db_conn *c, const struct batch *b, const struct decision *x, struct error *e)
{
    return waits(b, x) ? store_queue_park(c, x->server->id, x->refusal, b->now_us, e)
                       : store_placement_fail(c, x->server->id, x->refusal, b->now_us, e);
}

static int commit_step(struct db_conn *c, void *arg, struct error *e)
{
    struct batch *b = arg;
    for (size_t i = 0; i < b->count; i++) {
        b->decisions[i].conflicted = b->decisions[i].vanished = false;
    }
    int rc = lease_check(c, DISPATCH_LEASE, b->d->holder, b->d->epoch, e);
    rc = rc ? rc : db_counter_next(c, "host_feed", 1, &b->feed_number, e);
    for (size_t i = 0; !rc && i < b->count;) {
        if (b->decisions[i].slot == PLACEMENT_NO_SLOT) {
            rc = refuse(c, b, &b->decisions[i], e);
            i++;
            continue;
        }
        size_t last = i + 1;
        while (last < b->count && b->decisions[last].slot == b->decisions[i].slot) {
            last++;
        }
        rc = commit_host(c, b, i, last, e);
        i = last;
    }
    return rc;
}

/* After a commit: the library learns what really happened. Returns whether a host must be read again. */
static bool settle(struct batch *b)
{
    struct dispatch *d = b->d;
    bool reread = false;
    int32_t bumped = PLACEMENT_NO_SLOT;
    for (size_t i = 0; i < b->count; i++) {
        struct decision *x = &b->decisions[i];
        if (x->slot == PLACEMENT_NO_SLOT && waits(b, x)) {
            d->parked++;
            log_info("server waits for room", "server=%s reason=\"%s\"", x->server->id, x->refusal);
            continue;
        }
        if (x->slot == PLACEMENT_NO_SLOT) {
            d->failed++;
            log_warn("server not placed", "server=%s reason=\"%s\"", x->server->id, x->refusal);
            continue;
        }
        if (x->conflicted || x->vanished) {
            placement_release(d->feed.placement, x->slot, &x->server->need, &x->extra);
        }
        if (x->conflicted) {
            d->conflicts++;
            reread = true;
            continue;
        }
        if (x->slot != bumped) {
            int64_t revision = placement_host_revision(d->feed.placement, x->slot);
            placement_set_revision(d->feed.placement, x->slot, revision + 1);
            bumped = x->slot;
        }
        d->placed += x->vanished ? 0 : 1;
    }
    return reread;
}

static void give_back(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (b->decisions[i].slot != PLACEMENT_NO_SLOT) {
            placement_release(b->d->feed.placement, b->decisions[i].slot, &b->decisions[i].server->need,
                              &b->decisions[i].extra);
        }
    }
}

static int run_batch(struct dispatch *d, struct arena *a, bool *ret_more, struct error *e)
{
    struct placement_waiting_row *waiting;
    struct batch b = {.d = d, .now_us = clock_now_us()};
    *ret_more = false;
    int rc = feed_refresh(&d->feed, d->conn, b.now_us, e);
    rc = rc ? rc : store_placement_waiting(d->conn, d->batch, a, &waiting, &b.count, e);
    if (rc || b.count == 0) {
        return rc;
    }
    b.decisions = arena_array(a, b.count, sizeof(*b.decisions));
    size_t decided = 0;
    for (; !rc && decided < b.count; decided++) {
        b.decisions[decided].server = &waiting[decided];
        rc = decide(&b, decided, a, e);
    }
    b.count = decided;
    if (!rc) {
        qsort(b.decisions, b.count, sizeof(*b.decisions), by_slot);
        int64_t start = clock_mono_us();
        rc = db_transact(d->conn, commit_step, &b, e);
        d->commit_us += clock_mono_us() - start;
    }
    if (rc) {
        give_back(&b);
        return rc;
    }
    d->batches++;
    *ret_more = true;
    uint64_t settled = d->placed + d->failed + d->parked;
    if (settle(&b)) {
        log_info("hosts changed while placing", "batch=%zu", b.count);
    }
    d->barren = d->placed + d->failed + d->parked > settled ? 0 : d->barren + 1;
    if (d->barren >= BARREN_LIMIT) {
        d->barren = 0;
        return start_afresh(d, e);
    }
    feed_skip_own(&d->feed, b.feed_number);
    return 0;
}

int dispatch_run(struct dispatch *d, struct error *e)
{
    struct arena a;
    arena_init(&a);
    bool more = d->leader;
    int rc = 0;
    while (!rc && more) {
        arena_reset(&a);
        rc = run_batch(d, &a, &more, e);
    }
    arena_done(&a);
    if (rc == ERR_CONFLICT) {
        d->leader = false;
    }
    return rc;
}
