/* Cells in placement: the lowest host that has room in its cells is found whatever happened before; a pool that is read
 * again from what servers hold answers the same; refusals name what is missing. */
#include "scheduler/placement/placement.h"
#include "tests/unit/check.h"
#include <stdio.h>

#define HOSTS 24
#define HELD  400

static uint64_t state = 1;
static int pick(int below)
{
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((state >> 33) % (uint64_t)below);
}

/* Two shapes of hosts; and every eighth has told nothing of its cells. */
static const char *const topologies[] = {
    "{\"cells\":[{\"id\":0,\"memory_mib\":8192,\"dedicated\":\"2-7\",\"shared\":\"0-1\",\"cores\":[\"0,4\",\"1,5\",\"2,"
    "6\",\"3,7\"],\"pages\":[{\"kib\":2048,\"total\":1024}]}]}",
    "{\"cells\":[{\"id\":0,\"memory_mib\":4096,\"dedicated\":\"1-3\",\"shared\":\"0\",\"cores\":[\"0\",\"1\",\"2\","
    "\"3\"],\"pages\":[]},{\"id\":1,\"memory_mib\":4096,\"dedicated\":\"4-7\",\"shared\":\"\",\"cores\":[\"4\",\"5\","
    "\"6\",\"7\"],\"pages\":[{\"kib\":1048576,\"total\":3}]}]}",
};

struct held {
    struct placement_request r;
    struct numa_request numa;
    struct numa_given given;
    int32_t slot;
};

struct model {
    const char *topology;
    struct numa_topology t;
    struct numa_use *use;
    struct resources used;
};

static struct placement_host host_of(const struct model *m, int number, char id[40])
{
    snprintf(id, 40, "host-%03d", number);
    return (struct placement_host){.id = id,
                                   .zone = "nova",
                                   .hypervisor = "qemu",
                                   .architecture = "x86_64",
                                   .enabled = true,
                                   .alive = true,
                                   .inventory = {{.total = 2, .ratio_permille = 4000},
                                                 {.total = 8192, .ratio_permille = 1000},
                                                 {.total = 1000, .ratio_permille = 1000}},
                                   .used = m->used,
                                   .topology = m->topology};
}

static void begin(struct placement *p, struct model *models)
{
    struct error e = {0};
    char id[40];
    placement_set_goal(p, PLACEMENT_GOAL_FIRST_FIT);
    for (int i = 0; i < HOSTS; i++) {
        struct model *m = &models[i];
        *m = (struct model){.topology = i % 8 == 7 ? NULL : topologies[i % 2]};
        if (m->topology) {
            CHECK_OK(numa_topology_read(m->topology, &m->t, &e), &e);
        }
        m->use = calloc(1, numa_use_size(&m->t));
        struct placement_host h = host_of(m, i, id);
        CHECK_INT(placement_set_host(p, &h), i);
    }
}

static void wish(struct placement *p, struct held *h)
{
    static const int64_t pages[] = {0, NUMA_PAGE_SMALL, NUMA_PAGE_LARGE, NUMA_PAGE_ANY, 2048, 1048576};
    int vcpus = 1 + pick(4), cells = 1 + pick(2);
    memset(h, 0, sizeof(*h));
    h->r = (struct placement_request){.need = {{vcpus * cells, 1024 * cells, 1}}, .project_id = "p"};
    if (pick(4) == 0) {
        return; /* a plain one */
    }
    h->numa = (struct numa_request){.vcpus = vcpus * cells,
                                    .cell_count = cells,
                                    .page_kib = pages[pick(6)],
                                    .threads = (enum numa_threads)pick(3),
                                    .policy = pick(3) ? NUMA_DEDICATED : NUMA_SHARED};
    for (int v = 0; v < vcpus * cells; v++) {
        cpuset_add(&h->numa.cells[v / vcpus].vcpus, v);
        if (h->numa.policy == NUMA_DEDICATED) {
            cpuset_add(&h->numa.dedicated, v);
        }
    }
    for (int c = 0; c < cells; c++) {
        h->numa.cells[c].memory_mib = 1024;
    }
    if (h->numa.policy == NUMA_DEDICATED) {
        h->r.extra.item[h->r.extra.count].class = placement_class_number(p, PLACEMENT_PCPU);
        h->r.extra.item[h->r.extra.count++].amount = vcpus * cells;
    }
    h->r.extra.numa = &h->numa;
    h->r.extra.given = &h->given;
}

