/* NUMA cells of hosts. What hosts are made of is kept once per distinct text; what is held of a host is kept only once
 * something was. A request that needs cells is tried on the hosts that the search finds best, each with the exact fit.
 *
 * Failure modes: a text that cannot be read leaves the host without cells; nothing that needs them goes there. */
#include "common/memory.h"
#include "scheduler/placement/placement_internal.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What hosts of one hardware and configuration have in common. */
struct numa_kind {
    char *text; /* with the ratios before it */
    int32_t number;
    int32_t hosts;
    int32_t dedicated; /* processors */
    int32_t ratio_vcpus, ratio_memory;
    UT_hash_handle hh;
    struct numa_topology topology;
};

struct numa_slot {
    struct numa_kind *kind; /* NULL: the entry is free */
    union {
        struct numa_use *use;
        int32_t next_free; /* 1 + index; 0: none */
    };
};

static struct numa_kind *kind_of(const struct placement *p, int32_t slot)
{
    int32_t cells = p->slots[slot].cells;
    return cells < 0 ? p->numa_kind_at[-1 - cells] : cells > 0 ? p->numa[cells - 1].kind : NULL;
}

/* NULL: nothing is held. */
static struct numa_use *use_of(const struct placement *p, int32_t slot)
{
    int32_t cells = p->slots[slot].cells;
    return cells > 0 ? p->numa[cells - 1].use : NULL;
}

static void kind_leave(struct placement *p, struct numa_kind *k)
{
    if (--k->hosts == 0) {
        p->numa_kind_at[k->number] = NULL;
        HASH_DEL(p->numa_kinds, k);
        free(k->text);
        free(k);
    }
}

void placement_numa_forget(struct placement *p, int32_t slot)
{
    struct numa_kind *kind = kind_of(p, slot);
    int32_t cells = p->slots[slot].cells;
    if (cells > 0) {
        free(p->numa[cells - 1].use);
        p->numa[cells - 1] = (struct numa_slot){.next_free = p->numa_free};
        p->numa_free = cells;
    }
    p->slots[slot].cells = 0;
    if (kind) {
        kind_leave(p, kind);
    }
}

int32_t placement_numa_kind(const struct placement *p, int32_t slot)
{
    const struct numa_kind *kind = kind_of(p, slot);
    return kind ? kind->number : -1;
}

void placement_numa_copy(struct placement *p, int32_t slot, int32_t from)
{
    struct numa_kind *kind = kind_of(p, from);
    if (kind) {
        kind->hosts++;
        p->slots[slot].cells = -1 - kind->number;
    }
}

void placement_numa_done(struct placement *p)
{
    for (int32_t i = 0; i < p->slot_count; i++) {
        placement_numa_forget(p, i);
    }
    free(p->numa);
    free(p->numa_kind_at);
}

/* The lowest number that is free. */
static int32_t number_for(struct placement *p, struct numa_kind *k)
{
    int32_t i = 0;
    while (i < p->numa_kind_count && p->numa_kind_at[i]) {
        i++;
    }
    if (i == p->numa_kind_capacity) {
        p->numa_kind_capacity = p->numa_kind_capacity ? p->numa_kind_capacity * 2 : 16;
        p->numa_kind_at = memory_resize(p->numa_kind_at, (size_t)p->numa_kind_capacity * sizeof(struct numa_kind *));
    }
    p->numa_kind_count += i == p->numa_kind_count;
    p->numa_kind_at[i] = k;
    return i;
}

/* In the scratch memory. */
static const char *kind_text(struct placement *p, const struct placement_host *host)
{
    size_t size = strlen(host->topology) + 48;
    if (size > p->scratch_capacity) {
        p->scratch_capacity = size * 2;
        p->scratch = memory_resize(p->scratch, p->scratch_capacity);
    }
    char *text = (char *)p->scratch;
    snprintf(text, size, "%lld %lld %s", (long long)host->inventory[RESOURCE_VCPU].ratio_permille,
             (long long)host->inventory[RESOURCE_MEMORY_MIB].ratio_permille, host->topology);
    return text;
}

