/* The daemons of a single machine as children of one process: started, started again when they die, stopped in reverse
 * order. */
#pragma once
#include "common/error.h"
#include <stdbool.h>
#include <stdint.h>

#define SUPERVISOR_ARGS 16

struct supervisor_child {
    const char *name;                  /* for people: "virga-api" */
    const char *argv[SUPERVISOR_ARGS]; /* NULL-terminated; argv[0] is the path */
    const char *wanted; /* path that must exist before the child is started (a host that joined), or NULL */
    int64_t started_us, died_us, backoff_us; /* the supervisor's */
    int pid;                                 /* 0 while it does not run */
};

/* Runs until SIGTERM or SIGINT, then ends the children (SIGTERM, after `grace_ms` SIGKILL) last first. A child that
 * dies is started again after a pause that doubles from 100 ms to 10 s while it keeps dying within 10 s. SIGHUP is
 * passed on to all. Children begin with SIGTERM, SIGINT and SIGHUP blocked: daemons take them as reads
 * (daemon_signal_fd). `log_dir`: each child's stderr goes to <log_dir>/<name>.log. Returns 0, or ERR_IO when it could
 * not start at all. */
int supervisor_run(struct supervisor_child *children, int count, const char *log_dir, int64_t grace_ms,
                   struct error *e);
