/* Resources of hosts and servers: plain amounts, capacity with overcommit and reserve. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum resource { RESOURCE_VCPU, RESOURCE_MEMORY_MIB, RESOURCE_DISK_GIB, RESOURCE_COUNT };
/* Placement's names: "VCPU", "MEMORY_MB", "DISK_GB". */
const char *resource_name(enum resource r);

struct resources {
    int64_t amount[RESOURCE_COUNT];
};
struct resource_inventory {
    int64_t total, reserved;
    int64_t ratio_permille; /* overcommit: 1000 is 1.0, 16000 is 16.0 */
};
/* (total - reserved) * ratio, rounded down, never below 0. */
int64_t resource_capacity(const struct resource_inventory *i);
/* Every amount of `need` fits into capacity - used. */
bool resources_fit(const struct resources *need, const struct resources *capacity, const struct resources *used);
void resources_add(struct resources *to, const struct resources *what);
void resources_subtract(struct resources *from, const struct resources *what);
