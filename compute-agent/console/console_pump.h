/* What guests print on a terminal, kept in files, where the hypervisor does not do that itself: a thread of the process
 * reads all of them. While no agent runs, the terminal holds a few kilobytes, and then the guest waits with printing.
 */
#pragma once
#include "common/error.h"

/* Any thread. From now on, what comes out of terminal `tty` goes to the end of the file `path`, until the terminal is
 * closed at its other end. When that file is being written from this terminal already, nothing happens. At
 * CONSOLE_PUMP_MOST bytes the file becomes `path`.0, and a new one begins. ERR_IO. */
#define CONSOLE_PUMP_MOST (1 << 20)
int console_pump_follow(const char *tty, const char *path, struct error *e);
