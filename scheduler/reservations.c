/* Reservations. Happy path: all slots are chosen as a batch in memory, then one transaction takes the room of each host
 * by compare-and-set and writes the slots as allocations: all of them or none.
 *
 * Failure modes: no room for all: it stays pending with the reason and is tried again every few seconds until its time
 * is over. A host that changed meanwhile: everything is given back, the next round tries again. A lost lease ends the
 * round. */
#include "scheduler/reservations.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"
#include "db/lease.h"
#include "db/store_reservation.h"
#include "scheduler/reading/requirements.h"

#define AT_ONCE  16
#define AGAIN_US (5 * CLOCK_SECOND_US)

struct holding {
    struct dispatch *d;
    struct arena *arena;
    const struct reservation_row *row;
    struct placement_request request;
    int32_t *slots;
    size_t count; /* of slots; 0: no room */
    const char *message;
    int64_t now_us, feed_number;
};

/* The host's allocation_revision before the i-th slot is written: each slot counts it up. */
static int64_t revision_before(const struct holding *h, size_t i)
{
    int64_t revision = placement_host_revision(h->d->feed.placement, h->slots[i]);
    for (size_t k = 0; k < i; k++) {
        revision += h->slots[k] == h->slots[i];
    }
    return revision;
}

static int write_slots(struct db_conn *c, void *arg, struct error *e)
{
    struct holding *h = arg;
    int rc = lease_check(c, DISPATCH_LEASE, h->d->holder, h->d->epoch, e);
    rc = rc ? rc : db_counter_next(c, "host_feed", 1, &h->feed_number, e);
    for (size_t i = 0; !rc && i < h->count; i++) {
        const char *host_id = placement_host_id(h->d->feed.placement, h->slots[i]);
        struct error changed = {0};
        char id[UUID_SIZE];
        int64_t revision;
        struct placement_extra extra = placement_extra_at(&h->request, i);
        struct store_holding holding;
        requirements_holding(h->d->feed.placement, &h->request.need, &extra, h->arena, &holding);
        rc = store_placement_take(c, host_id, revision_before(h, i), &holding.need, 1, h->feed_number, &revision,
                                  &changed);
        if (rc) {
            return error_set(e, rc == ERR_CONFLICT ? ERR_PRECONDITION : rc, "%s", error_text(&changed));
        }
        rc = store_reservation_add_slot(c, uuid_ordered(id), h->row, &holding, host_id, h->now_us, e);
    }
    rc = rc ? rc : store_reservation_meter(c, h->row->id, h->now_us, h->arena, e);
    return rc ? rc : store_reservation_move(c, h->row->id, "held", NULL, h->row->until_us, e);
}

static int write_message(struct db_conn *c, void *arg, struct error *e)
{
    const struct holding *h = arg;
    int rc = lease_check(c, DISPATCH_LEASE, h->d->holder, h->d->epoch, e);
    return rc ? rc : store_reservation_move(c, h->row->id, "pending", h->message, h->now_us + AGAIN_US, e);
}

/* Chooses and takes in memory; without room for all, says why. */
static int choose(struct holding *h, struct error *e)
{
    struct placement *p = h->d->feed.placement;
    const struct reservation_row *row = h->row;
    struct placement_waiting_row waiting = {.project_id = row->project_id,
                                            .zone = row->zone,
                                            .flavor_extra = row->flavor_extra,
                                            .hints = "{}",
                                            .need = row->need};
    struct placement_explanation x;
    struct error reason = {0};
    int rc = requirements_read(h->d->conn, p, &waiting, h->arena, &h->request, &reason);
    if (rc == ERR_NO_VALID_HOST || rc == ERR_INVALID) {
        h->message = arena_strdup(h->arena, error_text(&reason));
        return 0;
    }
    if (rc) {
        return error_set(e, rc, "%s", error_text(&reason));
    }
    h->slots = arena_array(h->arena, (size_t)row->count, sizeof(*h->slots));
    struct placement_group_host *members = arena_array(h->arena, (size_t)row->count, sizeof(*members));
    requirements_make_room(&h->request, (size_t)row->count, h->arena);
    h->count = placement_choose_batch(p, &h->request, (size_t)row->count, (size_t)row->count, members, h->slots);
    if (h->count == 0) {
        placement_explain(p, &h->request, &x);
        h->message = x.count > 0 ? placement_sentence(&x, arena_alloc(h->arena, PLACEMENT_SENTENCE_SIZE),
                                                      PLACEMENT_SENTENCE_SIZE)
                                 : "No room for all of it";
    }
    return 0;
}

static void settle(struct holding *h, bool committed)
{
    struct placement *p = h->d->feed.placement;
    for (size_t i = 0; i < h->count; i++) {
        if (committed) {
            placement_set_revision(p, h->slots[i], placement_host_revision(p, h->slots[i]) + 1);
        } else {
            struct placement_extra extra = placement_extra_at(&h->request, i);
            placement_release(p, h->slots[i], &h->request.need, &extra);
        }
    }
    if (committed) {
        feed_skip_own(&h->d->feed, h->feed_number);
    }
}

static int hold(struct holding *h, struct error *e)
{
    struct error failed = {0};
    int rc = choose(h, e);
    if (rc || h->count == 0) {
        return rc ? rc : db_transact(h->d->conn, write_message, h, e);
    }
    rc = db_transact(h->d->conn, write_slots, h, &failed);
    settle(h, rc == 0);
    if (rc == ERR_PRECONDITION) {
        log_info("hosts changed while reserving", "reservation=%s", h->row->id);
        return 0;
    }
    if (!rc) {
        log_info("room reserved", "reservation=%s project=%s slots=%zu", h->row->id, h->row->project_id, h->count);
    }
    return rc ? error_set(e, rc, "%s", error_text(&failed)) : 0;
}

static int end(struct db_conn *c, void *arg, struct error *e)
{
    const struct holding *h = arg;
    int rc = lease_check(c, DISPATCH_LEASE, h->d->holder, h->d->epoch, e);
    rc = rc ? rc : store_reservation_release(c, h->row->id, h->arena, e);
    rc = rc ? rc : store_reservation_meter(c, h->row->id, h->now_us, h->arena, e);
    return rc ? rc : store_reservation_move(c, h->row->id, "ended", h->row->message, STORE_RESERVATION_NEVER, e);
}

int reservations_hold(struct dispatch *d, struct error *e)
{
    struct reservation_row *rows = NULL;
    struct arena a;
    size_t count = 0;
    int64_t now = clock_now_us();
    if (!d->leader) {
        return 0;
    }
    arena_init(&a);
    int rc = store_reservation_due(d->conn, now, AT_ONCE, &a, &rows, &count, e);
    for (size_t i = 0; !rc && i < count; i++) {
        struct holding h = {.d = d, .arena = &a, .row = &rows[i], .now_us = now};
        rc = rows[i].until_us <= now ? db_transact(d->conn, end, &h, e) : hold(&h, e);
    }
    arena_done(&a);
    if (rc == ERR_CONFLICT) {
        d->leader = false;
    }
    return rc;
}
