/* One turn of a group. First who stays: the sick are replaced, surplus leaves. Then what is missing is made where the
 * fewest are. Then, when nothing is missing, old templates are replaced as far as few enough are down. */
#include "common/model/elastic.h"
#include <assert.h>
#include <string.h>

static const char *const names[ELASTIC_HEALTH_COUNT] = {"starting", "healthy", "sick", "leaving"};

const char *elastic_health_name(enum elastic_health h)
{
    assert(h < ELASTIC_HEALTH_COUNT);
    return names[h];
}

int elastic_health_parse(const char *text)
{
    for (int i = 0; i < ELASTIC_HEALTH_COUNT; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

struct turn {
    const struct elastic_wish *wish;
    const struct elastic_member *members;
    size_t count;
    struct elastic_plan *plan;
    int64_t in_zone[ELASTIC_ZONES_MAX + 1]; /* members that stay */
    int64_t staying, starting, old;
    int64_t sick; /* not replaced in this turn */
};

static int zone_of(const struct turn *t, size_t i)
{
    int zone = t->members[i].zone;
    return zone >= 0 && zone < t->wish->zones ? zone : ELASTIC_ZONES_MAX;
}

static bool is_removed(const struct turn *t, size_t i)
{
    for (size_t k = 0; k < t->plan->remove_count; k++)
        if (t->plan->remove[k] == i)
            return true;
    return false;
}

static void count_in(struct turn *t, size_t i, int64_t sign)
{
    const struct elastic_member *m = &t->members[i];
    t->in_zone[zone_of(t, i)] += sign;
    t->staying += sign;
    t->starting += m->health == ELASTIC_STARTING ? sign : 0;
    t->old += m->current ? 0 : sign;
}

static bool is_full(const struct turn *t)
{
    return (int64_t)t->plan->remove_count >= t->wish->at_once;
}

static void remove_member(struct turn *t, size_t i)
{
    t->plan->remove[t->plan->remove_count++] = i;
    if (t->members[i].health != ELASTIC_SICK)
        count_in(t, i, -1);
}

/* A tenth of the group, so that a check that is wrong does not empty it in one turn. */
static void remove_sick(struct turn *t)
{
    int64_t most = t->wish->desired / 10 + 1;
    for (size_t i = 0; i < t->count && most > 0 && !is_full(t); i++) {
        if (t->members[i].health == ELASTIC_SICK) {
            remove_member(t, i);
            most--;
            t->sick--;
        }
    }
}

/* Whether `a` leaves before `b`; the one that comes first in the list wins a tie. */
static bool leaves_before(const struct turn *t, size_t a, size_t b)
{
    const struct elastic_member *x = &t->members[a], *y = &t->members[b];
    if (x->current != y->current)
        return !x->current;
    if (x->health != y->health)
        return x->health == ELASTIC_STARTING;
    return t->in_zone[zone_of(t, a)] > t->in_zone[zone_of(t, b)];
}

static bool is_candidate(const struct turn *t, size_t i)
{
    enum elastic_health health = t->members[i].health;
    return (health == ELASTIC_STARTING || health == ELASTIC_HEALTHY) && !is_removed(t, i);
}

static void remove_surplus(struct turn *t)
{
    while (t->staying > t->wish->desired && !is_full(t)) {
        size_t best = t->count;
        for (size_t i = 0; i < t->count; i++)
            if (is_candidate(t, i) && (best == t->count || leaves_before(t, i, best)))
                best = i;
        if (best == t->count)
            return;
        remove_member(t, best);
    }
}

static void make_one(struct turn *t)
{
    int zone = t->wish->zones == 0 ? ELASTIC_ZONES_MAX : 0;
    for (int z = 1; z < t->wish->zones; z++)
        if (t->in_zone[z] < t->in_zone[zone])
            zone = z;
    t->in_zone[zone]++;
    t->plan->make[zone]++;
    t->plan->make_count++;
    t->staying++;
    t->starting++;
}

static void make_missing(struct turn *t)
{
    while (t->staying + t->sick < t->wish->desired && t->plan->make_count < t->wish->at_once)
        make_one(t);
}

/* Old members that never became healthy cost nothing to replace; of the others as many as may be down. */
static void roll(struct turn *t)
{
    if (t->wish->paused || t->staying != t->wish->desired)
        return;
    for (int healthy = 0; healthy < 2; healthy++) {
        for (size_t i = 0; i < t->count && t->old > 0 && !is_full(t); i++) {
            bool is_healthy = t->members[i].health == ELASTIC_HEALTHY;
            if (!is_candidate(t, i) || t->members[i].current || is_healthy != (healthy == 1))
                continue;
            if (is_healthy && t->starting >= t->wish->batch)
                return;
            remove_member(t, i);
            make_one(t);
        }
    }
}

/* The zone that has too many while another could take one: first of all where the group is no longer to be. -1: none.
 */
static int fullest_zone(const struct turn *t)
{
    int least = 0, most = 0;
    if (t->wish->zones == 0)
        return -1;
    for (int z = 1; z < t->wish->zones; z++) {
        least = t->in_zone[z] < t->in_zone[least] ? z : least;
        most = t->in_zone[z] > t->in_zone[most] ? z : most;
    }
    return t->in_zone[ELASTIC_ZONES_MAX] > 0 ? ELASTIC_ZONES_MAX : t->in_zone[most] - t->in_zone[least] > 1 ? most : -1;
}

/* A group that is well otherwise, but whose zones were changed: the oldest of the fullest zone are replaced in the
 * emptiest, as many at a time as a rolling update may have down. */
static void balance(struct turn *t, size_t unsettled)
{
    int zone;
    if (t->wish->paused || unsettled > 0 || t->staying != t->wish->desired)
        return;
    while (t->starting < t->wish->batch && !is_full(t) && (zone = fullest_zone(t)) >= 0) {
        size_t i = 0;
        while (i < t->count && (zone_of(t, i) != zone || !is_candidate(t, i)))
            i++;
        if (i == t->count)
            return;
        remove_member(t, i);
        make_one(t);
    }
}

void elastic_plan_turn(const struct elastic_wish *wish, const struct elastic_member *members, size_t count,
                       struct elastic_plan *ret)
{
    struct turn t = {.wish = wish, .members = members, .count = count, .plan = ret};
    size_t unsettled = 0;
    memset(ret->make, 0, sizeof(ret->make));
    ret->make_count = 0;
    ret->remove_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (members[i].health == ELASTIC_STARTING || members[i].health == ELASTIC_HEALTHY)
            count_in(&t, i, 1);
        t.sick += members[i].health == ELASTIC_SICK;
        unsettled += members[i].health != ELASTIC_HEALTHY || !members[i].current;
    }
    if (!wish->waits || wish->desired == 0)
        remove_sick(&t);
    remove_surplus(&t);
    if (!wish->waits) {
        make_missing(&t);
        roll(&t);
        balance(&t, unsettled);
    }
    ret->settled = unsettled == 0 && ret->make_count == 0 && ret->remove_count == 0 && t.staying == wish->desired;
}

int64_t elastic_for_target(int64_t members, int64_t value, int64_t target)
{
    if (target <= 0 || members <= 0)
        return members;
    __int128 all = (__int128)members * value, off = (__int128)value - target;
    if ((off < 0 ? -off : off) * 10 <= target)
        return members;
    __int128 wanted = (all + target - 1) / target;
    return wanted < 0 ? 0 : wanted > INT32_MAX ? INT32_MAX : (int64_t)wanted;
}

int64_t elastic_for_steps(const struct elastic_step *steps, size_t count, int64_t value)
{
    const struct elastic_step *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct elastic_step *s = &steps[i];
        bool holds = s->is_above ? value > s->bound : value < s->bound;
        bool farther = best == NULL || best->is_above != s->is_above ||
                       (s->is_above ? s->bound > best->bound : s->bound < best->bound);
        if (holds && farther)
            best = s;
    }
    return best == NULL ? 0 : best->add;
}

int64_t elastic_schedule_time(int64_t at_us, int64_t every_s, int64_t now_us)
{
    int64_t every_us = every_s * 1000000;
    if (now_us < at_us)
        return 0;
    return every_s <= 0 ? at_us : at_us + (now_us - at_us) / every_us * every_us;
}

int64_t elastic_wait_s(int64_t failures)
{
    if (failures <= 0)
        return 0;
    return failures > 8 ? 300 : (int64_t)1 << failures;
}

int64_t elastic_clamp(int64_t value, int64_t minimum, int64_t maximum)
{
    return value < minimum ? minimum : value > maximum ? maximum : value;
}
