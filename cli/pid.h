/* Which daemons run: by the locks that they hold on their pid files (common/daemon.h). */
#pragma once
#include "cli/command.h"
#include <sys/types.h>

/* The process that holds the pid file's lock; 0 when nobody does. */
int pid_read(const char *path, pid_t *ret, struct error *e);
