/* Loop. libuv does the waiting; everything here runs on one thread but loop_wake. The watchdog is fed from a timer of
 * the same loop, so a loop that hangs is noticed by systemd. */
#include "common/loop/loop.h"
#include "common/daemon.h"
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <uv.h>

struct loop {
    struct loop_plan plan;
    int signal_fd;
    uv_loop_t uv;
    uv_async_t woken;
    uv_timer_t poll, lead, watchdog, pause;
    uv_poll_t signals;
    bool woken_in_pause;
};

static void on_pause_end(uv_timer_t *timer);

static void work(struct loop *l)
{
    l->woken_in_pause = false;
    l->plan.work(l->plan.arg);
    if (l->plan.pause_ms) {
        uv_update_time(&l->uv);
        uv_timer_start(&l->pause, on_pause_end, (uint64_t)l->plan.pause_ms, 0);
    }
}

static void on_pause_end(uv_timer_t *timer)
{
    struct loop *l = timer->data;
    if (l->woken_in_pause) {
        work(l);
    }
}

static void on_woken(uv_async_t *handle)
{
    struct loop *l = handle->data;
    if (l->plan.pause_ms && uv_is_active((uv_handle_t *)&l->pause)) {
        l->woken_in_pause = true;
    } else {
        work(l);
    }
}

static void on_poll(uv_timer_t *timer)
{
    work(timer->data);
}

static void on_lead(uv_timer_t *timer)
{
    struct loop *l = timer->data;
    l->plan.lead(l->plan.arg);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    daemon_watchdog();
}

static void on_signal(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    struct loop *l = handle->data;
    struct signalfd_siginfo info;
    while (read(l->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            l->plan.reload(l->plan.arg);
        } else {
            uv_stop(&l->uv);
        }
    }
}

static void start_timer(struct loop *l, uv_timer_t *timer, uv_timer_cb fn, int64_t interval_ms)
{
    uv_timer_init(&l->uv, timer);
    timer->data = l;
    uv_timer_start(timer, fn, 0, (uint64_t)interval_ms);
}

struct loop *loop_new(const struct loop_plan *plan, int signal_fd)
{
    struct loop *l = calloc(1, sizeof(*l));
    if (!l || uv_loop_init(&l->uv) || uv_async_init(&l->uv, &l->woken, on_woken)) {
        abort();
    }
    l->plan = *plan;
    l->signal_fd = signal_fd;
    l->woken.data = l;
    uv_timer_init(&l->uv, &l->pause);
    l->pause.data = l;
    return l;
}

void loop_run(struct loop *l)
{
    int64_t watchdog_us = daemon_watchdog_interval_us();
    if (l->plan.lead) {
        start_timer(l, &l->lead, on_lead, l->plan.lead_ms);
    }
    start_timer(l, &l->poll, on_poll, l->plan.poll_ms);
    if (watchdog_us > 0) {
        start_timer(l, &l->watchdog, on_watchdog, watchdog_us / 1000);
    }
    uv_poll_init(&l->uv, &l->signals, l->signal_fd);
    l->signals.data = l;
    uv_poll_start(&l->signals, UV_READABLE, on_signal);
    daemon_ready();
    uv_run(&l->uv, UV_RUN_DEFAULT);
    daemon_stopping();
}

void loop_wake(struct loop *l)
{
    uv_async_send(&l->woken);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void loop_free(struct loop **loop)
{
    struct loop *l = *loop;
    uv_walk(&l->uv, close_handle, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    uv_loop_close(&l->uv);
    free(l);
    *loop = NULL;
}
