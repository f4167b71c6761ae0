/* Holds room for reservations whose time has come, and gives it back when it is over. */
#pragma once
#include "scheduler/dispatch.h"

/* Call it when the feed is up to date (after dispatch_run). Nothing when this scheduler does not lead. */
int reservations_hold(struct dispatch *d, struct error *e);
