/* What every daemon does the same way: signals, readiness and watchdog towards systemd, pid file. */
#pragma once
#include "common/error.h"
#include <stdbool.h>
#include <stdint.h>

/* Writes the pid file (NULL: none) holding a lock on it for the life of the process; a second instance is refused with
 * the first one's pid. */
int daemon_pid_file(const char *path, struct error *e);
/* sd_notify; nothing without a notify socket. */
void daemon_ready(void);
void daemon_stopping(void);
void daemon_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Microseconds between watchdog pings that the manager wants (half its limit), 0 for none; daemon_watchdog sends one.
 */
int64_t daemon_watchdog_interval_us(void);
void daemon_watchdog(void);
/* Ignores SIGPIPE, blocks SIGTERM, SIGINT, SIGHUP in the calling thread and those it starts, and returns a signalfd for
 * them (-1 and errno on failure). */
int daemon_signal_fd(void);
/* A listening socket that the manager opened for us under this name (FileDescriptorName= of a .socket unit), -1 when
 * there is none. */
int daemon_listen_fd(const char *name);
