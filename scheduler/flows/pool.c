/* Happy path: every few seconds the sums are read; once a minute the hour is noted. An empty host beyond the reserve
 * becomes asleep in one transaction, in which nothing may have come to it, and its job "off" is asked for. When too
 * little is awake, or a parked server fits only on hosts that are asleep, "on" is asked for the largest, or for the one
 * that placement would choose; it is awake when it is heard again.
 *
 * The reserve is a share of what is used, and the most that an hour of the last week brought. Failure modes: a script
 * that fails is tried again (flows/power.c); the host stays out of placement meanwhile. One that an operator starts by
 * hand is awake again. Whoever leads next goes on from the rows. */
#include "scheduler/flows/pool.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "db/lease.h"
#include "db/store_host.h"
#include "db/store_host_power.h"
#include "db/store_queue.h"
#include "scheduler/reading/requirements.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_US    (5 * CLOCK_SECOND_US)
#define NOTE_US    (60 * CLOCK_SECOND_US)
#define DAY_US     (86400 * CLOCK_SECOND_US)
#define KEPT_US    (400 * DAY_US)
#define TREND_US   (30 * DAY_US)
#define RECENT_US  (7 * DAY_US)
#define PARKED_MAX 256
#define BY_HAND_US (30 * CLOCK_SECOND_US) /* heard so long after it was switched off: somebody switched it on */

struct taken {
    int32_t slot; /* PLACEMENT_NO_SLOT: nowhere */
    struct resources need;
    struct placement_extra extra;
};

struct turn {
    struct pool *pool;
    struct dispatch *d;
    const struct pool_settings *settings;
    struct arena arena;
    int64_t now_us;
    struct pool_host *asleep;
    size_t asleep_count;
    struct pool_host *dark; /* those that were asleep when the turn began, also when they are being woken */
    size_t dark_count;
    struct taken *taken; /* where the parked servers would go, with all of those awake */
    size_t taken_count;
    struct resources waking; /* capacity that is on its way */
};

static int lead(struct db_conn *c, const struct turn *t, struct error *e)
{
    return lease_check(c, DISPATCH_LEASE, t->d->holder, t->d->epoch, e);
}

/* ---- the past ---- */

static int note(struct db_conn *c, void *arg, struct error *e)
{
    const struct turn *t = arg;
    int rc = lead(c, t, e);
    return rc ? rc : store_pool_note(c, &t->pool->all, t->now_us, t->now_us - KEPT_US, e);
}

static int look_back(struct turn *t, struct error *e)
{
    struct pool *pool = t->pool;
    struct pool_hour *hours = NULL;
    size_t count = 0;
    int rc = store_pool_past(t->d->conn, t->now_us - TREND_US, &t->arena, &hours, &count, e);
    struct trend_point *points = arena_array(&t->arena, count + 1, sizeof(*points));
    pool->full_us = 0;
    for (int r = 0; !rc && r < RESOURCE_COUNT; r++) {
        for (size_t i = 0; i < count; i++)
            points[i] = (struct trend_point){hours[i].hour_us, hours[i].sums.used.amount[r]};
        pool->trend[r] = trend_of(points, count);
        int64_t full =
            trend_full_us(&pool->trend[r], t->now_us, pool->all.used.amount[r], pool->all.capacity.amount[r]);
        if (full && (!pool->full_us || full < pool->full_us))
            pool->full_us = full;
    }
    return rc;
}

static int keep_past(struct turn *t, struct error *e)
{
    if (t->now_us - t->pool->noted_us < NOTE_US)
        return 0;
    t->pool->noted_us = t->now_us;
    int rc = db_transact(t->d->conn, note, t, e);
    return rc ? rc : look_back(t, e);
}

/* ---- asking for power ---- */

struct wish {
    const struct turn *t;
    const char *host_id;
};

static int ask_sleep(struct db_conn *c, void *arg, struct error *e)
{
    const struct wish *w = arg;
    int rc = lead(c, w->t, e);
    rc = rc ? rc : store_pool_sleep(c, w->host_id, w->t->now_us, e);
    return rc ? rc : store_host_power_ask(c, w->host_id, "off", "sleep", w->t->now_us, e);
}

