/* Whether a resize can be done under the running guest: it only grows in processors and memory, both flavors have the
 * same extra specs, and these gave the guest headroom when it started. Pure. */
#pragma once
#include "common/model/resources.h"
#include <stdbool.h>

/* Extra specs that say how far a guest may grow while it runs. */
#define RELOCATE_MAX_VCPUS      "virga:live_max_vcpus"
#define RELOCATE_MAX_MEMORY_MIB "virga:live_max_memory_mib"
/* Memory comes in pieces of this many MiB: what Linux guests on x86 take. */
#define RELOCATE_MEMORY_STEP_MIB 128
/* What a host's hypervisor has that can do it. */
#define RELOCATE_IN_PLACE_TRAIT "CUSTOM_LIVE_RESIZE"
/* Of a migration's options, once it is decided. */
#define RELOCATE_IN_PLACE_OPTIONS "{\"in_place\":true}"

/* `old_flavor`, `new_flavor`: as in a migration's row. On true *ret_more is what the host must have beyond what the
 * server holds. */
bool relocate_in_place_fits(const char *old_flavor, const char *new_flavor, struct resources *ret_more);
/* Of a migration's options. */
bool relocate_in_place_chosen(const char *options);
