/* Drives migrations: finds a target, gives hosts their tasks, moves a server from owner to owner. What is next follows
 * from the rows alone (common/model/migration.h), so whoever leads goes on where the one before was killed. */
#pragma once
#include "scheduler/dispatch.h"

struct relocate_settings {
    int64_t confirm_us; /* a resize is confirmed after so long; 0: never */
    bool same_host;     /* a resize may stay on its host when no other has room */
    /* Of live migrations. */
    int64_t bandwidth_mibps;       /* 0: no limit */
    int64_t parallel;              /* connections; 0: one */
    const char *compress;          /* "none", "xbzrle", "mt" */
    bool auto_converge, post_copy; /* slow down a guest that outruns the copy; let it be forced to the target early */
};

/* Takes every step that can be taken now. 0 also when this scheduler does not lead, or when single migrations could not
 * be moved (logged). ERR_CONFLICT: the lease is lost. */
int relocate_run(struct dispatch *d, const struct relocate_settings *settings, struct error *e);
