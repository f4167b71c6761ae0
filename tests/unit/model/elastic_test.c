/* Elastic groups: the plan keeps zones balanced, never takes more down than it may, and comes to rest. */
#include "common/model/elastic.h"
#include "tests/unit/check.h"
#include <string.h>

#define MANY 300

struct group {
    struct elastic_wish wish;
    struct elastic_member members[MANY];
    size_t count;
    size_t remove[MANY];
    struct elastic_plan plan;
};

static void plan(struct group *g)
{
    g->plan.remove = g->remove;
    elastic_plan_turn(&g->wish, g->members, g->count, &g->plan);
}

static void add(struct group *g, enum elastic_health health, int zone, bool current)
{
    g->members[g->count++] = (struct elastic_member){health, zone, current};
}

/* Carries the plan out: what is removed is gone at once, what is made starts. */
static void carry_out(struct group *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->count; i++) {
        bool removed = false;
        for (size_t k = 0; k < g->plan.remove_count; k++)
            removed = removed || g->remove[k] == i;
        if (!removed)
            g->members[kept++] = g->members[i];
    }
    g->count = kept;
    for (int z = 0; z <= ELASTIC_ZONES_MAX; z++)
        for (int64_t n = 0; n < g->plan.make[z]; n++)
            add(g, ELASTIC_STARTING, z == ELASTIC_ZONES_MAX ? -1 : z, true);
}

static void start_all(struct group *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->members[i].health == ELASTIC_STARTING)
            g->members[i].health = ELASTIC_HEALTHY;
}

static size_t count_of(const struct group *g, enum elastic_health health)
{
    size_t count = 0;
    for (size_t i = 0; i < g->count; i++)
        count += g->members[i].health == health;
    return count;
}

TEST("members are made where the fewest are")
{
    struct group g = {.wish = {.desired = 7, .zones = 3, .batch = 1, .at_once = 50}};
    add(&g, ELASTIC_HEALTHY, 0, true);
    add(&g, ELASTIC_HEALTHY, 0, true);
    plan(&g);
    CHECK_INT(g.plan.make_count, 5);
    CHECK_INT(g.plan.make[0], 1);
    CHECK_INT(g.plan.make[1], 2);
    CHECK_INT(g.plan.make[2], 2);
    CHECK(!g.plan.settled);
}

TEST("surplus leaves from the fullest zone, and what starts before what works")
{
    struct group g = {.wish = {.desired = 3, .zones = 2, .batch = 1, .at_once = 50}};
    add(&g, ELASTIC_HEALTHY, 0, true);
    add(&g, ELASTIC_HEALTHY, 1, true);
    add(&g, ELASTIC_HEALTHY, 1, true);
    add(&g, ELASTIC_HEALTHY, 1, true);
    add(&g, ELASTIC_STARTING, 0, true);
    plan(&g);
    CHECK_INT(g.plan.remove_count, 2);
    CHECK_INT(g.remove[0], 4);
    CHECK_INT(g.remove[1], 1);
}

TEST("the sick are replaced a tenth at a time, and not while the group waits")
{
    struct group g = {.wish = {.desired = 20, .batch = 1, .at_once = 50}};
    for (int i = 0; i < 20; i++)
        add(&g, ELASTIC_SICK, -1, true);
    plan(&g);
    CHECK_INT(g.plan.remove_count, 3);
    CHECK_INT(g.plan.make_count, 3);
    g.wish.waits = true;
    plan(&g);
    CHECK_INT(g.plan.remove_count, 0);
    CHECK_INT(g.plan.make_count, 0);
    CHECK(!g.plan.settled);
    g.wish.desired = 0; /* a group that is deleted does not wait */
    for (int turn = 0; turn < 30 && g.count > 0; turn++) {
        plan(&g);
        carry_out(&g);
    }
    CHECK_INT(g.count, 0);
}

TEST("a rolling update has no more than its batch down, stands still when told, and ends")
{
    struct group g = {.wish = {.desired = 30, .zones = 3, .batch = 4, .at_once = 50}};
    for (int i = 0; i < 30; i++)
        add(&g, ELASTIC_HEALTHY, i % 3, false);
    g.wish.paused = true;
    plan(&g);
    CHECK_INT(g.plan.remove_count, 0);
    g.wish.paused = false;
    int turns = 0;
    for (; turns < 100; turns++) {
        plan(&g);
        if (g.plan.settled)
            break;
        carry_out(&g);
        CHECK(count_of(&g, ELASTIC_HEALTHY) >= 26);
        CHECK_INT(g.count, 30);
        if (turns % 2)
            start_all(&g);
    }
    CHECK(turns < 100 && turns >= 8);
    for (size_t i = 0; i < g.count; i++)
        CHECK(g.members[i].current);
}

