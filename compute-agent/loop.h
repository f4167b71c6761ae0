/* The agent's one event loop: timers, file descriptors, and work that other threads hand over. loop.c is the only file
 * that knows libuv.
 *
 * Unless it says otherwise a function is for the loop's own thread. Callbacks run there too, never from inside the call
 * that asked for them. Freeing a timer or a watch ends it at once: its callback is not called afterwards. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_watch;
typedef void (*loop_fn)(void *arg);

/* The calling thread becomes the loop's own. Never NULL. */
struct loop *loop_new(void);
/* Frees what is left of it; all its timers and watches must have been freed, nobody may post any more. Posted work that
 * has not run yet is dropped. NULL inside is fine; sets *l to NULL. */
void loop_free(struct loop **l);
/* Runs callbacks until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* Runs what is due, waiting for at most one round of events. For tests that step by hand. */
void loop_step(struct loop *l);
/* The same without waiting. */
void loop_poll(struct loop *l);
/* Any thread, also the loop's own: `fn(arg)` is called in the loop's next round; in the order of the calls. */
void loop_post(struct loop *l, loop_fn fn, void *arg);

struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *arg);
/* Calls after `delay_ms` and then every `repeat_ms` (0: once). Starting again replaces what was set. */
void loop_timer_start(struct loop_timer *t, int64_t delay_ms, int64_t repeat_ms);
void loop_timer_stop(struct loop_timer *t);
/* NULL inside is fine; sets *t to NULL. */
void loop_timer_free(struct loop_timer **t);

enum loop_event { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_ERROR = 4, LOOP_HANGUP = 8 };
typedef void (*loop_watch_fn)(void *arg, int fd, unsigned events);
/* Watches `fd` for nothing yet. The descriptor stays its owner's, who frees the watch before closing it. NULL when it
 * cannot be watched. */
struct loop_watch *loop_watch_new(struct loop *l, int fd, loop_watch_fn fn, void *arg);
/* Watches for `events` (a set of loop_event; 0: for nothing) from now on, level triggered. */
void loop_watch_set(struct loop_watch *w, unsigned events);
/* NULL inside is fine; sets *w to NULL. */
void loop_watch_free(struct loop_watch **w);
