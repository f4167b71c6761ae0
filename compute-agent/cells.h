/* The host's NUMA cells as servers may use them: what the machine has, divided by the operator's options into dedicated
 * and shared processors, without the huge pages that are kept back. Pure; any thread. */
#pragma once
#include "common/model/numa.h"
#include "compute-agent/settings.h"

/* Whether dedicated_cpus, shared_cpus and reserved_huge_pages can be read and go together; ERR_INVALID names the
 * option. */
int cells_check(const struct settings *s, struct error *e);

struct cells_sums {
    int64_t shared;   /* processors for servers without their own */
    int64_t huge_mib; /* memory in huge pages, reserved ones too */
};
/* `t` is what the machine has, all processors shared, all pages free; it becomes what servers may use. The options must
 * have been checked. */
void cells_divide(struct numa_topology *t, const struct settings *s, struct cells_sums *ret);
/* The cells of a fake host: its processors and memory, evenly spread, two threads a core where they are even. */
void cells_fake(const struct settings *s, int64_t vcpus, int64_t memory_mib, struct numa_topology *ret);
