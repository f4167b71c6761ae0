/* Happy path: a few thousand ended servers a turn until the history is known, then what came since; every five minutes
 * one pass over all placed servers. A database error leaves things as they were until the next turn. */
#include "scheduler/foresight.h"
#include "common/clock.h"
#include "common/memory.h"
#include "db/store_life.h"
#include <stdlib.h>
#include <string.h>

#define HORIZON   (3 * 1440) /* minutes */
#define MINUTE_US (60 * CLOCK_SECOND_US)
#define SWEEP_US  (5 * MINUTE_US)
#define PAST_US   (60 * 24 * 60 * MINUTE_US)
#define AT_ONCE   5000

struct foresight *foresight_new(void)
{
    struct foresight *f = memory_new(sizeof(*f));
    f->lifetime = lifetime_new(HORIZON);
    f->epoch = -1;
    return f;
}

void foresight_free(struct foresight **f)
{
    if (*f) {
        lifetime_free(&(*f)->lifetime);
        free((*f)->stay);
        free(*f);
        *f = NULL;
    }
}

static uint64_t number_of(const char *text)
{
    uint64_t hash = 1469598103934665603ULL;
    for (; *text; text++) {
        hash = (hash ^ (uint8_t)*text) * 1099511628211ULL;
    }
    return hash;
}

static uint64_t shape_of(const struct resources *need)
{
    return lifetime_shape(need->amount[RESOURCE_VCPU], need->amount[RESOURCE_MEMORY_MIB], 0);
}

static int note_end(void *arg, const struct life_row *row, struct error *e)
{
    struct foresight *f = arg;
    (void)e;
    lifetime_learn(f->lifetime, number_of(row->project_id), shape_of(&row->need),
                   (row->ended_us - row->begun_us) / MINUTE_US);
    f->read_us = row->ended_us;
    strncpy(f->read_id, row->server_id, sizeof(f->read_id) - 1);
    return 0;
}

static double *stay_at(struct foresight *f, int32_t slot)
{
    if (slot >= f->slots) {
        int32_t slots = slot * 2 + 64;
        f->stay = memory_resize(f->stay, (size_t)slots * sizeof(*f->stay));
        memset(f->stay + f->slots, 0, (size_t)(slots - f->slots) * sizeof(*f->stay));
        f->slots = slots;
    }
    return &f->stay[slot];
}

/* Which part of the host it will hold over the horizon. */
static double part_of(const struct foresight *f, const struct placement *p, int32_t slot, const char *project_id,
                      const struct resources *need, int64_t age_us)
{
    struct resources capacity = placement_host_capacity(p, slot);
    double share = 0;
    for (int r = RESOURCE_VCPU; r <= RESOURCE_MEMORY_MIB; r++) {
        double part = capacity.amount[r] > 0 ? (double)need->amount[r] / (double)capacity.amount[r] : 0;
        share = part > share ? part : share;
    }
    int64_t rest = lifetime_expect(f->lifetime, number_of(project_id), shape_of(need), age_us / MINUTE_US);
    return share * (double)rest / HORIZON;
}

static void tell(const struct foresight *f, struct placement *p, int32_t slot)
{
    double stay = f->stay[slot] < 1 ? f->stay[slot] : 1;
    placement_set_stay(p, slot, (int32_t)(stay * PLACEMENT_STAY_WHOLE));
}

struct sweep {
    struct foresight *f;
    struct placement *placement;
    int64_t now_us;
};

static int add_living(void *arg, const struct life_row *row, struct error *e)
{
    struct sweep *s = arg;
    (void)e;
    int32_t slot = placement_slot(s->placement, row->host_id);
    if (slot != PLACEMENT_NO_SLOT) {
        *stay_at(s->f, slot) +=
            part_of(s->f, s->placement, slot, row->project_id, &row->need, s->now_us - row->begun_us);
    }
    return 0;
}

static int tell_all(void *arg, const struct life_row *row, struct error *e)
{
    struct sweep *s = arg;
    (void)e;
    int32_t slot = placement_slot(s->placement, row->host_id);
    if (slot != PLACEMENT_NO_SLOT) {
        stay_at(s->f, slot);
        tell(s->f, s->placement, slot);
    }
    return 0;
}

static int sweep(struct foresight *f, struct dispatch *d, int64_t now_us, struct error *e)
{
    struct sweep s = {f, d->feed.placement, now_us};
    if (f->slots > 0) {
        memset(f->stay, 0, (size_t)f->slots * sizeof(*f->stay));
    }
    int rc = store_life_living(d->conn, add_living, &s, e);
    rc = rc ? rc : store_life_hosts(d->conn, tell_all, &s, e);
    if (!rc) {
        f->swept_us = now_us;
    }
    return rc;
}

int foresight_look(struct foresight *f, struct dispatch *d, struct error *e)
{
    int64_t now = clock_now_us();
    if (!d->leader) {
        return 0;
    }
    if (f->epoch != d->epoch) { /* what was learned stays true; the hosts are read anew */
        f->epoch = d->epoch;
        f->swept_us = 0;
        f->read_us = f->read_us ? f->read_us : now - PAST_US;
    }
    int rc = store_life_ended(d->conn, f->read_us, f->read_id, AT_ONCE, note_end, f, e);
    if (!rc && now - f->swept_us >= SWEEP_US) {
        rc = sweep(f, d, now, e);
    }
    return rc;
}

void foresight_placed(struct foresight *f, struct placement *p, int32_t slot, const char *project_id,
                      const struct resources *need)
{
    *stay_at(f, slot) += part_of(f, p, slot, project_id, need, 0);
    tell(f, p, slot);
}