static int ask_wake(struct db_conn *c, void *arg, struct error *e)
{
    const struct wish *w = arg;
    int rc = lead(c, w->t, e);
    return rc ? rc : store_host_power_ask(c, w->host_id, "on", "wake", w->t->now_us, e);
}

static int is_awake(struct db_conn *c, void *arg, struct error *e)
{
    const struct wish *w = arg;
    int rc = lead(c, w->t, e);
    return rc ? rc : store_pool_wake(c, w->host_id, e);
}

static int wake(struct turn *t, const struct pool_host *h, const char *why, struct error *e)
{
    struct wish w = {t, h->host_id};
    log_info("host is woken", "host=%s why=\"%s\"", h->name, why);
    t->pool->woken++;
    resources_add(&t->waking, &h->capacity);
    return db_transact(t->d->conn, ask_wake, &w, e);
}

/* Whether it is being woken; hosts that were heard are awake again. */
static int check_asleep(struct turn *t, struct pool_host *h, bool *ret_waking, struct error *e)
{
    struct host_power_job job = {0};
    struct wish w = {t, h->host_id};
    bool found = false;
    int rc = store_host_power_job(t->d->conn, h->host_id, &t->arena, &job, &found, e);
    bool off = found && strcmp(job.wish, "off") == 0;
    bool open = found && (job.state == HOST_POWER_WAITING || job.state == HOST_POWER_RUNNING);
    bool alive = t->now_us - h->seen_us <= STORE_HOST_ALIVE_US;
    int64_t after_us = off ? job.updated_us + BY_HAND_US : job.asked_us;
    *ret_waking = !off && open;
    if (!rc && found && alive && h->seen_us > after_us && !(off && open)) {
        log_info("host is awake", "host=%s", h->name);
        rc = db_transact(t->d->conn, is_awake, &w, e);
        h->asleep_us = 0;
    } else if (!rc && !off) {
        *ret_waking = true; /* switched on, not heard yet */
    }
    return rc;
}

/* A server that only such hosts can take is not refused. */
static void tell_dispatch(struct dispatch *d, const char *host_id)
{
    d->asleep = memory_resize(d->asleep, (d->asleep_count + 1) * sizeof(*d->asleep));
    snprintf(d->asleep[d->asleep_count++], sizeof(*d->asleep), "%s", host_id);
}

static int read_asleep(struct turn *t, struct error *e)
{
    int rc = store_pool_asleep(t->d->conn, &t->arena, &t->asleep, &t->asleep_count, e);
    size_t kept = 0;
    t->pool->asleep_count = 0;
    t->d->asleep_count = 0;
    t->dark = arena_array(&t->arena, t->asleep_count + 1, sizeof(*t->dark));
    for (size_t i = 0; !rc && i < t->asleep_count; i++) {
        bool waking = false;
        rc = check_asleep(t, &t->asleep[i], &waking, e);
        t->pool->asleep_count += t->asleep[i].asleep_us != 0;
        t->dark[t->dark_count++] = t->asleep[i];
        if (t->asleep[i].asleep_us != 0)
            tell_dispatch(t->d, t->asleep[i].host_id);
        if (waking || t->asleep[i].asleep_us == 0)
            resources_add(&t->waking, &t->asleep[i].capacity);
        else
            t->asleep[kept++] = t->asleep[i];
    }
    t->asleep_count = kept; /* those that could be woken */
    return rc;
}

/* ---- need ---- */

/* Free room that must be awake. */
static struct resources needed(const struct turn *t)
{
    struct resources need;
    for (int r = 0; r < RESOURCE_COUNT; r++)
        need.amount[r] =
            t->pool->awake.used.amount[r] * t->settings->reserve_percent / 100 + t->pool->trend[r].most_an_hour;
    return need;
}

static bool suffices(const struct turn *t, const struct resources *less)
{
    struct resources need = needed(t);
    if (less && t->pool->awake.hosts <= 1)
        return false;
    for (int r = RESOURCE_VCPU; r <= RESOURCE_MEMORY_MIB; r++) {
        int64_t free = t->pool->awake.capacity.amount[r] + t->waking.amount[r] - t->pool->awake.used.amount[r] -
                       (less ? less->amount[r] : 0);
        if (free < need.amount[r])
            return false;
    }
    return true;
}

