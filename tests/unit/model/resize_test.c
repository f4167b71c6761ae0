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
    CHECK_INT(way(2, 512, 0, ROOM, ROOM), RESIZE_ANEW);
    CHECK_INT(way(5, 256, 2, ROOM, ROOM), RESIZE_ANEW); /* off it goes, and takes its disk along */
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

TEST("a running guest takes disks that it had not, and larger ones")
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
    CHECK_INT(disks(0, 64, 2, 64, 256, &more), RESIZE_PLUG);
    CHECK_INT(more.amount[RESOURCE_DISK_GIB], 2);
    CHECK_INT(disks(1, 0, 2, 0, 256, &more), RESIZE_PLUG);
    CHECK_INT(more.amount[RESOURCE_DISK_GIB], 1);
    CHECK_INT(disks(0, 1024, 0, 1025, 256, &more), RESIZE_PLUG);
    CHECK_INT(more.amount[RESOURCE_DISK_GIB], 1);
    CHECK_INT(disks(2, 0, 0, 0, 256, &more), RESIZE_ANEW);
    CHECK_INT(disks(0, 64, 0, 32, 256, &more), RESIZE_ANEW);
    CHECK_INT(disks(0, 0, 2, 0, 512, &more), RESIZE_ANEW); /* no headroom for the memory */
}

TEST("a running guest takes a larger root disk")
{
    char a[512], b[512];
    struct resources more;
    CHECK_INT(resize_way_of(flavor(a, 1, 256, 2, ROOM), flavor(b, 2, 384, 5, ROOM), &more), RESIZE_PLUG);
    CHECK_INT(more.amount[RESOURCE_DISK_GIB], 3);
    CHECK_INT(more.amount[RESOURCE_VCPU], 1);
    CHECK_INT(resize_way_of(flavor(a, 1, 256, 0, ROOM), flavor(b, 1, 256, 5, ROOM), &more), RESIZE_ANEW);
    CHECK_INT(resize_way_of(flavor(a, 1, 256, 2, ""), flavor(b, 1, 256, 5, ""), &more), RESIZE_PLUG);
}

static struct resize_disks kept(int old_root, int old_ephemeral, int old_swap, struct resize_disks disks,
                                bool *ret_waits)
{
    static const char words[] = "{\"root_gib\":%d,\"ephemeral_gib\":%d,\"swap_mib\":%d,\"extra\":{}}";
    char a[512], b[512];
    snprintf(a, sizeof(a), words, old_root, old_ephemeral, old_swap);
    snprintf(b, sizeof(b), words, (int)disks.root_gib, (int)disks.ephemeral_gib, (int)disks.swap_mib);
    *ret_waits = resize_waits(a, b);
    resize_keep_disks(a, &disks);
    return disks;
}

TEST("until it is confirmed a disk is as it was, and one that it had not is there")
{
    bool waits;
    struct resize_disks disks = kept(1, 2, 64, (struct resize_disks){3, 4, 128}, &waits);
    CHECK(disks.root_gib == 1 && disks.ephemeral_gib == 2 && disks.swap_mib == 64 && waits);
    disks = kept(1, 0, 0, (struct resize_disks){1, 4, 128}, &waits);
    CHECK(disks.root_gib == 1 && disks.ephemeral_gib == 4 && disks.swap_mib == 128 && !waits);
    disks = kept(0, 1, 0, (struct resize_disks){3, 1, 128}, &waits);
    CHECK(disks.root_gib == 0 && disks.ephemeral_gib == 1 && disks.swap_mib == 128 && waits); /* its image's size */
    disks = kept(1, 0, 64, (struct resize_disks){1, 0, 65}, &waits);
    CHECK(disks.swap_mib == 64 && waits);
    resize_keep_disks("{", &disks);
    CHECK(disks.swap_mib == 64 && !resize_waits("{}", "{"));
}

TEST("the choice is kept with the migration")
{
    CHECK(resize_is_in_place(RESIZE_IN_PLACE_OPTIONS));
    CHECK(!resize_is_in_place("{}"));
    CHECK(!resize_is_in_place("{\"in_place\":false}"));
    CHECK(!resize_is_in_place("nothing"));
}
