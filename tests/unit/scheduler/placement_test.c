/* Placement: the chosen host is the best of all that pass, whatever happened before; refusals count every host once. */
#include "scheduler/placement/placement.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct placement_host host_named(char id[40], int number)
{
    snprintf(id, 40, "host-%06d", number);
    struct placement_host h = {.id = id,
                               .zone = "nova",
                               .hypervisor = "qemu",
                               .architecture = "x86_64",
                               .enabled = true,
                               .alive = true,
                               .inventory = {{.total = 16, .ratio_permille = 4000},
                                             {.total = 65536, .reserved = 512, .ratio_permille = 1000},
                                             {.total = 1000, .ratio_permille = 1000}}};
    return h;
}

static void add_hosts(struct placement *p, int count)
{
    char id[40];
    for (int i = 0; i < count; i++) {
        struct placement_host h = host_named(id, i);
        placement_set_host(p, &h);
    }
}

static struct placement_request small_request(void)
{
    return (struct placement_request){.need = {{1, 512, 1}}, .project_id = "p"};
}

TEST("an empty pool places nothing and says so")
{
    struct placement *p = placement_new(NULL);
    struct placement_request r = small_request();
    struct placement_explanation x;
    char text[200];
    CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
    placement_explain(p, &r, &x);
    CHECK_TEXT(placement_sentence(&x, text, sizeof(text)), "No valid host: 0 hosts");
    placement_free(&p);
}

TEST("a spreading pool fills hosts evenly")
{
    struct placement *p = placement_new(NULL);
    add_hosts(p, 10);
    struct placement_request r = small_request();
    for (int i = 0; i < 100; i++) {
        int32_t slot = placement_choose(p, &r);
        placement_take(p, slot, &r.need, NULL);
    }
    for (int32_t i = 0; i < 10; i++) {
        CHECK_INT(placement_host_used(p, i)->amount[RESOURCE_VCPU], 10);
    }
    placement_free(&p);
}

TEST("a refusal counts each host under the first filter that removed it")
{
    struct placement *p = placement_new(NULL);
    char id[40];
    for (int i = 0; i < 12; i++) {
        struct placement_host h = host_named(id, i);
        h.enabled = i >= 5;
        if (i >= 5) {
            h.used.amount[RESOURCE_VCPU] = 64;
        }
        placement_set_host(p, &h);
    }
    struct placement_request r = small_request();
    struct placement_explanation x;
    char text[200];
    CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
    placement_explain(p, &r, &x);
    CHECK_TEXT(placement_sentence(&x, text, sizeof(text)),
               "No valid host: 12 hosts, 5 disabled, 7 full (VCPU); nearest: 7 hosts lack 1 VCPU");
    placement_free(&p);
}

TEST("anti-affinity never puts two members on one host and runs out in time")
{
    struct placement *p = placement_new(NULL);
    add_hosts(p, 5);
    struct placement_group_host members[5];
    struct placement_request r = small_request();
    r.policy = PLACEMENT_ANTI_AFFINITY;
    r.max_per_host = 1;
    r.members = members;
    for (size_t i = 0; i < 5; i++) {
        r.member_count = i;
        int32_t slot = placement_choose(p, &r);
        CHECK(slot != PLACEMENT_NO_SLOT);
        for (size_t k = 0; k < i; k++) {
            CHECK(members[k].slot != slot);
        }
        members[i] = (struct placement_group_host){.slot = slot, .count = 1};
        placement_take(p, slot, &r.need, NULL);
    }
    r.member_count = 5;
    CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
    placement_free(&p);
}

TEST("affinity follows the first member")
{
    struct placement *p = placement_new(NULL);
    add_hosts(p, 5);
    struct placement_group_host member = {.slot = 3, .count = 1};
    struct placement_request r = small_request();
    r.policy = PLACEMENT_AFFINITY;
    r.members = &member;
    r.member_count = 1;
    CHECK_INT(placement_choose(p, &r), 3);
    placement_free(&p);
}

