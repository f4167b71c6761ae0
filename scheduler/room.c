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
#include "db/store_queue.h"
#include "scheduler/requirements.h"
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
           same_text(a->image_properties, b->image_properties) && same_text(a->image_kind, b->image_kind);
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
    int32_t slot;
    struct placement_extra extra;
};
struct look {
    struct dispatch *d;
    struct arena arena;
    struct fit *fits;
    size_t count;
    int64_t now_us;
};

static int try_one(struct look *l, const struct placement_waiting_row *row, struct shapes *shapes, struct error *e)
{
    struct placement *p = l->d->feed.placement;
    struct placement_request r;
    struct error reason = {0};
    if (is_hopeless(shapes, row)) {
        return 0;
    }
    int rc = requirements_read(l->d->conn, p, row, &l->arena, &r, &reason);
    if (rc && rc != ERR_NO_VALID_HOST && rc != ERR_INVALID) {
        return error_set(e, rc, "%s", error_text(&reason));
    }
    int32_t slot = rc ? PLACEMENT_NO_SLOT : placement_choose(p, &r);
    if (slot == PLACEMENT_NO_SLOT) {
        if (shapes->count < SHAPES_MAX) {
            shapes->refused[shapes->count++] = row;
        }
        return 0;
    }
    placement_take(p, slot, &row->need, &r.extra);
    l->fits[l->count++] = (struct fit){.row = row, .slot = slot, .extra = r.extra};
    return 0;
}

static int unpark(struct db_conn *c, void *arg, struct error *e)
{
    const struct look *l = arg;
    int rc = lease_check(c, DISPATCH_LEASE, l->d->holder, l->d->epoch, e);
    for (size_t i = 0; !rc && i < l->count; i++) {
        rc = store_queue_unpark(c, l->fits[i].row->id, e);
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
        rc = try_one(l, &rows[i], &shapes, e);
    }
    for (size_t i = 0; i < l->count; i++) {
        placement_release(l->d->feed.placement, l->fits[i].slot, &l->fits[i].row->need, &l->fits[i].extra);
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

static int end_over(struct look *l, struct error *e)
{
    struct over *o = arena_alloc(&l->arena, sizeof(*o));
    o->look = l;
    int rc = store_queue_over(l->d->conn, l->now_us, OVER_MAX, note_over, o, e);
    if (rc || o->count == 0) {
        return rc;
    }
    rc = db_transact(l->d->conn, fail_over, o, e);
    if (!rc) {
        l->d->failed += o->count;
        log_warn("servers waited for room in vain", "count=%zu", o->count);
    }
    return rc;
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