static int64_t next(int64_t below)
{
    static uint64_t random = 42;
    random = random * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(random >> 33) % below;
}

/* Zones differ by one at most, and nobody is elsewhere. */
static void check_balanced(const struct group *g)
{
    int64_t in_zone[ELASTIC_ZONES_MAX] = {0}, least = INT64_MAX, most = 0;
    for (size_t i = 0; i < g->count && g->wish.zones > 0; i++) {
        CHECK(g->members[i].zone >= 0 && g->members[i].zone < g->wish.zones);
        in_zone[g->members[i].zone]++;
    }
    for (int z = 0; z < g->wish.zones; z++) {
        least = in_zone[z] < least ? in_zone[z] : least;
        most = in_zone[z] > most ? in_zone[z] : most;
    }
    CHECK(g->wish.zones == 0 || most - least <= 1);
}

TEST("a group whose zones were changed moves to them, its batch at a time, once all else is well")
{
    struct group g = {.wish = {.desired = 5, .zones = 2, .batch = 2, .at_once = 50, .paused = true}};
    for (int i = 0; i < 5; i++)
        add(&g, ELASTIC_HEALTHY, i < 3 ? -1 : 0, true);
    plan(&g);
    CHECK(g.plan.settled);
    g.wish.paused = false;
    g.wish.waits = true;
    plan(&g);
    CHECK_INT(g.plan.remove_count, 0);
    g.wish.waits = false;
    plan(&g);
    CHECK_INT(g.plan.remove_count, 2);
    CHECK_INT(g.remove[0], 0);
    CHECK_INT(g.plan.make[0], 0);
    CHECK_INT(g.plan.make[1], 2);
    CHECK(!g.plan.settled);
    carry_out(&g);
    plan(&g);
    CHECK_INT(g.plan.remove_count, 0); /* as many are down as may be */
    start_all(&g);
    plan(&g);
    CHECK_INT(g.plan.remove_count, 1);
    carry_out(&g);
    start_all(&g);
    plan(&g);
    CHECK(g.plan.settled);
    check_balanced(&g);
}

TEST("from whatever state, a group comes to rest with what is wanted, balanced")
{
    for (int round = 0; round < 2000; round++) {
        struct group g = {.wish = {.at_once = 50}};
        g.wish.desired = next(40);
        g.wish.zones = (int)next(4);
        g.wish.batch = 1 + next(5);
        for (int64_t n = next(60); n > 0; n--)
            add(&g, (enum elastic_health)next(ELASTIC_LEAVING), (int)next(5) - 1, next(2) == 1);
        int turns = 0;
        for (; turns < 200; turns++) {
            plan(&g);
            if (g.plan.settled)
                break;
            carry_out(&g);
            start_all(&g);
        }
        CHECK(turns < 200);
        CHECK_INT(g.count, g.wish.desired);
        CHECK_INT(count_of(&g, ELASTIC_HEALTHY), g.wish.desired);
        check_balanced(&g);
    }
}

TEST("targets, steps and schedules")
{
    CHECK_INT(elastic_for_target(4, 90, 60), 6);
    CHECK_INT(elastic_for_target(4, 65, 60), 4); /* within a tenth */
    CHECK_INT(elastic_for_target(4, 10, 60), 1);
    CHECK_INT(elastic_for_target(4, 0, 60), 0);
    CHECK_INT(elastic_for_target(4, INT64_MAX, 1), INT32_MAX);
    const struct elastic_step steps[] = {{true, 50, 1}, {true, 90, 3}, {false, 20, -1}, {false, 5, -2}};
    CHECK_INT(elastic_for_steps(steps, 4, 60), 1);
    CHECK_INT(elastic_for_steps(steps, 4, 91), 3);
    CHECK_INT(elastic_for_steps(steps, 4, 30), 0);
    CHECK_INT(elastic_for_steps(steps, 4, 19), -1);
    CHECK_INT(elastic_for_steps(steps, 4, 4), -2);
    CHECK_INT(elastic_schedule_time(100, 10, 99), 0);
    CHECK_INT(elastic_schedule_time(100, 0, 1000), 100);
    CHECK_INT(elastic_schedule_time(100, 10, 25 * 1000000), 20 * 1000000 + 100);
    CHECK_INT(elastic_wait_s(0), 0);
    CHECK_INT(elastic_wait_s(3), 8);
    CHECK_INT(elastic_wait_s(100), 300);
}