static struct numa_kind *kind_get(struct placement *p, const struct placement_host *host)
{
    struct numa_kind *k;
    const char *text = kind_text(p, host);
    HASH_FIND_STR(p->numa_kinds, text, k);
    if (k) {
        return k;
    }
    k = memory_new(sizeof(*k));
    if (numa_topology_read(host->topology, &k->topology, NULL) || k->topology.cell_count == 0) {
        free(k);
        return NULL;
    }
    for (int32_t i = 0; i < k->topology.cell_count; i++) {
        k->dedicated += cpuset_count(&k->topology.cells[i].dedicated);
    }
    k->ratio_vcpus = (int32_t)host->inventory[RESOURCE_VCPU].ratio_permille;
    k->ratio_memory = (int32_t)host->inventory[RESOURCE_MEMORY_MIB].ratio_permille;
    k->text = memory_strdup(text);
    k->number = number_for(p, k);
    HASH_ADD_KEYPTR(hh, p->numa_kinds, k->text, strlen(k->text), k);
    return k;
}

/* Something is held for the first time. */
static void use_begin(struct placement *p, int32_t slot)
{
    struct numa_kind *kind = kind_of(p, slot);
    int32_t cells = p->numa_free;
    if (cells > 0) {
        p->numa_free = p->numa[cells - 1].next_free;
    } else {
        if (p->numa_count == p->numa_capacity) {
            p->numa_capacity = p->numa_capacity ? p->numa_capacity + p->numa_capacity / 2 : 64;
            p->numa = memory_resize(p->numa, (size_t)p->numa_capacity * sizeof(*p->numa));
        }
        cells = ++p->numa_count;
    }
    p->numa[cells - 1] = (struct numa_slot){.kind = kind, .use = memory_new(numa_use_size(&kind->topology))};
    p->slots[slot].cells = cells;
}

static void hold(struct placement *p, int32_t slot, const struct numa_given *g)
{
    if (p->slots[slot].cells < 0) {
        use_begin(p, slot);
    }
    numa_use_change(&kind_of(p, slot)->topology, use_of(p, slot), g, 1);
}

struct holder {
    struct placement *p;
    int32_t slot;
};

static void hold_given(void *arg, const struct numa_given *g)
{
    const struct holder *h = arg;
    hold(h->p, h->slot, g);
}

static bool is_said(const char *topology)
{
    return topology && *topology && strcmp(topology, "{}") != 0;
}

void placement_numa_set(struct placement *p, int32_t slot, struct placement_host *host, struct placement_class *room)
{
    struct numa_kind *kind = is_said(host->topology) ? kind_get(p, host) : NULL;
    if (kind) {
        kind->hosts++;
    }
    placement_numa_forget(p, slot);
    if (!kind) {
        return;
    }
    p->slots[slot].cells = -1 - kind->number;
    if (host->given && numa_given_each(host->given, hold_given, &(struct holder){p, slot}, NULL)) {
        placement_numa_forget(p, slot);
        return;
    }
    if (kind->dedicated > 0 && host->class_count < PLACEMENT_CLASSES_MAX) {
        if (host->class_count > 0) {
            memcpy(room, host->classes, host->class_count * sizeof(*room));
        }
        room[host->class_count++] =
            (struct placement_class){.name = PLACEMENT_PCPU,
                                     .inventory = {.total = kind->dedicated, .ratio_permille = 1000},
                                     .used = use_of(p, slot) ? cpuset_count(&use_of(p, slot)->held) : 0};
        host->classes = room;
    }
}

static bool fit(const struct placement *p, int32_t slot, const struct numa_request *r, struct numa_given *ret,
                struct numa_lack *ret_lack)
{
    const struct numa_kind *kind = kind_of(p, slot);
    if (!kind) {
        if (ret_lack) {
            *ret_lack = (struct numa_lack){"known NUMA cells", r->cell_count};
        }
        return false;
    }
    const struct slot *s = &p->slots[slot];
    struct numa_limits limits = {.ratio_vcpus = kind->ratio_vcpus,
                                 .ratio_memory = kind->ratio_memory,
                                 .free_memory_mib =
                                     s->capacity[RESOURCE_MEMORY_MIB] - s->used.amount[RESOURCE_MEMORY_MIB]};
    return numa_fit(&kind->topology, use_of(p, slot), &limits, r, ret, ret_lack);
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
    hold(p, slot, extra->given);
}

void placement_numa_hold(struct placement *p, int32_t slot, const struct numa_given *given, int sign)
{
    struct numa_use *use = use_of(p, slot);
    if (use) { /* the host may have been read anew without them */
        numa_use_change(&kind_of(p, slot)->topology, use, given, sign);
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
