/* NUMA cells of hosts. What hosts are made of is kept once per distinct text; what is held of a host is kept only while
 * something is. A request that needs cells is tried on the hosts that the search finds best, each with the exact fit.
 *
 * Failure modes: a text that cannot be read leaves the host without cells; nothing that needs them goes there. */
#include "common/memory.h"
#include "scheduler/placement/placement_internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What hosts of one hardware and configuration have in common. */
struct numa_kind {
    char *text;
    int32_t hosts;
    int32_t dedicated; /* processors */
    UT_hash_handle hh;
    struct numa_topology topology;
};

struct numa_slot {
    struct numa_kind *kind; /* NULL: not known */
    struct numa_use *use;   /* NULL: nothing is held */
    int32_t ratio_vcpus, ratio_memory;
};

void placement_numa_grow(struct placement *p, int32_t old_capacity)
{
    if (!p->numa) {
        return;
    }
    p->numa = memory_resize(p->numa, (size_t)p->slot_capacity * sizeof(*p->numa));
    memset(p->numa + old_capacity, 0, (size_t)(p->slot_capacity - old_capacity) * sizeof(*p->numa));
}

static void kind_leave(struct placement *p, struct numa_kind *k)
{
    if (k && --k->hosts == 0) {
        HASH_DEL(p->numa_kinds, k);
        free(k->text);
        free(k);
    }
}

void placement_numa_forget(struct placement *p, int32_t slot)
{
    if (p->numa) {
        struct numa_slot *n = &p->numa[slot];
        kind_leave(p, n->kind);
        free(n->use);
        *n = (struct numa_slot){.kind = NULL};
    }
}

void placement_numa_done(struct placement *p)
{
    for (int32_t i = 0; p->numa && i < p->slot_count; i++) {
        placement_numa_forget(p, i);
    }
    free(p->numa);
}

static struct numa_kind *kind_get(struct placement *p, const char *text)
{
    struct numa_kind *k;
    HASH_FIND_STR(p->numa_kinds, text, k);
    if (k) {
        return k;
    }
    k = memory_new(sizeof(*k));
    if (numa_topology_read(text, &k->topology, NULL) || k->topology.cell_count == 0) {
        free(k);
        return NULL;
    }
    for (int32_t i = 0; i < k->topology.cell_count; i++) {
        k->dedicated += cpuset_count(&k->topology.cells[i].dedicated);
    }
    k->text = memory_strdup(text);
    HASH_ADD_KEYPTR(hh, p->numa_kinds, k->text, strlen(k->text), k);
    return k;
}

static void hold_given(void *arg, const struct numa_given *g)
{
    struct numa_slot *n = arg;
    if (!n->use) {
        n->use = memory_new(numa_use_size(&n->kind->topology));
    }
    numa_use_change(&n->kind->topology, n->use, g, 1);
}

static bool is_said(const char *topology)
{
    return topology && *topology && strcmp(topology, "{}") != 0;
}

void placement_numa_set(struct placement *p, int32_t slot, struct placement_host *host, struct placement_class *room)
{
    if (!p->numa && !is_said(host->topology)) {
        return;
    }
    if (!p->numa) {
        p->numa = memory_new((size_t)p->slot_capacity * sizeof(*p->numa));
    }
    struct numa_slot *n = &p->numa[slot];
    struct numa_kind *kind = is_said(host->topology) ? kind_get(p, host->topology) : NULL;
    if (kind) {
        kind->hosts++;
    }
    placement_numa_forget(p, slot);
    *n = (struct numa_slot){.kind = kind,
                            .ratio_vcpus = (int32_t)host->inventory[RESOURCE_VCPU].ratio_permille,
                            .ratio_memory = (int32_t)host->inventory[RESOURCE_MEMORY_MIB].ratio_permille};
    if (kind && host->given && numa_given_each(host->given, hold_given, n, NULL)) {
        placement_numa_forget(p, slot);
        return;
    }
    if (kind && kind->dedicated > 0 && host->class_count < PLACEMENT_CLASSES_MAX) {
        if (host->class_count > 0) {
            memcpy(room, host->classes, host->class_count * sizeof(*room));
        }
        room[host->class_count++] =
            (struct placement_class){.name = PLACEMENT_PCPU,
                                     .inventory = {.total = kind->dedicated, .ratio_permille = 1000},
                                     .used = n->use ? cpuset_count(&n->use->held) : 0};
        host->classes = room;
    }
}

static bool fit(const struct placement *p, int32_t slot, const struct numa_request *r, struct numa_given *ret,
                struct numa_lack *ret_lack)
{
    const struct numa_slot *n = p->numa ? &p->numa[slot] : NULL;
    if (!n || !n->kind) {
        if (ret_lack) {
            *ret_lack = (struct numa_lack){"known NUMA cells", r->cell_count};
        }
        return false;
    }
    const struct slot *s = &p->slots[slot];
    struct numa_limits limits = {.ratio_vcpus = n->ratio_vcpus,
                                 .ratio_memory = n->ratio_memory,
                                 .free_memory_mib =
                                     s->capacity[RESOURCE_MEMORY_MIB] - s->used.amount[RESOURCE_MEMORY_MIB]};
    return numa_fit(&n->kind->topology, n->use, &limits, r, ret, ret_lack);
}

bool placement_numa_fits(const struct placement *p, int32_t slot, const struct numa_request *r)
{
    return fit(p, slot, r, NULL, NULL);
}

bool placement_numa_lacks(const struct placement *p, int32_t slot, const struct numa_request *r, struct numa_lack *ret)
{
    return !fit(p, slot, r, NULL, ret);
}

void placement_numa_take(struct placement *p, int32_t slot, const struct placement_extra *extra)
{
    bool fits = fit(p, slot, extra->numa, extra->given, NULL);
    assert(fits); /* the caller asked placement_choose */
    hold_given(&p->numa[slot], extra->given);
}

void placement_numa_hold(struct placement *p, int32_t slot, const struct numa_given *given, int sign)
{
    struct numa_slot *n = p->numa ? &p->numa[slot] : NULL;
    if (n && n->use) { /* the host may have been read anew without them */
        numa_use_change(&n->kind->topology, n->use, given, sign);
    }
}

void placement_numa_release(struct placement *p, int32_t slot, const struct placement_extra *extra)
{
    placement_numa_hold(p, slot, extra->given, -1);
}

struct resources placement_numa_least(const struct resources *need, const struct numa_request *r)
{
    struct resources least = *need;
    least.amount[RESOURCE_VCPU] -= numa_request_dedicated(r);
    if (numa_request_is_huge(r) || r->page_kib == NUMA_PAGE_ANY) {
        least.amount[RESOURCE_MEMORY_MIB] = 0;
    }
    return least;
}

struct placement_extra placement_extra_at(const struct placement_request *r, size_t index)
{
    struct placement_extra extra = r->extra;
    if (extra.numa) {
        extra.given += index;
    }
    return extra;
}

struct resources placement_held(const struct resources *need, const struct placement_extra *extra)
{
    struct resources held = *need;
    if (extra && extra->numa) {
        held.amount[RESOURCE_VCPU] -= numa_request_dedicated(extra->numa);
        held.amount[RESOURCE_MEMORY_MIB] -= numa_given_huge_mib(extra->given);
    }
    return held;
}

int64_t placement_held_extra(const struct placement *p, const struct placement_extra *extra, size_t index)
{
    bool pinned = extra->numa && extra->item[index].class == p->pcpu;
    return pinned ? numa_given_held(extra->given) : extra->item[index].amount;
}
