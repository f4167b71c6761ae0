/* How a server gets its new size. It may stay where it is when it only grows in processors and memory: under the
 * running guest where both flavors have the same extra specs and these gave it headroom when it started, else by a
 * restart. Under the running guest it may also get an ephemeral and a swap disk that it had not. Pure. */
#pragma once
#include "common/model/resources.h"
#include <stdbool.h>

/* Extra specs that say how far a guest may grow while it runs. */
#define RESIZE_MAX_VCPUS      "virga:live_max_vcpus"
#define RESIZE_MAX_MEMORY_MIB "virga:live_max_memory_mib"
/* Memory comes in pieces of this many MiB: what Linux guests on x86 take. */
#define RESIZE_MEMORY_STEP_MIB 128
/* What a host's hypervisor has that can do it under the running guest ... */
#define RESIZE_LIVE_TRAIT "CUSTOM_LIVE_RESIZE"
/* ... also if a disk comes with it ... */
#define RESIZE_DISK_TRAIT "CUSTOM_LIVE_DISK"
/* ... and what one has from which a server's disks cannot be moved: there it must stay. */
#define RESIZE_STAYS_TRAIT "CUSTOM_LACKS_MIGRATE"
/* Of a migration's options, once it is decided that it stays. */
#define RESIZE_IN_PLACE_OPTIONS "{\"in_place\":true}"

enum resize_way {
    RESIZE_ANEW,    /* only by another disk, or other parts of a host */
    RESIZE_RESTART, /* where it is, when it starts next */
    RESIZE_LIVE,    /* where it is, as it runs */
    RESIZE_PLUG,    /* the same with disks that it had not; elsewhere, and when it does not run, as RESIZE_ANEW */
};

/* `old_flavor`, `new_flavor`: as in a migration's row. *ret_more is what the host must have beyond what the server
 * holds, unless it is placed anew. */
enum resize_way resize_way_of(const char *old_flavor, const char *new_flavor, struct resources *ret_more);
/* Of a migration's options. */
bool resize_is_in_place(const char *options);
