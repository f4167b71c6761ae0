/* What belongs to no service: the list of services at "/", /healthz, /healthcheck, /metrics, and the probe behind them.
 */
#pragma once
#include "api/api.h"
#include "api/http/route.h"
#include "common/error.h"
#include <stdbool.h>

extern const struct service root_service;

/* Starts the probe of the writer, registers the process's figures, and purges expired idempotency keys from now on. */
int root_start(struct api *api, struct error *e);
/* The writer finished a probe not long ago and no HTTP thread hangs. Any thread; also for the watchdog. */
bool root_is_alive(struct api *api);
