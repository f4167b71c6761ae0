/* How far a guest may grow while it runs, as its flavor says. Pure. */
#pragma once
#include "compute-agent/spec.h"
#include <stdbool.h>

/* Extra specs: processors and MiB that it may have at most. */
#define DOMAIN_ROOM_VCPUS      "virga:live_max_vcpus"
#define DOMAIN_ROOM_MEMORY_MIB "virga:live_max_memory_mib"
/* Pieces of memory that may be plugged. */
#define DOMAIN_ROOM_SLOTS 16

struct domain_room {
    int64_t max_vcpus, max_memory_mib; /* what it starts with when there is no headroom */
    bool memory;                       /* there is headroom in memory: the domain needs slots and a NUMA cell ... */
    bool balloon;                      /* ... or starts with all of it, and a balloon that holds the headroom */
};
/* Guests that are tied to parts of the host (extra specs "hw:...") have no headroom. */
struct domain_room domain_room_of(const struct spec *spec);
