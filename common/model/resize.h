/* How a server gets its new size. It may stay where it is when it only grows in processors and memory: under the
 * running guest where both flavors have the same extra specs and these gave it headroom when it started, else by a
 * restart. Under the running guest it may also get an ephemeral and a swap disk that it had not, and larger disks.
 * However a server gets its new size where it is, a disk that it has grows with the confirmation only. Pure. */
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
    RESIZE_PLUG,    /* the same with disks that it had not, or a larger one; elsewhere, and when it does not run, as
                       RESIZE_ANEW */
};

/* `old_flavor`, `new_flavor`: as in a migration's row. *ret_more is what the host must have beyond what the server
 * holds, unless it is placed anew. */
enum resize_way resize_way_of(const char *old_flavor, const char *new_flavor, struct resources *ret_more);
/* A server's disks; root 0: as large as its image's. */
struct resize_disks {
    int64_t root_gib, ephemeral_gib, swap_mib;
};
/* `disks` as the flavors say of a server whose resize, where it is, is not confirmed yet: a disk that it had (by
 * `old_flavor`, as in a migration's row) is as it was, as what a guest has spread over cannot be taken back. A disk
 * that it had not comes at once: it goes again with the resize. */
void resize_keep_disks(const char *old_flavor, struct resize_disks *disks);
/* Whether any of them is kept so. */
bool resize_waits(const char *old_flavor, const char *new_flavor);
/* Of a migration's options. */
bool resize_is_in_place(const char *options);
