/* Elastic groups: which members to make and to remove, and how many are wanted. Pure: no I/O, no clock. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELASTIC_ZONES_MAX 16
#define ELASTIC_STEPS_MAX 16

enum elastic_health {
    ELASTIC_STARTING, /* made, not healthy yet */
    ELASTIC_HEALTHY,
    ELASTIC_SICK,    /* to be replaced */
    ELASTIC_LEAVING, /* its server is being deleted */
    ELASTIC_HEALTH_COUNT
};
/* "starting", "healthy", "sick", "leaving"; parse: -1 when unknown. */
const char *elastic_health_name(enum elastic_health h);
int elastic_health_parse(const char *text);

struct elastic_member {
    enum elastic_health health;
    int zone;     /* index into the group's zones; -1: another, or the group has none */
    bool current; /* made from the present template */
};
struct elastic_wish {
    int64_t desired;
    int zones;       /* to balance over; 0: the scheduler chooses */
    int64_t batch;   /* members of a rolling update that may be down at once */
    bool paused;     /* the rolling update stands still */
    bool waits;      /* something failed lately: nothing is made or replaced now */
    int64_t at_once; /* members made or removed in one turn, at most */
};
struct elastic_plan {
    int64_t make[ELASTIC_ZONES_MAX + 1]; /* by zone; the last is for groups without zones */
    int64_t make_count;
    size_t *remove; /* indices of members, room for all; the caller's */
    size_t remove_count;
    bool settled; /* nothing is to be done, nothing is starting, sick or leaving, no old template */
};
/* The next turn of a group whose members are in the order of their making. Never removes a healthy member for a rolling
 * update while `batch` others are down. Zones are balanced whenever one is made; a group that is out of balance when
 * all else is well (its zones were changed) is put right like a rolling update. Surplus goes in this order: sick, old
 * template, starting, from the fullest zone, the oldest. ret->remove is set by the caller. */
void elastic_plan_turn(const struct elastic_wish *wish, const struct elastic_member *members, size_t count,
                       struct elastic_plan *ret);

/* How many members bring the average of `value` over `members` to `target`: ceil(members * value / target); `members`
 * itself within a tenth of the target. */
int64_t elastic_for_target(int64_t members, int64_t value, int64_t target);

/* A step holds from `above` (exclusive) or below `below` (exclusive), whichever is set. */
struct elastic_step {
    bool is_above;
    int64_t bound, add;
};
/* What the steps add at `value`: of those that hold, the one whose bound is farthest; 0 when none holds. */
int64_t elastic_for_steps(const struct elastic_step *steps, size_t count, int64_t value);
/* The last time at or before now_us at which a schedule that began at `at_us` and repeats every `every_s` (0: once)
 * came; 0 when it has not begun. */
int64_t elastic_schedule_time(int64_t at_us, int64_t every_s, int64_t now_us);
/* Seconds to wait after so many failures in a row: 2, 4, 8 ... 300. 0 for none. */
int64_t elastic_wait_s(int64_t failures);
int64_t elastic_clamp(int64_t value, int64_t minimum, int64_t maximum);
