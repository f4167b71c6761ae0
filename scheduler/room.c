/* Waiting for room. Happy path: hosts changed (a server was deleted, a host joined or was enabled), so the parked
 * servers are tried in the library in their fair order, each taking its room there; all is given back, those that
 * fitted go back into the scheduler's queue, older than whatever came since, and are placed by the dispatch that
 * follows.
 *
 * Failure modes: what fitted here need not fit in the commit (another scheduler, a group's rule): dispatch parks it
 * again with its reason. A host that comes alive again changes no row: every few seconds they are tried anyway. A lost
 * lease ends the round. */
#include "scheduler/room.h"
#include "common/clock.h"
#include "common/log.h"
#include "db/lease.h"
#include "db/store_preemption.h"
#include "db/store_queue.h"
#include "scheduler/reading/requirements.h"
#include <string.h>

#define LOOK_MAX      20000 /* parked servers tried in one look */
#define OVER_MAX      512
#define LOOK_AGAIN_US (5 * CLOCK_SECOND_US)
#define SHAPES_MAX    64

/* Requests alike that did not fit in this look need not be tried again in it. */
struct shapes {
    const struct placement_waiting_row *refused[SHAPES_MAX];
    size_t count;
};

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool alike(const struct placement_waiting_row *a, const struct placement_waiting_row *b)
{
    return memcmp(&a->need, &b->need, sizeof(a->need)) == 0 && same_text(a->project_id, b->project_id) &&
           same_text(a->zone, b->zone) && same_text(a->group_id, b->group_id) &&
           same_text(a->flavor_extra, b->flavor_extra) && same_text(a->hints, b->hints) &&
           same_text(a->image_properties, b->image_properties) && same_text(a->only_host, b->only_host) &&
           same_text(a->image_kind, b->image_kind) &&
           (a->batch_id ? a->batch_least : 1) == (b->batch_id ? b->batch_least : 1);
}

static bool is_hopeless(const struct shapes *s, const struct placement_waiting_row *row)
{
    for (size_t i = 0; i < s->count; i++) {
        if (alike(s->refused[i], row)) {
            return true;
        }
    }
    return false;
}

struct fit {
    const struct placement_waiting_row *row;
    bool first;   /* of its batch */
    int32_t slot; /* PLACEMENT_NO_SLOT: of a batch that fits without it */
    struct resources need;
    struct placement_extra extra;
};
struct look {
    struct dispatch *d;
    struct arena arena;
    struct fit *fits;
    size_t count;
    int64_t now_us;
};

static void refuse(struct shapes *shapes, const struct placement_waiting_row *row)
{
    if (shapes->count < SHAPES_MAX) {
        shapes->refused[shapes->count++] = row;
    }
}

/* `rows` are one, or a batch: as many as fit are taken, or none when they are fewer than its least. All of a batch look
 * again together. */
static int try_some(struct look *l, const struct placement_waiting_row *const *rows, size_t count,
                    struct shapes *shapes, struct error *e)
{
    struct placement *p = l->d->feed.placement;
    const struct placement_waiting_row *row = rows[0];
    struct placement_request r;
    struct error reason = {0};
    size_t least = !row->batch_id || row->batch_least > (int64_t)count ? count : (size_t)row->batch_least;
    if (is_hopeless(shapes, row)) {
        return 0;
    }
    int rc = requirements_read(l->d->conn, p, row, &l->arena, &r, &reason);
    if (rc && rc != ERR_NO_VALID_HOST && rc != ERR_INVALID) {
        return error_set(e, rc, "%s", error_text(&reason));
    }
    int32_t *slots = arena_array(&l->arena, count, sizeof(*slots));
    size_t room = (rc ? 0 : r.member_count) + count;
    struct placement_group_host *members = arena_array(&l->arena, room, sizeof(*members));
    if (!rc) {
        requirements_make_room(&r, count, &l->arena);
    }
    size_t fit = rc ? 0 : placement_choose_batch(p, &r, least, count, members, slots);
    if (fit == 0) {
        refuse(shapes, row);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        int32_t slot = i < fit ? slots[i] : PLACEMENT_NO_SLOT;
        l->fits[l->count++] = (struct fit){
            .row = rows[i], .first = i == 0, .slot = slot, .need = r.need, .extra = placement_extra_at(&r, i)};
    }
    return 0;
}

static bool same_batch(const struct placement_waiting_row *a, const struct placement_waiting_row *b)
{
    return a->batch_id && same_text(a->batch_id, b->batch_id);
}

/* The row and, for the first of a batch, all others of it. */
static int try_row(struct look *l, const struct placement_waiting_row *rows, size_t index, size_t count,
                   struct shapes *shapes, struct error *e)
{
    const struct placement_waiting_row *first = &rows[index];
    size_t found = 0;
    if (!first->batch_id) {
        return try_some(l, &first, 1, shapes, e);
    }
    for (size_t i = index; i > 0; i--) {
        if (same_batch(first, &rows[i - 1])) {
            return 0; /* tried already */
        }
    }
    const struct placement_waiting_row **some = arena_array(&l->arena, count - index, sizeof(*some));
    for (size_t i = index; i < count; i++) {
        if (same_batch(first, &rows[i])) {
            some[found++] = &rows[i];
        }
    }
    return try_some(l, some, found, shapes, e);
}