TEST("soft groups prefer but do not insist")
{
    struct placement *p = placement_new(NULL);
    add_hosts(p, 3);
    struct placement_group_host members[3] = {{0, 1}, {1, 2}, {2, 1}};
    struct placement_request r = small_request();
    r.members = members;
    r.member_count = 3;
    r.policy = PLACEMENT_SOFT_AFFINITY;
    CHECK_INT(placement_choose(p, &r), 1);
    r.policy = PLACEMENT_SOFT_ANTI_AFFINITY;
    CHECK_INT(placement_choose(p, &r), 0);
    placement_free(&p);
}

TEST("traits zones and tenants are honoured")
{
    struct placement *p = placement_new(NULL);
    char id[40];
    const char *gpu[] = {"HW_GPU"};
    const char *tenants[] = {"owner", NULL};
    add_hosts(p, 4);
    struct placement_host h = host_named(id, 4);
    h.traits = gpu;
    h.trait_count = 1;
    h.zone = "east";
    h.tenants = tenants;
    placement_set_host(p, &h);
    struct placement_request r = small_request();
    r.required[0] = "HW_GPU";
    CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
    r.project_id = "owner";
    CHECK_INT(placement_choose(p, &r), 4);
    r.zone = "nova";
    CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
    r.zone = "east";
    r.required[0] = NULL;
    r.forbidden[0] = "HW_GPU";
    CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
    placement_free(&p);
}

TEST("different hosts are avoided and same hosts are insisted on")
{
    struct placement *p = placement_new(NULL);
    struct placement_explanation x;
    char text[200];
    add_hosts(p, 3);
    struct placement_request r = small_request();
    r.avoid_hosts[0] = "host-000000";
    r.avoid_hosts[1] = "host-000001";
    r.avoid_servers = "web-1, web-2";
    CHECK_INT(placement_choose(p, &r), 2);
    r.only_host = "host-000001";
    CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
    placement_explain(p, &r, &x);
    CHECK_TEXT(placement_sentence(&x, text, sizeof(text)),
               "No valid host: 3 hosts, 2 excluded by different_host (web-1, web-2), 1 not the host asked for "
               "(host-000001)");
    r.avoid_hosts[1] = NULL;
    CHECK_INT(placement_choose(p, &r), 1);
    placement_free(&p);
}

TEST("further classes are fitted, given back and named in refusals")
{
    struct placement *p = placement_new(NULL);
    char id[40], text[200];
    struct placement_class classes[] = {{"PCPU", {8, 0, 1000}, 0}, {"CUSTOM_GPU", {4, 0, 1000}, 3}};
    struct placement_explanation x;
    add_hosts(p, 2);
    struct placement_host h = host_named(id, 2);
    h.classes = classes;
    h.class_count = 2;
    placement_set_host(p, &h);
    struct placement_request r = small_request();
    r.extra.count = 2;
    r.extra.item[0].class = placement_class_number(p, "CUSTOM_GPU");
    r.extra.item[0].amount = 1;
    r.extra.item[1].class = placement_class_number(p, "PCPU");
    r.extra.item[1].amount = 8;
    CHECK_INT(placement_choose(p, &r), 2);
    placement_take(p, 2, &r.need, &r.extra);
    r.extra.item[1].amount = 0;
    CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
    placement_explain(p, &r, &x);
    CHECK_TEXT(
        placement_sentence(&x, text, sizeof(text)),
        "No valid host: 3 hosts, 2 without the resource class (CUSTOM_GPU), 1 full (CUSTOM_GPU); nearest: 1 host "
        "lacks 1 CUSTOM_GPU");
    placement_release(p, 2, &r.need, &r.extra);
    CHECK_INT(placement_choose(p, &r), 2);
    placement_free(&p);
}