static int wake_for_reserve(struct turn *t, struct error *e)
{
    int rc = 0;
    size_t i = 0;
    for (; !rc && i < t->asleep_count && !suffices(t, NULL); i++)
        rc = wake(t, &t->asleep[i], "too little is awake for what is foreseen", e);
    t->asleep += i;
    t->asleep_count -= i;
    return rc;
}

static void show_asleep(const struct turn *t, bool alive)
{
    struct placement *p = t->d->feed.placement;
    for (size_t i = 0; i < t->dark_count; i++) {
        int32_t slot = placement_slot(p, t->dark[i].host_id);
        if (slot != PLACEMENT_NO_SLOT)
            placement_set_alive(p, slot, alive);
    }
}

static bool same_batch(const struct placement_waiting_row *a, const struct placement_waiting_row *b)
{
    return a == b || (a->batch_id && b->batch_id && strcmp(a->batch_id, b->batch_id) == 0);
}

/* How many of the row's batch there are from here on; 0: it was looked at with the first of them. */
static size_t batch_size(const struct placement_waiting_row *rows, size_t index, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < index && rows[index].batch_id; i++)
        if (same_batch(&rows[i], &rows[index]))
            return 0;
    for (size_t i = index; i < count; i++)
        size += same_batch(&rows[i], &rows[index]);
    return size;
}

/* The hosts that the server, or the least of its batch, would go to were all awake. They are taken in the library for
 * those that follow. */
static int place_parked(struct turn *t, const struct placement_waiting_row *rows, size_t index, struct error *e)
{
    struct placement *p = t->d->feed.placement;
    const struct placement_waiting_row *row = &rows[index];
    size_t least = batch_size(rows, index, t->taken_count);
    struct placement_request q;
    struct error reason = {0};
    if (least == 0)
        return 0;
    if (row->batch_id && row->batch_least < (int64_t)least)
        least = (size_t)row->batch_least;
    int rc = requirements_read(t->d->conn, p, row, &t->arena, &q, &reason);
    if (rc)
        return rc == ERR_NO_VALID_HOST || rc == ERR_INVALID ? 0 : error_set(e, rc, "%s", error_text(&reason));
    struct placement_group_host *members = arena_array(&t->arena, q.member_count + least + 1, sizeof(*members));
    int32_t *slots = arena_array(&t->arena, least, sizeof(*slots));
    q.goal = PLACEMENT_GOAL_PACK; /* few are woken */
    requirements_make_room(&q, least, &t->arena);
    size_t fit = placement_choose_batch(p, &q, least, least, members, slots);
    for (size_t i = index, k = 0; i < t->taken_count && k < fit; i++) {
        if (!same_batch(&rows[i], row))
            continue;
        t->taken[i] = (struct taken){slots[k], q.need, placement_extra_at(&q, k)};
        k++;
    }
    return 0;
}

static struct pool_host *find_asleep(struct turn *t, int32_t slot)
{
    const char *id = placement_host_id(t->d->feed.placement, slot);
    for (size_t i = 0; i < t->asleep_count; i++)
        if (strcmp(t->asleep[i].host_id, id) == 0)
            return &t->asleep[i];
    return NULL;
}

/* t->taken, for as long as the turn lasts; the library is left as it was. */
static int plan_parked(struct turn *t, struct error *e)
{
    struct placement_waiting_row *rows = NULL;
    int rc = t->dark_count || t->settings->sleep
                 ? store_queue_parked(t->d->conn, PARKED_MAX, &t->arena, &rows, &t->taken_count, e)
                 : 0;
    if (rc || t->taken_count == 0)
        return rc;
    t->taken = arena_array(&t->arena, t->taken_count, sizeof(*t->taken));
    show_asleep(t, true);
    for (size_t i = 0; i < t->taken_count; i++)
        t->taken[i].slot = PLACEMENT_NO_SLOT;
    for (size_t i = 0; !rc && i < t->taken_count; i++)
        rc = place_parked(t, rows, i, e);
    for (size_t i = 0; i < t->taken_count; i++)
        if (t->taken[i].slot != PLACEMENT_NO_SLOT)
            placement_release(t->d->feed.placement, t->taken[i].slot, &t->taken[i].need, &t->taken[i].extra);
    show_asleep(t, false);
    return rc;
}

