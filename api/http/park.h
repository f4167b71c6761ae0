/* Requests that wait for a topic without a thread: topics hashed to waiting tickets, deadlines in a heap with one
 * thread. Any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARK_WATCH_MAX 4

struct park;
struct park_ticket;
struct park_watch {
    struct park_ticket *ticket;
    uint64_t topic; /* hash: two topics with one hash cost a needless run of the handler */
    struct park_watch *next, **link;
};
/* Belongs to the request; zeroed before its first use. */
struct park_ticket {
    struct park_watch watches[PARK_WATCH_MAX];
    size_t watch_count;
    bool woken; /* since the first watch */
    bool armed; /* `resume` will be called, once */
    int64_t deadline_us;
    size_t heap_index;
};

/* `resume` is called once for each armed ticket, on any thread, without a lock of ours held: when a topic of it was
 * woken, when its deadline has passed, or at park_stop. */
struct park *park_new(void (*resume)(struct park_ticket *ticket));
/* No ticket may be armed or watching. */
void park_free(struct park **p);

/* From now on a wake of `topic` counts for this ticket. Asserts the limit of watches. */
void park_watch(struct park *p, struct park_ticket *t, const char *topic);
/* Waits: `resume` will be called. False, and it will not, when a topic was woken since park_watch, the time is up, or
 * the park is stopped. */
bool park_arm(struct park *p, struct park_ticket *t, int64_t deadline_mono_us);
/* Drops the ticket's watches, before it is run again or freed. It must not be armed. */
void park_forget(struct park *p, struct park_ticket *t);

/* Wakes who watches `topic`; "*" wakes all. */
void park_wake(struct park *p, const char *topic);
/* Wakes all and lets nobody wait any more. */
void park_stop(struct park *p);
bool park_is_stopped(struct park *p);
/* How many wait now. */
size_t park_count(struct park *p);
