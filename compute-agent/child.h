/* Runs another program and waits for it, with a deadline and limits. Blocking: for worker threads. */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"
#include <stdatomic.h>
#include <stdint.h>

struct child {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    const char *directory;   /* to run in; NULL: here */
    int64_t deadline_ms;     /* then it is killed */
    int64_t memory_bytes;    /* address space limit, 0: none */
    int64_t cpu_seconds;     /* CPU time limit, 0: none */
    const atomic_bool *stop; /* becomes true: it is killed soon, as at its deadline; NULL: never */
};
/* Appends standard output to `output` (NULL: dropped), up to its ceiling. 0; ERR_TIMEOUT; ERR_NOT_FOUND when there is
 * no such program; ERR_IO when it fails, with the last line that it wrote to standard error. No shell is involved. */
int child_run(const struct child *c, struct strbuf *output, struct error *e);
