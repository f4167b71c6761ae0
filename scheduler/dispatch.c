/* Dispatch. Happy path: refresh hosts, claim a batch of the queue, choose for each server, or for all of one request
 * together (taking the room in memory at once), then one transaction (dispatch_commit.c).
 *
 * Failure modes: a host whose allocations changed meanwhile (another scheduler, an operator) is skipped in the commit,
 * its room is given back, its row is read again and its servers are tried at once in the next round. A server deleted
 * meanwhile gives its room back in the same transaction. A transaction that fails as a whole gives everything back. A
 * lost lease ends the round. */
#include "scheduler/dispatch.h"
#include "common/clock.h"
#include "common/log.h"
#include "db/lease.h"
#include "scheduler/dispatch_internal.h"
#include "scheduler/foresight.h"
#include "scheduler/reading/requirements.h"
#include <stdlib.h>
#include <string.h>

/* Rounds of conflicts alone after which every host is read anew, should a change have come without its feed. */
#define BARREN_LIMIT 3

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
static void add_own_members(const struct batch *b, const char *group, struct arena *a, struct placement_request *r)
{
    if (!group) {
        return;
    }
    struct placement_group_host *members = arena_array(a, r->member_count + b->count, sizeof(*members));
    size_t count = r->member_count;
    if (count > 0) {
        memcpy(members, r->members, count * sizeof(*members));
    }
    for (size_t i = 0; i < b->count; i++) {
        const struct decision *other = &b->decisions[i];
        if (!other->decided || other->slot == PLACEMENT_NO_SLOT || !other->server->group_id ||
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
    char text[PLACEMENT_SENTENCE_SIZE];
    return arena_strdup(a, placement_sentence(&x, text, sizeof(text)));
}

/* What the server asks for; a wish that cannot be is its refusal. */
static int read_request(const struct batch *b, const struct placement_waiting_row *row, struct arena *a,
                        struct placement_request *ret, char **ret_refusal, struct error *e)
{
    struct error reason = {0};
    int rc = requirements_read(b->d->conn, b->d->feed.placement, row, a, ret, &reason);
    *ret_refusal = NULL;
    if (rc == ERR_NO_VALID_HOST || rc == ERR_INVALID) {
        *ret_refusal = arena_printf(a, "No valid host: %s", error_text(&reason));
        return 0;
    }
    if (rc) {
        return error_set(e, rc, "%s", error_text(&reason));
    }
    add_own_members(b, row->group_id, a, ret);
    return 0;
}

static void show_asleep(struct dispatch *d, bool alive)
{
    for (size_t i = 0; i < d->asleep_count; i++) {
        int32_t slot = placement_slot(d->feed.placement, d->asleep[i]);
        if (slot != PLACEMENT_NO_SLOT) {
            placement_set_alive(d->feed.placement, slot, alive);
        }
    }
}

const int32_t *dispatch_choose_asleep(struct dispatch *d, struct placement_request *r, size_t count, struct arena *a)
{
    struct placement *p = d->feed.placement;
    if (d->asleep_count == 0) {
        return NULL;
    }
    struct placement_group_host *members = arena_array(a, r->member_count + count + 1, sizeof(*members));
    int32_t *slots = arena_array(a, count, sizeof(*slots));
    requirements_make_room(r, count, a);
    show_asleep(d, true);
    size_t fit = placement_choose_batch(p, r, count, count, members, slots);
    for (size_t i = 0; i < fit; i++) {
        struct placement_extra extra = placement_extra_at(r, i);
        placement_release(p, slots[i], &r->need, &extra);
    }
    show_asleep(d, false);
    return fit > 0 ? slots : NULL;
}

/* What else could make room for one that was refused: a host that is woken, spot servers that go. */
static int make_room(struct batch *b, struct decision *x, struct placement_request *r, struct arena *a, struct error *e)
{
    bool planned = false;
    x->sleeper = dispatch_choose_asleep(b->d, r, 1, a) != NULL;
    b->d->wants_wake = b->d->wants_wake || x->sleeper;
    if (x->sleeper || x->server->spot) {
        return 0;
    }
    struct preempt_plan *plan = arena_alloc(a, sizeof(*plan));
    int rc = dispatch_preempt(b, r, 1, plan, &x->refusal, &planned, a, e);
    x->plan = planned ? plan : NULL;
    return rc;
}

static int decide(struct batch *b, size_t index, struct arena *a, struct error *e)
{
    struct dispatch *d = b->d;
    struct decision *x = &b->decisions[index];
    struct placement_request r;
    int rc = read_request(b, x->server, a, &r, &x->refusal, e);
    x->decided = true;
    if (rc || x->refusal) {
        return rc;
    }
    int64_t start = clock_mono_us();
    x->need = r.need;
    x->extra = r.extra;
    x->slot = placement_choose(d->feed.placement, &r);
    if (x->slot == PLACEMENT_NO_SLOT) {
        x->refusal = explain(d, &r, a);
    } else {
        placement_take(d->feed.placement, x->slot, &x->need, &x->extra);
        requirements_holding(d->feed.placement, &x->need, &x->extra, a, &x->holding);
    }
    d->placing_us += clock_mono_us() - start;
    return x->slot == PLACEMENT_NO_SLOT ? make_room(b, x, &r, a, e) : 0;
}

/* Chooses for all of a lot at once. Returns how many got a host, and why the next one did not. */
static size_t choose_lot(struct batch *b, struct lot *lot, struct placement_request *r, struct arena *a, int32_t *slots,
                         char **ret_refusal)
{
    struct placement *p = b->d->feed.placement;
    struct placement_group_host *members = arena_array(a, r->member_count + lot->count + 1, sizeof(*members));
    int64_t start = clock_mono_us();
    requirements_make_room(r, lot->count, a);
    size_t count = placement_choose_batch(p, r, 0, lot->count, members, slots);
    if (count < lot->count) {
        r->members = members;
        while (r->policy != PLACEMENT_GROUP_NONE && members[r->member_count].count > 0) {
            r->member_count++;
        }
        char *reason = explain(b->d, r, a);
        *ret_refusal = count == 0 ? reason
                                  : arena_printf(a, "%s (%zu of %zu asked for together fit, at least %zu were to)",
                                                 reason, count, lot->count, lot->least);
    }
    for (size_t i = 0; count < lot->least && i < count; i++) {
        struct placement_extra extra = placement_extra_at(r, i);
        placement_release(p, slots[i], &r->need, &extra);
    }
    b->d->placing_us += clock_mono_us() - start;
    return count < lot->least ? 0 : count;
}

/* Likewise for the least of a lot: the first ones of it get the plans, all of it waits. */
static int make_room_for_lot(struct batch *b, struct lot *lot, bool spot, struct placement_request *r, char **refusal,
                             struct arena *a, struct error *e)
{
    lot->sleeper = dispatch_choose_asleep(b->d, r, lot->least, a) != NULL;
    b->d->wants_wake = b->d->wants_wake || lot->sleeper;
    if (lot->sleeper || spot) {
        return 0;
    }
    struct preempt_plan *plans = arena_array(a, lot->least, sizeof(*plans));
    requirements_make_room(r, lot->least, a);
    int rc = dispatch_preempt(b, r, lot->least, plans, refusal, &lot->preempts, a, e);
    for (size_t i = 0, k = 0; !rc && lot->preempts && i < b->count && k < lot->least; i++) {
        if (b->decisions[i].lot == lot) {
            b->decisions[i].plan = &plans[k++];
        }
    }
    return rc;
}

static int decide_lot(struct batch *b, struct lot *lot, struct arena *a, struct error *e)
{
    const struct placement_waiting_row *row = NULL;
    struct placement_request r, asked;
    char *refusal = NULL;
    for (size_t i = 0; i < b->count && !row; i++) {
        row = b->decisions[i].lot == lot ? b->decisions[i].server : NULL;
    }
    int32_t *slots = arena_array(a, lot->count, sizeof(*slots));
    int rc = read_request(b, row, a, &r, &refusal, e);
    if (rc) {
        return rc;
    }
    asked = r;
    bool can = !refusal;
    lot->chosen = can ? choose_lot(b, lot, &r, a, slots, &refusal) : 0;
    rc = can && lot->chosen == 0 ? make_room_for_lot(b, lot, row->spot, &asked, &refusal, a, e) : 0;
    if (rc) {
        return rc;
    }
    for (size_t i = 0, k = 0; i < b->count; i++) {
        struct decision *x = &b->decisions[i];
        if (x->lot != lot) {
            continue;
        }
        x->decided = true;
        if (k == lot->chosen) {
            x->refusal = refusal;
            x->sleeper = lot->sleeper;
            continue;
        }
        x->need = r.need;
        x->extra = placement_extra_at(&r, k);
        x->slot = slots[k++];
        requirements_holding(b->d->feed.placement, &x->need, &x->extra, a, &x->holding);
    }
    return 0;
}

static int by_slot(const void *a, const void *b)
{
    const struct decision *x = a, *y = b;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

/* One server after a commit. Returns whether its host must be read again. */
static bool settle_one(struct batch *b, struct decision *x)
{
    struct dispatch *d = b->d;
    if (x->slot == PLACEMENT_NO_SLOT) {
        if (x->fate == FATE_LATER) {
            return false;
        }
        bool parked = dispatch_waits(b, x);
        d->parked += parked;
        d->failed += !parked;
        log_write(parked ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, parked ? "server waits for room" : "server not placed",
                  "server=%s reason=\"%s\"", x->server->id, x->refusal);
        return false;
    }
    if (x->fate == FATE_PLACED) {
        d->placed++;
        if (d->foresight) {
            foresight_placed(d->foresight, d->feed.placement, x->slot, x->server->project_id, &x->holding.need);
        }
        return false;
    }
    placement_release(d->feed.placement, x->slot, &x->need, &x->extra);
    d->conflicts += x->fate == FATE_CHANGED;
    return x->fate == FATE_CHANGED;
}

/* After a commit: the library learns what really happened. Returns whether a host must be read again. */
static bool settle(struct batch *b)
{
    struct placement *p = b->d->feed.placement;
    bool reread = false;
    int32_t bumped = PLACEMENT_NO_SLOT;
    for (size_t i = 0; i < b->count; i++) {
        struct decision *x = &b->decisions[i];
        bool taken = x->slot != PLACEMENT_NO_SLOT && x->fate != FATE_CHANGED && x->fate != FATE_LATER;
        reread |= settle_one(b, x);
        if (taken && x->slot != bumped) {
            placement_set_revision(p, x->slot, placement_host_revision(p, x->slot) + 1);
            bumped = x->slot;
        }
    }
    return reread;
}

static void give_back(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct decision *x = &b->decisions[i];
        if (x->slot != PLACEMENT_NO_SLOT) {
            placement_release(b->d->feed.placement, x->slot, &x->need, &x->extra);
        }
    }
}

/* Puts the whole batch behind the rows that are not of it. */
static int read_whole(struct dispatch *d, const char *batch_id, struct arena *a, struct placement_waiting_row **rows,
                      size_t *count, struct error *e)
{
    struct placement_waiting_row *have = *rows, *more;
    size_t kept = 0, more_count;
    int rc = store_placement_waiting_batch(d->conn, batch_id, a, &more, &more_count, e);
    if (rc) {
        return rc;
    }
    struct placement_waiting_row *all = arena_array(a, *count + more_count + 1, sizeof(*all));
    for (size_t i = 0; i < *count; i++) {
        if (!have[i].batch_id || strcmp(have[i].batch_id, batch_id) != 0) {
            all[kept++] = have[i];
        }
    }
    for (size_t i = 0; i < more_count; i++) {
        all[kept++] = more[i];
    }
    *rows = all;
    *count = kept;
    return 0;
}

/* The end of the queue's first servers may have cut batches of its last instant: reads them whole. */
static int complete(struct dispatch *d, struct arena *a, struct placement_waiting_row **rows, size_t *count,
                    struct error *e)
{
    const struct placement_waiting_row *cut = *rows;
    size_t first = *count, last = *count;
    const char *done = NULL;
    int rc = 0;
    if ((int64_t)*count < d->batch) {
        return 0;
    }
    while (first > 0 && cut[first - 1].queued_us == cut[last - 1].queued_us) {
        first--;
    }
    for (size_t i = first; !rc && i < last; i++) {
        if (cut[i].batch_id && (!done || strcmp(done, cut[i].batch_id) != 0)) {
            done = cut[i].batch_id;
            rc = read_whole(d, done, a, rows, count, e);
        }
    }
    return rc;
}

static struct lot *find_lot(struct batch *b, const struct placement_waiting_row *row)
{
    if (!row->batch_id) {
        return NULL;
    }
    for (size_t i = b->lot_count; i > 0; i--) {
        if (strcmp(b->lots[i - 1].id, row->batch_id) == 0) {
            return &b->lots[i - 1];
        }
    }
    b->lots[b->lot_count] = (struct lot){.id = row->batch_id};
    return &b->lots[b->lot_count++];
}

/* A batch of which fewer are left than its least is placed as a whole or not at all. */
static void begin_decisions(struct batch *b, const struct placement_waiting_row *rows, struct arena *a)
{
    b->decisions = arena_array(a, b->count, sizeof(*b->decisions));
    b->lots = arena_array(a, b->count, sizeof(*b->lots));
    for (size_t i = 0; i < b->count; i++) {
        struct lot *lot = find_lot(b, &rows[i]);
        b->decisions[i] = (struct decision){.server = &rows[i], .lot = lot, .slot = PLACEMENT_NO_SLOT};
        if (lot) {
            lot->count++;
            lot->least = (size_t)rows[i].batch_least < lot->count ? (size_t)rows[i].batch_least : lot->count;
        }
    }
}

static int decide_all(struct batch *b, struct arena *a, struct error *e)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < b->count; i++) {
        struct decision *x = &b->decisions[i];
        if (!x->decided) {
            rc = x->lot ? decide_lot(b, x->lot, a, e) : decide(b, i, a, e);
        }
    }
    return rc;
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
    rc = complete(d, a, &waiting, &b.count, e);
    if (rc) {
        return rc;
    }
    begin_decisions(&b, waiting, a);
    rc = decide_all(&b, a, e);
    if (!rc) {
        qsort(b.decisions, b.count, sizeof(*b.decisions), by_slot);
        int64_t start = clock_mono_us();
        rc = dispatch_commit(&b, e);
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
