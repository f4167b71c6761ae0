/* The end of a guest's serial console as virtlogd keeps it: console.log, and older parts console.log.0, .1, ... */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"
#include <stdint.h>

/* Appends the last `lines` lines (-1: all that is kept, up to the buffer's ceiling from the end). Nothing written yet:
 * nothing. Blocking. ERR_IO. */
int console_log_read(const char *path, int64_t lines, struct strbuf *ret, struct error *e);
