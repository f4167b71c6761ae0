/* Empties hosts: moves their servers off, a few at a time, live where the guest can, cold where it cannot; and rebuilds
 * the servers of hosts that are proved to be off, where their tenants want that. */
#pragma once
#include "scheduler/dispatch.h"

struct drain_settings {

    int64_t retry_us; /* a server that could not be moved is tried again after so long */
};
/* Begins what may begin now. 0 also when this scheduler does not lead; ERR_CONFLICT: the lease is lost. */
int drain_run(struct dispatch *d, const struct drain_settings *settings, struct error *e);
