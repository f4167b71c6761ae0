/* Has an overlay copy into its upper layer what only its lower one has, as it would by itself if somebody wrote there:
 * by a process confined to the overlay, with the container's users and no more rights (child_confine.h). */
#pragma once
#include "common/error.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tree_walk {
    const char *root;  /* where the overlay is mounted; a container may be at work in it */
    const char *upper; /* its upper layer; only looked at */
    uid_t first;       /* the container's */
    bool links; /* files with several names, too, which keep them: only while nobody else is at work in it. Else they
                 * are left out */
    const atomic_bool *stop;       /* NULL: never */
    _Atomic int64_t *total, *done; /* bytes, for whoever looks meanwhile */
};
/* May be repeated, after it was interrupted at any point, too. ERR_NO_SPACE before anything is copied when it would not
 * fit beside what is there, or when it does not any more; ERR_CONFLICT when it was stopped, ERR_IO. */
int tree_walk(const struct tree_walk *w, struct error *e);