TEST("the nearest miss is the host that lacks the least of what was asked")
{
    struct placement *p = placement_new(NULL);
    char id[40], text[200];
    struct placement_explanation x;
    for (int i = 0; i < 5; i++) {
        struct placement_host h = host_named(id, i);
        h.used.amount[RESOURCE_MEMORY_MIB] = i < 3 ? 64000 : 65024;
        h.used.amount[RESOURCE_VCPU] = i == 4 ? 64 : 0;
        placement_set_host(p, &h);
    }
    struct placement_request r = small_request();
    r.need.amount[RESOURCE_MEMORY_MIB] = 1536;
    CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
    placement_explain(p, &r, &x);
    CHECK_TEXT(placement_sentence(&x, text, sizeof(text)),
               "No valid host: 5 hosts, 1 full (VCPU), 4 full (MEMORY_MB); nearest: 3 hosts lack 512 MiB");
    placement_free(&p);
}

TEST("where every host lacks several things the nearest miss tells all of them")
{
    struct placement *p = placement_new(NULL);
    char id[40], text[200];
    struct placement_explanation x;
    for (int i = 0; i < 3; i++) {
        struct placement_host h = host_named(id, i);
        h.used.amount[RESOURCE_MEMORY_MIB] = 64512;
        h.used.amount[RESOURCE_VCPU] = i == 1 ? 63 : 64;
        placement_set_host(p, &h);
    }
    struct placement_request r = small_request();
    r.need = (struct resources){{2, 1024, 1}};
    placement_explain(p, &r, &x);
    CHECK_TEXT(placement_sentence(&x, text, sizeof(text)),
               "No valid host: 3 hosts, 3 full (VCPU); nearest: 1 host lacks 1 VCPU and 512 MiB");
    placement_free(&p);
}

/* A host that each filter on kinds removes, and what it says of it. */
static const struct {
    const char *zone, *hypervisor, *architecture, *trait, *property, *tenant; /* of the host; NULL: as asked */
    const char *refusal;
} cases[] = {
    {.zone = "az1", .refusal = "1 outside the availability zone (az2)"},
    {.hypervisor = "xen", .refusal = "1 not of the hypervisor (qemu)"},
    {.architecture = "aarch64", .refusal = "1 not of the architecture (x86_64)"},
    {.trait = "OTHER", .refusal = "1 without the traits (CUSTOM_FAST)"},
    {.trait = "CUSTOM_OLD", .refusal = "1 with forbidden traits (CUSTOM_OLD)"},
    {.property = "disk=sata", .refusal = "1 without the aggregate properties (disk=nvme)"},
    {.property = "iops=900", .refusal = "1 without the aggregate properties (iops >= 1000)"},
    {.property = "os=windows", .refusal = "1 in aggregates for other images (os=linux)"},
    {.property = "trait:GOLD=required",
     .refusal = "1 in aggregates for servers that ask for a trait (trait:GOLD=required)"},
    {.tenant = "theirs", .refusal = "1 kept for other projects (mine)"},
    {.property = "net=n2", .refusal = "1 without reach of the network (n1)"},
    {.property = "store=hdd", .refusal = "1 without reach of the store (ssd)"},
};