static int unpark_one(struct db_conn *c, const struct fit *fit, struct error *e)
{
    if (fit->row->batch_id) {
        return fit->first ? store_queue_unpark_batch(c, fit->row->batch_id, e) : 0;
    }
    return store_queue_unpark(c, fit->row->id, e);
}

static int unpark(struct db_conn *c, void *arg, struct error *e)
{
    const struct look *l = arg;
    int rc = lease_check(c, DISPATCH_LEASE, l->d->holder, l->d->epoch, e);
    for (size_t i = 0; !rc && i < l->count; i++) {
        rc = unpark_one(c, &l->fits[i], e);
    }
    return rc;
}

static int try_all(struct look *l, struct error *e)
{
    struct placement_waiting_row *rows = NULL;
    struct shapes shapes = {.count = 0};
    size_t count = 0;
    int rc = store_queue_parked(l->d->conn, LOOK_MAX, &l->arena, &rows, &count, e);
    l->fits = arena_array(&l->arena, count + 1, sizeof(*l->fits));
    for (size_t i = 0; !rc && i < count; i++) {
        rc = try_row(l, rows, i, count, &shapes, e);
    }
    for (size_t i = 0; i < l->count; i++) {
        if (l->fits[i].slot != PLACEMENT_NO_SLOT) {
            placement_release(l->d->feed.placement, l->fits[i].slot, &l->fits[i].need, &l->fits[i].extra);
        }
    }
    if (!rc && l->count > 0) {
        log_info("room for waiting servers", "parked=%zu fit=%zu", count, l->count);
        rc = db_transact(l->d->conn, unpark, l, e);
    }
    return rc;
}

struct over {
    struct look *look;
    struct over_item {
        char id[40];
        const char *reason;
    } items[OVER_MAX];
    size_t count;
};

static int note_over(void *arg, const char *server_id, const char *reason, struct error *e)
{
    (void)e;
    struct over *o = arg;
    struct over_item *item = &o->items[o->count++];
    strncpy(item->id, server_id, sizeof(item->id) - 1);
    item->reason = arena_printf(&o->look->arena, "No room came in time: %s", reason ? reason : "");
    return 0;
}

static int fail_over(struct db_conn *c, void *arg, struct error *e)
{
    const struct over *o = arg;
    const struct dispatch *d = o->look->d;
    int rc = lease_check(c, DISPATCH_LEASE, d->holder, d->epoch, e);
    for (size_t i = 0; !rc && i < o->count; i++) {
        rc = store_placement_fail(c, o->items[i].id, o->items[i].reason, o->look->now_us, e);
    }
    return rc;
}

/* All of them before anybody is tried: of a batch whose time is over none is placed. */
static int end_over(struct look *l, struct error *e)
{
    struct over *o = arena_alloc(&l->arena, sizeof(*o));
    int rc = 0;
    o->look = l;
    o->count = OVER_MAX;
    while (!rc && o->count == OVER_MAX) {
        o->count = 0;
        rc = store_queue_over(l->d->conn, l->now_us, OVER_MAX, note_over, o, e);
        if (rc || o->count == 0) {
            return rc;
        }
        rc = db_transact(l->d->conn, fail_over, o, e);
        if (!rc) {
            l->d->failed += o->count;
            log_warn("servers waited for room in vain", "count=%zu", o->count);
        }
    }
    return rc;
}

/* Whom nobody goes for any more, and who fits nowhere, is planned for anew. */
static int look_for_planned(struct db_conn *c, void *arg, struct error *e)
{
    const struct look *l = arg;
    int64_t count = 0;
    int rc = lease_check(c, DISPATCH_LEASE, l->d->holder, l->d->epoch, e);
    return rc ? rc : store_preemption_unpark(c, &count, e);
}

int room_look(struct room *room, struct dispatch *d, struct error *e)
{
    struct look l = {.d = d, .now_us = clock_now_us()};
    bool used = false;
    int rc = d->leader ? store_queue_is_used(d->conn, &used, e) : 0;
    if (rc || !used) {
        return rc;
    }
    rc = feed_refresh(&d->feed, d->conn, l.now_us, e);
    arena_init(&l.arena);
    rc = rc ? rc : end_over(&l, e);
    bool changed = room->seen != d->feed.changes || room->epoch != d->epoch;
    if (!rc && (changed || l.now_us - room->looked_us >= LOOK_AGAIN_US)) {
        rc = try_all(&l, e);
        if (!rc && l.count == 0) { /* else those that fit now are placed first */
            rc = db_transact(d->conn, look_for_planned, &l, e);
        }
        if (!rc) {
            *room = (struct room){.seen = d->feed.changes, .looked_us = l.now_us, .epoch = d->epoch};
        }
    }
    arena_done(&l.arena);
    if (rc == ERR_CONFLICT) {
        d->leader = false;
    }
    return rc;
}
