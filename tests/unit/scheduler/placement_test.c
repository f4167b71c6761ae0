/* Placement: the chosen host is the best of all that pass, whatever happened before; refusals count every host once. */
#include "scheduler/placement/placement_internal.h"
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
        placement_take(p, slot, &r.need);
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
               "No valid host: 12 hosts, 5 disabled, 7 full (VCPU); the nearest lacks 1 of VCPU");
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
        placement_take(p, slot, &r.need);
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

static int32_t brute_force(struct placement *p, const struct placement_request *r, int32_t zone)
{
    struct constraints c = {.need = r->need, .project = -2, .zone = zone, .hypervisor = -1, .architecture = -1};
    int32_t best = PLACEMENT_NO_SLOT;
    int64_t best_score = 0;
    for (int32_t i = 0; i < p->slot_count; i++) {
        if (!placement_passes(p, &p->slots[i], &c)) {
            continue;
        }
        int64_t score = placement_score(p, &p->slots[i], &c);
        if (best == PLACEMENT_NO_SLOT || score > best_score) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

TEST("choices equal a full scan through random churn")
{
    struct placement *p = placement_new(NULL);
    struct {
        int32_t slot;
        struct resources need;
    } held[400];
    int held_count = 0;
    unsigned seed = 7;
    add_hosts(p, 200);
    for (int step = 0; step < 20000; step++) {
        struct placement_request r = {.project_id = "p"};
        int kind = rand_r(&seed) % 5;
        r.need = (struct resources){{1 + kind, 512 << kind, 1 + kind * 10}};
        if (rand_r(&seed) % 100 == 0) {
            char id[40];
            struct placement_host h = host_named(id, rand_r(&seed) % 260);
            int32_t known = placement_slot(p, h.id);
            if (known != PLACEMENT_NO_SLOT) {
                h.used = *placement_host_used(p, known);
            }
            h.enabled = rand_r(&seed) % 3 != 0;
            placement_set_host(p, &h);
        }
        if (held_count == 400 || (held_count > 0 && rand_r(&seed) % 3 == 0)) {
            int victim = (int)((unsigned)rand_r(&seed) % (unsigned)held_count);
            placement_release(p, held[victim].slot, &held[victim].need);
            held[victim] = held[--held_count];
        }
        int32_t slot = placement_choose(p, &r);
        CHECK_INT(slot, brute_force(p, &r, -1));
        if (slot != PLACEMENT_NO_SLOT && held_count < 400) {
            placement_take(p, slot, &r.need);
            held[held_count].slot = slot;
            held[held_count++].need = r.need;
        }
    }
    placement_free(&p);
}

TEST("a walk visits every passing host once from the best down")
{
    struct placement *p = placement_new(NULL);
    unsigned seed = 3;
    add_hosts(p, 300);
    for (int i = 0; i < 1000; i++) {
        struct resources need = {{1, 100, 0}};
        placement_take(p, (int32_t)(rand_r(&seed) % 300), &need);
    }
    struct constraints c = {.need = {{1, 100, 1}}, .project = -2, .zone = -1, .hypervisor = -1, .architecture = -1};
    const struct class *k = placement_class_get(p, &c);
    struct walk w;
    bool seen[300] = {false};
    int count = 0;
    int64_t last = INT64_MAX;
    placement_walk_start(p, k, &w);
    for (int32_t slot = placement_walk_next(p, &w); slot != PLACEMENT_NO_SLOT; slot = placement_walk_next(p, &w)) {
        CHECK(!seen[slot]);
        CHECK(k->score[slot] <= last);
        last = k->score[slot];
        seen[slot] = true;
        count++;
    }
    CHECK_INT(count, 300);
    placement_free(&p);
}