static bool fits(const struct model *m, const struct held *h)
{
    struct resources need = h->r.need, capacity = {{8, 8192, 1000}};
    struct numa_limits limits = {4000, 1000, capacity.amount[1] - m->used.amount[1]};
    struct numa_given g;
    if (h->r.extra.numa) {
        if (!m->topology || !numa_fit(&m->t, m->use, &limits, &h->numa, &g, NULL)) {
            return false;
        }
        need.amount[0] -= numa_request_dedicated(&h->numa);
        need.amount[1] -= numa_given_huge_mib(&g);
    }
    return resources_fit(&need, &capacity, &m->used);
}

static int32_t first_that_fits(const struct model *models, const struct held *h)
{
    for (int i = 0; i < HOSTS; i++) {
        if (fits(&models[i], h)) {
            return i;
        }
    }
    return PLACEMENT_NO_SLOT;
}

static void note(struct model *m, const struct held *h, int sign)
{
    struct resources held = placement_held(&h->r.need, &h->r.extra);
    for (int i = 0; i < RESOURCE_COUNT; i++) {
        m->used.amount[i] += sign * held.amount[i];
    }
    if (h->r.extra.numa) {
        CHECK(sign < 0 || !cpuset_meets(&m->use->held, &h->given.held));
        numa_use_change(&m->t, m->use, &h->given, sign);
    }
}

/* As the scheduler does when it starts: hosts with what their servers hold. */
static struct placement *read_again(const struct model *models, const struct held *held, int count)
{
    struct placement *p = placement_new(NULL);
    char id[40];
    placement_set_goal(p, PLACEMENT_GOAL_FIRST_FIT);
    for (int i = 0; i < HOSTS; i++) {
        struct placement_host h = host_of(&models[i], i, id);
        struct strbuf given;
        strbuf_init(&given, 0);
        for (int k = 0; k < count; k++) {
            if (held[k].slot == i && held[k].r.extra.numa) {
                strbuf_append_char(&given, given.size ? ',' : '[');
                numa_given_print(&held[k].given, &given);
            }
        }
        if (given.size) {
            strbuf_append_char(&given, ']');
            h.given = given.data;
        }
        placement_set_host(p, &h);
        strbuf_done(&given);
    }
    return p;
}

TEST("the lowest host with room in its cells is found, through takes, releases and a restart")
{
    struct placement *p = placement_new(NULL);
    struct model models[HOSTS];
    struct held *held = calloc(HELD, sizeof(*held));
    int count = 0, placed = 0, refused = 0;
    begin(p, models);
    for (int i = 0; i < 6000; i++) {
        struct held h;
        wish(p, &h);
        int32_t slot = placement_choose(p, &h.r);
        CHECK_INT(slot, first_that_fits(models, &h));
        placed += slot != PLACEMENT_NO_SLOT;
        refused += slot == PLACEMENT_NO_SLOT;
        if (slot != PLACEMENT_NO_SLOT && count < HELD) {
            struct held *kept = &held[count++];
            *kept = h;
            kept->slot = slot;
            kept->r.extra.numa = h.r.extra.numa ? &kept->numa : NULL;
            kept->r.extra.given = &kept->given;
            placement_take(p, slot, &kept->r.need, &kept->r.extra);
            note(&models[slot], kept, 1);
        }
        while (count > 0 && pick(count > 100 ? 2 : 4) == 0) {
            int k = pick(count);
            placement_release(p, held[k].slot, &held[k].r.need, &held[k].r.extra);
            note(&models[held[k].slot], &held[k], -1);
            held[k] = held[--count];
            held[k].r.extra.numa = held[k].r.extra.numa ? &held[k].numa : NULL;
            held[k].r.extra.given = &held[k].given;
        }
        if (i % 500 == 499) {
            placement_free(&p);
            p = read_again(models, held, count);
        }
    }
    CHECK(placed > 1000 && refused > 500);
    for (int i = 0; i < HOSTS; i++) {
        free(models[i].use);
    }
    free(held);
    placement_free(&p);
}

