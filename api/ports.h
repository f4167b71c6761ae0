/* The two ports of virga-api: tenants' and agents'. Both read their certificates again when the files have changed, and
 * when they are told to. */
#pragma once
#include "api/api.h"

/* Opens both: api->http and api->agents. The timers must not run yet. ERR_INVALID, ERR_IO, ERR_NOT_FOUND with the
 * sentence; what was opened is closed by ports_stop. */
int ports_start(struct api *api, const struct api_config *c, struct error *e);
/* After the timers. */
void ports_stop(struct api *api, const struct api_config *c);
/* Shows the certificates that the files hold now, if these are others than before (or `always`). One that cannot be
 * read or does not fit its key is logged, and the old one stays. Any thread. */
void ports_renew(bool always);
