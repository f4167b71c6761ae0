/* Which services this process offers. A new one adds its line to services.c. */
#pragma once
#include "api/api.h"
#include "api/http/route.h"
#include "common/error.h"

/* NULL-terminated; served on the tenants' port, their PERMISSION_AGENT and PERMISSION_JOIN rows on the agents' one. */
extern const struct service *const services_all[];

/* What services do when the process starts, before the first request: timers (api_timer), figures (metrics_gauge),
 * caches. */
int services_start(struct api *api, struct error *e);
/* Ends what they started besides timers; after api_timers_stop. */
void services_stop(void);
