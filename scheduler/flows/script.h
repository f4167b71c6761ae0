/* Another program that runs beside the loop: started, looked at now and then, killed at its deadline. No shell is
 * involved, and nothing of the daemon's environment but what is given. */
#pragma once
#include "common/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SCRIPT_OUTPUT_SIZE 512

struct script {
    pid_t pid; /* 0: none runs */
    int fd;    /* its output and complaints */
    int64_t deadline_mono_us;
    size_t size;
    char output[SCRIPT_OUTPUT_SIZE]; /* what it has said so far, as far as it fits; terminated */
};

enum script_end {
    SCRIPT_RUNS,
    SCRIPT_ENDED,   /* by itself: the status says how */
    SCRIPT_KILLED,  /* by a signal */
    SCRIPT_OVERDUE, /* killed at its deadline */
};

/* `argv` and `environment` are NULL-terminated; argv[0] is a path. ERR_NOT_FOUND or ERR_FORBIDDEN when it is no program
 * that may be run: it must be a file that only root and this user can change. ERR_IO. */
int script_start(struct script *s, const char *const *argv, const char *const *environment, int64_t limit_us,
                 struct error *e);
/* Looks once, without waiting. *ret_status: its exit status, with SCRIPT_ENDED. Whatever it started itself ends with
 * it. */
enum script_end script_step(struct script *s, int *ret_status);
/* Kills it, if it runs. */
void script_stop(struct script *s);
