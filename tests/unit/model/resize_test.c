/* Which resizes a running guest takes, and which ones its host. */
#include "common/model/resize.h"
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

static enum resize_way way(int vcpus, int memory_mib, int root_gib, const char *old_extra, const char *new_extra)
{
    char a[512], b[512];
    struct resources more;
    return resize_way_of(flavor(a, 1, 256, 1, old_extra), flavor(b, vcpus, memory_mib, root_gib, new_extra), &more);
}

TEST("a guest takes more processors and memory within its headroom")
{
    char a[512], b[512];
    struct resources more;
    CHECK_INT(resize_way_of(flavor(a, 1, 256, 1, ROOM), flavor(b, 3, 512, 1, ROOM), &more), RESIZE_LIVE);
    CHECK_INT(more.amount[RESOURCE_VCPU], 2);
    CHECK_INT(more.amount[RESOURCE_MEMORY_MIB], 256);
    CHECK_INT(more.amount[RESOURCE_DISK_GIB], 0);
    CHECK_INT(way(4, 256, 1, ROOM, ROOM), RESIZE_LIVE);
    CHECK_INT(way(1, 1024, 1, ROOM, ROOM), RESIZE_LIVE);
}

TEST("beyond its headroom it is restarted, and placed anew when it is other than larger")
{
    CHECK_INT(way(5, 256, 1, ROOM, ROOM), RESIZE_RESTART);
    CHECK_INT(way(1, 1152, 1, ROOM, ROOM), RESIZE_RESTART);
    CHECK_INT(way(1, 300, 1, ROOM, ROOM), RESIZE_RESTART); /* not a piece that a guest takes */
    CHECK_INT(way(0, 256, 1, ROOM, ROOM), RESIZE_ANEW);
    CHECK_INT(way(2, 128, 1, ROOM, ROOM), RESIZE_ANEW);
    CHECK_INT(way(2, 512, 2, ROOM, ROOM), RESIZE_ANEW); /* disks grow when it is off */
    CHECK_INT(way(2, 512, 1, "", ""), RESIZE_RESTART);
    CHECK_INT(way(2, 512, 1, ROOM, ""), RESIZE_RESTART);
    CHECK_INT(way(2, 512, 1, ROOM ",\"hw:cpu_policy\":\"dedicated\"", ROOM ",\"hw:cpu_policy\":\"dedicated\""),
              RESIZE_ANEW);
    struct resources more;
    CHECK_INT(resize_way_of("{", "{}", &more), RESIZE_ANEW);
}

static enum resize_way disks(int old_ephemeral, int old_swap, int ephemeral, int swap, int memory_mib,
                             struct resources *ret_more)
{
    static const char words[] = "{\"id\":\"f\",\"name\":\"f\",\"vcpus\":1,\"memory_mib\":%d,\"root_gib\":1,"
                                "\"ephemeral_gib\":%d,\"swap_mib\":%d,\"extra\":{}}";
    char a[512], b[512];
    snprintf(a, sizeof(a), words, 256, old_ephemeral, old_swap);
    snprintf(b, sizeof(b), words, memory_mib, ephemeral, swap);
    return resize_way_of(a, b, ret_more);
}

TEST("a running guest takes disks that it had not, behind those that it has")
{
    struct resources more;
    CHECK_INT(disks(0, 0, 2, 1500, 256, &more), RESIZE_PLUG);
    CHECK_INT(more.amount[RESOURCE_DISK_GIB], 4);
    CHECK_INT(more.amount[RESOURCE_MEMORY_MIB], 0);
    CHECK_INT(disks(0, 0, 2, 0, 256, &more), RESIZE_PLUG);
    CHECK_INT(more.amount[RESOURCE_DISK_GIB], 2);
    CHECK_INT(disks(2, 0, 2, 64, 256, &more), RESIZE_PLUG);
    CHECK_INT(more.amount[RESOURCE_DISK_GIB], 1);
    CHECK_INT(disks(2, 64, 2, 64, 256, &more), RESIZE_LIVE);
    CHECK_INT(more.amount[RESOURCE_DISK_GIB], 0);
    CHECK_INT(disks(0, 64, 2, 64, 256, &more), RESIZE_ANEW); /* swap would have another name */
    CHECK_INT(disks(1, 0, 2, 0, 256, &more), RESIZE_ANEW);
    CHECK_INT(disks(2, 0, 0, 0, 256, &more), RESIZE_ANEW);
    CHECK_INT(disks(0, 64, 0, 128, 256, &more), RESIZE_ANEW);
    CHECK_INT(disks(0, 0, 2, 0, 512, &more), RESIZE_ANEW); /* no headroom for the memory */
}

TEST("the choice is kept with the migration")
{
    CHECK(resize_is_in_place(RESIZE_IN_PLACE_OPTIONS));
    CHECK(!resize_is_in_place("{}"));
    CHECK(!resize_is_in_place("{\"in_place\":false}"));
    CHECK(!resize_is_in_place("nothing"));
}
