/* Servers that wait for room: looked at again when hosts changed, in an order that is fair by project, and ended when
 * their time is over. */
#pragma once
#include "scheduler/dispatch.h"

struct room {
    uint64_t seen;     /* feed.changes at the last look */
    int64_t looked_us; /* when that was */
    int64_t epoch;     /* of the lease then */
};

/* Refreshes the feed; fails the servers whose time is over; lets dispatch_run, which the caller runs next, look at
 * those that fit now. Nothing when this scheduler does not lead. */
int room_look(struct room *room, struct dispatch *d, struct error *e);
