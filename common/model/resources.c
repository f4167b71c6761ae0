/* Resources: amounts and capacities of hosts and servers. All arithmetic of capacity is here, so that scheduler, API
 * and metrics agree. */
#include "common/model/resources.h"
#include <assert.h>

static const char *const resource_names[RESOURCE_COUNT] = {
    [RESOURCE_VCPU] = "VCPU",
    [RESOURCE_MEMORY_MIB] = "MEMORY_MB",
    [RESOURCE_DISK_GIB] = "DISK_GB",
};

const char *resource_name(enum resource r)
{
    assert(r < RESOURCE_COUNT);
    return resource_names[r];
}

int64_t resource_capacity(const struct resource_inventory *i)
{
    int64_t usable = i->total - i->reserved;
    int64_t capacity;
    if (usable <= 0 || i->ratio_permille <= 0)
        return 0;
    if (__builtin_mul_overflow(usable, i->ratio_permille, &capacity))
        return INT64_MAX / 1000;
    return capacity / 1000;
}

bool resources_fit(const struct resources *need, const struct resources *capacity, const struct resources *used)
{
    for (int r = 0; r < RESOURCE_COUNT; r++) {
        if (need->amount[r] > capacity->amount[r] - used->amount[r])
            return false;
    }
    return true;
}

void resources_add(struct resources *to, const struct resources *what)
{
    for (int r = 0; r < RESOURCE_COUNT; r++)
        to->amount[r] += what->amount[r];
}

void resources_subtract(struct resources *from, const struct resources *what)
{
    for (int r = 0; r < RESOURCE_COUNT; r++)
        from->amount[r] -= what->amount[r];
}
