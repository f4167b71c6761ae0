/* What the operator says in the agent's configuration that the host has and reaches beside what its hypervisor tells:
 * further resources, networks, storage. Pure; any thread. */
#pragma once
#include "common/json_out.h"
#include "compute-agent/settings.h"

/* Whether resources, reach_networks and reach_storage can be read; ERR_INVALID names the option. */
int offers_check(const struct settings *s, struct error *e);
/* The member "offers" of a report: {"resources": {"CUSTOM_GPU": 4}, "networks": "phys-1,phys-2", "storage": null}; null
 * is everything. The options must have been checked. */
void offers_print(const struct settings *s, struct json_out *out);
