/* The one loop of a daemon that works when woken, on a timer, and to renew its lease; with signals, readiness and
 * watchdog. The border to libuv for the controller's daemons. */
#pragma once
#include <stdint.h>

struct loop;

struct loop_plan {
    void *arg;                 /* for all of them; all run on the loop's thread */
    void (*work)(void *arg);   /* after a wake-up (several may be taken together) and every poll_ms */
    void (*lead)(void *arg);   /* at start and every lead_ms; NULL: never */
    void (*reload)(void *arg); /* SIGHUP */
    int64_t poll_ms, lead_ms;
    int64_t pause_ms; /* least time between two runs of work because of wake-ups; those that come meanwhile are one */
};

/* `signal_fd`: from daemon_signal_fd. Never NULL (out of memory aborts). */
struct loop *loop_new(const struct loop_plan *plan, int signal_fd);
/* Says READY=1, runs until SIGTERM or SIGINT, says STOPPING=1. */
void loop_run(struct loop *l);
/* Any thread, from loop_new until loop_free. */
void loop_wake(struct loop *l);
void loop_free(struct loop **l);
