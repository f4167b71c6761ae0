/* Which resizes a running guest takes. */
#include "scheduler/flows/relocate_in_place.h"
#include "tests/unit/check.h"
#include <stdio.h>

#define ROOM "\"virga:live_max_vcpus\":\"4\",\"virga:live_max_memory_mib\":\"1024\""

static const char *flavor(char text[512], int vcpus, int memory_mib, int root_gib, const char *extra)
{
    snprintf(text, 512,
             "{\"id\":\"f\",\"name\":\"f\",\"vcpus\":%d,\"memory_mib\":%d,\"root_gib\":%d,\"ephemeral_gib\":0,"
             "\"swap_mib\":0,\"extra\":{%s}}",
             vcpus, memory_mib, root_gib, extra);
    return text;
}

static bool fits(int vcpus, int memory_mib, int root_gib, const char *old_extra, const char *new_extra)
{
    char a[512], b[512];
    struct resources more;
    return relocate_in_place_fits(flavor(a, 1, 256, 1, old_extra), flavor(b, vcpus, memory_mib, root_gib, new_extra),
                                  &more);
}

TEST("a guest takes more processors and memory within its headroom")
{
    char a[512], b[512];
    struct resources more;
    CHECK(relocate_in_place_fits(flavor(a, 1, 256, 1, ROOM), flavor(b, 3, 512, 1, ROOM), &more));
    CHECK_INT(more.amount[RESOURCE_VCPU], 2);
    CHECK_INT(more.amount[RESOURCE_MEMORY_MIB], 256);
    CHECK_INT(more.amount[RESOURCE_DISK_GIB], 0);
    CHECK(fits(4, 256, 1, ROOM, ROOM));
    CHECK(fits(1, 1024, 1, ROOM, ROOM));
}

TEST("beyond its headroom, or other than larger, it is restarted")
{
    CHECK(!fits(5, 256, 1, ROOM, ROOM));
    CHECK(!fits(1, 1152, 1, ROOM, ROOM));
    CHECK(!fits(1, 300, 1, ROOM, ROOM)); /* not a piece that a guest takes */
    CHECK(!fits(0, 256, 1, ROOM, ROOM));
    CHECK(!fits(2, 128, 1, ROOM, ROOM));
    CHECK(!fits(2, 512, 2, ROOM, ROOM)); /* disks grow when it is off */
    CHECK(!fits(2, 512, 1, "", ""));
    CHECK(!fits(2, 512, 1, ROOM, ""));
    CHECK(!fits(2, 512, 1, ROOM ",\"hw:cpu_policy\":\"dedicated\"", ROOM ",\"hw:cpu_policy\":\"dedicated\""));
    struct resources more;
    CHECK(!relocate_in_place_fits("{", "{}", &more));
}

TEST("the choice is kept with the migration")
{
    CHECK(relocate_in_place_chosen(RELOCATE_IN_PLACE_OPTIONS));
    CHECK(!relocate_in_place_chosen("{}"));
    CHECK(!relocate_in_place_chosen("{\"in_place\":false}"));
    CHECK(!relocate_in_place_chosen("nothing"));
}