TEST("refusals name the cells' lack and the nearest host")
{
    struct placement *p = placement_new(NULL);
    struct model models[HOSTS];
    struct held h = {.slot = 0};
    struct placement_explanation x;
    char text[480];
    begin(p, models);
    h.numa = (struct numa_request){.vcpus = 5, .cell_count = 1, .policy = NUMA_DEDICATED};
    h.numa.cells[0].memory_mib = 512;
    cpuset_fill(&h.numa.cells[0].vcpus, 5);
    cpuset_fill(&h.numa.dedicated, 5);
    h.r = (struct placement_request){.need = {{5, 512, 1}}, .project_id = "p", .only_host = "host-001"};
    h.r.extra = (struct placement_extra){.numa = &h.numa, .given = &h.given, .count = 1};
    h.r.extra.item[0].class = placement_class_number(p, PLACEMENT_PCPU);
    h.r.extra.item[0].amount = 5;
    CHECK_INT(placement_choose(p, &h.r), PLACEMENT_NO_SLOT);
    placement_explain(p, &h.r, &x);
    CHECK_CONTAINS(placement_sentence(&x, text, sizeof(text)), "without room in NUMA cells (dedicated CPUs in one NUMA "
                                                               "cell)");
    h.r.only_host = NULL;
    h.numa.page_kib = 1048576;
    h.numa.cells[0].memory_mib = 4096;
    CHECK_INT(placement_choose(p, &h.r), PLACEMENT_NO_SLOT);
    placement_explain(p, &h.r, &x);
    CHECK_CONTAINS(placement_sentence(&x, text, sizeof(text)), "nearest: ");
    for (int i = 0; i < HOSTS; i++) {
        free(models[i].use);
    }
    placement_free(&p);
}

TEST("a batch gets cells one after another, and gives all of them back when too few fit")
{
    struct placement *p = placement_new(NULL);
    struct model models[HOSTS];
    struct numa_given given[8];
    struct placement_group_host members[8];
    int32_t slots[8];
    struct held h = {.slot = 0};
    begin(p, models);
    h.numa = (struct numa_request){.vcpus = 3, .cell_count = 1, .policy = NUMA_DEDICATED};
    h.numa.cells[0].memory_mib = 512;
    cpuset_fill(&h.numa.cells[0].vcpus, 3);
    cpuset_fill(&h.numa.dedicated, 3);
    h.r = (struct placement_request){.need = {{3, 512, 1}}, .project_id = "p"};
    h.r.extra = (struct placement_extra){.numa = &h.numa, .given = given, .count = 1};
    h.r.extra.item[0].class = placement_class_number(p, PLACEMENT_PCPU);
    h.r.extra.item[0].amount = 3;
    char id[40];
    for (int i = 2; i < HOSTS; i++) {
        snprintf(id, sizeof(id), "host-%03d", i);
        placement_remove_host(p, id);
    }
    CHECK_INT(placement_choose_batch(p, &h.r, 5, 5, members, slots), 0);
    CHECK_INT(placement_choose_batch(p, &h.r, 3, 5, members, slots), 4);
    CHECK_INT(slots[1], 0);
    CHECK_INT(slots[2], 1);
    CHECK(!cpuset_meets(&given[0].held, &given[1].held) && !cpuset_meets(&given[2].held, &given[3].held));
    for (int i = 0; i < HOSTS; i++) {
        free(models[i].use);
    }
    placement_free(&p);
}
