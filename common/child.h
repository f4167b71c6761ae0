/* Runs another program and waits for it, with a deadline and limits. Blocking: for worker threads. */
#pragma once
#include "common/error.h"
#include "common/strbuf.h"
#include <stdatomic.h>
#include <stdint.h>

struct confine;
struct child {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    const char *directory;   /* to run in; NULL: here */
    const char *input;       /* file that it has as standard input; confined, it can open /dev/stdin when others
                              * may read the file; NULL: nothing */
    const char *output;      /* file that its standard output goes to, made anew; NULL: child_run's */
    struct strbuf *errors;   /* appended to: what it writes to standard error, up to its ceiling; NULL: nothing */
    int64_t deadline_ms;     /* then it is killed */
    int64_t memory_bytes;    /* address space limit, 0: none */
    int64_t cpu_seconds;     /* CPU time limit, 0: none */
    int64_t file_bytes;      /* no file may grow beyond it, 0: none */
    const atomic_bool *stop; /* becomes true: it is killed soon, as at its deadline; NULL: never */
    /* Not 0: it runs confined, for what strangers have made. Its root is this user of the host, with the 65535 behind
     * it as its other users and none of the host's rights; it has no network; it can write nothing but below
     * `directory`; no program gives it rights. Needs CAP_SYS_ADMIN and Linux 5.12. */
    uint32_t confined_as;
    /* Not NULL: it runs in this cage, for which no rights are needed. The thread that starts it must live until it
     * ends. */
    const struct confine *cage;
};
/* Appends standard output to `output` (NULL: dropped), up to its ceiling. 0; ERR_TIMEOUT; ERR_NOT_FOUND when there is
 * no such program; ERR_IO when it fails, with the last line that it wrote to standard error. No shell is involved. */
int child_run(const struct child *c, struct strbuf *output, struct error *e);
