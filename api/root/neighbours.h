/* The figures of the daemons beside this one, which they leave in files. */
#pragma once
#include "common/strbuf.h"
#include <stdint.h>

/* Appends the files *.prom of `folder` that were written within the last minute before `now_us`. What cannot be read is
 * left out: figures are no reason to fail. */
void neighbours_append(const char *folder, int64_t now_us, struct strbuf *to);