TEST("every filter names what was asked for")
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct placement *p = placement_new(NULL);
        struct placement_explanation x;
        char id[40], text[400], expected[400];
        const char *tenants[] = {cases[i].tenant, NULL}, *property = cases[i].property;
        const char *traits[] = {"CUSTOM_FAST", cases[i].trait}, *only[] = {cases[i].trait};
        const char *all[] = {"disk=nvme", "iops=1000", property};
        struct placement_host h = host_named(id, 0);
        bool lacks_trait = cases[i].trait && strcmp(cases[i].trait, "OTHER") == 0;
        h.zone = cases[i].zone ? cases[i].zone : "az2";
        h.hypervisor = cases[i].hypervisor ? cases[i].hypervisor : "qemu";
        h.architecture = cases[i].architecture ? cases[i].architecture : "x86_64";
        h.traits = lacks_trait ? only : traits;
        h.trait_count = lacks_trait ? 1 : cases[i].trait ? 2 : 1;
        h.tenants = cases[i].tenant ? tenants : NULL;
        all[0] = property && strncmp(property, "disk=", 5) == 0 ? property : all[0];
        all[1] = property && strncmp(property, "iops=", 5) == 0 ? property : all[1];
        h.aggregates = all;
        h.aggregate_count = property ? 3 : 2;
        placement_set_host(p, &h);
        struct placement_request r = small_request();
        r.zone = "az2";
        r.hypervisor = "qemu";
        r.architecture = "x86_64";
        r.project_id = "mine";
        r.required[0] = "CUSTOM_FAST";
        r.forbidden[0] = "CUSTOM_OLD";
        r.properties[0] = "disk=nvme";
        r.matches[r.match_count++] = placement_match_number(p, "iops", ">= 1000");
        r.kept[r.kept_count++] = (struct placement_kept){PLACEMENT_KEEPS_IMAGES, "os", {"os=linux"}};
        r.kept[r.kept_count++] = (struct placement_kept){PLACEMENT_KEEPS_NETWORKS, "net", {"net=n1"}};
        r.kept[r.kept_count++] = (struct placement_kept){PLACEMENT_KEEPS_STORES, "store", {"store=ssd"}};
        CHECK_INT(placement_choose(p, &r), PLACEMENT_NO_SLOT);
        placement_explain(p, &r, &x);
        snprintf(expected, sizeof(expected), "No valid host: 1 host, %s", cases[i].refusal);
        CHECK_TEXT(placement_sentence(&x, text, sizeof(text)), expected);
        placement_free(&p);
    }
}

TEST("a batch is placed apart, or not at all when the least number does not fit")
{
    struct placement *p = placement_new(NULL);
    struct placement_group_host members[8];
    int32_t slots[8];
    add_hosts(p, 4);
    struct placement_request r = small_request();
    r.policy = PLACEMENT_ANTI_AFFINITY;
    CHECK_INT(placement_choose_batch(p, &r, 5, 6, members, slots), 0);
    for (int32_t i = 0; i < 4; i++) {
        CHECK_INT(placement_host_servers(p, i), 0);
    }
    CHECK_INT(placement_choose_batch(p, &r, 2, 6, members, slots), 4);
    for (int32_t i = 0; i < 4; i++) {
        CHECK_INT(placement_host_servers(p, i), 1);
    }
    placement_free(&p);
}

TEST("a removed host gives its slot to the next one and is forgotten")
{
    struct placement *p = placement_new(NULL);
    char id[40];
    add_hosts(p, 3);
    placement_remove_host(p, "host-000001");
    CHECK_INT(placement_slot(p, "host-000001"), PLACEMENT_NO_SLOT);
    CHECK_INT(placement_host_count(p), 2);
    struct placement_host h = host_named(id, 9);
    CHECK_INT(placement_set_host(p, &h), 1);
    CHECK_INT(placement_slot(p, "host-000009"), 1);
    CHECK_INT(placement_slot(p, "host-000002"), 2);
    placement_free(&p);
}

TEST("a pool's policy counts while all hosts that a request can go to have the same")
{
    static const char *const pack[] = {"placement_policy=pack"}, *const spread[] = {"placement_policy=spread"};
    struct placement *p = placement_new(NULL);
    struct placement_request r = small_request();
    char id[40];
    for (int i = 0; i < 3; i++) {
        struct placement_host h = host_named(id, i);
        h.aggregates = pack;
        h.aggregate_count = 1;
        h.used.amount[RESOURCE_VCPU] = h.server_count = i;
        placement_set_host(p, &h);
    }
    CHECK_INT(placement_choose(p, &r), 2);
    struct placement_host other = host_named(id, 3);
    other.aggregates = spread;
    other.aggregate_count = 1;
    other.used.amount[RESOURCE_VCPU] = other.server_count = 1;
    placement_set_host(p, &other);
    CHECK_INT(placement_choose(p, &r), 0); /* by the weighers */
    placement_remove_host(p, other.id);
    CHECK_INT(placement_choose(p, &r), 2);
    placement_set_host(p, &other);
    CHECK_INT(placement_choose(p, &r), 0);
    placement_free(&p);
}