static int wake_for_parked(struct turn *t, struct error *e)
{
    int rc = plan_parked(t, e);
    for (size_t i = 0; !rc && i < t->taken_count; i++) {
        struct pool_host *h = t->taken[i].slot == PLACEMENT_NO_SLOT ? NULL : find_asleep(t, t->taken[i].slot);
        if (h && h->asleep_us) {
            h->asleep_us = 0; /* asked once */
            rc = wake(t, h, "a server waits for it", e);
        }
    }
    return rc;
}

/* ---- sleep ---- */

static int64_t idle_since(struct turn *t, const char *host_id)
{
    struct pool *pool = t->pool;
    for (size_t i = 0; i < pool->idle_count; i++)
        if (strcmp(pool->idle[i].host_id, host_id) == 0)
            return pool->idle[i].since_us;
    return t->now_us;
}

/* A batch waits for several hosts: the first that is awake must not go to sleep before the last is. */
static bool is_counted_on(const struct turn *t, const char *host_id)
{
    int32_t slot = placement_slot(t->d->feed.placement, host_id);
    for (size_t i = 0; i < t->taken_count; i++)
        if (slot != PLACEMENT_NO_SLOT && t->taken[i].slot == slot)
            return true;
    return false;
}

static int put_to_sleep(struct turn *t, const struct pool_host *h, struct error *e)
{
    struct wish w = {t, h->host_id};
    struct error refused = {0};
    int rc = db_transact(t->d->conn, ask_sleep, &w, &refused);
    if (rc == ERR_PRECONDITION)
        return 0;
    if (rc)
        return error_set(e, rc, "%s", error_text(&refused));
    log_info("empty host is put to sleep", "host=%s", h->name);
    tell_dispatch(t->d, h->host_id);
    t->pool->slept++;
    t->pool->awake.hosts--;
    for (int r = 0; r < RESOURCE_COUNT; r++)
        t->pool->awake.capacity.amount[r] -= h->capacity.amount[r];
    return 0;
}

static int sleep_idle(struct turn *t, struct error *e)
{
    struct pool_host *idle = NULL;
    size_t count = 0, kept = 0;
    int rc = store_pool_idle(t->d->conn, t->now_us, &t->arena, &idle, &count, e);
    if (rc)
        return rc;
    struct pool_idle *now = memory_array(count + 1, sizeof(*now));
    for (size_t i = 0; !rc && i < count; i++) {
        int64_t since_us = idle_since(t, idle[i].host_id);
        bool long_enough = t->now_us - since_us >= t->settings->sleep_after_us;
        if (long_enough && !is_counted_on(t, idle[i].host_id) && suffices(t, &idle[i].capacity)) {
            rc = put_to_sleep(t, &idle[i], e);
            continue;
        }
        snprintf(now[kept].host_id, sizeof(now[kept].host_id), "%s", idle[i].host_id);
        now[kept++].since_us = since_us;
    }
    free(t->pool->idle);
    t->pool->idle = now;
    t->pool->idle_count = kept;
    return rc;
}

/* ---- a turn ---- */

static int turn(struct turn *t, struct error *e)
{
    struct db_conn *c = t->d->conn;
    int rc = store_pool_sums(c, t->now_us, false, &t->pool->awake, e);
    rc = rc ? rc : store_pool_sums(c, t->now_us, true, &t->pool->all, e);
    rc = rc ? rc : keep_past(t, e);
    rc = rc ? rc : read_asleep(t, e);
    rc = rc ? rc : wake_for_reserve(t, e);
    rc = rc ? rc : wake_for_parked(t, e);
    return rc || !t->settings->sleep ? rc : sleep_idle(t, e);
}

int pool_run(struct pool *pool, struct dispatch *d, const struct pool_settings *settings, struct error *e)
{
    struct turn t = {.pool = pool, .d = d, .settings = settings, .now_us = clock_now_us()};
    bool due = t.now_us - pool->looked_us >= LOOK_US || t.now_us < pool->looked_us || d->wants_wake;
    if (!d->leader || !due)
        return 0;
    pool->looked_us = t.now_us;
    d->wants_wake = false;
    arena_init(&t.arena);
    int rc = turn(&t, e);
    arena_done(&t.arena);
    if (rc == ERR_CONFLICT)
        d->leader = false;
    return rc;
}

void pool_done(struct pool *pool)
{
    free(pool->idle);
    pool->idle = NULL;
    pool->idle_count = 0;
}
